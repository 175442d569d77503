//! The secrets of a mirror.

use moorage_domain::mirror::MirrorConfig;
use moorage_state::{MirrorSecrets, SecretOwner};

use crate::{
    api::Api,
    external_registry::secrets::{Destination, PlainProxies, SecretsChange},
    http::error::ApiError,
    mirror::body::MirrorBody,
};

/// The secrets of a mirror that is to be as `after`, from what was stored `before` and what the body gives.
pub(crate) async fn secrets(
    api: &Api,
    after: &MirrorConfig,
    before: Option<(&MirrorSecrets, &MirrorConfig)>,
    plain: &PlainProxies,
    body: &MirrorBody,
) -> Result<MirrorSecrets, ApiError> {
    let change = SecretsChange {
        owner: SecretOwner::Repository(&after.repository),
        before: before.map(|(secrets, config)| (secrets, destination(config))),
        plain,
        after: destination(after),
        password: body.external_registry_password.as_ref(),
        proxies: &body.proxies,
        has_user: after.external_registry_username.as_ref().is_some_and(|name| !name.is_empty()),
        is_used: after.external_registry_username.is_some(),
    };
    change.secrets(api).await
}

fn destination(config: &MirrorConfig) -> Destination<'_> {
    let registry = config.external_reference.registry();
    Destination { scheme: "", registry, config: &config.external_registry_config }
}
