//! What webhooks have brought: when a sync begins that takes it, and what is left for the next one.

use moorage_domain::{
    RepositoryName,
    run::{SyncRequest, Trigger},
    webhook::{Hint, HintedTags, Webhook},
};
use moorage_state::{Race, StateError, now};

use crate::{engine::Engine, error::SyncError};

/// How often a sync waits for its turn. Whoever was faster has taken what it was to take, and sees to the rest.
const MAX_WAITS: u32 = 3;

impl Engine {
    /// Waits until a sync by webhooks may begin, which is seconds; each is paid for, and many deliveries become one sync.
    /// Returns what has come; nothing if there is nothing any more.
    pub(crate) async fn await_hint(&self, repository: &RepositoryName) -> Result<Option<Hint>, SyncError> {
        for _ in 0..MAX_WAITS {
            let Some(webhook) = self.table.webhook(repository).await? else { return Ok(None) };
            let wait = webhook.wait(now());
            if webhook.pending.is_none() || wait.is_zero() {
                return Ok(webhook.pending);
            }
            tokio::time::sleep(wait).await;
        }
        Ok(None)
    }

    /// Takes what has come, once the run is written that deals with it. What has come since it was read stays, with all that
    /// was there, and so does what a run of single tags is not enough for.
    pub(crate) async fn take_hint(
        &self,
        repository: &RepositoryName,
        read: &Webhook,
        is_hinted: bool,
    ) -> Result<(), SyncError> {
        let is_enough = !is_hinted || tags_of(read).is_some();
        if is_enough && self.change(repository, read, &read.clone().taken(now())).await? {
            return Ok(());
        }
        let mut race = Race::begin();
        while let Some(webhook) = self.table.webhook(repository).await? {
            if self.change(repository, &webhook, &webhook.clone().begun(now())).await? {
                break;
            }
            race.lost().await?;
        }
        Ok(())
    }

    /// Gives up what has come for a mirror of which no sync begins.
    pub(crate) async fn drop_hint(&self, repository: &RepositoryName) -> Result<(), SyncError> {
        let mut race = Race::begin();
        while let Some(webhook) = self.table.webhook(repository).await?.filter(|webhook| webhook.pending.is_some()) {
            if self.change(repository, &webhook, &webhook.clone().dropped()).await? {
                break;
            }
            race.lost().await?;
        }
        Ok(())
    }

    /// Has a sync take what came while another one ran: whoever was invoked for it has found that one, and has gone. If this
    /// is lost, the watch sees to it.
    pub(crate) async fn serve_hint(&self, repository: &RepositoryName) -> Result<(), SyncError> {
        if self.table.webhook(repository).await?.is_some_and(|webhook| webhook.pending.is_some()) {
            self.invoker.start(&SyncRequest { repository: repository.clone(), trigger: Trigger::Webhook }).await?;
        }
        Ok(())
    }

    async fn change(&self, repository: &RepositoryName, before: &Webhook, after: &Webhook) -> Result<bool, SyncError> {
        match self.table.change_webhook(repository, before, after).await {
            Ok(()) => Ok(true),
            Err(StateError::Conflict) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// The tags that have come, if they are single ones.
pub(crate) fn tags_of(webhook: &Webhook) -> Option<Vec<moorage_domain::TagName>> {
    match webhook.pending.as_ref()?.tags {
        HintedTags::Only(ref tags) => Some(tags.clone()),
        HintedTags::All => None,
    }
}
