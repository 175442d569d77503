//! How an invocation of a sync ends: reported, handed over, left to wait for the registry, or not at all.

use std::{sync::Arc, time::Duration};

use moorage_domain::{
    FailureReason, Remedy, Timestamp, Warning,
    failure::Failure,
    notification::Notice,
    rate_limit::LONGEST_WAIT,
    run::{Progress as Counts, Run, RunStatus, SyncRequest, Trigger},
    status::{Findings, NotEligible, SyncEnd, SyncStatus},
    usage_log::LogEntry,
};
use moorage_schedule::SchedulePlan;
use moorage_state::{Claim, Mirror, TransitionError, now};

use crate::{
    engine::Engine,
    error::SyncError,
    sync::{
        heartbeat::Heartbeat,
        invocation::Work,
        knowledge::Knowledge,
        progress::Progress,
        report,
        tab::{ENDED, LEFT, Tab},
    },
};

/// The most invocations of one run: more than a week of whole ones. It ends a sync that moves, but never arrives.
const MAX_INVOCATIONS: u32 = 1_000;
/// How often in a row a run waits for its registry and then gets nothing before it is told to wait again.
const MAX_IDLE_WAITS: u32 = 8;

/// How long after a sync what waits is let in at the earliest: a one-time schedule has to lie ahead when it is made.
const SOONEST: Duration = Duration::from_secs(60);

/// How an invocation ended, for the function's log.
#[derive(Debug)]
pub enum Ended {
    /// The sync ran to its end; the run says how that was. Or it goes on in another invocation: then the run's status
    /// is `SYNCING`.
    Ran(Box<Run>),
    /// It had nothing to do: another sync runs, or the mirror is not due.
    NotEligible(NotEligible),
    /// Another sync has the mirror now, and its run; this one did nothing that is seen since.
    Superseded,
    /// There is no such mirror; its schedule will be gone soon.
    NoMirror,
}

/// A mirror and the claim of it.
pub(crate) struct ClaimedMirror<'a> {
    pub(crate) engine: &'a Engine,
    /// As it was when it was claimed.
    pub(crate) mirror: Mirror,
    pub(crate) claim: Arc<Claim>,
    /// Whether somebody is told of what happens to it.
    pub(crate) is_notified: bool,
    /// Whether webhooks may have brought something meanwhile.
    pub(crate) has_webhook: bool,
    /// What the invocation uses of AWS.
    pub(crate) tab: Arc<Tab>,
}

/// What is known at the end of an invocation.
pub(crate) struct Ending<'a> {
    pub(crate) claimed: &'a ClaimedMirror<'a>,
    pub(crate) progress: Arc<Progress>,
    /// The counters when this invocation began.
    pub(crate) begun: Counts,
    /// What the run knows of its registry.
    pub(crate) knowledge: Arc<Knowledge>,
    /// How much the invocations before have learnt.
    pub(crate) known: u64,
    /// What the registry is not told of who asks.
    pub(crate) untold: Option<Warning>,
}

fn limited(message: String) -> Work {
    Work::Failed(Failure::new(FailureReason::RateLimited, message))
}

/// The run at its end. Its times are whole seconds, and it has not waited for longer than it took.
fn ended(mut run: Run, at: Timestamp) -> Run {
    let took = u64::try_from(at.unix().saturating_sub(run.started_at.unix())).unwrap_or_default();
    let upstream = &mut run.progress.upstream;
    upstream.waited_ms = upstream.waited_ms.min(took.saturating_mul(1_000));
    Run { ended_at: Some(at), ..run }
}

/// Whether a run was written; not if another attempt at it has begun.
fn is_written(result: Result<(), TransitionError>) -> Result<bool, SyncError> {
    match result {
        Ok(()) => Ok(true),
        Err(TransitionError::State(error)) => Err(error.into()),
        Err(_) => Ok(false),
    }
}

impl Ending<'_> {
    /// Reports, and gives the claim up last: whoever sees the mirror's new status finds the run complete.
    pub(crate) async fn end(&self, work: Work, mut heartbeat: Heartbeat) -> Result<Ended, SyncError> {
        let config = &self.claimed.mirror.config;
        let stopped = match work {
            Work::Stopped => match self.stopped(&heartbeat.run).await? {
                Some(stopped) => Some(stopped),
                None => return Ok(Ended::Superseded),
            },
            _ => None,
        };
        if !is_written(heartbeat.finish().await)? {
            return Ok(Ended::Superseded);
        }
        let (tag_failure, failed) = self.progress.failures();
        let began = heartbeat.run.started_at;
        let (mut findings, mut wake) = (None, None);
        let work = self.checked(work, &heartbeat.run);
        let losses = self.progress.losses.warning();
        let mut warnings = vec![losses, self.untold];
        if let Work::Done { warnings: [undeleted, held], verified, ref no_listing, .. } = work {
            wake = held.and_then(Warning::until);
            warnings.splice(0..0, [undeleted, held]);
            let warning = undeleted.or(held);
            // What was dropped is known without a sync, and until then.
            let withheld = self.untold.filter(|it| matches!(it, Warning::CredentialsWithheld { .. }));
            let warning = warning.or(losses).or(withheld);
            let tags = Some(heartbeat.run.progress.tags_total);
            findings = Some(Findings { began, warning, verified, tags, no_listing: no_listing.clone() });
        }
        if matches!(work, Work::Suspended | Work::Limited(_)) {
            self.keep_knowledge(&heartbeat.run).await;
        }
        let (status, failure, log) = match work {
            Work::Suspended => return self.hand_over(heartbeat.run).await,
            Work::Limited(until) => return self.wait(heartbeat.run, until).await,
            Work::Done { selected, .. } if tag_failure.is_none() => {
                (RunStatus::Success, None, Some(report::succeeded(config, &selected)))
            }
            Work::Done { selected, .. } => {
                (RunStatus::Fail, tag_failure, Some(report::failed_in_part(config, &selected, &failed)))
            }
            Work::TurnedBack => (RunStatus::Success, None, None),
            Work::Failed(failure) => {
                let failure = failure.explained_by(self.untold);
                let log = report::failed_as_a_whole(config, &failure);
                (RunStatus::Fail, Some(failure), Some(log))
            }
            Work::Stopped => stopped.unwrap_or((RunStatus::Fail, None, None)),
        };
        let warnings: Vec<_> = warnings.into_iter().flatten().collect();
        let run = Run { status, failure, warning: warnings.first().copied(), ..heartbeat.run };
        let warned = warnings.into_iter().map(|warning| report::warned(config, warning));
        self.claimed.finish(run, warned.chain(log).collect(), findings, wake).await
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
        Work::Failed(Failure::new(FailureReason::NetworkTimeout, message.to_owned()))
    }

    /// Whether this invocation got anywhere.
    fn has_moved(&self, run: &Run) -> bool {
        self.begun.steps() != run.progress.steps() || self.knowledge.count() > self.known
    }

    /// Leaves the next invocation what this one knows of the registry. Without that it asks again.
    async fn keep_knowledge(&self, run: &Run) {
        let (table, repository) = (&self.claimed.engine.table, &self.claimed.mirror.config.repository);
        let (learnt, claim) = (self.knowledge.learnt(), self.claimed.claim.transaction());
        if let Err(error) = table.put_learnt(repository, (run, &learnt), claim, now()).await {
            tracing::warn!(%repository, %error, "what the run has learnt of the registry was not kept");
        }
    }

    /// Leaves the rest to another invocation that begins when the registry allows it.
    async fn wait(&self, run: Run, until: Timestamp) -> Result<Ended, SyncError> {
        let (engine, config) = (self.claimed.engine, &self.claimed.mirror.config);
        let idle_waits = if self.has_moved(&run) { 0 } else { run.idle_waits.saturating_add(1) };
        let mut run = Run { waiting_until: Some(until), waits: run.waits.saturating_add(1), idle_waits, ..run };
        self.claimed.tab.close(&mut run, LEFT);
        if !is_written(engine.table.put_run(&config.repository, &run).await)? {
            return Ok(Ended::Superseded);
        }
        engine.table.add_log(&config.repository, &[report::waiting(config, until)]).await?;
        if self.claimed.is_notified {
            engine.tell(&Notice::Waiting { repository: config.repository.clone(), run_id: run.run_id }).await;
        }
        // If this fails, the mirror's next trigger goes on.
        let request = SyncRequest { repository: config.repository.clone(), trigger: Trigger::Continuation };
        let scheduled = engine.scheduler.once(request, until).await;
        self.claimed.claim.wait(until).await?;
        scheduled?;
        Ok(Ended::Ran(Box::new(run)))
    }

    /// Leaves the rest to another invocation, which starts in about a second. If it cannot be started, the mirror's
    /// next trigger goes on.
    async fn hand_over(&self, mut run: Run) -> Result<Ended, SyncError> {
        let (engine, repository) = (self.claimed.engine, &self.claimed.mirror.config.repository);
        self.claimed.tab.close(&mut run, LEFT);
        // How fast it moves was not written each time.
        if !is_written(engine.table.put_run(repository, &run).await)? {
            return Ok(Ended::Superseded);
        }
        if self.claimed.claim.hand_over().await?.is_some() {
            engine.go_on(repository, &run).await?;
        }
        Ok(Ended::Ran(Box::new(run)))
    }

    /// How a run ended whose claim was lost: it was cancelled, or another run has begun. `None` if another sync goes on with
    /// it, or may: then it is no longer ours to report.
    async fn stopped(&self, run: &Run) -> Result<Option<(RunStatus, Option<Failure>, Option<LogEntry>)>, SyncError> {
        let config = &self.claimed.mirror.config;
        let mirror = self.claimed.engine.table.mirror(&config.repository).await?;
        let state = mirror.map(|mirror| mirror.state);
        if state.as_ref().is_some_and(|state| state.sync_status == SyncStatus::Cancel) {
            return Ok(Some((RunStatus::Cancel, None, Some(report::cancelled(config)))));
        }
        if state.is_some_and(|state| state.sync_run_id == Some(run.run_id)) {
            return Ok(None);
        }
        let message = "another sync of the repository took over".to_owned();
        Ok(Some((RunStatus::Fail, Some(Failure::new(FailureReason::Preempted, message)), None)))
    }
}

impl ClaimedMirror<'_> {
    /// Ends the run as failed after what nobody foresaw, if the claim is still held.
    pub(crate) async fn fail(&self, request: &SyncRequest, failure: Failure) -> Result<Ended, SyncError> {
        let config = &self.mirror.config;
        let id = self.mirror.state.sync_run_id.unwrap_or(self.claim.run());
        let (hinted, rollback) = (self.is_hinted().then(Vec::new), &self.mirror.state.rollback);
        let new = || Run {
            hinted: hinted.clone(),
            rollback: rollback.clone(),
            ..Run::new(id, request.trigger, now(), false)
        };
        // Whatever this invocation has left behind is shut out, too.
        let run = self.engine.attempt(&self.claim, config, (id, new), &self.tab).await?;
        let Some(run) = run else { return Ok(Ended::Superseded) };
        tracing::error!(repository = %config.repository, error = failure.logged(), "the sync was given up");
        let log = report::failed_as_a_whole(config, &failure);
        let run = Run { status: RunStatus::Fail, failure: Some(failure), ..run };
        Box::pin(self.finish(run, vec![log], None, None)).await
    }

    /// Writes how a run ended, and gives the claim up.
    async fn finish(
        &self,
        run: Run,
        log: Vec<LogEntry>,
        findings: Option<Findings>,
        wake: Option<Timestamp>,
    ) -> Result<Ended, SyncError> {
        let (engine, config) = (self.engine, &self.mirror.config);
        // If this fails, the schedule finds what was asked for in vain.
        let is_tried_again = engine.try_again(config, &run).await.unwrap_or_else(|error| {
            tracing::warn!(repository = %config.repository, %error, "what was asked for in vain is not asked for again");
            false
        });
        let mut run = Run { will_retry: is_tried_again || self.will_retry(&run), ..ended(run, now()) };
        self.tab.close(&mut run, ENDED);
        // What is released then is read meanwhile; where that fails, it is read again.
        let (table, repository) = (&engine.table, &config.repository);
        let (written, seen) = tokio::join!(table.put_ended_run(repository, &run, log), table.mirror(repository));
        if !is_written(written)? {
            return Ok(Ended::Superseded);
        }
        let seen = seen.ok().flatten();
        let is_current = run.status == RunStatus::Success && run.is_whole();
        let success = if is_current { Some(run.started_at) } else { self.mirror.state.last_success };
        let of_repository = engine.settings.repository_metrics;
        report::metrics(&config.repository, &run, success.unwrap_or(self.mirror.created), of_repository);
        match run.status {
            RunStatus::Success => self.release(seen, SyncEnd::Success, (findings, None), wake).await?,
            RunStatus::Fail => {
                let remedy = |failure: &Failure| Remedy::new(failure.reason, run.progress.tags_failed, run.warning);
                let failure = run.failure.as_ref().map(|failure| (failure, remedy(failure)));
                self.release(seen, SyncEnd::Fail, (findings, failure), wake).await?;
            }
            RunStatus::Cancel | RunStatus::Syncing => {}
        }
        // If this is lost, the watch sees to it.
        engine.tell(&Notice::Ended { repository: config.repository.clone(), run_id: run.run_id }).await;
        if self.has_webhook
            && let Err(error) = engine.serve_hint(&config.repository).await
        {
            tracing::warn!(repository = %config.repository, %error, "what webhooks have brought waits for the watch");
        }
        Ok(Ended::Ran(Box::new(run)))
    }

    /// Whether it asks for hinted tags only: then it says nothing of the mirror as a whole.
    fn is_hinted(&self) -> bool {
        self.mirror.state.sync_hinted.is_some()
    }

    /// Whether a run that ends so is tried again.
    fn will_retry(&self, run: &Run) -> bool {
        let (config, state) = (&self.mirror.config, &self.mirror.state);
        let after = || state.release(SyncEnd::Fail, config.sync_interval, now(), self.claim.transaction());
        !self.is_hinted()
            && run.status == RunStatus::Fail
            && after().retry_delay(now(), self.engine.settings.retry_backoff).is_some()
    }

    /// Gives the claim up of the mirror as it was seen, and sees to what follows from its new state.
    async fn release(
        &self,
        seen: Option<Mirror>,
        end: SyncEnd,
        (findings, failure): (Option<Findings>, Option<(&Failure, Remedy)>),
        wake: Option<Timestamp>,
    ) -> Result<(), SyncError> {
        let (scheduler, now) = (&self.engine.scheduler, now());
        let Some(after) = self.claim.release(seen, end, findings, failure).await? else { return Ok(()) };
        let earlier = SchedulePlan::earlier(self.mirror.state.sync_start_date, &after, now);
        if let Some(plan) = earlier.filter(|_| !self.mirror.is_discovered) {
            scheduler.ensure(&after.of, &plan).await?;
        }
        if self.is_hinted() {
            // Whoever came for all tags meanwhile has found the mirror taken, and has gone.
            if after.is_enabled && after.state.is_idle() && after.state.is_due(now) {
                let (repository, trigger) = (self.mirror.config.repository.clone(), Trigger::Schedule);
                self.engine.invoker.start(&SyncRequest { repository, trigger }).await?;
            }
        } else if let Some(delay) = after.state.retry_delay(now, self.engine.settings.retry_backoff) {
            let request = SyncRequest { repository: self.mirror.config.repository.clone(), trigger: Trigger::Retry };
            scheduler.once(request, now.plus(delay)).await?;
        }
        if let Some(at) = wake.filter(|_| self.mirror.config.is_enabled) {
            // Unless the schedule comes first. What was held a moment ago may be due already.
            let (at, interval) = (at.max(now.plus(SOONEST)), self.mirror.config.sync_interval);
            if at < after.state.start_after(interval, now) {
                let request = SyncRequest { repository: self.mirror.config.repository.clone(), trigger: Trigger::Hold };
                scheduler.once(request, at).await?;
            }
        }
        Ok(())
    }
}
