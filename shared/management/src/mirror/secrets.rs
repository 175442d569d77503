//! The secrets of a mirror.

use moorage_domain::{
    ExternalReference, MirrorSecrets, RepositoryName,
    mirror::{MirrorConfig, RegistryConfig},
};
use moorage_state::SecretOwner;

use crate::{
    api::Api,
    external_registry::{
        cloud::{self, Source},
        secrets::{Destination, PlainProxies, SecretsChange},
    },
    http::error::ApiError,
    mirror::body::MirrorBody,
};

/// Where a mirror copies from, and as whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) reference: &'a ExternalReference,
    pub(crate) username: Option<&'a str>,
    pub(crate) config: &'a RegistryConfig,
}

impl<'a> Place<'a> {
    /// The place that a mirror's configuration names.
    pub(crate) fn of(config: &'a MirrorConfig) -> Self {
        Self {
            reference: &config.external_reference,
            username: config.external_registry_username.as_deref(),
            config: &config.external_registry_config,
        }
    }

    /// Fails if the place is not one for the cloud's login that the mirror is to have.
    fn check_cloud(self, api: &Api, repository: &RepositoryName, secrets: &MirrorSecrets) -> Result<(), ApiError> {
        let Place { reference, username, config } = self;
        let source = Source { is_plain: false, authority: reference.authority(), config, username, secrets };
        cloud::check(api, &repository.namespace(), source)
    }

    fn destination(self) -> Destination<'a> {
        Destination { scheme: "", registry: self.reference.registry(), config: self.config }
    }
}

/// The secrets of the repository's mirror if it is to copy from `after`, from what was stored `before` and what the body
/// gives. Fails if it may not have the cloud's login there that it is to have in place of some, and the body says something
/// of it.
pub(crate) async fn secrets(
    api: &Api,
    repository: &RepositoryName,
    after: Place<'_>,
    before: Option<(&MirrorSecrets, Place<'_>)>,
    plain: &PlainProxies,
    body: &MirrorBody,
) -> Result<MirrorSecrets, ApiError> {
    let change = SecretsChange {
        owner: SecretOwner::Repository(repository),
        before: before.map(|(secrets, place)| (secrets, place.destination())),
        plain,
        after: after.destination(),
        password: body.external_registry_password.as_ref(),
        proxies: &body.proxies,
        tls: &body.tls,
        has_user: after.username.is_some_and(|name| !name.is_empty()),
        is_used: after.username.is_some(),
    };
    // Boxed: whoever waits for it holds the whole of a mirror besides.
    let secrets = Box::pin(change.secrets(api)).await?;
    // A mirror whose grant was taken away can be disabled, and has all else changed: the login is judged whenever it is used.
    if before.is_none() || body.names_registry() {
        after.check_cloud(api, repository, &secrets)?;
    }
    Ok(secrets)
}
