//! A registry that an authority of its own vouches for, and that speaks to those only whom the authority knows: nginx with
//! `ssl_verify_client`, as companies put it in front of a stock registry.

use std::{fs, net::IpAddr, path::Path, process::Command};

use rcgen::SanType;
use tempfile::TempDir;
use time::OffsetDateTime;

use crate::{
    process::{Server, free_port},
    sigstore::authority::{Authority, Certified, key, named},
};

/// The registry with its token server and the store that it redirects to, each at a port of its own.
pub struct Guarded {
    /// Host and port: what a mirror's reference begins with.
    pub address: String,
    /// The ports of the registry, of the token server, and of the store of its blobs.
    pub ports: [u16; 3],
    /// Who vouches for all of them.
    pub authority: Authority,
    folder: TempDir,
    _server: Server,
}

impl Guarded {
    /// One in front of the registry at `behind`.
    pub fn new(behind: &str) -> Self {
        let (authority, folder) = (Authority::new("a company"), tempfile::tempdir().unwrap());
        let mut params = named("a registry");
        params.subject_alt_names = vec![SanType::IpAddress(IpAddr::from([127, 0, 0, 1]))];
        let own = authority.issue(&params, key());
        let at = |name: &str| folder.path().join(name);
        fs::write(at("authority.pem"), authority.pem()).unwrap();
        fs::write(at("certificate.pem"), &own.pem).unwrap();
        fs::write(at("key.pem"), own.key.serialize_pem()).unwrap();
        let ports = [free_port(), free_port(), free_port()];
        let server = nginx(folder.path(), behind, ports);
        Self { address: format!("127.0.0.1:{}", ports[0]), ports, authority, folder, _server: server }
    }

    /// Somebody whom it knows, until some moment.
    pub fn client(&self, name: &str, until: i64) -> Certified {
        let mut params = named(name);
        params.not_after = OffsetDateTime::from_unix_timestamp(until).unwrap();
        self.authority.issue(&params, key())
    }

    /// Who has asked one of the ports, and what the answers were, since it was started.
    pub fn visitors(&self, port: u16) -> Vec<(String, u16)> {
        let log = fs::read_to_string(self.folder.path().join("access.log")).unwrap();
        let line = |line: &str| {
            let (at, rest) = line.split_once(' ')?;
            let (status, who) = rest.split_once(' ')?;
            (at == port.to_string()).then(|| (who.to_owned(), status.parse().unwrap()))
        };
        log.lines().filter_map(line).collect()
    }
}

fn nginx(folder: &Path, behind: &str, [registry, tokens, store]: [u16; 3]) -> Server {
    let shown = folder.display();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = temporary.map(|what| format!("{what}_temp_path {shown}/{what};")).join(" ");
    let pass = format!("proxy_pass http://{behind}; proxy_http_version 1.1; proxy_set_header Authorization '';");
    let challenge = format!("Bearer realm=\"https://127.0.0.1:{tokens}/token\",service=\"registry\"");
    let config = format!(
        "daemon off; master_process off; pid {shown}/nginx.pid; error_log {shown}/nginx.log;\n\
         events {{}}\n\
         http {{ log_format who '$server_port $status $ssl_client_s_dn'; access_log {shown}/access.log who; {temporary}\n\
           ssl_certificate {shown}/certificate.pem; ssl_certificate_key {shown}/key.pem;\n\
           ssl_client_certificate {shown}/authority.pem; ssl_verify_client on;\n\
           server {{ listen 127.0.0.1:{registry} ssl;\n\
             if ($http_authorization = '') {{ return 401; }}\n\
             error_page 401 @login;\n\
             location @login {{ add_header WWW-Authenticate '{challenge}' always; return 401; }}\n\
             location ~ /blobs/ {{ return 307 https://127.0.0.1:{store}$request_uri; }}\n\
             location / {{ {pass} }} }}\n\
           server {{ listen 127.0.0.1:{tokens} ssl; default_type application/json;\n\
             location / {{ return 200 '{{\"token\":\"for-whoever-shows-a-certificate\"}}'; }} }}\n\
           server {{ listen 127.0.0.1:{store} ssl; location / {{ {pass} }} }} }}\n"
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, config).unwrap();
    let program = ["/usr/sbin/nginx", "/usr/bin/nginx"].into_iter().find(|program| Path::new(program).exists());
    let mut nginx = Command::new(program.unwrap_or("nginx"));
    nginx.arg("-e").arg(folder.join("nginx.log")).arg("-p").arg(folder).arg("-c").arg(&file);
    Server::start(&mut nginx, registry)
}
