//! How a mirror presents itself to its registry and to the proxies on the way: which of the stored credentials are meant for
//! that place, and their decryption.

use moorage_domain::{
    Access, Ciphertext, CloudLogin, CloudRefusal, Credentials, Dropped, ExposeSecret as _, ExternalReference,
    MirrorSecrets, Namespace, Proxy, ProxyUrl, RepositoryName, RobotName, SecretString, Tls, TlsSecrets, Warning,
    mirror::RegistryConfig, preview::PreviewSource,
};

use crate::{
    Account, Mirror, OrganizationMirror, Purpose, RobotRegistry, SecretBox, SecretError, SecretOwner, StateError, Table,
};

/// Who a mirror is at its registry, with its passwords still encrypted.
#[derive(Debug, Clone)]
pub struct Login {
    /// The identity that requests count for.
    pub account: Account,
    /// What the registry is not told of who asks, although it might be.
    pub warning: Option<Warning>,
    password: Option<Password>,
    /// In place of a password: who asks for a token of a cloud, and as whom, if that can be read.
    cloud: Option<(Namespace, Result<CloudLogin, CloudRefusal>)>,
    tls: SealedTls,
    keeper: Keeper,
}

/// What a robot has for a registry.
#[derive(Debug, Default)]
struct OfRobot {
    password: Option<Password>,
    cloud: Option<CloudLogin>,
    tls: SealedTls,
}

/// A user name, and the password that goes with it.
#[derive(Debug, Clone)]
struct Password {
    username: String,
    ciphertext: Ciphertext,
    of: KeptBy,
    /// The registry's host, as the password is bound to it.
    registry: String,
}

/// What TLS goes by: authorities, and who asks, each of whom has it.
#[derive(Debug, Clone, Default)]
struct SealedTls {
    authorities: Option<Sealed>,
    identity: Option<Sealed>,
}

/// A text that was sealed.
#[derive(Debug, Clone)]
struct Sealed {
    ciphertext: Ciphertext,
    of: KeptBy,
    /// The registry's host, as it is bound to it.
    registry: String,
}

impl SealedTls {
    fn new(kept: &TlsSecrets, of: &KeptBy, registry: &str) -> Self {
        let sealed = |it: &Ciphertext| Sealed { ciphertext: it.clone(), of: of.clone(), registry: registry.to_owned() };
        Self {
            authorities: kept.ca_bundle.as_ref().map(|bundle| sealed(&bundle.sealed)),
            identity: kept.client.as_ref().map(|client| sealed(&client.sealed)),
        }
    }

    /// With what `other` has where there is nothing.
    fn or(self, other: Self) -> Self {
        Self { authorities: self.authorities.or(other.authorities), identity: self.identity.or(other.identity) }
    }
}

impl Sealed {
    async fn open(&self, secrets: &SecretBox) -> Result<SecretString, SecretError> {
        secrets.open(Purpose::Tls(self.of.owner(), &self.registry), &self.ciphertext).await
    }
}

/// Whose secrets they are.
#[derive(Debug, Clone)]
enum KeptBy {
    Mirror(RepositoryName),
    Robot(RobotName),
    Organization(Namespace),
}

impl KeptBy {
    fn owner(&self) -> SecretOwner<'_> {
        match self {
            Self::Mirror(repository) => SecretOwner::Repository(repository),
            Self::Robot(robot) => SecretOwner::Robot(robot),
            Self::Organization(organization) => SecretOwner::Organization(organization),
        }
    }
}

/// Who keeps a mirror's secrets: itself, or its organization's mirror.
#[derive(Debug, Clone)]
struct Keeper {
    of: KeptBy,
    /// The registry's host, as the secrets are bound to it.
    registry: String,
    username: Option<String>,
    secrets: MirrorSecrets,
}

impl Keeper {
    fn of_organization(mirror: &OrganizationMirror) -> Self {
        let config = &mirror.config;
        Self {
            of: KeptBy::Organization(config.organization.clone()),
            registry: config.external_registry_url.authority().to_owned(),
            username: config.external_registry_username.clone(),
            secrets: mirror.secrets.clone(),
        }
    }

    fn tls(&self) -> SealedTls {
        SealedTls::new(&self.secrets.tls, &self.of, &self.registry)
    }

    fn password(&self, username: String) -> Option<Password> {
        let ciphertext = self.secrets.external_registry_password.clone()?;
        Some(Password { username, ciphertext, of: self.of.clone(), registry: self.registry.clone() })
    }
}

/// Where requests go, by which way, and whose credentials may stand in for missing ones.
#[derive(Debug, Clone, Copy)]
struct Way<'a> {
    reference: &'a ExternalReference,
    config: &'a RegistryConfig,
    robot: Option<&'a RobotName>,
}

impl Table {
    /// Finds the credentials of a mirror: its own, or its organization's mirror's; else its robot's for this registry. A user
    /// name without a password means anonymous, as in Quay: the robot's password does not stand in for one that was dropped.
    /// So it is with what TLS goes by: a mirror without a user name has its robot's authorities and certificate for this
    /// registry where it has none of its own.
    pub async fn login(&self, mirror: &Mirror) -> Result<Login, StateError> {
        let config = &mirror.config;
        let way = Way {
            reference: &config.external_reference,
            config: &config.external_registry_config,
            robot: Some(&config.robot),
        };
        self.login_by(self.keeper(mirror).await?, config.repository.namespace(), way).await
    }

    /// The same for a mirror of the repository that is not there yet, or would copy from somewhere else.
    pub async fn login_to(&self, repository: &RepositoryName, source: &PreviewSource) -> Result<Login, StateError> {
        let keeper = Keeper {
            of: KeptBy::Mirror(repository.clone()),
            registry: source.external_reference.registry().to_owned(),
            username: source.external_registry_username.clone(),
            secrets: source.secrets.clone(),
        };
        let way = Way {
            reference: &source.external_reference,
            config: &source.external_registry_config,
            robot: source.robot.as_ref(),
        };
        self.login_by(keeper, repository.namespace(), way).await
    }

    async fn login_by(&self, keeper: Keeper, namespace: Namespace, way: Way<'_>) -> Result<Login, StateError> {
        let dropped = keeper.secrets.credentials_dropped.warning();
        let (own, tls) = (way.config.cloud().transpose(), keeper.tls());
        let (password, cloud, tls, warning) = match &keeper.username {
            _ if own.is_some() => (None, own, tls, dropped),
            Some(username) => (keeper.password(username.clone()), None, tls, dropped),
            None => match self.robot_login(way, tls.authorities.is_some()).await? {
                Ok(robot) => (robot.password, robot.cloud.map(Ok), tls.or(robot.tls), dropped),
                Err(withheld) => (None, None, tls, Some(withheld)),
            },
        };
        let identity = identity(cloud.as_ref());
        let username = identity.as_deref().or(password.as_ref().map(|password| password.username.as_str()));
        let account = Account::new(namespace.clone(), way.reference.registry(), username);
        let cloud = cloud.map(|cloud| (namespace, cloud));
        Ok(Login { account, warning, password, cloud, tls, keeper })
    }

    /// Who a mirror's robot is at the mirror's registry, if it is somebody; the warning if that may not be said by this way.
    async fn robot_login(&self, way: Way<'_>, has_authorities: bool) -> Result<Result<OfRobot, Warning>, StateError> {
        let nobody = Ok(Ok(OfRobot::default()));
        let Some(robot) = way.robot else { return nobody };
        let registry = self.robot(robot).await?.and_then(|robot| robot.external_registry);
        let registry = registry.filter(|registry| registry.host == way.reference.authority());
        let Some(registry) = registry else { return nobody };
        if let Some(withheld) = withheld(way.config, has_authorities, &registry) {
            return Ok(Err(withheld));
        }
        let (of, RobotRegistry { host, username, password, tls, credentials: cloud, .. }) =
            (KeptBy::Robot(robot.clone()), registry);
        let tls = SealedTls::new(&tls, &of, &host);
        let password = Password { username, ciphertext: password, of, registry: host };
        let password = Some(password).filter(|password| !password.username.is_empty() && cloud.is_none());
        Ok(Ok(OfRobot { password, cloud, tls }))
    }

    async fn keeper(&self, mirror: &Mirror) -> Result<Keeper, StateError> {
        let config = &mirror.config;
        let username = config.external_registry_username.clone();
        let own = Keeper {
            of: KeptBy::Mirror(config.repository.clone()),
            registry: config.external_reference.registry().to_owned(),
            username: username.clone(),
            secrets: mirror.secrets.clone(),
        };
        if !mirror.is_discovered {
            return Ok(own);
        }
        let organization = self.organization_mirror(&config.repository.namespace()).await?;
        if let Some(organization) = organization.filter(|organization| is_at_the_place_of(mirror, organization)) {
            let keeper = Keeper::of_organization(&organization);
            return Ok(Keeper { username: username.and(keeper.username), ..keeper });
        }
        // Its organization's mirror has moved on or is gone. What that has now is for another place.
        let dropped = Dropped { external_registry_password: username.is_some(), ..Dropped::default() };
        Ok(Keeper { secrets: MirrorSecrets { credentials_dropped: dropped, ..MirrorSecrets::default() }, ..own })
    }
}

/// Whom a cloud's login makes of who asks.
fn identity(cloud: Option<&Result<CloudLogin, CloudRefusal>>) -> Option<String> {
    cloud.and_then(|cloud| cloud.as_ref().ok()).map(CloudLogin::identity)
}

/// The warning if a robot's credentials may not go by a mirror's way. Who changes a mirror need not know its robot's password:
/// whoever has an authority of the mirror's own can be the registry, as anybody can where nothing is verified.
fn withheld(config: &RegistryConfig, has_authorities: bool, registry: &RobotRegistry) -> Option<Warning> {
    let insecure = (!config.verify_tls() || has_authorities) && !registry.allow_insecure;
    let proxy = config.has_proxy() && !registry.allow_proxy;
    (insecure || proxy).then_some(Warning::CredentialsWithheld { insecure, proxy })
}

/// Whether a repository still refers to where its organization's mirror refers to: that changes between two rounds.
fn is_at_the_place_of(mirror: &Mirror, organization: &OrganizationMirror) -> bool {
    let (ours, theirs) = (&mirror.config, &organization.config);
    ours.external_reference.authority().eq_ignore_ascii_case(theirs.external_registry_url.authority())
        && ours.external_registry_config.route() == theirs.external_registry_config.route()
}

impl Login {
    /// Who an organization's mirror is at its registry.
    pub fn of_organization(mirror: &OrganizationMirror) -> Self {
        let config = &mirror.config;
        let keeper = Keeper::of_organization(mirror);
        let cloud = config.external_registry_config.cloud().transpose();
        // Quay's API wants a token and no user.
        let password = keeper.password(keeper.username.clone().unwrap_or_default()).filter(|_| cloud.is_none());
        let identity = identity(cloud.as_ref());
        let username = identity.as_deref().or(config.external_registry_username.as_deref());
        let account = Account::new(config.organization.clone(), config.external_registry_url.authority(), username);
        let (warning, tls) = (keeper.secrets.credentials_dropped.warning(), keeper.tls());
        let cloud = cloud.map(|cloud| (config.organization.clone(), cloud));
        Self { account, warning, password, cloud, tls, keeper }
    }

    /// Who asks for a token of a cloud, and as whom, where that takes the place of a password. Fails where what is stored of it
    /// cannot be read: nobody goes there as somebody else for that.
    pub fn cloud(&self) -> Result<Option<(&Namespace, &CloudLogin)>, CloudRefusal> {
        let Some((namespace, cloud)) = &self.cloud else { return Ok(None) };
        let cloud = cloud.as_ref().map_err(Clone::clone)?;
        Ok(Some((namespace, cloud)))
    }

    /// Decrypts the credentials, the passwords of the proxies that the configuration names, and what TLS goes by.
    pub async fn decrypt(&self, secrets: &SecretBox, config: &RegistryConfig) -> Result<Access, SecretError> {
        let credentials = match &self.password {
            None => None,
            Some(Password { username, ciphertext, of, registry }) => {
                let password = secrets.decrypt(Purpose::Registry(of.owner(), registry), ciphertext).await?;
                Some(Credentials { username: username.clone(), password })
            }
        };
        let proxy = Proxy {
            http: self.keeper.proxy(secrets, config, "http_proxy").await?,
            https: self.keeper.proxy(secrets, config, "https_proxy").await?,
            no_proxy: config.proxy("no_proxy").map(str::to_owned),
        };
        let open = async |sealed: &Option<Sealed>| match sealed {
            Some(sealed) => sealed.open(secrets).await.map(Some),
            None => Ok(None),
        };
        let tls = Tls { authorities: open(&self.tls.authorities).await?, identity: open(&self.tls.identity).await? };
        Ok(Access { credentials, proxy, tls })
    }
}

impl Keeper {
    /// The URL of a proxy with its password, by the name of its setting.
    async fn proxy(
        &self,
        secrets: &SecretBox,
        config: &RegistryConfig,
        key: &str,
    ) -> Result<Option<SecretString>, SecretError> {
        let Some(text) = config.proxy(key) else { return Ok(None) };
        let (Some(password), Ok(url)) = (self.secrets.proxy(key), ProxyUrl::split(text)) else {
            return Ok(Some(text.into()));
        };
        let purpose = Purpose::Proxy { owner: self.of.owner(), registry: &self.registry, proxy: url.address() };
        let password = secrets.decrypt(purpose, password).await?;
        Ok(Some(url.with_password(password.expose_secret()).into()))
    }
}

#[cfg(test)]
mod tests;
