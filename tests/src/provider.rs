//! An OpenID provider that is not ours: `oidc-provider`, which is certified, on Node.

use std::{path::Path, process::Command};

use serde_json::Value;

use crate::{
    http,
    process::{Server, free_port},
};

/// Its clients are workloads, which have these names as their subjects.
pub const MAIN: &str = "repo:acme/app:ref:refs/heads/main";
/// Another one.
pub const PULL_REQUEST: &str = "repo:acme/app:pull_request";

/// A provider that runs until it is dropped.
#[derive(Debug)]
pub struct Provider {
    /// The issuer of its tokens.
    pub issuer: String,
    port: u16,
    _server: Server,
}

impl Provider {
    /// One that says who it is.
    pub fn start() -> Self {
        Self::at(free_port(), "k1")
    }

    /// One at this port, with keys of its own of this id: where there was another, its issuer has new keys.
    pub fn at(port: u16, key_id: &str) -> Self {
        Self::new(port, format!("http://127.0.0.1:{port}"), key_id)
    }

    /// One that says it is another, with keys of its own under the other's key ids.
    pub fn forger_of(other: &Self) -> Self {
        Self::forging(&other.issuer)
    }

    /// The same of an issuer that is not of the test's.
    pub fn forging(issuer: &str) -> Self {
        Self::new(free_port(), issuer.to_owned(), "k1")
    }

    fn new(port: u16, issuer: String, key_id: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let modules = root.join("target/provider/node_modules");
        assert!(modules.exists(), "{} is missing: run `make setup`", modules.display());
        let mut command = Command::new("node");
        command.arg(root.join("tests/provider/provider.mjs")).arg(modules);
        command.args([&port.to_string(), &issuer, key_id]);
        Self { issuer, port, _server: Server::start(&mut command, port) }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it is, whoever it says that it is.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A token of a workload, for an audience, which ends with the algorithm that it is signed by.
    pub async fn token(&self, workload: &str, audience: &str) -> String {
        // A client's name is encoded before it is a user name (RFC 6749, 2.3.1).
        let name = workload.replace(':', "%3A").replace('/', "%2F");
        let form = [("grant_type", "client_credentials"), ("scope", "pull"), ("resource", audience)];
        let form = reqwest::Url::parse_with_params("http://form", form).unwrap().query().unwrap().to_owned();
        let request = http().post(format!("{}/token", self.url())).basic_auth(name, Some("hunter2"));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }
}
