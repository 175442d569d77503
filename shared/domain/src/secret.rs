//! The secrets of a mirror as they are kept and handed on: encrypted. Only what has a key can make them, or read them.

use serde::{Deserialize, Serialize};

use crate::{Dropped, Timestamp};

/// An encrypted secret, in base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ciphertext(String);

impl Ciphertext {
    /// The secret, still encrypted.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Ciphertext {
    fn from(encrypted: String) -> Self {
        Self(encrypted)
    }
}

impl From<Ciphertext> for String {
    fn from(ciphertext: Ciphertext) -> Self {
        ciphertext.0
    }
}

/// The secrets of a mirror. The URLs of its proxies are in its configuration, without passwords.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorSecrets {
    /// The password at the external registry.
    pub external_registry_password: Option<Ciphertext>,
    /// The password at the proxy for plain http.
    #[serde(default)]
    pub http_proxy_password: Option<Ciphertext>,
    /// The password at the proxy for https.
    #[serde(default)]
    pub https_proxy_password: Option<Ciphertext>,
    /// What was dropped because the place was changed that it was meant for.
    #[serde(default)]
    pub credentials_dropped: Dropped,
    /// Authorities and a certificate of its own at the registry.
    #[serde(default)]
    pub tls: Box<TlsSecrets>,
}

impl MirrorSecrets {
    /// The password of a proxy, by the name of its setting.
    pub fn proxy(&self, key: &str) -> Option<&Ciphertext> {
        let (http, https) = (self.http_proxy_password.as_ref(), self.https_proxy_password.as_ref());
        if key == "https_proxy" { https } else { http }
    }
}

/// What TLS goes by, of a mirror or of a robot's external registry: authorities that are trusted beside the public ones, and
/// the certificate of who asks. Nothing that shows it can decrypt it: what may be told of it is kept beside.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TlsSecrets {
    /// The authorities.
    pub ca_bundle: Option<CaBundle>,
    /// The certificate of who asks, with its key.
    pub client: Option<ClientCertificate>,
}

/// Authorities, sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaBundle {
    /// Their certificates in PEM.
    pub sealed: Ciphertext,
    /// Whom they are of, in their order.
    pub subjects: Vec<String>,
    /// When the first of them is not valid any more.
    pub expires: Timestamp,
}

/// A client's certificate with its chain and its key, sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientCertificate {
    /// The certificates and the key in PEM.
    pub sealed: Ciphertext,
    /// Whom the certificate is of.
    pub subject: String,
    /// When the first of the chain is not valid any more.
    pub expires: Timestamp,
}

impl TlsSecrets {
    /// Whether nothing is kept.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}
