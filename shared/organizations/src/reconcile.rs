//! What failures have left undone of organizations' mirrors: schedules, discoveries, ends, and turns that were lost with a
//! killed sync.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use moorage_domain::{
    Namespace,
    task::{Order, Task},
};
use moorage_schedule::Scheduler;
use moorage_state::{OrganizationMirror, StateError, now};
use tokio::time::timeout_at;

use crate::{error::OrganizationsError, organizations::Organizations};

/// How long a mirror that was deleted is worked at here: the rest has invocations of its own.
const PATIENCE: Duration = Duration::from_secs(20);

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
                Some(mirror) if mirror.is_deleted => {
                    self.release(&organization, Instant::now() + PATIENCE).await?;
                }
                Some(mirror) => {
                    let found = self.table.any_organization(&organization).await?;
                    if found.is_some_and(|found| found.is_ending) {
                        self.end(&organization, Instant::now() + PATIENCE).await?;
                        continue;
                    }
                    let is_enabled = listed.remove(&Scheduler::name_of_organization(&organization));
                    mirrored.push(mirror.clone());
                    self.reconcile_mirror(mirror, is_enabled, counts).await?;
                }
            }
        }
        for name in listed.into_keys() {
            self.remove_orphan(&name, counts).await?;
        }
        self.tend_all(&mirrored).await
    }

    /// Releases repositories whose organization's mirror is gone.
    async fn release_strays(&self, organization: &Namespace) -> Result<(), OrganizationsError> {
        for stray in self.table.discovered(organization).await? {
            match self.release_repository(&stray.repository).await {
                // Who has it to themselves keeps nobody from looking at the others; the next reconciliation comes again.
                Ok(()) | Err(OrganizationsError::State(StateError::Conflict)) => {}
                Err(error) => return Err(error),
            }
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
        self.restart(&mirror).await?;
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
}
