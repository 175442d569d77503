//! Further real registries: with a password, with TLS, and over the mirror's bucket.

use std::{fs, path::Path, process::Command};

use tempfile::TempDir;

use crate::{
    process::{Server, free_port},
    proxy::tls,
    stack::Stack,
};

/// A stock registry of the test's own.
#[derive(Debug)]
pub struct Registry {
    /// Host and port.
    pub address: String,
    /// With the scheme, and the user where there is one: for pushing and pulling.
    pub url: String,
    _server: Server,
    _folder: TempDir,
}

/// The user of [`Registry::with_password`].
pub const USER: &str = "mirror";
/// Their password, with characters that are special somewhere.
pub const PASSWORD: &str = "p:ä/ss %w\"ord";

impl Registry {
    /// One that asks for [`USER`] and [`PASSWORD`].
    pub fn with_password() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hash = Command::new("htpasswd").args(["-Bbn", USER, PASSWORD]).output().unwrap();
        let file = folder.path().join("htpasswd");
        fs::write(&file, hash.stdout).unwrap();
        let auth = format!("auth: {{htpasswd: {{realm: test, path: {}}}}}\n", file.display());
        let mut registry = Self::start(folder, &filesystem(), &auth, "http");
        let mut url: reqwest::Url = registry.url.parse().unwrap();
        url.set_username(USER).unwrap();
        url.set_password(Some(PASSWORD)).unwrap();
        url.as_str().trim_end_matches('/').clone_into(&mut registry.url);
        registry
    }

    /// One without anything else.
    pub fn plain() -> Self {
        Self::start(tempfile::tempdir().unwrap(), &filesystem(), "", "http")
    }

    /// One that tells `url` of whatever is pushed to it.
    pub fn that_tells(url: &str) -> Self {
        let endpoint = format!("{{name: mirror, url: \"{url}\", timeout: 5s, threshold: 3, backoff: 1s}}");
        let notifications = format!("notifications: {{endpoints: [{endpoint}]}}\n");
        Self::start(tempfile::tempdir().unwrap(), &filesystem(), &notifications, "http")
    }

    /// One with a certificate that nobody vouches for.
    pub fn with_tls() -> Self {
        let folder = tempfile::tempdir().unwrap();
        tls::certify(folder.path());
        let (key, certificate) = (folder.path().join("key.pem"), folder.path().join("certificate.pem"));
        let tls = format!("  tls: {{certificate: {}, key: {}}}\n", certificate.display(), key.display());
        Self::start(folder, &filesystem(), &tls, "https")
    }

    /// A read-only one over the mirror's bucket: what users would put there.
    pub fn over_bucket(stack: &Stack) -> Self {
        Self::configured(stack, "registry-2.8.yml")
    }

    /// A stock registry over the mirror's bucket with one of the configurations of `infra/registry`. Only what is the
    /// emulator's comes from the environment.
    pub fn configured(stack: &Stack, file: &str) -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/registry").join(file);
        let address = format!("127.0.0.1:{port}");
        let command = serve(&file);
        command.envs([
            ("REGISTRY_HTTP_ADDR", address.as_str()),
            ("REGISTRY_STORAGE_S3_BUCKET", &stack.bucket),
            ("REGISTRY_STORAGE_S3_REGIONENDPOINT", stack.endpoint()),
            ("REGISTRY_STORAGE_S3_FORCEPATHSTYLE", "true"),
            ("REGISTRY_STORAGE_S3_SECURE", "false"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ]);
        let server = Server::start(command, port);
        Self { url: format!("http://{address}"), address, _server: server, _folder: folder }
    }

    fn start(folder: TempDir, storage: &str, more: &str, scheme: &str) -> Self {
        let port = free_port();
        let storage = storage.replace("FOLDER", folder.path().to_str().unwrap());
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage:\n{storage}  redirect: {{disable: true}}\nhttp:\n  addr: 127.0.0.1:{port}\n  secret: test\n{more}"
        );
        let file = folder.path().join("config.yml");
        fs::write(&file, config).unwrap();
        let server = Server::start(serve(&file), port);
        let address = format!("127.0.0.1:{port}");
        Self { url: format!("{scheme}://{address}"), address, _server: server, _folder: folder }
    }
}

fn filesystem() -> String {
    "  filesystem: {rootdirectory: FOLDER/data}\n  delete: {enabled: true}\n".to_owned()
}

fn serve(config: &Path) -> &'static mut Command {
    let mut command = Command::new("docker-registry");
    // The registry panics at the sight of the machine's CA bundle.
    command.arg("serve").arg(config).env_remove("AWS_CA_BUNDLE");
    Box::leak(Box::new(command))
}
