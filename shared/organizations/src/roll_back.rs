//! A round that discovers nothing: the tags of all repositories of an organization's mirror become what they were. Each
//! repository has a run of its own for that, by the round's id, which turns all of its tags back or none; they wait for
//! their turns in the queue of syncs.

use std::{collections::BTreeSet, time::Duration};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{
    FailureReason, RepositoryName,
    discovery::DiscoveredRepository,
    failure::Failure,
    run::RunId,
    status::{SyncState, SyncStatus},
    target::Target,
};
use moorage_state::{StateError, TransitionError, now};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{error::RoundError, organizations::CHANGES_IN_FLIGHT, round::Round};

/// Repositories between two looks at the claim.
const BATCH: usize = 100;
/// How long syncs are waited for that began before they could be asked: of hinted tags, which take seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause before these are asked again.
const PAUSE: Duration = Duration::from_secs(2);
/// How many of those that are left as they are a message names.
const NAMED: usize = 3;

/// What comes of asking a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// It is to have a turn.
    Pending,
    /// It has had one in this round, or was deleted here.
    Seen,
    /// A sync of it runs.
    Busy,
}

impl Round<'_> {
    /// Asks all repositories that this round has not asked yet, and starts the first of them.
    pub(crate) async fn turn_back(&self, target: &Target) -> Result<(), RoundError> {
        let (table, organization) = (&self.organizations.table, &self.mirror.config.organization);
        let Some(round) = self.mirror.state.sync_run_id else { return Err(RoundError::ClaimLost) };
        let known = table.discovered(organization).await?;
        let names: Vec<RepositoryName> = known.iter().map(|known| known.repository.clone()).collect();
        let mut open = known;
        open.retain(|known| known.round != Some(round));
        let until = Instant::now() + PATIENCE;
        loop {
            let mut busy = Vec::new();
            for batch in open.chunks(BATCH) {
                let asked = self.ask_batch(batch, round, target).await?.into_iter();
                busy.extend(asked.filter(|(_, asked)| *asked == Asked::Busy).map(|(known, _)| known));
            }
            open = busy;
            if open.is_empty() || Instant::now() >= until {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.claim.renew().await?;
        let mirrors = table.mirrors_of_many(&names).await?;
        let running = mirrors.iter().filter(|mirror| mirror.state.is_running(now())).count();
        let turns = self.organizations.settings.syncs.saturating_sub(running);
        self.organizations.start_turns(organization, turns).await?;
        if open.is_empty() { Ok(()) } else { Err(RoundError::Failed(untouched(&open))) }
    }

    /// Asks some, and queues those that are to have a turn. Who has been killed meanwhile finds that they were asked.
    async fn ask_batch(
        &self,
        batch: &[DiscoveredRepository],
        round: RunId,
        target: &Target,
    ) -> Result<Vec<(DiscoveredRepository, Asked)>, RoundError> {
        self.claim.renew().await?;
        let names: Vec<RepositoryName> = batch.iter().map(|known| known.repository.clone()).collect();
        let mirrors = self.organizations.table.mirrors_of_many(&names).await?;
        let is_asked = |state: &SyncState| state.sync_status == SyncStatus::SyncNow && state.sync_run_id == Some(round);
        let pending = mirrors.into_iter().filter(|mirror| is_asked(&mirror.state));
        let pending: BTreeSet<_> = pending.map(|mirror| mirror.config.repository).collect();
        let ask = async |known: &DiscoveredRepository| {
            let is_pending = pending.contains(&known.repository);
            let asked = if is_pending { Asked::Pending } else { self.ask(&known.repository, round, target).await? };
            Ok::<_, RoundError>((known.clone(), asked))
        };
        let asked: Vec<_> = stream::iter(batch).map(ask).buffer_unordered(CHANGES_IN_FLIGHT).try_collect().await?;
        let pending = asked.iter().filter(|(_, asked)| *asked == Asked::Pending);
        let pending: Vec<_> =
            pending.map(|(known, _)| DiscoveredRepository { round: Some(round), ..known.clone() }).collect();
        match self.organizations.table.queue_discovered(&pending, self.claim.transaction()).await {
            Err(StateError::NotFound) => return Err(RoundError::ClaimLost),
            result => result?,
        }
        if !pending.is_empty() {
            self.counts.queued(pending.len());
            self.claim.moved();
        }
        Ok(asked)
    }

    /// Has a repository's mirror turned back by its next sync, and paused as the organization's, unless it has been.
    async fn ask(&self, repository: &RepositoryName, round: RunId, target: &Target) -> Result<Asked, RoundError> {
        let (table, pause) = (&self.organizations.table, self.mirror.state.pause);
        if table.run(repository, round).await?.is_some() {
            return Ok(Asked::Seen);
        }
        let asked = table.transition(repository, |mirror| {
            Ok(mirror.state.roll_back(now(), Uuid::new_v4(), round, target.clone(), pause)?)
        });
        match asked.await {
            Ok(_) => Ok(Asked::Pending),
            Err(TransitionError::NotFound) => Ok(Asked::Seen),
            Err(TransitionError::State(error)) => Err(error.into()),
            // One runs.
            Err(TransitionError::NotEligible(_) | TransitionError::ClaimLost) => Ok(Asked::Busy),
        }
    }
}

/// That repositories stay as they are.
fn untouched(left: &[DiscoveredRepository]) -> Failure {
    let more = if left.len() > NAMED { ", …" } else { "" };
    let names: Vec<_> = left.iter().take(NAMED).map(|known| known.repository.name()).collect();
    let message = format!(
        "{} repositories are not turned back, because they are synced ({}{more}); the others are",
        left.len(),
        names.join(", ")
    );
    Failure::new(FailureReason::Preempted, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_as_it_is_is_named() {
        let known = |name: &str| DiscoveredRepository {
            repository: RepositoryName::new("acme", name).unwrap(),
            discovery_date: now(),
            skipped: None,
            round: None,
        };
        let failure = untouched(&["a", "b", "c", "d"].map(known));
        assert!(failure.message.starts_with("4 ") && failure.message.contains("(a, b, c, …)"), "{}", failure.message);
        assert!(untouched(&[known("a")]).message.contains("(a)"));
        assert!(failure.reason.advice_for_organization().contains("ask for it again"));
    }
}
