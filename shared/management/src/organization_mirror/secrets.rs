//! The secrets of an organization's mirror.

use moorage_domain::{MirrorSecrets, organization::OrganizationMirrorConfig};
use moorage_state::SecretOwner;

use crate::{
    api::Api,
    external_registry::{
        cloud::{self, Source},
        secrets::{Destination, PlainProxies, SecretsChange},
    },
    http::error::ApiError,
    organization_mirror::body::OrganizationMirrorBody,
};

/// The secrets of a mirror that is to be as `after`, from what was stored `before` and what the body gives.
/// Fails if it may not have the cloud's login there that it is to have in place of some, and the body says something of it.
pub(crate) async fn secrets(
    api: &Api,
    after: &OrganizationMirrorConfig,
    before: Option<(&MirrorSecrets, &OrganizationMirrorConfig)>,
    plain: &PlainProxies,
    body: &OrganizationMirrorBody,
) -> Result<MirrorSecrets, ApiError> {
    let change = SecretsChange {
        owner: SecretOwner::Organization(&after.organization),
        before: before.map(|(secrets, config)| (secrets, destination(config))),
        plain,
        after: destination(after),
        password: body.external_registry_password.as_ref(),
        proxies: &body.proxies,
        tls: &body.tls,
        has_user: after.external_registry_username.as_ref().is_some_and(|name| !name.is_empty()),
        // Quay's API wants a token and no user.
        is_used: true,
    };
    // Boxed: whoever waits for it holds the whole of a mirror besides.
    let secrets = Box::pin(change.secrets(api)).await?;
    let Destination { scheme, registry, config } = destination(after);
    let username = after.external_registry_username.as_deref();
    let source = Source { is_plain: scheme == "http", authority: registry, config, username, secrets: &secrets };
    // A mirror whose grant was taken away can be disabled, and has all else changed: the login is judged whenever it is used.
    if before.is_none() || body.names_registry() {
        cloud::check(api, &after.organization, source)?;
    }
    Ok(secrets)
}

fn destination(config: &OrganizationMirrorConfig) -> Destination<'_> {
    let url = &config.external_registry_url;
    let scheme = if url.as_str().starts_with("http://") { "http" } else { "https" };
    Destination { scheme, registry: url.authority(), config: &config.external_registry_config }
}
