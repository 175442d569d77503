//! What EventBridge says of ECR: the mirrors of a repository have the hint as if a webhook had brought it.

use futures_util::{StreamExt as _, stream};
use moorage_domain::{
    RepositoryName,
    run::{SyncRequest, Trigger},
    webhook::{EcrEvent, EcrRepository, Hint, Webhook},
};
use moorage_state::{Race, StateError, new_address, now};

use crate::{engine::Engine, error::SyncError};

/// Mirrors that are told at once.
const MIRRORS: usize = 8;

impl Engine {
    /// Has the mirrors of what was pushed ask for it. Tells how many have something to ask for.
    pub async fn hear(&self, event: EcrEvent) -> Result<usize, SyncError> {
        let Some((source, hint)) = event.hint() else { return Ok(0) };
        let mirrors = self.table.mirrors_of_ecr(&source).await?;
        let told = stream::iter(mirrors).map(|repository| self.hint(repository, &source, &hint));
        // What one of them fails at keeps nobody from the others.
        let told: Vec<_> = told.buffer_unordered(MIRRORS).collect().await;
        told.into_iter().try_fold(0, |sum, is_told| Ok(sum + usize::from(is_told?)))
    }

    /// Leaves a hint for the sync of a mirror, and asks for one, if nobody has. The mirror decides whether there is anything
    /// to ask for: that it has been entered may have been a while ago.
    async fn hint(&self, repository: RepositoryName, source: &EcrRepository, hint: &Hint) -> Result<bool, SyncError> {
        let Some(mirror) = self.table.mirror(&repository).await? else { return Ok(false) };
        let state = self.table.repository(&repository).await?.map(|found| found.state);
        let is_its = EcrRepository::of(&mirror.config.external_reference).as_ref() == Some(source);
        if !is_its || hint.ignored(&mirror.config, &mirror.state, state, now()).is_some() {
            return Ok(false);
        }
        let mut race = Race::begin();
        loop {
            let before = self.table.webhook(&repository).await?;
            let webhook = match before.clone() {
                Some(webhook) => webhook,
                // What waits is kept as a webhook has it.
                None => Webhook::unaddressed(new_address(true)?.2, now()),
            };
            let (webhook, asks) = webhook.hinted(hint.clone(), now());
            let written = match &before {
                Some(before) => self.table.change_webhook(&repository, before, &webhook).await,
                None => self.table.put_webhook(&repository, None, &webhook).await,
            };
            match written {
                Ok(()) if asks => {
                    let request = SyncRequest { repository, trigger: Trigger::Webhook };
                    self.invoker.start(&request).await?;
                    return Ok(true);
                }
                Ok(()) => return Ok(true),
                Err(StateError::Conflict) => race.lost().await?,
                // The mirror has ended.
                Err(StateError::NotFound) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
