//! The end of webhooks with their mirrors. The table ends them; what is left are ids that lead nowhere.

use moorage_domain::{RepositoryName, webhook::Webhook};

use crate::api::Api;

/// The webhook of a mirror that is to end, as far as it can be read: nothing depends on it.
pub(crate) async fn read(api: &Api, repository: &RepositoryName) -> Option<Webhook> {
    api.table.webhook(repository).await.ok().flatten()
}

/// Removes the ids of a webhook whose mirror has ended.
pub(crate) async fn forget(api: &Api, repository: &RepositoryName, webhook: Option<Webhook>) {
    let Some(webhook) = webhook else { return };
    if let Err(error) = api.table.forget_webhook(&webhook).await {
        tracing::warn!(%repository, %error, "ids of a webhook that is gone were not removed: they lead nowhere");
    }
}
