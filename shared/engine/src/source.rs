//! The external registry, opened as the mirror's configuration says.

use moorage_state::{Mirror, Purpose};
use moorage_upstream::{Credentials, Limits, Proxy, Registry, Settings};

use crate::{error::WorkError, sync::Engine};

/// Opens the registry of a mirror.
pub(crate) async fn open(engine: &Engine, mirror: &Mirror) -> Result<Registry, WorkError> {
    let config = &mirror.config;
    let proxy = |key| config.external_registry_config.proxy(key).map(str::to_owned);
    Ok(Registry::new(Settings {
        reference: config.external_reference.clone(),
        credentials: credentials(engine, mirror).await?,
        verify_tls: config.external_registry_config.verify_tls(),
        proxy: Proxy { http: proxy("http_proxy"), https: proxy("https_proxy"), no_proxy: proxy("no_proxy") },
        guard: engine.settings.guard.clone(),
        limits: Limits::default(),
    })?)
}

/// The mirror's credentials, else its robot's for this registry. A user name without a password means anonymous, as in
/// Quay.
async fn credentials(engine: &Engine, mirror: &Mirror) -> Result<Option<Credentials>, WorkError> {
    let config = &mirror.config;
    if let Some(username) = &config.external_registry_username {
        let Some(password) = &mirror.external_registry_password else { return Ok(None) };
        let password = engine.secrets.decrypt(Purpose::Upstream(&config.repository), password).await?;
        return Ok(Some(Credentials { username: username.clone(), password }));
    }
    let robot = engine.table.robot(&config.robot).await?;
    let registry = robot.and_then(|robot| robot.external_registry);
    let Some(registry) = registry.filter(|registry| registry.host == config.external_reference.authority()) else {
        return Ok(None);
    };
    let password = engine.secrets.decrypt(Purpose::RobotUpstream(&config.robot), &registry.password).await?;
    Ok(Some(Credentials { username: registry.username, password }))
}
