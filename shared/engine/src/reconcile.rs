//! Schedules follow configurations, and deleted repositories go. The API sees to both; this mends what was left undone: by
//! a call that failed half-way, or by somebody else.

use std::{collections::HashMap, time::Duration};

use moorage_domain::{
    Namespace, RepositoryName,
    mirror::RepositoryState,
    run::{SyncRequest, Trigger},
    status::SyncStatus,
    task::{Order, Task, TaskAnswer},
};
use moorage_schedule::{SchedulePlan, Scheduler};
use moorage_state::Mirror;

use crate::{
    clock::now,
    error::{SyncError, WorkError},
    sync::Engine,
};

/// The delay of a sync whose start has come: a one-time schedule needs a moment that lies ahead.
pub(crate) const SOON: Duration = Duration::from_secs(5);
/// Repositories that are looked at together.
const PAGE: i32 = 100;

impl Engine {
    /// Makes all schedules what the mirrors say: makes those that are missing or wrong, and removes those whose mirror is
    /// gone.
    pub(crate) async fn reconcile(&self) -> Result<TaskAnswer, SyncError> {
        let listed = self.scheduler.list().await?;
        let mut listed: HashMap<_, _> = listed.into_iter().map(|it| (it.name, it.is_enabled)).collect();
        let (mut mended, mut removed) = (0, 0);
        for namespace in self.table.namespaces().await? {
            mended += self.reconcile_organization(&namespace, &mut listed).await?;
            mended += self.reconcile_namespace(&namespace, &mut listed).await?;
        }
        for name in listed.into_keys() {
            let is_of_use = match self.scheduler.order_of(&name).await? {
                Some(Order::Sync(request)) => self.table.mirror(&request.repository).await?.is_some(),
                Some(Order::Task(Task::Discover { organization, .. })) => {
                    self.table.organization_mirror(&organization).await?.is_some()
                }
                Some(Order::Task(_)) | None => false,
            };
            // It may have been created while the others were looked at.
            if !is_of_use {
                self.scheduler.remove_named(&name).await?;
                removed += 1;
            }
        }
        Ok(TaskAnswer::Reconciled { mended, removed })
    }

    async fn reconcile_namespace(
        &self,
        namespace: &Namespace,
        listed: &mut HashMap<String, bool>,
    ) -> Result<u64, SyncError> {
        let (mut mended, mut after, mut discovered) = (0, None, Vec::new());
        loop {
            let page = self.table.repositories(namespace, PAGE, after.as_deref()).await?;
            let names: Vec<RepositoryName> = page.repositories.iter().map(|it| it.repository.clone()).collect();
            let states: HashMap<_, _> = page.repositories.iter().map(|it| (&it.repository, it.state)).collect();
            for mirror in self.table.mirrors_of(&names).await? {
                let config = &mirror.config;
                if mirror.is_discovered {
                    discovered.push(mirror);
                    continue;
                }
                let is_enabled = listed.remove(&Scheduler::name_of(&config.repository));
                let is_right = mirror.scheduled_revision == mirror.config_revision;
                if is_enabled == Some(config.is_enabled) && is_right {
                    continue;
                }
                let is_mirror = states.get(&config.repository) == Some(&RepositoryState::Mirror);
                self.mend(mirror, is_mirror).await?;
                mended += 1;
            }
            for name in &page.deleted {
                if let Err(WorkError::Failed(failure)) = self.purge(name).await {
                    tracing::warn!(repository = %name, error = failure.message, "a deleted repository is not gone yet");
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        if !discovered.is_empty() {
            self.reconcile_discovered(namespace, &discovered).await?;
        }
        Ok(mended)
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
