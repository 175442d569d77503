//! Schedules follow configurations, and deleted repositories go. The API sees to both; this mends what was left undone: by
//! a call that failed half-way, or by somebody else.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{
    Namespace, RepositoryName, Timetable,
    health::{MirrorHealth, Seen},
    mirror::RepositoryState,
    notification::Notice,
    task::{Order, Task, TaskAnswer},
};
use moorage_schedule::{SchedulePlan, Scheduler};
use moorage_state::{ADMIN, Mirror, StateError, Survey, now};
use tokio::time::timeout_at;

use crate::{
    engine::Engine,
    error::{SyncError, WorkError},
};

/// How long a deleted repository, or an organization that ends, is worked at here: the rest has invocations of its own.
const PURGE: Duration = Duration::from_secs(20);
/// Repositories that are looked at together.
const PAGE: i32 = 100;
/// Schedules that are made or removed at once: together they stay below what Scheduler takes in a second.
const SCHEDULES: usize = 8;
/// Repositories whose pins are looked at at once: most have none, which takes two small reads.
const PINS: usize = 16;
/// How long the pins of a page of repositories are worked at: what the largest run tells takes a quarter of it.
const SETTLING: Duration = Duration::from_secs(60);

/// What a reconciliation did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Schedules that were missing or wrong.
    pub mended: u64,
    /// Schedules of mirrors that are gone.
    pub removed: u64,
    /// Schedules that Scheduler refused, and deleted repositories that could not be removed.
    pub failed: u64,
    /// Deleted repositories that are gone now.
    pub purged: u64,
    /// How the mirrors are that were looked at, as they were before.
    pub health: MirrorHealth,
    /// The last mirror that was looked at.
    pub reached: Option<RepositoryName>,
    /// Whether there was time for everything. What was mended stays so, and another one goes on behind `reached`.
    pub is_whole: bool,
}

/// What was done, also by a reconciliation that is stopped half-way.
#[derive(Debug, Default)]
struct Done {
    /// The last mirror that the invocations before looked at.
    after: Option<RepositoryName>,
    /// The last one by now.
    reached: Mutex<Option<RepositoryName>>,
    mended: AtomicU64,
    removed: AtomicU64,
    failed: AtomicU64,
    purged: AtomicU64,
}

impl Done {
    /// Nothing yet, behind what the invocations before did.
    fn behind(after: Option<RepositoryName>) -> Self {
        Self { reached: Mutex::new(after.clone()), after, ..Self::default() }
    }

    /// The last mirror that was looked at.
    fn reached(&self) -> Option<RepositoryName> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes how far it came, which may be less than those before.
    fn reach(&self, name: &RepositoryName) {
        let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        if reached.as_ref().is_none_or(|reached| place(reached) < place(name)) {
            *reached = Some(name.clone());
        }
    }

    /// Whether an invocation before has looked at all of a namespace.
    fn is_behind(&self, namespace: &Namespace) -> bool {
        self.after.as_ref().is_some_and(|after| rank(namespace) < rank(&after.namespace()))
    }
}

/// Whether a mirror that is on has not mirrored everything for an interval. Whoever is to be told says how many are too many.
fn is_silent(mirror: &Mirror) -> bool {
    let Mirror { config, state, created, .. } = mirror;
    let (name, is_enabled, sync_interval) = (config.repository.as_str(), config.is_enabled, config.sync_interval);
    Seen { name, is_enabled, sync_interval, state, created: *created }.is_late(1, now())
}

impl Engine {
    /// Makes the schedules of all mirrors what these say: makes those that are missing or wrong, and removes those whose mirror
    /// is gone. It begins behind the mirror `after`, where an invocation before had to stop, and stops at `end`; schedules
    /// without mirrors are only looked for by one that sees all mirrors.
    pub async fn reconcile(&self, after: Option<RepositoryName>, end: Instant) -> Result<Reconciled, SyncError> {
        let done = Done::behind(after);
        let mut survey = Survey::new(self.settings.late_intervals, now());
        let work = Box::pin(self.reconcile_all(&done, &mut survey, end));
        let reconciled = timeout_at(end.into(), work).await;
        let is_whole = reconciled.is_ok();
        reconciled.unwrap_or(Ok(()))?;
        let [mended, removed, failed, purged] =
            [&done.mended, &done.removed, &done.failed, &done.purged].map(|count| count.load(Relaxed));
        let (health, reached) = (survey.health(), done.reached());
        Ok(Reconciled { mended, removed, failed, purged, health, reached, is_whole })
    }

    async fn reconcile_all(&self, done: &Done, survey: &mut Survey, end: Instant) -> Result<(), SyncError> {
        let listed = self.scheduler.list_mirrors().await?;
        let mut listed: HashMap<_, _> = listed.into_iter().map(|it| (it.name, it.is_enabled)).collect();
        for namespace in self.table.namespaces().await?.into_iter().filter(|namespace| !done.is_behind(namespace)) {
            if !self.ends(&namespace, end).await? {
                self.reconcile_namespace(&namespace, &mut listed, done, survey, end).await?;
            }
        }
        listed.retain(|_, _| done.after.is_none());
        let orphans = listed.into_keys().map(|name| self.try_remove_orphan(name, done));
        stream::iter(orphans).buffer_unordered(SCHEDULES).try_collect::<()>().await
    }

    async fn reconcile_namespace(
        &self,
        namespace: &Namespace,
        listed: &mut HashMap<String, bool>,
        done: &Done,
        survey: &mut Survey,
        end: Instant,
    ) -> Result<(), SyncError> {
        let organization = self.table.organization_mirror(namespace).await?;
        if let Some(mirror) = &organization {
            self.table.list_organization_mirror(mirror).await?;
        }
        survey.enter(namespace, organization);
        let start = done.after.as_ref().filter(|after| after.namespace() == *namespace);
        let mut after = start.map(|start| start.name().to_owned());
        loop {
            let page = self.table.repositories(namespace, PAGE, after.as_deref()).await?;
            let names: Vec<RepositoryName> = page.repositories.iter().map(|it| it.repository.clone()).collect();
            let states: HashMap<_, _> = page.repositories.iter().map(|it| (&it.repository, it.state)).collect();
            let notified: HashSet<_> =
                page.repositories.iter().filter(|it| it.is_notified).map(|it| &it.repository).collect();
            self.table.list_public(&page.repositories).await?;
            let mut wrong = Vec::new();
            let mirrors = self.table.mirrors_of(&names).await?;
            self.table.enter_mirrors(&mirrors).await?;
            for mirror in mirrors {
                let config = &mirror.config;
                let is_mirror = states.get(&config.repository).is_some_and(|state| state.is_mirror());
                if is_mirror {
                    survey.look(&self.table, &mirror).await?;
                    if notified.contains(&config.repository) && is_silent(&mirror) {
                        self.tell(&Notice::Late { repository: config.repository.clone() }).await;
                    }
                }
                self.table.list_mirror(&mirror, is_mirror).await?;
                // Its organization's mirror has the schedule, and the turns.
                if mirror.is_discovered {
                    continue;
                }
                // Those that the index lacks, too, because an earlier release has claimed them.
                self.restart(&mirror, states.get(&config.repository).copied()).await?;
                let is_enabled = listed.remove(&Scheduler::name_of(&config.repository));
                let is_right = mirror.scheduled_revision == mirror.config_revision;
                if is_enabled != Some(config.is_enabled) || !is_right {
                    let is_mirror = states.get(&config.repository) == Some(&RepositoryState::Mirror);
                    wrong.push(self.try_mend(mirror, is_mirror, done));
                }
            }
            stream::iter(wrong).buffer_unordered(SCHEDULES).try_collect::<()>().await?;
            if let Some(last) = names.last() {
                done.reach(last);
            }
            // A pin that somebody has left halfway, or that went with its mirror.
            let until = end.min(Instant::now() + SETTLING);
            let settle = async |name: &RepositoryName| self.settle_pins(name, until).await;
            stream::iter(&names).for_each_concurrent(PINS, settle).await;
            for name in &page.deleted {
                match self.try_purge(name, end.min(Instant::now() + PURGE)).await {
                    // What is left has invocations of its own.
                    Ok(TaskAnswer::Busy | TaskAnswer::Unfinished) => {
                        self.invoker.order(&Task::Purge { repository: name.clone() }).await?;
                    }
                    Ok(_) => increase(&done.purged),
                    Err(WorkError::Failed(failure)) => {
                        let error = failure.logged();
                        tracing::warn!(repository = %name, error, "a deleted repository is not gone yet");
                        increase(&done.failed);
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

    /// Goes on with the end of an organization, if it is at its end.
    async fn ends(&self, namespace: &Namespace, end: Instant) -> Result<bool, SyncError> {
        let found = self.table.any_organization(namespace).await?;
        if !found.is_some_and(|found| found.is_ending) {
            return Ok(false);
        }
        let ended = Box::pin(self.end_organization(namespace, end.min(Instant::now() + PURGE))).await?;
        tracing::info!(organization = %namespace, ?ended, "the end of an organization was gone on with");
        if ended == TaskAnswer::Unfinished
            && let Some(order) = Task::next_end(namespace, 0)
        {
            self.invoker.order(&order).await?;
        }
        Ok(true)
    }

    /// As [`Self::remove_orphan`]; what Scheduler refuses of one keeps nobody from removing the others.
    async fn try_remove_orphan(&self, name: String, done: &Done) -> Result<(), SyncError> {
        match self.remove_orphan(name.clone(), done).await {
            Err(error @ SyncError::Schedule(_)) => {
                tracing::warn!(name, %error, "a schedule without a mirror could not be removed");
                increase(&done.failed);
                Ok(())
            }
            removed => removed,
        }
    }

    /// Removes a schedule, unless it has a mirror by now.
    async fn remove_orphan(&self, name: String, done: &Done) -> Result<(), SyncError> {
        let is_of_use = match self.scheduler.order_of(&name).await? {
            Some(Order::Sync(request)) => self.table.mirror(&request.repository).await?.is_some(),
            Some(Order::Task(_) | Order::Event(_)) | None => false,
        };
        if !is_of_use {
            self.scheduler.remove_named(&name).await?;
            increase(&done.removed);
        }
        Ok(())
    }

    /// Mends a mirror's schedule. One that Scheduler does not take, or that somebody changes all the time, keeps nobody from
    /// mending the others.
    async fn try_mend(&self, mirror: Mirror, is_mirror: bool, done: &Done) -> Result<(), SyncError> {
        let repository = mirror.config.repository.clone();
        match self.mend(mirror, is_mirror).await {
            Err(error @ (SyncError::Schedule(_) | SyncError::State(StateError::Conflict))) => {
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
        let make = |timetable: Timetable| async move {
            let mut plan = SchedulePlan::following(&timetable, false, now());
            plan.once = plan.once.filter(|_| is_mirror);
            self.scheduler.ensure(&timetable.of, &plan).await
        };
        self.table.follow_mirror(&mirror, make).await
    }
}

/// Where a repository comes in the order in which they are looked at: the admin's own namespace is the last.
fn place(name: &RepositoryName) -> ((bool, Namespace), &str) {
    (rank(&name.namespace()), name.name())
}

fn rank(namespace: &Namespace) -> (bool, Namespace) {
    (namespace.as_str() == ADMIN, namespace.clone())
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
        let done = Done::behind(Some(name("b/r")));
        for (namespace, expected) in [("a", true), ("b", false), ("c", false), ("admin", false)] {
            assert_eq!(done.is_behind(&namespace.parse().unwrap()), expected, "{namespace}");
        }
        done.reach(&name("a/z"));
        assert_eq!(done.reached(), Some(name("b/r")), "it never goes back");
        done.reach(&name("admin/a"));
        assert_eq!(done.reached(), Some(name("admin/a")));
        assert!(!Done::default().is_behind(&"a".parse().unwrap()));
    }
}
