//! openssl, which verifies signatures without knowing what they are for.

use std::{fs, process::Command};

/// Whether a key, in PEM, has signed some bytes: ECDSA, with SHA-256.
pub fn verifies(key: &str, signature: &[u8], signed: &[u8]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (name, bytes) in [("key.pem", key.as_bytes()), ("signature", signature), ("signed", signed)] {
        fs::write(at(name), bytes).unwrap();
    }
    let mut openssl = Command::new("openssl");
    openssl.args(["dgst", "-sha256", "-verify"]).arg(at("key.pem")).arg("-signature").arg(at("signature"));
    openssl.arg(at("signed")).output().unwrap().status.success()
}
