//! One sync: claim, run the steps as long as there is time, report, release or hand over.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use moorage_domain::{
    FailureReason, Guard, TagName, Timestamp,
    failure::Failure,
    rate_limit::LONGEST_WAIT,
    run::{Outcome, Progress as Counts, Run, RunStatus, SyncRequest, TagOutcome, Trigger},
    status::{Findings, NotEligible, SyncEnd, SyncStatus},
    usage_log::LogEntry,
};
use moorage_schedule::{Invoker, SchedulePlan, Scheduler};
use moorage_state::{Mirror, SecretBox, StateError, Table};
use moorage_storage::Storage;
use moorage_upstream::{Limits, Meter};
use tokio_util::sync::CancellationToken;

use crate::{
    budget::Budget,
    claim::{Claim, Claimed},
    clock::now,
    error::SyncError,
    progress::{Progress, Pump},
    report, source,
    steps::{Steps, Work},
};

/// The most invocations of one run: more than a week of whole ones. It ends a sync that moves, but never arrives.
const MAX_INVOCATIONS: u32 = 1_000;
/// When a sync comes again that somebody kept out of the repository for a whole invocation.
const AFTER_LOCK: Duration = Duration::from_secs(60);
/// How often in a row a run waits for its registry and then gets nothing before it is told to wait again.
const MAX_IDLE_WAITS: u32 = 8;

/// What a sync needs to know of its stack.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a claim lasts unless it is renewed: how soon a killed sync can be taken over.
    pub claim: Duration,
    /// The pause before the second attempt; it doubles before the third.
    pub retry_backoff: Duration,
    /// How often the registry is asked what refers to images that have not changed.
    pub referrers_refresh: Duration,
    /// How often a sync looks at everything that the tags reference, instead of trusting the table.
    pub verify_interval: Duration,
    /// How many of an organization's repositories are synced at once.
    pub organization_syncs: usize,
    /// Whether each repository has metrics of its own, or only each namespace: CloudWatch charges for every one.
    pub repository_metrics: bool,
    /// How much is asked of one registry at once.
    pub limits: Limits,
    /// Which addresses a registry may have.
    pub guard: Guard,
}

/// Runs syncs.
#[derive(Debug, Clone)]
pub struct Engine {
    /// Configuration, claims, and what is reported.
    pub table: Table,
    /// Where images go.
    pub storage: Storage,
    /// For the next attempt after a failure.
    pub scheduler: Scheduler,
    /// For the next invocation of a sync that needs more time.
    pub invoker: Invoker,
    /// For the credentials of the registry.
    pub secrets: SecretBox,
    /// The stack's settings.
    pub settings: Settings,
}

/// How an invocation ended, for the function's log.
#[derive(Debug)]
pub enum Ended {
    /// The sync ran to its end; the run says how that was. Or it goes on in another invocation: then the run's status
    /// is `SYNCING`.
    Ran(Box<Run>),
    /// It had nothing to do: another sync runs, or the mirror is not due.
    NotEligible(NotEligible),
    /// There is no such mirror; its schedule will be gone soon.
    NoMirror,
}

/// A claimed mirror and its run, in one invocation.
struct Sync<'a> {
    engine: &'a Engine,
    mirror: Mirror,
    claim: Arc<Claim>,
    progress: Arc<Progress>,
    /// The counters when this invocation began.
    begun: Counts,
}

impl Engine {
    /// Runs the sync that `request` asks for, if it may run now, until it is done or `deadline` is near.
    pub async fn sync(&self, request: &SyncRequest, deadline: Instant) -> Result<Ended, SyncError> {
        let ended = Box::pin(self.sync_one(request, deadline)).await;
        self.pass_turn(request, &ended).await;
        ended
    }

    async fn sync_one(&self, request: &SyncRequest, deadline: Instant) -> Result<Ended, SyncError> {
        let budget = Budget::until(deadline);
        let Some(repository) = self.table.repository(&request.repository).await? else { return Ok(Ended::NoMirror) };
        if !repository.state.is_mirror() {
            return Ok(Ended::NotEligible(NotEligible::NotMirror));
        }
        let (claim, mirror) = match Claim::take(&self.table, &repository, request, self.settings.claim, budget).await? {
            Claimed::Ours(claim, mirror) => (Arc::from(claim), *mirror),
            Claimed::NotEligible(NotEligible::Locked) => {
                // A trigger that is let go does not come again before the mirror's next start.
                self.scheduler.once(request.clone(), now().plus(AFTER_LOCK)).await?;
                return Ok(Ended::NotEligible(NotEligible::Locked));
            }
            Claimed::NotEligible(reason) => return Ok(Ended::NotEligible(reason)),
            Claimed::NoMirror => return Ok(Ended::NoMirror),
        };
        let limit = async {
            let account = source::account(self, &mirror).await?;
            Ok((self.table.rate_limit(&account).await?, account))
        };
        let ((run, earlier, outcomes), (limit, account)) =
            tokio::try_join!(self.begin(request, &claim, &mirror), limit)?;
        let (begun, run_id, started_at, verifies) = (run.progress, run.run_id, run.started_at, run.verifies);
        let meter = Meter::new(limit, mirror.config.rate_limit_floor.unwrap_or_default());
        let progress = Arc::new(Progress::resume(begun, &earlier));
        let stop = CancellationToken::new();
        let (table, config) = (self.table.clone(), mirror.config.clone());
        let before = begun.upstream;
        let pump = Pump {
            table,
            config,
            progress: Arc::clone(&progress),
            run,
            outcomes,
            before,
            meter: meter.clone(),
            account,
            limit,
        };
        let pumping = tokio::spawn(pump.run(Arc::clone(&claim), stop.clone()));
        let (done, copied) = done(earlier);
        let has_filter = !mirror.config.architecture_filter.is_empty();
        let skipped = if has_filter { self.table.skipped(&request.repository).await? } else { BTreeMap::new() };
        let steps = Steps {
            engine: self,
            mirror: &mirror,
            claim: &claim,
            progress: &progress,
            budget,
            run: run_id,
            started_at,
            done,
            copied,
            skipped,
            verifies,
            meter,
            adopted: OnceLock::new(),
        };
        let work = tokio::select! {
            // Boxed: it holds the state of every step.
            work = Box::pin(steps.all()) => work,
            () = stop.cancelled() => Work::Stopped,
            () = budget.spent() => Work::Suspended,
        };
        stop.cancel();
        let pump = pumping
            .await
            .map_err(|error| StateError::Unavailable(format!("the run's progress was not written: {error}")))?;
        Sync { engine: self, mirror, claim, progress, begun }.end(work, pump).await
    }

    /// Begins a run, or goes on with the one that the claim was taken over with. Returns its outcomes so far, too.
    async fn begin(
        &self,
        request: &SyncRequest,
        claim: &Claim,
        mirror: &Mirror,
    ) -> Result<(Run, Vec<TagOutcome>, u32), SyncError> {
        let id = mirror.state.sync_run_id.unwrap_or(claim.run());
        let known = if id == claim.run() { None } else { self.table.run(&request.repository, id).await? };
        if let Some(run) = known {
            let invocations = run.invocations + 1;
            let run = Run { status: RunStatus::Syncing, ended_at: None, invocations, waiting_until: None, ..run };
            self.table.put_run(&request.repository, &run).await?;
            let (earlier, next) = self.table.outcomes(&request.repository, id).await?;
            return Ok((run, earlier, next));
        }
        let now = now();
        let verifies = mirror.state.verify_due(mirror.created, self.settings.verify_interval, now);
        let run = Run::new(id, request.trigger, now, verifies);
        let started = [report::started(&mirror.config)];
        tokio::try_join!(
            self.table.put_run(&request.repository, &run),
            self.table.add_log(&request.repository, &started)
        )?;
        Ok((run, Vec::new(), 0))
    }
}

/// The tags that earlier invocations of the run have dealt with, and those of them that were copied.
fn done(outcomes: Vec<TagOutcome>) -> (BTreeSet<TagName>, BTreeSet<TagName>) {
    let copied = outcomes.iter().filter(|outcome| outcome.outcome == Outcome::Copied);
    let copied = copied.map(|outcome| outcome.tag.clone()).collect();
    let selected = outcomes.into_iter().filter(|outcome| !matches!(outcome.outcome, Outcome::Pruned | Outcome::Held));
    (selected.map(|outcome| outcome.tag).collect(), copied)
}

fn limited(message: String) -> Work {
    Work::Failed(Failure { reason: FailureReason::RateLimited, message })
}

impl Sync<'_> {
    /// Reports, and gives the claim up last: whoever sees the mirror's new status finds the run complete.
    async fn end(&self, work: Work, mut pump: Pump) -> Result<Ended, SyncError> {
        let (engine, config) = (self.engine, &self.mirror.config);
        pump.flush().await?;
        let (tag_failure, failed) = self.progress.failures();
        let began = pump.run.started_at;
        let mut findings = None;
        let work = self.checked(work, &pump.run);
        if let Work::Done { warning, .. } = work {
            pump.run.warning = warning;
            // What failed was not looked at.
            let verified = pump.run.verifies && tag_failure.is_none();
            findings = Some(Findings { began, warning, verified });
        }
        let (status, failure, log) = match work {
            Work::Suspended => return self.hand_over(pump.run).await,
            Work::Limited(until) => return self.wait(pump.run, until).await,
            Work::Done { selected, .. } if tag_failure.is_none() => {
                (RunStatus::Success, None, Some(report::succeeded(config, &selected)))
            }
            Work::Done { selected, .. } => {
                (RunStatus::Fail, tag_failure, Some(report::failed_in_part(config, &selected, &failed)))
            }
            Work::Failed(failure) => {
                let log = report::failed_as_a_whole(config, &failure);
                (RunStatus::Fail, Some(failure), Some(log))
            }
            Work::Stopped => self.stopped().await?,
        };
        pump.run.status = status;
        pump.run.ended_at = Some(now());
        pump.run.failure = failure;
        let warned = pump.run.warning.map(|warning| report::warned(config, warning));
        let log: Vec<_> = warned.into_iter().chain(log).collect();
        tokio::try_join!(
            engine.table.add_log(&config.repository, &log),
            engine.table.put_run(&config.repository, &pump.run)
        )?;
        let success = if status == RunStatus::Success { Some(began) } else { self.mirror.state.last_success };
        let of_repository = engine.settings.repository_metrics;
        report::metrics(&config.repository, &pump.run, success.unwrap_or(self.mirror.created), of_repository);
        match status {
            RunStatus::Success => self.release(SyncEnd::Success, findings, None).await?,
            RunStatus::Fail => self.release(SyncEnd::Fail, findings, pump.run.failure.as_ref()).await?,
            RunStatus::Cancel | RunStatus::Syncing => {}
        }
        Ok(Ended::Ran(Box::new(pump.run)))
    }

    /// Lets a sync go on only if it gets anywhere.
    fn checked(&self, work: Work, run: &Run) -> Work {
        let message = match work {
            Work::Suspended if !self.has_moved(run) => {
                "a whole invocation finished neither a tag nor a blob: one of them needs more time than there is"
            }
            Work::Suspended | Work::Limited(_) if run.invocations >= MAX_INVOCATIONS => {
                "the sync took too many invocations"
            }
            Work::Limited(until) if until > now().plus(LONGEST_WAIT) => {
                return limited(format!("the registry limits the rate of requests, until {until}: too long to wait"));
            }
            Work::Limited(_) if !self.has_moved(run) && run.idle_waits >= MAX_IDLE_WAITS => {
                return limited("the registry limits the rate of requests, whenever the sync goes on".to_owned());
            }
            work => return work,
        };
        Work::Failed(Failure { reason: FailureReason::NetworkTimeout, message: message.to_owned() })
    }

    /// Whether this invocation got anywhere.
    fn has_moved(&self, run: &Run) -> bool {
        let moved = |counts: &Counts| (counts.tags_done, counts.tags_pruned, counts.objects_stored);
        moved(&self.begun) != moved(&run.progress)
    }

    /// Leaves the rest to another invocation that begins when the registry allows it.
    async fn wait(&self, run: Run, until: Timestamp) -> Result<Ended, SyncError> {
        let (engine, config) = (self.engine, &self.mirror.config);
        let idle_waits = if self.has_moved(&run) { 0 } else { run.idle_waits + 1 };
        let run = Run { waiting_until: Some(until), waits: run.waits + 1, idle_waits, ..run };
        engine.table.put_run(&config.repository, &run).await?;
        engine.table.add_log(&config.repository, &[report::waiting(config, until)]).await?;
        // If this fails, the mirror's next trigger goes on.
        let request = SyncRequest { repository: config.repository.clone(), trigger: Trigger::Continuation };
        let scheduled = engine.scheduler.once(request, until).await;
        self.claim.wait(until).await?;
        scheduled?;
        Ok(Ended::Ran(Box::new(run)))
    }

    /// Leaves the rest to another invocation, which starts in about a second. If it cannot be started, the mirror's
    /// next trigger goes on.
    async fn hand_over(&self, run: Run) -> Result<Ended, SyncError> {
        if self.claim.hand_over().await?.is_some() {
            let repository = self.mirror.config.repository.clone();
            self.engine.invoker.start(&SyncRequest { repository, trigger: Trigger::Continuation }).await?;
        }
        Ok(Ended::Ran(Box::new(run)))
    }

    /// How a run ended whose claim was lost: it was cancelled, or another sync took over.
    async fn stopped(&self) -> Result<(RunStatus, Option<Failure>, Option<LogEntry>), SyncError> {
        let config = &self.mirror.config;
        self.claim.leave().await?;
        let mirror = self.engine.table.mirror(&config.repository).await?;
        if mirror.is_some_and(|mirror| mirror.state.sync_status == SyncStatus::Cancel) {
            return Ok((RunStatus::Cancel, None, Some(report::cancelled(config))));
        }
        let message = "another sync of the repository took over".to_owned();
        Ok((RunStatus::Fail, Some(Failure { reason: FailureReason::Preempted, message }), None))
    }

    /// Gives the claim up, and sees to what follows from the mirror's new state.
    async fn release(
        &self,
        end: SyncEnd,
        findings: Option<Findings>,
        failure: Option<&Failure>,
    ) -> Result<(), SyncError> {
        let (scheduler, now) = (&self.engine.scheduler, now());
        let Some(mirror) = self.claim.release(end, findings, failure).await? else { return Ok(()) };
        let (config, state) = (&mirror.config, &mirror.state);
        if state.sync_start_date < self.mirror.state.sync_start_date && !mirror.is_discovered {
            // Sync Now came before a start that lay far ahead: the grid begins earlier now.
            let plan = SchedulePlan::new(state.sync_start_date, config.sync_interval, config.is_enabled, now);
            scheduler.ensure(&config.repository, &plan).await?;
        }
        if let Some(delay) = state.retry_delay(now, self.engine.settings.retry_backoff) {
            let request = SyncRequest { repository: config.repository.clone(), trigger: Trigger::Retry };
            scheduler.once(request, now.plus(delay)).await?;
        }
        Ok(())
    }
}
