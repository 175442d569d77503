//! The external registry, opened as the mirror's configuration says.

use std::time::Duration;

use moorage_domain::{
    Dropped, FailureReason, Namespace, RepositoryName, RobotName, SecretString, Warning, failure::Failure,
    mirror::RegistryConfig,
};
use moorage_state::{Account, Ciphertext, Mirror, MirrorSecrets, OrganizationMirror, Owner, Purpose, StateError};
use moorage_upstream::{Catalog, Credentials, Limits, Meter, Proxy, Registry, Settings};

use crate::{
    error::WorkError,
    sync::{
        Engine,
        proxies::{self, Proxies},
    },
};

/// A user name, and the password that goes with it, still encrypted for whose it is.
struct Login {
    username: String,
    password: Ciphertext,
    owner: LoginOwner,
    /// The registry's host, as the password is bound to it.
    registry: String,
}

/// Whose a login is.
#[derive(Clone)]
enum LoginOwner {
    Mirror(RepositoryName),
    Robot(RobotName),
    Organization(Namespace),
}

impl LoginOwner {
    fn owner(&self) -> Owner<'_> {
        match self {
            Self::Mirror(repository) => Owner::Repository(repository),
            Self::Robot(robot) => Owner::Robot(robot),
            Self::Organization(organization) => Owner::Organization(organization),
        }
    }
}

/// Who keeps a mirror's secrets: itself, or its organization's mirror.
struct Keeper {
    owner: LoginOwner,
    /// The registry's host, as the secrets are bound to it.
    registry: String,
    username: Option<String>,
    secrets: MirrorSecrets,
}

/// Who a mirror is at its registry, and what it does not say there although it might.
pub(crate) async fn account(engine: &Engine, mirror: &Mirror) -> Result<(Account, Option<Warning>), StateError> {
    let keeper = keeper(engine, mirror).await?;
    let (login, warning) = login(engine, mirror, &keeper).await?;
    let username = login.as_ref().map(|login| login.username.as_str());
    let config = &mirror.config;
    let account = Account::new(config.repository.namespace(), config.external_reference.registry(), username);
    Ok((account, warning))
}

/// The failure with what a registry that refuses access was not told.
pub(crate) fn explained(failure: Failure, anonymous: Option<Warning>) -> Failure {
    match anonymous {
        Some(warning) if failure.reason == FailureReason::AuthFailed => {
            Failure { message: format!("{}; {}", failure.message, warning.message()), ..failure }
        }
        _ => failure,
    }
}

/// Opens the registry of a mirror.
pub(crate) async fn open(engine: &Engine, mirror: &Mirror, meter: Meter) -> Result<Registry, WorkError> {
    let config = &mirror.config;
    let keeper = keeper(engine, mirror).await?;
    let (login, _) = login(engine, mirror, &keeper).await?;
    let credentials = decrypted(engine, login).await?;
    let proxies = proxies_of(engine, &config.external_registry_config, &keeper).await?;
    let patience = Duration::from_secs(config.skopeo_timeout_interval);
    let settings = settings(engine, &config.external_registry_config, (proxies, patience), credentials, meter);
    let registry = Registry::new(config.external_reference.clone(), settings)?;
    Ok(registry.with_digest_listing(config.digest_listing))
}

/// Opens the namespace of an organization's mirror.
pub(crate) async fn open_catalog(
    engine: &Engine,
    mirror: &OrganizationMirror,
    meter: Meter,
) -> Result<Catalog, WorkError> {
    let config = &mirror.config;
    let keeper = Keeper::of_organization(mirror);
    let login = mirror.secrets.external_registry_password.clone().map(|password| Login {
        // Quay's API wants a token and no user.
        username: config.external_registry_username.clone().unwrap_or_default(),
        password,
        owner: keeper.owner.clone(),
        registry: keeper.registry.clone(),
    });
    let credentials = decrypted(engine, login).await?;
    let proxies = proxies_of(engine, &config.external_registry_config, &keeper).await?;
    let patience = Duration::from_secs(config.skopeo_timeout);
    let settings = settings(engine, &config.external_registry_config, (proxies, patience), credentials, meter);
    let (kind, url) = (config.external_registry_type, &config.external_registry_url);
    Ok(Catalog::new(kind, url, &config.external_namespace, settings)?)
}

impl Keeper {
    fn of_organization(mirror: &OrganizationMirror) -> Self {
        let config = &mirror.config;
        Self {
            owner: LoginOwner::Organization(config.organization.clone()),
            registry: config.external_registry_url.authority().to_owned(),
            username: config.external_registry_username.clone(),
            secrets: mirror.secrets.clone(),
        }
    }
}

async fn keeper(engine: &Engine, mirror: &Mirror) -> Result<Keeper, StateError> {
    let config = &mirror.config;
    let username = config.external_registry_username.clone();
    let own = Keeper {
        owner: LoginOwner::Mirror(config.repository.clone()),
        registry: config.external_reference.registry().to_owned(),
        username: username.clone(),
        secrets: mirror.secrets.clone(),
    };
    let has_secrets = username.is_some() || config.external_registry_config.has_proxy();
    if !mirror.is_discovered || !has_secrets {
        return Ok(own);
    }
    let organization = engine.table.organization_mirror(&config.repository.namespace()).await?;
    if let Some(organization) = organization.filter(|organization| is_at_the_place_of(mirror, organization)) {
        let keeper = Keeper::of_organization(&organization);
        return Ok(Keeper { username: username.and(keeper.username), ..keeper });
    }
    // Its organization's mirror has moved on or is gone. What that has now is for another place.
    let dropped = Dropped { external_registry_password: username.is_some(), ..Dropped::default() };
    Ok(Keeper { secrets: MirrorSecrets { credentials_dropped: dropped, ..MirrorSecrets::default() }, ..own })
}

/// Whether a repository still refers to where its organization's mirror refers to: that changes between two rounds.
fn is_at_the_place_of(mirror: &Mirror, organization: &OrganizationMirror) -> bool {
    let (ours, theirs) = (&mirror.config, &organization.config);
    ours.external_reference.authority().eq_ignore_ascii_case(theirs.external_registry_url.authority())
        && ours.external_registry_config.route() == theirs.external_registry_config.route()
}

async fn decrypted(engine: &Engine, login: Option<Login>) -> Result<Option<Credentials>, WorkError> {
    let Some(Login { username, password, owner, registry }) = login else { return Ok(None) };
    let purpose = Purpose::Registry(owner.owner(), &registry);
    let password: SecretString = engine.secrets.decrypt(purpose, &password).await?;
    Ok(Some(Credentials { username, password }))
}

async fn proxies_of(engine: &Engine, config: &RegistryConfig, keeper: &Keeper) -> Result<Proxies, WorkError> {
    proxies::decrypted(engine, config, keeper.owner.owner(), &keeper.registry, &keeper.secrets).await
}

fn settings(
    engine: &Engine,
    config: &RegistryConfig,
    (proxies, patience): (Proxies, Duration),
    credentials: Option<Credentials>,
    meter: Meter,
) -> Settings {
    let no_proxy = config.proxy("no_proxy").map(str::to_owned);
    Settings {
        credentials,
        verify_tls: config.verify_tls(),
        proxy: Proxy { http: proxies.http, https: proxies.https, no_proxy },
        token_realms: config.token_realms(),
        guard: engine.settings.guard.clone(),
        limits: Limits { patience, ..engine.settings.limits.clone() },
        meter,
    }
}

/// The mirror's own login, or its organization's mirror's; else its robot's for this registry. A user name without a
/// password means anonymous, as in Quay: the robot's password does not stand in for one that was dropped.
async fn login(
    engine: &Engine,
    mirror: &Mirror,
    keeper: &Keeper,
) -> Result<(Option<Login>, Option<Warning>), StateError> {
    let dropped = keeper.secrets.credentials_dropped.warning();
    if let Some(username) = keeper.username.clone() {
        let password = keeper.secrets.external_registry_password.clone();
        let (owner, registry) = (keeper.owner.clone(), keeper.registry.clone());
        return Ok((password.map(|password| Login { username, password, owner, registry }), dropped));
    }
    let config = &mirror.config;
    let robot = engine.table.robot(&config.robot).await?;
    let registry = robot.and_then(|robot| robot.external_registry);
    let registry = registry.filter(|registry| registry.host == config.external_reference.authority());
    let Some(registry) = registry else { return Ok((None, dropped)) };
    let insecure = !config.external_registry_config.verify_tls() && !registry.allow_insecure;
    let proxy = config.external_registry_config.has_proxy() && !registry.allow_proxy;
    if insecure || proxy {
        return Ok((None, Some(Warning::CredentialsWithheld { insecure, proxy })));
    }
    let owner = LoginOwner::Robot(config.robot.clone());
    let login = Login { username: registry.username, password: registry.password, owner, registry: registry.host };
    Ok((Some(login), dropped))
}
