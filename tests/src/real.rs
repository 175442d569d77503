//! Registries of other makers than the stack's, as they are: `tests/registries.sh` installs them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;
use tempfile::TempDir;

use crate::process::{Server, free_port};

/// A registry that runs as long as the test needs it.
#[derive(Debug)]
pub struct Real {
    /// Host and port: what a mirror's reference begins with.
    pub address: String,
    /// Where images are pushed to, host and port.
    pub behind: String,
    _servers: Vec<Server>,
    _folder: TempDir,
}

/// The user of [`Real::container_registry`]; it looks at the password only.
pub const USER: &str = "anybody";
/// Their password.
pub const PASSWORD: &str = "for the tests";

impl Real {
    /// `crane registry serve`, of go-containerregistry.
    pub fn crane() -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
        let address = format!("127.0.0.1:{port}");
        let mut crane = Command::new(built("peers/crane"));
        crane.args(["registry", "serve", "--address", &address, "--disk"]).arg(folder.path());
        let servers = vec![Server::start(&mut crane, port)];
        Self { behind: address.clone(), address, _servers: servers, _folder: folder }
    }

    /// The crate container-registry, which wants a password. It knows no lists of tags: a proxy in front of it has that
    /// of `path`, for those who log in.
    pub fn container_registry(path: &str, tags: &[&str]) -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
        let behind = format!("127.0.0.1:{port}");
        let mut registry = Command::new(built("peers/bin/container-registry"));
        registry.args(["--bind", &behind, "--password", PASSWORD, "--storage"]).arg(folder.path().join("data"));
        let server = Server::start(&mut registry, port);
        let refusal = "if ($http_authorization = '') { return 401; }";
        let (address, front) = front(folder.path(), &behind, path, tags, refusal);
        Self { address, behind, _servers: vec![front, server], _folder: folder }
    }

    /// drayage, which stores what it fetches from the registry at `upstream`. It knows no lists of tags, either; there,
    /// `docker.io/` is in front of the paths.
    pub fn drayage(upstream: &str, path: &str, tags: &[&str]) -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
        let (behind, cache) = (format!("127.0.0.1:{port}"), folder.path().join("cache"));
        fs::create_dir(&cache).unwrap();
        let file = folder.path().join("config.toml");
        let config = format!(
            "listen = {}\ncache_dir = {}\nmanifest_ttl_seconds = 1\n[upstreams.docker_io]\nregistry = {}\n",
            json!(behind),
            json!(cache),
            json!(format!("http://{upstream}"))
        );
        fs::write(&file, config).unwrap();
        let server =
            Server::start(Command::new(built("tests-venv/bin/drayage")).args(["serve", "-c"]).arg(&file), port);
        let (address, front) = front(folder.path(), &behind, &format!("docker.io/{path}"), tags, "");
        Self { address, behind, _servers: vec![front, server], _folder: folder }
    }
}

fn built(what: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target").join(what)
}

/// nginx in front of a registry, with a list of tags, whose answers it passes on as they come.
fn front(folder: &Path, behind: &str, path: &str, tags: &[&str], refusal: &str) -> (String, Server) {
    let port = free_port();
    let (folder, list) = (folder.display(), json!({"name": path, "tags": tags}));
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = temporary.map(|what| format!("{what}_temp_path {folder}/{what};")).join(" ");
    let config = format!(
        "daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;\n\
         events {{}}\n\
         http {{ access_log off; {temporary}\n\
           server {{ listen 127.0.0.1:{port}; client_max_body_size 0;\n\
             location = /v2/{path}/tags/list {{ {refusal} default_type application/json; return 200 '{list}'; }}\n\
             location / {{ proxy_pass http://{behind}; proxy_http_version 1.1; proxy_buffering off; }} }} }}\n"
    );
    let file = format!("{folder}/nginx.conf");
    fs::write(&file, config).unwrap();
    let nginx = ["/usr/sbin/nginx", "/usr/bin/nginx"].into_iter().find(|nginx| Path::new(nginx).exists());
    let mut nginx = Command::new(nginx.unwrap_or("nginx"));
    nginx.args(["-e", &format!("{folder}/nginx.log"), "-p", &folder.to_string(), "-c", &file]);
    (format!("127.0.0.1:{port}"), Server::start(&mut nginx, port))
}
