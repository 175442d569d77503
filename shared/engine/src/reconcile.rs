//! Schedules follow configurations, and deleted repositories go. The API sees to both; this mends what was left undone: by
//! a call that failed half-way, or by somebody else.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{
    Namespace, RepositoryName,
    mirror::RepositoryState,
    run::{SyncRequest, Trigger},
    status::SyncStatus,
    task::TaskAnswer,
};
use moorage_schedule::{SchedulePlan, Scheduler};
use moorage_state::{ADMIN, Mirror};

use crate::{
    clock::now,
    error::{SyncError, WorkError},
    sync::Engine,
};

/// The delay of a sync whose start has come: a one-time schedule needs a moment that lies ahead.
const SOON: Duration = Duration::from_secs(5);
/// Repositories that are looked at together.
const PAGE: i32 = 100;
/// Schedules that are made or removed at once: together they stay below what Scheduler takes in a second.
const SCHEDULES: usize = 8;

/// What was done, also by a reconciliation that is stopped half-way.
#[derive(Debug, Default)]
pub(crate) struct Reconciled {
    /// The last mirror that the invocations before looked at.
    after: Option<RepositoryName>,
    /// The last one by now.
    reached: Mutex<Option<RepositoryName>>,
    mended: AtomicU64,
    removed: AtomicU64,
    failed: AtomicU64,
    purged: AtomicU64,
}

impl Reconciled {
    /// Nothing yet, behind what the invocations before did.
    pub(crate) fn behind(after: Option<RepositoryName>) -> Self {
        Self { reached: Mutex::new(after.clone()), after, ..Self::default() }
    }

    /// The last mirror that was looked at.
    pub(crate) fn reached(&self) -> Option<RepositoryName> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes how far it came, which may be less than those before.
    fn reach(&self, name: &RepositoryName) {
        let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        if reached.as_ref().is_none_or(|reached| place(reached) < place(name)) {
            *reached = Some(name.clone());
        }
    }

    /// Whether an invocation before has looked at a mirror.
    fn is_done(&self, name: &RepositoryName) -> bool {
        self.after.as_ref().is_some_and(|after| place(name) <= place(after))
    }

    /// Whether the next one will have less to do.
    pub(crate) fn anything(&self) -> bool {
        [&self.mended, &self.removed, &self.purged].into_iter().any(|count| count.load(Relaxed) > 0)
    }
}

impl Engine {
    /// Makes all schedules what the mirrors say: makes those that are missing or wrong, and removes those whose mirror is
    /// gone. Each invocation lists everything, which is quick, and goes on where the one before had to stop.
    pub(crate) async fn reconcile(&self, done: &Reconciled) -> Result<TaskAnswer, SyncError> {
        let listed = self.scheduler.list().await?;
        let mut listed: HashMap<_, _> = listed.into_iter().map(|it| (it.name, it.is_enabled)).collect();
        for namespace in self.table.namespaces().await? {
            self.reconcile_namespace(&namespace, &mut listed, done).await?;
        }
        let orphans = listed.into_keys().map(|name| self.remove_orphan(name, done));
        stream::iter(orphans).buffer_unordered(SCHEDULES).try_collect::<()>().await?;
        let [mended, removed, failed] = [&done.mended, &done.removed, &done.failed].map(|count| count.load(Relaxed));
        Ok(TaskAnswer::Reconciled { mended, removed, failed })
    }

    async fn reconcile_namespace(
        &self,
        namespace: &Namespace,
        listed: &mut HashMap<String, bool>,
        done: &Reconciled,
    ) -> Result<(), SyncError> {
        let mut after = None;
        loop {
            let page = self.table.repositories(namespace, PAGE, after.as_deref()).await?;
            let names: Vec<RepositoryName> = page.repositories.iter().map(|it| it.repository.clone()).collect();
            let states: HashMap<_, _> = page.repositories.iter().map(|it| (&it.repository, it.state)).collect();
            let mut wrong = Vec::new();
            for mirror in self.table.mirrors_of(&names).await? {
                let config = &mirror.config;
                let is_enabled = listed.remove(&Scheduler::name_of(&config.repository));
                let is_right = mirror.scheduled_revision == mirror.config_revision;
                if (is_enabled != Some(config.is_enabled) || !is_right) && !done.is_done(&config.repository) {
                    let is_mirror = states.get(&config.repository) == Some(&RepositoryState::Mirror);
                    wrong.push(self.try_mend(mirror, is_mirror, done));
                }
            }
            stream::iter(wrong).buffer_unordered(SCHEDULES).try_collect::<()>().await?;
            if let Some(last) = names.last() {
                done.reach(last);
            }
            for name in &page.deleted {
                match self.purge(name).await {
                    Ok(_) => increase(&done.purged),
                    Err(WorkError::Failed(failure)) => {
                        let error = failure.message;
                        tracing::warn!(repository = %name, error, "a deleted repository is not gone yet");
                    }
                    Err(_) => {}
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Removes a schedule, unless it has a mirror by now.
    async fn remove_orphan(&self, name: String, done: &Reconciled) -> Result<(), SyncError> {
        let mirror = match self.scheduler.repository_of(&name).await? {
            Some(repository) => self.table.mirror(&repository).await?,
            None => None,
        };
        if mirror.is_none() {
            self.scheduler.remove_named(&name).await?;
            increase(&done.removed);
        }
        Ok(())
    }

    /// Mends a mirror's schedule. One that Scheduler does not take keeps nobody from mending the others.
    async fn try_mend(&self, mirror: Mirror, is_mirror: bool, done: &Reconciled) -> Result<(), SyncError> {
        let repository = mirror.config.repository.clone();
        match self.mend(mirror, is_mirror).await {
            Err(SyncError::Schedule(error)) => {
                tracing::warn!(%repository, %error, "a schedule could not be mended");
                increase(&done.failed);
                Ok(())
            }
            Err(error) => Err(error),
            Ok(()) => {
                increase(&done.mended);
                Ok(())
            }
        }
    }

    /// Makes a mirror's schedule again. A start that has come meanwhile is served at once.
    async fn mend(&self, mirror: Mirror, is_mirror: bool) -> Result<(), SyncError> {
        let mut current = Some(mirror);
        while let Some(mirror) = current {
            let (config, state, now) = (&mirror.config, &mirror.state, now());
            let plan = SchedulePlan::new(state.sync_start_date, config.sync_interval, config.is_enabled, now);
            self.scheduler.ensure(&config.repository, &plan).await?;
            let idle = !matches!(state.sync_status, SyncStatus::Syncing | SyncStatus::SyncNow | SyncStatus::Cancel);
            if is_mirror && config.is_enabled && idle && state.is_due(now) {
                let request = SyncRequest { repository: config.repository.clone(), trigger: Trigger::Schedule };
                self.scheduler.once(request, now.plus(SOON)).await?;
            }
            if self.table.set_scheduled(&config.repository, mirror.config_revision).await? {
                return Ok(());
            }
            // The configuration was changed in between.
            current = self.table.mirror(&config.repository).await?;
        }
        Ok(())
    }
}

/// Where a repository comes in the order in which they are looked at: the admin's own namespace is the last.
fn place(name: &RepositoryName) -> (bool, Namespace, &str) {
    let namespace = name.namespace();
    (namespace.as_str() == ADMIN, namespace, name.name())
}

fn increase(count: &AtomicU64) {
    count.fetch_add(1, Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reconciliation_goes_on_behind_what_was_done() {
        let name = |name: &str| name.parse::<RepositoryName>().unwrap();
        let done = Reconciled::behind(Some(name("b/r")));
        for (repository, expected) in [("a/z", true), ("b/q", true), ("b/r", true), ("b/s", false), ("admin/a", false)]
        {
            assert_eq!(done.is_done(&name(repository)), expected, "{repository}");
        }
        done.reach(&name("a/z"));
        assert_eq!(done.reached(), Some(name("b/r")), "it never goes back");
        done.reach(&name("admin/a"));
        assert_eq!(done.reached(), Some(name("admin/a")));
        assert!(!Reconciled::default().is_done(&name("a/a")));
    }
}
