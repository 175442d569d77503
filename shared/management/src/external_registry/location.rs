//! Where external registries are, and whether they may be asked.

use moorage_domain::{
    ExternalReference, Guard, ProxyUrl,
    mirror::{PROXY_URL_KEYS, RegistryConfig},
};

use url::Url;

use crate::http::error::ApiError;

/// Reads a reference, whose host the guard must allow. What the name resolves to is checked when a sync connects.
pub(crate) fn reference(text: &str, guard: &Guard) -> Result<ExternalReference, ApiError> {
    let reference: Result<ExternalReference, _> = text.parse();
    let reference = reference.map_err(|error| ApiError::InvalidRequest(error.to_string()))?;
    if !guard.allows_host(reference.host()) {
        return Err(ApiError::InvalidRequest("The provided registry location is not allowed".into()));
    }
    Ok(reference)
}

/// Fails if a configuration names a proxy or a token server that the guard does not allow.
pub(crate) fn check_hosts(config: &RegistryConfig, guard: &Guard) -> Result<(), ApiError> {
    for key in PROXY_URL_KEYS {
        let Some(text) = config.proxy(key) else { continue };
        let url = ProxyUrl::split(text).ok().and_then(|proxy| proxy.location());
        if !url.as_ref().and_then(Url::host).is_some_and(|host| guard.allows(&host)) {
            return Err(ApiError::InvalidRequest("The provided mirror proxy location is not allowed".into()));
        }
    }
    match config.token_realms().iter().find(|realm| !guard.allows_host(realm.host())) {
        Some(realm) => Err(ApiError::InvalidRequest(format!("The provided token realm {realm} is not allowed"))),
        None => Ok(()),
    }
}
