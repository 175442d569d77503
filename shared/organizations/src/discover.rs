//! One invocation of a discovery: claim, list, have the round done, and say how it ended. Where tags are to be turned back,
//! nothing is listed.

use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use moorage_domain::{
    FailureReason, Namespace, Remedy, Timestamp,
    failure::Failure,
    run::Trigger,
    status::{Findings, NotEligible, SyncEnd, SyncStatus},
    task::{Task, TaskAnswer},
    usage_log::LogEntry,
};
use moorage_schedule::SchedulePlan;
use moorage_state::{Claim, Claimant, LogOf, Login, OrganizationMirror, TransitionError, now};
use moorage_upstream::Meter;

use crate::{
    catalog,
    error::{OrganizationsError, RoundError},
    log,
    organizations::Organizations,
    round::{Counts, Round},
};

/// How long a discovery that was cancelled is waited for: it notices in a few seconds, or its claim must end.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often in a row a discovery waits for its registry: the list begins anew each time, so that one that never comes to its
/// end would wait for ever. As often as a run does.
const MAX_WAITS: u32 = 8;

/// What an invocation came to.
enum Work {
    Done,
    /// All repositories are turned back, or have turns for that.
    TurnedBack,
    Failed(Failure),
    Limited(Timestamp),
    /// The claim was lost.
    Stopped,
    /// The invocation's time is up.
    Suspended,
}

/// A discovery that holds its claim.
struct RunningDiscovery<'a> {
    organizations: &'a Organizations,
    mirror: OrganizationMirror,
    claim: Claim,
    trigger: Trigger,
}

impl Organizations {
    /// Finds the repositories of an organization's mirror, if that is due, and has them synced, until it is done or `end`
    /// has come: then another invocation goes on.
    pub async fn discover(
        &self,
        organization: &Namespace,
        trigger: Trigger,
        end: Instant,
    ) -> Result<TaskAnswer, OrganizationsError> {
        let Some(discovery) = self.claim_discovery(organization, trigger).await? else {
            return Ok(TaskAnswer::NotFound);
        };
        if let Some(failure) = discovery.mirror.state.given_up() {
            return discovery.fail(failure).await;
        }
        let counts = Counts::default();
        let tell = |error: &TransitionError| tracing::warn!(%organization, %error, "the claim was not renewed");
        let work = tokio::select! {
            // Boxed: it holds the state of the whole round.
            work = Box::pin(discovery.work(&counts)) => work,
            () = discovery.claim.keep(tell) => Work::Stopped,
            () = tokio::time::sleep_until(end.into()) => Work::Suspended,
        };
        discovery.end(work, &counts).await
    }

    /// Claims the mirror. Whatever comes first serves a pending Sync Now.
    async fn claim_discovery(
        &self,
        organization: &Namespace,
        trigger: Trigger,
    ) -> Result<Option<RunningDiscovery<'_>>, OrganizationsError> {
        let Some(before) = self.table.organization_mirror(organization).await? else { return Ok(None) };
        let is_asked_for = before.state.sync_status == SyncStatus::SyncNow && before.state.rollback.is_none();
        let trigger = if is_asked_for { Trigger::SyncNow } else { trigger };
        let claimant = Claimant { trigger, duration: self.settings.claim, is_hinted: false };
        let patience = Instant::now() + self.settings.claim.min(PATIENCE);
        match Claim::of_organization(&self.table, organization, claimant, || Instant::now() < patience).await {
            Ok((claim, mirror)) => Ok(Some(RunningDiscovery { organizations: self, mirror, claim, trigger })),
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
}

impl RunningDiscovery<'_> {
    async fn work(&self, counts: &Counts) -> Work {
        // A panic fails this round, and nothing else. What is used afterwards are counters and answers of services, which stay
        // what they are.
        let done = AssertUnwindSafe(self.round(counts)).catch_unwind().await;
        match done.unwrap_or_else(|_| Err(RoundError::Failed(Failure::fault()))) {
            Ok(()) if self.mirror.state.rollback.is_some() => Work::TurnedBack,
            Ok(()) => Work::Done,
            Err(RoundError::Failed(failure)) => {
                let dropped = self.mirror.secrets.credentials_dropped.warning();
                Work::Failed(failure.explained_by(dropped))
            }
            Err(RoundError::Limited(until)) => Work::Limited(until),
            Err(RoundError::ClaimLost) => Work::Stopped,
        }
    }

    /// Lists the namespace, and has the round done.
    async fn round(&self, counts: &Counts) -> Result<(), RoundError> {
        let Self { organizations, mirror, claim, trigger } = self;
        if let Some(target) = &mirror.state.rollback {
            return Round { organizations, mirror, claim, trigger: *trigger, counts }.turn_back(target).await;
        }
        let (table, login) = (&organizations.table, Login::of_organization(mirror));
        if *trigger != Trigger::Continuation {
            let warned = login.warning.map(|warning| log::warned(mirror, warning));
            let entries: Vec<_> = [log::started(mirror)].into_iter().chain(warned).collect();
            table.add_log_of(LogOf::Namespace(&mirror.config.organization), &entries).await?;
        }
        let meter = Meter::new(table.rate_limit(&login.account).await?, 0);
        let catalog = catalog::open(organizations, mirror, &login, meter.clone()).await?;
        let listed = catalog.repositories().await;
        table.report_rate_limit(&login.account, meter.limit()).await?;
        Round { organizations, mirror, claim, trigger: *trigger, counts }.all(&listed?).await
    }

    /// Reports, and gives the claim up last.
    async fn end(&self, work: Work, counts: &Counts) -> Result<TaskAnswer, OrganizationsError> {
        // What is told has to be ours to tell: another one may have taken over without this one's noticing.
        if let Err(TransitionError::ClaimLost) = self.claim.renew().await {
            return Ok(TaskAnswer::Unfinished);
        }
        match work {
            Work::Stopped => {
                self.claim.leave().await?;
                Ok(TaskAnswer::Unfinished)
            }
            Work::Limited(_) if self.mirror.state.sync_waits >= MAX_WAITS => {
                let message = "the registry limits the rate of requests, whenever the discovery goes on".to_owned();
                self.fail(Failure::new(FailureReason::RateLimited, message)).await
            }
            Work::Limited(until) => self.wait_for_registry(until).await,
            Work::Suspended if counts.has_moved() => self.hand_over().await,
            Work::Suspended => {
                let what = if self.mirror.state.rollback.is_some() { "ask a repository" } else { "list the namespace" };
                let message = format!("a whole invocation was not enough to {what}");
                self.fail(Failure::new(FailureReason::NetworkTimeout, message)).await
            }
            Work::Failed(failure) => self.fail(failure).await,
            Work::TurnedBack => {
                self.release(SyncEnd::Success, None).await?;
                Ok(TaskAnswer::Done)
            }
            Work::Done => {
                let (repositories, created) = (counts.repositories(), counts.created());
                self.tell(log::succeeded(&self.mirror, repositories, created)).await?;
                self.release(SyncEnd::Success, None).await?;
                Ok(TaskAnswer::Discovered { repositories: repositories as u64, created: created as u64 })
            }
        }
    }

    async fn fail(&self, failure: Failure) -> Result<TaskAnswer, OrganizationsError> {
        let is_rollback = self.mirror.state.rollback.is_some();
        let entry = if is_rollback { log::not_turned_back } else { log::failed };
        self.tell(entry(&self.mirror, &failure.message)).await?;
        self.release(SyncEnd::Fail, Some((&failure, Remedy::new(failure.reason, 0, None)))).await?;
        Ok(TaskAnswer::Failed(failure))
    }

    /// Gives the claim up, and sees to what follows from the mirror's new state.
    async fn release(&self, end: SyncEnd, failure: Option<(&Failure, Remedy)>) -> Result<(), OrganizationsError> {
        let Organizations { scheduler, settings, .. } = self.organizations;
        let organization = &self.mirror.config.organization;
        let began = now();
        // What was turned back says nothing of the registry.
        let is_found = end == SyncEnd::Success && self.mirror.state.rollback.is_none();
        let findings =
            is_found.then_some(Findings { began, warning: None, verified: false, tags: None, no_listing: None });
        let Some(after) = self.claim.release(None, end, findings, failure).await? else { return Ok(()) };
        let now = now();
        if let Some(plan) = SchedulePlan::earlier(self.mirror.state.sync_start_date, &after, now) {
            scheduler.ensure(&after.of, &plan).await?;
        }
        if let Some(delay) = after.state.retry_delay(now, settings.retry_backoff) {
            scheduler.discover_once(organization, Trigger::Retry, now.plus(delay)).await?;
        }
        Ok(())
    }

    /// Leaves the rest to another invocation, which starts in about a second.
    async fn hand_over(&self) -> Result<TaskAnswer, OrganizationsError> {
        if self.claim.hand_over().await?.is_some() {
            let organization = self.mirror.config.organization.clone();
            let task = Task::Discover { organization, trigger: self.continued() };
            self.organizations.invoker.order(&task).await?;
        }
        Ok(TaskAnswer::Unfinished)
    }

    /// Leaves the rest to another invocation that begins when the registry allows it.
    async fn wait_for_registry(&self, until: Timestamp) -> Result<TaskAnswer, OrganizationsError> {
        self.tell(log::waiting(&self.mirror, until)).await?;
        // If this fails, the mirror's next start goes on.
        let organization = &self.mirror.config.organization;
        let scheduled = self.organizations.scheduler.discover_once(organization, self.continued(), until).await;
        self.claim.wait(until).await?;
        scheduled?;
        Ok(TaskAnswer::Unfinished)
    }

    /// Who asks when the discovery goes on: Sync Now remains that, because it revives what was cancelled.
    fn continued(&self) -> Trigger {
        if self.trigger == Trigger::SyncNow { Trigger::SyncNow } else { Trigger::Continuation }
    }

    async fn tell(&self, entry: LogEntry) -> Result<(), OrganizationsError> {
        let log = LogOf::Namespace(&self.mirror.config.organization);
        Ok(self.organizations.table.add_log_of(log, &[entry]).await?)
    }
}
