//! What lets a mirror through to its registry, decrypted.

use crate::SecretString;

/// The identity at a registry, and the way there.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// The identity; anonymous without.
    pub credentials: Option<Credentials>,
    /// The proxies on the way.
    pub proxy: Proxy,
    /// Authorities and a certificate of its own.
    pub tls: Tls,
}

/// A user name and password at the registry.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The user name.
    pub username: String,
    /// The password, or a token in its place.
    pub password: SecretString,
}

/// Proxies, as in Quay's `external_registry_config.proxy`. Their URLs may hold passwords.
#[derive(Debug, Clone, Default)]
pub struct Proxy {
    /// For plain http.
    pub http: Option<SecretString>,
    /// For https.
    pub https: Option<SecretString>,
    /// Hosts that are reached directly, separated by commas.
    pub no_proxy: Option<String>,
}

/// What TLS goes by, decrypted.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// The authorities' certificates in PEM.
    pub authorities: Option<SecretString>,
    /// The certificates of who asks and their key, in PEM.
    pub identity: Option<SecretString>,
}
