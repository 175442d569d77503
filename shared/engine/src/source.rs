//! The external registry, opened as the mirror's configuration says.

use moorage_domain::SecretString;
use moorage_state::{Account, Ciphertext, Mirror, Purpose, StateError};
use moorage_upstream::{Credentials, Meter, Proxy, Registry, Settings};

use crate::{error::WorkError, sync::Engine};

/// A user name, and the password that goes with it, still encrypted for whose it is.
struct Login<'a> {
    username: String,
    password: Ciphertext,
    purpose: Purpose<'a>,
}

/// Who a mirror is at its registry.
pub(crate) async fn account(engine: &Engine, mirror: &Mirror) -> Result<Account, StateError> {
    let login = login(engine, mirror).await?;
    let username = login.as_ref().map(|login| login.username.as_str());
    Ok(Account::new(mirror.config.external_reference.registry(), username))
}

/// Opens the registry of a mirror.
pub(crate) async fn open(engine: &Engine, mirror: &Mirror, meter: Meter) -> Result<Registry, WorkError> {
    let config = &mirror.config;
    let credentials = match login(engine, mirror).await? {
        Some(Login { username, password, purpose }) => {
            let password: SecretString = engine.secrets.decrypt(purpose, &password).await?;
            Some(Credentials { username, password })
        }
        None => None,
    };
    let proxy = |key| config.external_registry_config.proxy(key).map(str::to_owned);
    Ok(Registry::new(Settings {
        reference: config.external_reference.clone(),
        credentials,
        verify_tls: config.external_registry_config.verify_tls(),
        proxy: Proxy { http: proxy("http_proxy"), https: proxy("https_proxy"), no_proxy: proxy("no_proxy") },
        guard: engine.settings.guard.clone(),
        limits: engine.settings.limits.clone(),
        meter,
    })?)
}

/// The mirror's own login, else its robot's for this registry. A user name without a password means anonymous, as in
/// Quay.
async fn login<'a>(engine: &Engine, mirror: &'a Mirror) -> Result<Option<Login<'a>>, StateError> {
    let config = &mirror.config;
    if let Some(username) = config.external_registry_username.clone() {
        let purpose = Purpose::Upstream(&config.repository);
        let password = mirror.external_registry_password.clone();
        return Ok(password.map(|password| Login { username, password, purpose }));
    }
    let robot = engine.table.robot(&config.robot).await?;
    let registry = robot.and_then(|robot| robot.external_registry);
    let registry = registry.filter(|registry| registry.host == config.external_reference.authority());
    let purpose = Purpose::RobotUpstream(&config.robot);
    Ok(registry.map(|registry| Login { username: registry.username, password: registry.password, purpose }))
}
