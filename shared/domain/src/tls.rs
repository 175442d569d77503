//! TLS of a mirror's own: authorities that are trusted beside the public ones, and the certificate that it shows to who asks
//! for one. They are kept encrypted; what may be told of them is kept beside, because nothing that shows it can decrypt.

use serde::{Deserialize, Serialize};

use crate::{Ciphertext, SecretString, Timestamp};

/// What is kept of it. A mirror has one, and a robot's external registry.
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

/// What is kept of it, decrypted.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// The authorities' certificates in PEM.
    pub authorities: Option<SecretString>,
    /// The certificates of who asks and their key, in PEM.
    pub identity: Option<SecretString>,
}
