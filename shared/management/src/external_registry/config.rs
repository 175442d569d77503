//! The field `external_registry_config`: the way to a registry.

use moorage_domain::{
    TokenRealm,
    mirror::{CREDENTIALS, FLAG_KEYS, MAX_TOKEN_REALMS, PROXY_KEYS, TOKEN_REALMS},
};
use moorage_state::now;
use serde_json::{Map, Value, json};

use crate::{
    external_registry::{cloud, secrets::SentProxies, tls::SentTls},
    http::{
        error::ApiError,
        field::{Fields, repr},
    },
};

/// The longest proxy setting: a `no_proxy` list of some hundred hosts.
const PROXY_LENGTH: usize = 8_192;

/// What a body says of the way to a registry.
#[derive(Debug, Default)]
pub(crate) struct SentConfig {
    /// As it was sent, without what is secret.
    pub(crate) kept: Map<String, Value>,
    /// The passwords of proxies.
    pub(crate) proxies: SentProxies,
    /// Authorities and a client's certificate.
    pub(crate) tls: SentTls,
}

/// Keeps the known settings exactly as they were sent, but for what is secret, which is returned apart.
pub(crate) fn registry_config(sent: &Map<String, Value>) -> Result<SentConfig, ApiError> {
    let fields = Fields(sent);
    let (mut kept, mut proxies) = (Map::new(), SentProxies::default());
    for key in FLAG_KEYS {
        kept.extend(fields.boolean(key)?.map(|value| (key.to_owned(), value.into())));
    }
    if let Some(proxy) = fields.object("proxy")? {
        let mut kept_proxy = Map::new();
        for key in PROXY_KEYS {
            let Some(value) = Fields(proxy).nullable_string(key)? else { continue };
            if value.is_some_and(|value| value.len() > PROXY_LENGTH) {
                return Err(ApiError::InvalidRequest(format!("{key} is longer than {PROXY_LENGTH} bytes")));
            }
            if key == "no_proxy" && value.is_some_and(|value| value.contains('@')) {
                return Err(ApiError::InvalidRequest(format!("{key} must be a list of hosts, without users")));
            }
            kept_proxy.insert(key.to_owned(), proxies.take(key, value)?);
        }
        kept.insert("proxy".to_owned(), Value::Object(kept_proxy));
    }
    if let Some(realms) = fields.strings(TOKEN_REALMS)? {
        if realms.len() > MAX_TOKEN_REALMS {
            return Err(ApiError::InvalidRequest(format!("{TOKEN_REALMS} has more than {MAX_TOKEN_REALMS} entries")));
        }
        for realm in &realms {
            let wrong = |error| ApiError::InvalidRequest(format!("{}: {error}", repr(&realm.as_str().into())));
            realm.parse::<TokenRealm>().map_err(wrong)?;
        }
        kept.insert(TOKEN_REALMS.to_owned(), realms.into());
    }
    // What is stored is what was understood.
    kept.extend(cloud::parse(sent)?.map(|login| (CREDENTIALS.to_owned(), json!(login))));
    Ok(SentConfig { kept, proxies, tls: SentTls::parse(sent, now())? })
}
