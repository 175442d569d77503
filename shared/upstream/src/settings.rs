//! How a registry is spoken to.

use std::time::Duration;

use moorage_domain::{Access, Credentials, Guard, Proxy, Tls, TokenRealm, mirror::RegistryConfig};

use crate::Meter;

/// How long an answer may take if no mirror says otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

/// Everything a sync knows of its source, but what it is to fetch.
#[derive(Debug)]
pub struct Settings {
    /// The mirror's identity there; anonymous without.
    pub credentials: Option<Credentials>,
    /// Whether https with a valid certificate is required. If not, any certificate will do, and plain http where the
    /// registry does not speak https.
    pub verify_tls: bool,
    /// Authorities that are trusted beside the public ones, and the certificate that is shown to whoever asks for one: the
    /// registry, its token server, and where they redirect to.
    pub tls: Tls,
    /// The mirror's proxies. Those of the environment are never used.
    pub proxy: Proxy,
    /// Token servers that may have the credentials although they are not of the registry's own domain.
    pub token_realms: Vec<TokenRealm>,
    /// Which addresses may be connected to.
    pub guard: Guard,
    /// How much at once, and how long to wait.
    pub limits: Limits,
    /// What counts, and what is known of the registry's own limit.
    pub meter: Meter,
}

impl Settings {
    /// As a mirror's configuration says, with what lets it through.
    pub fn new(config: &RegistryConfig, access: Access, guard: Guard, limits: Limits, meter: Meter) -> Self {
        Self {
            credentials: access.credentials,
            verify_tls: config.verify_tls(),
            tls: access.tls,
            proxy: access.proxy,
            token_realms: config.token_realms(),
            guard,
            limits,
            meter,
        }
    }
}

/// Limits of one registry in one sync.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Requests at once, streaming blobs included. What has no body, as `HEAD`, counts half, unless it is one.
    pub concurrent_requests: u32,
    /// How often one request is tried.
    pub tries: u32,
    /// The longest `Retry-After` that is waited for. A longer one ends the request: waiting in a function costs money,
    /// and a schedule waits for nothing.
    pub max_wait: Duration,
    /// How long the first byte of an answer may take, and each pause in it. Proxies that fetch an image first take
    /// minutes.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { concurrent_requests: 32, tries: 5, max_wait: Duration::from_secs(10), patience: PATIENCE }
    }
}
