//! The external registry, opened as the mirror's configuration says.

use moorage_domain::{Namespace, RepositoryName, RobotName, SecretString, mirror::RegistryConfig};
use moorage_state::{Account, Ciphertext, Mirror, OrganizationMirror, Purpose, StateError};
use moorage_upstream::{Catalog, Credentials, Meter, Proxy, Registry, Settings};

use crate::{error::WorkError, sync::Engine};

/// A user name, and the password that goes with it, still encrypted for whose it is.
struct Login<'a> {
    username: String,
    password: Ciphertext,
    owner: Owner<'a>,
}

/// Whose a login is.
enum Owner<'a> {
    Mirror(&'a RepositoryName),
    Robot(&'a RobotName),
    Organization(Namespace),
}

impl Owner<'_> {
    fn purpose(&self) -> Purpose<'_> {
        match self {
            Self::Mirror(repository) => Purpose::Upstream(repository),
            Self::Robot(robot) => Purpose::RobotUpstream(robot),
            Self::Organization(organization) => Purpose::OrganizationUpstream(organization),
        }
    }
}

/// Who a mirror is at its registry.
pub(crate) async fn account(engine: &Engine, mirror: &Mirror) -> Result<Account, StateError> {
    let login = login(engine, mirror).await?;
    let username = login.as_ref().map(|login| login.username.as_str());
    let config = &mirror.config;
    Ok(Account::new(config.repository.namespace(), config.external_reference.registry(), username))
}

/// Opens the registry of a mirror.
pub(crate) async fn open(engine: &Engine, mirror: &Mirror, meter: Meter) -> Result<Registry, WorkError> {
    let config = &mirror.config;
    let credentials = decrypted(engine, login(engine, mirror).await?).await?;
    let settings = settings(engine, &config.external_registry_config, credentials, meter);
    Ok(Registry::new(config.external_reference.clone(), settings)?)
}

/// Opens the namespace of an organization's mirror.
pub(crate) async fn open_catalog(
    engine: &Engine,
    mirror: &OrganizationMirror,
    meter: Meter,
) -> Result<Catalog, WorkError> {
    let config = &mirror.config;
    let login = mirror.external_registry_password.clone().map(|password| Login {
        // Quay's API wants a token and no user.
        username: config.external_registry_username.clone().unwrap_or_default(),
        password,
        owner: Owner::Organization(config.organization.clone()),
    });
    let credentials = decrypted(engine, login).await?;
    let settings = settings(engine, &config.external_registry_config, credentials, meter);
    let (kind, url) = (config.external_registry_type, &config.external_registry_url);
    Ok(Catalog::new(kind, url, &config.external_namespace, settings)?)
}

async fn decrypted(engine: &Engine, login: Option<Login<'_>>) -> Result<Option<Credentials>, WorkError> {
    let Some(Login { username, password, owner }) = login else { return Ok(None) };
    let password: SecretString = engine.secrets.decrypt(owner.purpose(), &password).await?;
    Ok(Some(Credentials { username, password }))
}

fn settings(engine: &Engine, config: &RegistryConfig, credentials: Option<Credentials>, meter: Meter) -> Settings {
    let proxy = |key| config.proxy(key).map(str::to_owned);
    Settings {
        credentials,
        verify_tls: config.verify_tls(),
        proxy: Proxy { http: proxy("http_proxy"), https: proxy("https_proxy"), no_proxy: proxy("no_proxy") },
        token_realms: config.token_realms(),
        guard: engine.settings.guard.clone(),
        limits: engine.settings.limits.clone(),
        meter,
    }
}

/// The mirror's own login, or its organization's mirror's; else its robot's for this registry. A user name without a
/// password means anonymous, as in Quay.
async fn login<'a>(engine: &Engine, mirror: &'a Mirror) -> Result<Option<Login<'a>>, StateError> {
    let config = &mirror.config;
    if mirror.is_discovered && config.external_registry_username.is_some() {
        let mirror = engine.table.organization_mirror(&config.repository.namespace()).await?;
        return Ok(mirror.and_then(|mirror| {
            let (username, password) = (mirror.config.external_registry_username?, mirror.external_registry_password?);
            Some(Login { username, password, owner: Owner::Organization(mirror.config.organization) })
        }));
    }
    if let Some(username) = config.external_registry_username.clone() {
        let owner = Owner::Mirror(&config.repository);
        let password = mirror.external_registry_password.clone();
        return Ok(password.map(|password| Login { username, password, owner }));
    }
    let robot = engine.table.robot(&config.robot).await?;
    let registry = robot.and_then(|robot| robot.external_registry);
    let registry = registry.filter(|registry| registry.host == config.external_reference.authority());
    let owner = Owner::Robot(&config.robot);
    Ok(registry.map(|registry| Login { username: registry.username, password: registry.password, owner }))
}
