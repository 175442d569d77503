//! TLS with a certificate that nobody vouches for.

use std::{fs, path::Path, process::Command, sync::Arc};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio_rustls::TlsAcceptor;

/// Makes a key and a certificate for this machine, `key.pem` and `certificate.pem`.
pub(crate) fn certify(folder: &Path) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"])
        .arg("-keyout")
        .arg(folder.join("key.pem"))
        .arg("-out")
        .arg(folder.join("certificate.pem"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Accepts TLS connections by a certificate of its own.
pub fn acceptor() -> TlsAcceptor {
    offering(&[])
}

/// As [`acceptor`], and offers protocols by the names that TLS has for them.
pub fn offering(protocols: &[&str]) -> TlsAcceptor {
    let folder = tempfile::tempdir().unwrap();
    certify(folder.path());
    let read = |name| fs::read(folder.path().join(name)).unwrap();
    let certificate = CertificateDer::from_pem_slice(&read("certificate.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(&read("key.pem")).unwrap();
    let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}
