//! What failures have left undone of organizations' mirrors: schedules, discoveries, ends, and turns that were lost with a
//! killed sync.

use std::{collections::HashMap, time::Duration};

use moorage_domain::{
    Namespace, Timestamp,
    run::Trigger,
    status::{SyncState, SyncStatus},
    task::Task,
};
use moorage_schedule::{SchedulePlan, Scheduler};
use moorage_state::{Mirror, OrganizationMirror};

use crate::{clock::now, error::SyncError, sync::Engine};

/// How long nobody takes a turn where turns were lost: a sync that ends has another one started in about a second.
const STANDSTILL: Duration = Duration::from_secs(5);

impl Engine {
    /// Makes the schedule of an organization's mirror what its configuration says, has a discovery that was killed gone on
    /// with, or goes on with the mirror's end. Returns how many schedules were wrong.
    pub(crate) async fn reconcile_organization(
        &self,
        organization: &Namespace,
        listed: &mut HashMap<String, bool>,
    ) -> Result<u64, SyncError> {
        let Some(mirror) = self.table.any_organization_mirror(organization).await? else { return Ok(0) };
        if mirror.is_deleted {
            self.release_discovered(organization).await?;
            return Ok(0);
        }
        if was_killed(&mirror.state, now()) {
            let (organization, trigger) = (organization.clone(), Trigger::Continuation);
            self.invoker.order(&Task::Discover { organization, trigger }).await?;
        }
        let is_enabled = listed.remove(&Scheduler::name_of_organization(organization));
        if is_enabled == Some(mirror.config.is_enabled) && mirror.scheduled_revision == mirror.config_revision {
            return Ok(0);
        }
        self.mend_organization(mirror).await?;
        Ok(1)
    }

    async fn mend_organization(&self, mirror: OrganizationMirror) -> Result<(), SyncError> {
        let make = |OrganizationMirror { config, state, .. }: &OrganizationMirror| {
            let plan = SchedulePlan::following(state, config.sync_interval, config.is_enabled, false, now());
            let organization = config.organization.clone();
            async move { Ok(self.scheduler.ensure_organization(&organization, &plan).await?) }
        };
        self.table.follow_organization_mirror(&mirror, make).await
    }

    /// Gives lost turns out again, and releases repositories whose organization's mirror is gone.
    pub(crate) async fn reconcile_discovered(
        &self,
        organization: &Namespace,
        mirrors: &[Mirror],
    ) -> Result<(), SyncError> {
        if self.table.organization_mirror(organization).await?.is_none() {
            for mirror in mirrors {
                self.release_repository(&mirror.config.repository).await?;
            }
            return Ok(());
        }
        for mirror in mirrors.iter().filter(|mirror| was_killed(&mirror.state, now())) {
            self.table.put_turn(&mirror.config.repository).await?;
        }
        let queued = self.table.queued(organization).await?;
        if queued == 0 {
            return Ok(());
        }
        // As long as turns are passed on, none that is on its way may be taken for lost.
        tokio::time::sleep(STANDSTILL).await;
        if self.table.queued(organization).await? < queued {
            return Ok(());
        }
        let names: Vec<_> = mirrors.iter().map(|mirror| mirror.config.repository.clone()).collect();
        let mirrors = self.table.mirrors_of_many(&names).await?;
        let running = mirrors.iter().filter(|mirror| mirror.state.is_running(now())).count();
        self.start_turns(organization, self.settings.organization_syncs.saturating_sub(running)).await
    }
}

/// Whether a sync or a discovery was killed, and none has taken over since.
fn was_killed(state: &SyncState, now: Timestamp) -> bool {
    state.sync_status == SyncStatus::Syncing && !state.is_running(now)
}
