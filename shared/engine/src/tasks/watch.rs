//! Syncs that nobody works on although they have begun, or were asked for, and purges of deleted repositories: killed ones,
//! and those whose invocation was lost.
//! Lambda does not repeat invocations, so that somebody has to look.

use std::time::Instant;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{RepositoryName, mirror::RepositoryState, notification::Notice, run::SyncRequest, task::Task};
use moorage_state::{Mirror, now};
use tokio::time::timeout_at;

use crate::{engine::Engine, error::SyncError};

/// Mirrors that are looked at together: a batch of one read.
const BATCH: usize = 100;
/// Syncs and purges that are started at once.
const STARTS: usize = 16;

/// What came of looking.
#[derive(Debug, Default)]
pub struct Watched {
    /// Syncs and purges that were started again.
    pub restarted: u64,
    /// Mirrors that organizations' mirrors have made and nobody works on: how many of those may run at once is not this
    /// engine's business.
    pub discovered: Vec<Mirror>,
}

impl Engine {
    /// Starts syncs again that nobody works on, until `end`; what is left then, the next look finds. Only mirrors are read
    /// of which a sync has begun or is pending. A sync that begins meanwhile is not disturbed: of two, one has the claim.
    pub async fn watch(&self, end: Instant) -> Result<Watched, SyncError> {
        let mut watched = Watched::default();
        let work = async {
            for batch in self.table.active_mirrors().await?.chunks(BATCH) {
                let mut stuck = self.table.mirrors_of(batch).await?;
                stuck.retain(|mirror| mirror.state.is_stuck(now()));
                let (discovered, own): (Vec<_>, Vec<_>) = stuck.into_iter().partition(|mirror| mirror.is_discovered);
                watched.discovered.extend(discovered);
                let restart = async |mirror: Mirror| {
                    let repository = self.table.repository(&mirror.config.repository).await?;
                    self.restart(&mirror, repository.map(|it| it.state)).await
                };
                let restarted = stream::iter(own).map(restart).buffer_unordered(STARTS);
                let count = restarted
                    .try_fold(0, async |sum, is_started| Ok::<_, SyncError>(sum + u64::from(is_started)))
                    .await?;
                watched.restarted = watched.restarted.saturating_add(count);
            }
            let lost = self.table.repositories_to_purge().await?;
            let ordered = stream::iter(lost).map(|it| self.order_purge(it)).buffer_unordered(STARTS);
            let count = ordered.try_fold(0, async |sum, is_ordered| Ok(sum + u64::from(is_ordered))).await?;
            watched.restarted = watched.restarted.saturating_add(count);
            for repository in self.table.webhooks_to_serve().await? {
                if self.table.webhook(&repository).await?.is_some_and(|webhook| webhook.is_lost(now())) {
                    self.serve_hint(&repository).await?;
                    watched.restarted = watched.restarted.saturating_add(1);
                }
            }
            for (repository, run_id) in self.table.untold_runs().await? {
                // Most of them are told of at this moment, which does no harm: a message has the same name each time.
                self.tell(&Notice::Ended { repository, run_id }).await;
            }
            Ok::<_, SyncError>(())
        };
        timeout_at(end.into(), work).await.unwrap_or(Ok(()))?;
        Ok(watched)
    }

    /// Orders the purge of a repository if nobody works on it, nor has to be waited for. One that is on its way does no harm:
    /// of two, one has the lock. Tells whether it did.
    async fn order_purge(&self, repository: RepositoryName) -> Result<bool, SyncError> {
        let is_lost = self.table.is_purge_lost(&repository).await?;
        if is_lost {
            tracing::warn!(%repository, "a purge that nobody works on is ordered again");
            self.invoker.order(&Task::Purge { repository }).await?;
        }
        Ok(is_lost)
    }

    /// Starts the sync of a mirror again if nobody works on it, whether the mirror is enabled or not; not while its repository
    /// is something else than a mirror, because then no sync of it begins. Tells whether it did.
    pub(crate) async fn restart(&self, mirror: &Mirror, state: Option<RepositoryState>) -> Result<bool, SyncError> {
        if !mirror.state.is_stuck(now()) || !state.is_some_and(RepositoryState::is_mirror) {
            return Ok(false);
        }
        let (repository, trigger) = (mirror.config.repository.clone(), mirror.state.trigger_again());
        tracing::warn!(
            %repository, trigger = trigger.as_str(), status = mirror.state.sync_status.as_str(),
            interruptions = mirror.state.sync_interruptions, "a sync that nobody works on is started again"
        );
        self.invoker.start(&SyncRequest { repository, trigger }).await?;
        Ok(true)
    }
}
