//! What failures have left undone of organizations' mirrors: schedules, discoveries, ends, and turns that were lost with a
//! killed sync.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use moorage_domain::{
    Namespace, RepositoryName, Timestamp,
    run::Trigger,
    status::{SyncState, SyncStatus},
    task::{Order, Task},
};
use moorage_schedule::Scheduler;
use moorage_state::{OrganizationMirror, now};
use tokio::time::timeout_at;

use crate::{error::OrganizationsError, organizations::Organizations};

/// How long nobody takes a turn where turns were lost: a sync that ends has another one started in about a second.
const STANDSTILL: Duration = Duration::from_secs(5);

/// What a reconciliation did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Schedules that were missing or wrong.
    pub mended: u64,
    /// Schedules of organizations' mirrors that are gone.
    pub removed: u64,
    /// Whether there was time for everything. What was mended stays so, and another one has only the rest to do.
    pub is_whole: bool,
}

/// The counters of one that goes on.
#[derive(Default)]
struct Counts {
    mended: AtomicU64,
    removed: AtomicU64,
}

impl Organizations {
    /// Makes the schedules of all organizations' mirrors what their configurations say, has discoveries gone on with that
    /// were killed, goes on with the ends of mirrors, and gives lost turns out again, until `end`.
    pub async fn reconcile(&self, end: Instant) -> Result<Reconciled, OrganizationsError> {
        let counts = Counts::default();
        // Boxed: it holds the state of every repair.
        let done = timeout_at(end.into(), Box::pin(self.reconcile_all(&counts))).await;
        let is_whole = done.is_ok();
        done.unwrap_or(Ok(()))?;
        Ok(Reconciled { mended: counts.mended.load(Relaxed), removed: counts.removed.load(Relaxed), is_whole })
    }

    async fn reconcile_all(&self, counts: &Counts) -> Result<(), OrganizationsError> {
        let listed = self.scheduler.list_organizations().await?;
        let mut listed: HashMap<_, _> = listed.into_iter().map(|it| (it.name, it.is_enabled)).collect();
        let mut mirrored = Vec::new();
        for organization in self.table.namespaces().await? {
            match self.table.any_organization_mirror(&organization).await? {
                None => self.release_strays(&organization).await?,
                Some(mirror) if mirror.is_deleted => drop(self.release_all(&organization).await?),
                Some(mirror) => {
                    let found = self.table.any_organization(&organization).await?;
                    if found.is_some_and(|found| found.is_ending) {
                        self.end_mirror(&organization).await?;
                        continue;
                    }
                    let is_enabled = listed.remove(&Scheduler::name_of_organization(&organization));
                    self.reconcile_mirror(mirror, is_enabled, counts).await?;
                    mirrored.push(organization);
                }
            }
        }
        for name in listed.into_keys() {
            self.remove_orphan(&name, counts).await?;
        }
        self.give_out_lost_turns(&mirrored).await
    }

    /// Releases repositories whose organization's mirror is gone.
    async fn release_strays(&self, organization: &Namespace) -> Result<(), OrganizationsError> {
        for stray in self.table.discovered(organization).await? {
            self.release_repository(&stray.repository).await?;
        }
        Ok(())
    }

    /// Has a discovery that was killed gone on with, and mends the schedule of its mirror, which is `is_enabled` if there is
    /// one.
    async fn reconcile_mirror(
        &self,
        mirror: OrganizationMirror,
        is_enabled: Option<bool>,
        counts: &Counts,
    ) -> Result<(), OrganizationsError> {
        if was_killed(&mirror.state, now()) {
            let (organization, trigger) = (mirror.config.organization.clone(), Trigger::Continuation);
            self.invoker.order(&Task::Discover { organization, trigger }).await?;
        }
        if is_enabled != Some(mirror.config.is_enabled) || mirror.scheduled_revision != mirror.config_revision {
            self.mend(mirror).await?;
            counts.mended.fetch_add(1, Relaxed);
        }
        Ok(())
    }

    /// Makes the schedule of a mirror again. A start that has come meanwhile is served at once.
    async fn mend(&self, mirror: OrganizationMirror) -> Result<(), OrganizationsError> {
        let make = |timetable| self.scheduler.follow(timetable, false, now());
        self.table.follow_organization_mirror(&mirror, make).await
    }

    /// Removes a schedule, unless it has a mirror by now.
    async fn remove_orphan(&self, name: &str, counts: &Counts) -> Result<(), OrganizationsError> {
        let is_of_use = match self.scheduler.order_of(name).await? {
            Some(Order::Task(Task::Discover { organization, .. })) => {
                self.table.organization_mirror(&organization).await?.is_some()
            }
            Some(_) | None => false,
        };
        if !is_of_use {
            self.scheduler.remove_named(name).await?;
            counts.removed.fetch_add(1, Relaxed);
        }
        Ok(())
    }

    /// Gives turns out again that were lost: those of killed syncs, and those of queues that stand still.
    async fn give_out_lost_turns(&self, organizations: &[Namespace]) -> Result<(), OrganizationsError> {
        let mut waiting = Vec::new();
        for organization in organizations {
            let mirrors = self.table.mirrors_of_many(&self.names(organization).await?).await?;
            for mirror in mirrors.iter().filter(|mirror| was_killed(&mirror.state, now())) {
                self.table.queue_sync(&mirror.config.repository).await?;
            }
            let queued = self.table.count_queued_syncs(organization).await?;
            if queued > 0 {
                waiting.push((organization, queued));
            }
        }
        if waiting.is_empty() {
            return Ok(());
        }
        // As long as turns are passed on, none that is on its way may be taken for lost.
        tokio::time::sleep(STANDSTILL).await;
        for (organization, queued) in waiting {
            if self.table.count_queued_syncs(organization).await? < queued {
                continue;
            }
            let mirrors = self.table.mirrors_of_many(&self.names(organization).await?).await?;
            let running = mirrors.iter().filter(|mirror| mirror.state.is_running(now())).count();
            self.start_turns(organization, self.settings.syncs.saturating_sub(running)).await?;
        }
        Ok(())
    }

    async fn names(&self, organization: &Namespace) -> Result<Vec<RepositoryName>, OrganizationsError> {
        Ok(self.table.discovered(organization).await?.into_iter().map(|known| known.repository).collect())
    }
}

/// Whether a sync or a discovery was killed, and none has taken over since.
fn was_killed(state: &SyncState, now: Timestamp) -> bool {
    state.sync_status == SyncStatus::Syncing && !state.is_running(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::played::Played;

    #[tokio::test(start_paused = true)]
    async fn the_turns_of_a_queue_that_stands_still_are_given_out_again() {
        let played = Played::new(&["acme/a", "acme/b", "acme/c"], 9);
        played.organizations().give_out_lost_turns(&["acme".parse().unwrap()]).await.unwrap();
        assert_eq!(played.counts(), (2, 1), "as many as may run");
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_moves_has_lost_no_turn() {
        let played = Played::new(&["acme/a", "acme/b"], 9);
        played.world().moves = Some("acme/a".to_owned());
        played.organizations().give_out_lost_turns(&["acme".parse().unwrap()]).await.unwrap();
        assert_eq!((played.counts(), played.world().looks), ((0, 1), 2));
        let empty = Played::new(&[], 9);
        empty.organizations().give_out_lost_turns(&["acme".parse().unwrap()]).await.unwrap();
        assert_eq!(empty.world().looks, 1, "there is nothing to wait for");
    }

    #[test]
    fn what_has_a_claim_that_ended_was_killed() {
        let at = Timestamp::from_unix;
        let new = SyncState::new(at(0), uuid::Uuid::nil());
        let claimed = |sync_status| SyncState { sync_status, sync_expiration_date: Some(at(100)), ..new.clone() };
        let running = claimed(SyncStatus::Syncing);
        assert_eq!((was_killed(&running, at(99)), was_killed(&running, at(101))), (false, true));
        for status in [SyncStatus::NeverRun, SyncStatus::SyncNow, SyncStatus::Cancel, SyncStatus::Success] {
            assert!(!was_killed(&claimed(status), at(101)), "{status:?}");
        }
    }
}
