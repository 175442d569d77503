//! The external registry, opened as the mirror's configuration says.

use moorage_state::{Account, Mirror, Purpose, SecretBox};
use moorage_upstream::{Credentials, Guard, Limits, Meter, Proxy, Registry, Settings};

use crate::error::WorkError;

/// Who a mirror is at its registry. A user name without a password means anonymous, as in Quay.
pub(crate) fn account(mirror: &Mirror) -> Account {
    let config = &mirror.config;
    let username = config.external_registry_username.as_deref().filter(|_| mirror.external_registry_password.is_some());
    Account::new(config.external_reference.registry(), username)
}

/// Opens the registry of a mirror.
pub(crate) async fn open(
    mirror: &Mirror,
    secrets: &SecretBox,
    guard: &Guard,
    limits: &Limits,
    meter: Meter,
) -> Result<Registry, WorkError> {
    let config = &mirror.config;
    let credentials = match (&config.external_registry_username, &mirror.external_registry_password) {
        (Some(username), Some(password)) => {
            let password = secrets.decrypt(Purpose::Upstream(&config.repository), password).await?;
            Some(Credentials { username: username.clone(), password })
        }
        _ => None,
    };
    let proxy = |key| config.external_registry_config.proxy(key).map(str::to_owned);
    Ok(Registry::new(Settings {
        reference: config.external_reference.clone(),
        credentials,
        verify_tls: config.external_registry_config.verify_tls(),
        proxy: Proxy { http: proxy("http_proxy"), https: proxy("https_proxy"), no_proxy: proxy("no_proxy") },
        guard: guard.clone(),
        limits: limits.clone(),
        meter,
    })?)
}
