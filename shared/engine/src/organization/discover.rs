//! One invocation of a discovery: claim, list, have the round done, and say how it ended.

use std::time::{Duration, Instant};

use moorage_domain::{
    FailureReason, Namespace, Timestamp,
    failure::Failure,
    run::{RunId, Trigger},
    status::{NewClaim, NotEligible, SyncEnd, SyncState, SyncStatus},
    task::{Task, TaskAnswer},
    usage_log::LogEntry,
};
use moorage_schedule::SchedulePlan;
use moorage_state::{Account, LogOf, OrganizationMirror, TransitionError};
use moorage_upstream::Meter;
use uuid::Uuid;

use super::{
    log,
    round::{Counts, Round},
};
use crate::{
    clock::now,
    error::{SyncError, WorkError},
    fault::caught,
    sync::{Engine, source},
};

/// The longest pause between two renewals of a claim: how soon a cancel is noticed.
const RENEWAL: Duration = Duration::from_secs(3);
/// How long a discovery that was cancelled is waited for: it notices in a few seconds, or its claim must end.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// What an invocation came to.
enum Work {
    Done,
    Failed(Failure),
    Limited(Timestamp),
    /// The claim was lost: the mirror was cancelled or deleted, or another discovery took over.
    Stopped,
    /// The invocation's time is up.
    Suspended,
}

impl Engine {
    /// Finds the repositories of an organization's mirror, if that is due, and has them synced.
    pub(crate) async fn discover(
        &self,
        organization: &Namespace,
        trigger: Trigger,
        end: Instant,
    ) -> Result<TaskAnswer, SyncError> {
        let Some((mirror, trigger)) = self.claim_discovery(organization, trigger).await? else {
            return Ok(TaskAnswer::NotFound);
        };
        let counts = Counts::default();
        let work = tokio::select! {
            work = caught(Box::pin(self.round(&mirror, trigger, &counts))) => match work {
                Ok(Ok(())) => Work::Done,
                Err(failure) => Work::Failed(failure),
                Ok(Err(WorkError::Failed(failure))) => {
                    Work::Failed(source::explained(failure, mirror.secrets.credentials_dropped.warning()))
                }
                Ok(Err(WorkError::Limited(until))) => Work::Limited(until),
                Ok(Err(WorkError::ClaimLost | WorkError::Suspended)) => Work::Stopped,
            },
            () = self.keep_discovery(&mirror) => Work::Stopped,
            () = tokio::time::sleep_until(end.into()) => Work::Suspended,
        };
        self.end_discovery(&mirror, trigger, work, &counts).await
    }

    /// Claims the mirror. Whatever comes first serves a pending Sync Now.
    async fn claim_discovery(
        &self,
        organization: &Namespace,
        trigger: Trigger,
    ) -> Result<Option<(OrganizationMirror, Trigger)>, SyncError> {
        let Some(before) = self.table.organization_mirror(organization).await? else { return Ok(None) };
        let trigger = if before.state.sync_status == SyncStatus::SyncNow { Trigger::SyncNow } else { trigger };
        let run = RunId(Uuid::now_v7());
        let claim = async || {
            let expiration = now().plus(self.settings.claim);
            let claim = NewClaim { transaction: Uuid::new_v4(), expiration, run };
            let claimed = self.table.transition_organization(organization, |mirror| {
                Ok(mirror.state.claim(mirror.config.is_enabled, trigger, now(), claim)?)
            });
            claimed.await
        };
        let (mut claimed, patience) = (claim().await, Instant::now() + self.settings.claim.min(PATIENCE));
        while matches!(claimed, Err(TransitionError::NotEligible(NotEligible::Locked))) && Instant::now() < patience {
            tokio::time::sleep(PAUSE).await;
            claimed = claim().await;
        }
        match claimed {
            Ok(mirror) => Ok(Some((mirror, trigger))),
            Err(TransitionError::State(error)) => Err(error.into()),
            Err(TransitionError::NotEligible(NotEligible::Locked)) => {
                // A trigger that is let go does not come again before the mirror's next start.
                self.scheduler.discover_once(organization, trigger, now().plus(PATIENCE)).await?;
                Ok(None)
            }
            Err(reason) => {
                tracing::info!(%organization, trigger = trigger.as_str(), %reason, "nothing to discover");
                Ok(None)
            }
        }
    }

    /// Renews the claim, and returns when it is lost.
    async fn keep_discovery(&self, mirror: &OrganizationMirror) {
        loop {
            tokio::time::sleep((self.settings.claim / 4).min(RENEWAL)).await;
            // After another failure the next one may succeed; if none does, the claim expires.
            if let Err(WorkError::ClaimLost) = self.renew_discovery(mirror).await {
                return;
            }
        }
    }

    /// Renews the claim, or learns that it is lost.
    pub(super) async fn renew_discovery(&self, mirror: &OrganizationMirror) -> Result<(), WorkError> {
        let (id, now) = (mirror.state.sync_transaction_id, now());
        let expiration = now.plus(self.settings.claim);
        Ok(self.table.renew_organization_claim(&mirror.config.organization, id, now, expiration).await?)
    }

    /// Lists the namespace, and has the round done.
    async fn round(&self, mirror: &OrganizationMirror, trigger: Trigger, counts: &Counts) -> Result<(), WorkError> {
        let config = &mirror.config;
        if trigger != Trigger::Continuation {
            let log = LogOf::Namespace(&config.organization);
            let warned = mirror.secrets.credentials_dropped.warning().map(|warning| log::warned(mirror, warning));
            let entries: Vec<_> = [log::started(mirror)].into_iter().chain(warned).collect();
            self.table.add_log_of(log, &entries).await?;
        }
        let username = config.external_registry_username.as_deref();
        let account = Account::new(config.organization.clone(), config.external_registry_url.authority(), username);
        let meter = Meter::new(self.table.rate_limit(&account).await?, 0);
        let catalog = source::open_catalog(self, mirror, meter.clone()).await?;
        let listed = catalog.repositories().await;
        self.table.report_rate_limit(&account, meter.limit()).await?;
        Round { engine: self, mirror, trigger, counts }.all(&listed?).await
    }

    /// Reports, and gives the claim up last.
    async fn end_discovery(
        &self,
        mirror: &OrganizationMirror,
        trigger: Trigger,
        work: Work,
        counts: &Counts,
    ) -> Result<TaskAnswer, SyncError> {
        let organization = &mirror.config.organization;
        // What is told has to be ours to tell: another one may have taken over without this one's noticing.
        if let Err(WorkError::ClaimLost) = self.renew_discovery(mirror).await {
            return Ok(TaskAnswer::Unfinished);
        }
        let (answer, log, end, failure) = match work {
            Work::Stopped => {
                self.table.discovery_has_left(organization, mirror.state.sync_transaction_id).await?;
                return Ok(TaskAnswer::Unfinished);
            }
            Work::Limited(until) => return self.wait_for_registry(mirror, trigger, until).await,
            Work::Suspended if counts.has_moved() => {
                let given = self.give_up(mirror, |state| state.hand_over(now(), Uuid::new_v4())).await?;
                if given.is_some() {
                    let organization = organization.clone();
                    self.invoker.order(&Task::Discover { organization, trigger: continued(trigger) }).await?;
                }
                return Ok(TaskAnswer::Unfinished);
            }
            Work::Suspended => {
                let message = "a whole invocation was not enough to list the namespace".to_owned();
                let failure = Failure { reason: FailureReason::NetworkTimeout, message };
                let log = log::failed(mirror, &failure.message);
                (TaskAnswer::Failed(failure.clone()), log, SyncEnd::Fail, Some(failure))
            }
            Work::Failed(failure) => {
                let log = log::failed(mirror, &failure.message);
                (TaskAnswer::Failed(failure.clone()), log, SyncEnd::Fail, Some(failure))
            }
            Work::Done => {
                let (repositories, created) = (counts.repositories(), counts.created());
                let log = log::succeeded(mirror, repositories, created);
                let answer = TaskAnswer::Discovered { repositories: repositories as u64, created: created as u64 };
                (answer, log, SyncEnd::Success, None)
            }
        };
        self.tell(organization, &[log]).await?;
        let interval = mirror.config.sync_interval;
        let released = self
            .give_up(mirror, |state| state.release(end, interval, now(), Uuid::new_v4()).because(failure.as_ref()))
            .await?;
        let Some(after) = released else { return Ok(answer) };
        if after.state.sync_start_date < mirror.state.sync_start_date {
            // Sync Now came before a start that lay far ahead: the grid begins earlier now.
            let plan = SchedulePlan::new(after.state.sync_start_date, interval, after.config.is_enabled, now());
            self.scheduler.ensure_organization(organization, &plan).await?;
        }
        if let Some(delay) = after.state.retry_delay(now(), self.settings.retry_backoff) {
            self.scheduler.discover_once(organization, Trigger::Retry, now().plus(delay)).await?;
        }
        Ok(answer)
    }

    /// Leaves the discovery to another invocation that begins when the registry allows it.
    async fn wait_for_registry(
        &self,
        mirror: &OrganizationMirror,
        trigger: Trigger,
        until: Timestamp,
    ) -> Result<TaskAnswer, SyncError> {
        let organization = &mirror.config.organization;
        self.tell(organization, &[log::waiting(mirror, until)]).await?;
        // If this fails, the mirror's next start goes on.
        let scheduled = self.scheduler.discover_once(organization, continued(trigger), until).await;
        self.give_up(mirror, |state| state.wait(until, Uuid::new_v4())).await?;
        scheduled?;
        Ok(TaskAnswer::Unfinished)
    }

    /// Gives the claim up and moves the mirror to its next state. `None` if the claim was lost before.
    async fn give_up(
        &self,
        mirror: &OrganizationMirror,
        next: impl Fn(&SyncState) -> SyncState,
    ) -> Result<Option<OrganizationMirror>, SyncError> {
        let given = self.table.transition_organization(&mirror.config.organization, |current| {
            if current.state.sync_transaction_id != mirror.state.sync_transaction_id {
                return Err(TransitionError::ClaimLost);
            }
            Ok(next(&current.state))
        });
        match given.await {
            Ok(mirror) => Ok(Some(mirror)),
            Err(TransitionError::State(error)) => Err(error.into()),
            Err(_) => Ok(None),
        }
    }

    async fn tell(&self, organization: &Namespace, entries: &[LogEntry]) -> Result<(), SyncError> {
        Ok(self.table.add_log_of(LogOf::Namespace(organization), entries).await?)
    }
}

/// Who asks when a discovery goes on: Sync Now remains that, because it revives what was cancelled.
fn continued(trigger: Trigger) -> Trigger {
    if trigger == Trigger::SyncNow { Trigger::SyncNow } else { Trigger::Continuation }
}
