//! The steps of one sync, in their order.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream};
use moorage_domain::{
    Digest, FailureReason, TagName,
    failure::Failure,
    plan::{self, HeldTag, TagAction},
    run::{Outcome, Run, RunId, RunStatus, SyncRequest, Trigger},
    status::{NotEligible, SyncEnd, SyncStatus},
    usage_log::LogEntry,
};
use moorage_schedule::{SchedulePlan, Scheduler};
use moorage_state::{Mirror, SecretBox, Table};
use moorage_storage::Storage;
use moorage_upstream::{Guard, Registry};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    claim::{Claim, Claimed},
    clock::now,
    copy::Copier,
    error::{SyncError, WorkError},
    progress::{Progress, Pump},
    report, source,
};

/// Tags whose digests are asked for at once. A HEAD is cheap for both sides, and 32 hide the latency of a distant one.
const HEADS_IN_FLIGHT: usize = 32;
/// Tags that are copied at once.
const TAGS_IN_FLIGHT: usize = 8;

/// What a sync needs to know of its stack.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a claim lasts unless it is renewed: how soon a killed sync can be taken over.
    pub claim: Duration,
    /// The pause before the second attempt; it doubles before the third.
    pub retry_backoff: Duration,
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
    /// For the credentials of the registry.
    pub secrets: SecretBox,
    /// The stack's settings.
    pub settings: Settings,
}

/// How a sync ended, for the function's log.
#[derive(Debug)]
pub enum Ended {
    /// It ran to its end; the run says how that was.
    Ran(Box<Run>),
    /// It had nothing to do: another sync runs, or the mirror is not due.
    NotEligible(NotEligible),
    /// There is no such mirror; its schedule will be gone soon.
    NoMirror,
}

/// A claimed mirror and everything that one run needs.
struct Sync<'a> {
    engine: &'a Engine,
    mirror: Mirror,
    claim: Arc<Claim>,
    progress: Arc<Progress>,
    stop: CancellationToken,
}

/// What the work came to.
enum Work {
    /// Every selected tag has an outcome.
    Done { selected: Vec<TagName>, log: Vec<LogEntry> },
    /// It failed before any tag was tried.
    Failed(Failure),
    /// The claim was lost.
    Stopped,
}

impl Engine {
    /// Runs the sync that `request` asks for, if it may run now.
    pub async fn sync(&self, request: &SyncRequest) -> Result<Ended, SyncError> {
        let (claim, mirror) = match Claim::take(&self.table, request, self.settings.claim).await? {
            Claimed::Ours(claim, mirror) => (Arc::new(claim), *mirror),
            Claimed::NotEligible(reason) => return Ok(Ended::NotEligible(reason)),
            Claimed::NoMirror => return Ok(Ended::NoMirror),
        };
        let progress = Arc::new(Progress::default());
        let run = Run {
            run_id: RunId(Uuid::now_v7()),
            trigger: request.trigger,
            status: RunStatus::Syncing,
            started_at: now(),
            ended_at: None,
            progress: progress.counts(),
            failure: None,
        };
        self.table.put_run(&request.repository, &run).await?;
        self.table.add_log(&request.repository, &[report::started(&mirror.config)]).await?;
        let stop = CancellationToken::new();
        let (table, repository) = (self.table.clone(), request.repository.clone());
        let pump = Pump { table, repository, progress: Arc::clone(&progress), run, outcomes: 0 };
        let pumping = tokio::spawn(pump.run(Arc::clone(&claim), stop.clone()));
        let sync = Sync { engine: self, mirror, claim, progress, stop };
        let work = tokio::select! {
            work = sync.work() => work,
            () = sync.stop.cancelled() => Work::Stopped,
        };
        sync.stop.cancel();
        let pump = pumping.await.map_err(|error| {
            moorage_state::StateError::Unavailable(format!("the run's progress was not written: {error}"))
        })?;
        sync.end(work, pump).await
    }
}

impl Sync<'_> {
    async fn work(&self) -> Work {
        match self.try_work().await {
            Ok(work) => work,
            Err(WorkError::Failed(failure)) => Work::Failed(failure),
            Err(WorkError::ClaimLost) => Work::Stopped,
        }
    }

    async fn try_work(&self) -> Result<Work, WorkError> {
        let (engine, config) = (self.engine, &self.mirror.config);
        let registry = source::open(&self.mirror, &engine.secrets, &engine.settings.guard).await?;
        let listed = registry.tags().await?.tags;
        let held = engine.table.tags(&config.repository).await?;
        let count = listed.len();
        let selected = config.root_rule.select(listed).map_err(|error| {
            let (reason, message) = (FailureReason::UnknownError, error.to_string());
            WorkError::Failed(Failure { reason, message })
        })?;
        self.progress.selected(selected.len());
        let wanted = self.plan(&registry, &held, &selected).await?;
        let log = self.copy(registry, wanted).await?;
        self.prune(&plan::prune(&held, count, &selected)).await?;
        Ok(Work::Done { selected, log })
    }

    /// Asks the registry for the digests of the selected tags. Returns the tags to copy; the others have an outcome.
    async fn plan(
        &self,
        registry: &Registry,
        held: &BTreeMap<TagName, HeldTag>,
        selected: &[TagName],
    ) -> Result<Vec<(TagName, Digest)>, WorkError> {
        let resolve = async |tag| (tag, registry.resolve(tag).await);
        let mut resolved = stream::iter(selected).map(resolve).buffer_unordered(HEADS_IN_FLIGHT);
        let mut wanted = Vec::new();
        while let Some((tag, resolved)) = resolved.next().await {
            match resolved {
                Ok(upstream) => match plan::action(held.get(tag), &upstream.digest) {
                    TagAction::Keep => self.progress.outcome(tag, Outcome::Unchanged, None),
                    TagAction::Copy => wanted.push((tag.clone(), upstream.digest)),
                },
                Err(error) => match error.into() {
                    WorkError::Failed(failure) => self.progress.failure(tag, failure),
                    WorkError::ClaimLost => return Err(WorkError::ClaimLost),
                },
            }
        }
        wanted.sort_unstable();
        Ok(wanted)
    }

    /// Copies tags, some at a time. Only a lost claim stops it. Returns what the usage log says of them.
    async fn copy(&self, registry: Registry, wanted: Vec<(TagName, Digest)>) -> Result<Vec<LogEntry>, WorkError> {
        let (engine, config) = (self.engine, &self.mirror.config);
        let copier = Copier::new(
            registry,
            engine.storage.clone(),
            engine.table.clone(),
            Arc::clone(&self.claim),
            Arc::clone(&self.progress),
            config.repository.clone(),
            Duration::from_secs(config.skopeo_timeout_interval),
        );
        let copy = async |(tag, digest): (TagName, Digest)| {
            let result = copier.tag(&tag, &digest).await;
            (tag, digest, result)
        };
        let mut results = stream::iter(wanted).map(copy).buffer_unordered(TAGS_IN_FLIGHT);
        let mut log = Vec::new();
        while let Some((tag, digest, result)) = results.next().await {
            match result {
                Ok(()) => {
                    log.push(report::tag_copied(config, &tag, &digest.to_string()));
                    self.progress.outcome(&tag, Outcome::Copied, Some(digest));
                }
                Err(WorkError::Failed(failure)) => {
                    log.push(report::tag_failed(config, &tag, &failure));
                    self.progress.failure(&tag, failure);
                }
                Err(WorkError::ClaimLost) => return Err(WorkError::ClaimLost),
            }
        }
        Ok(log)
    }

    /// Deletes tags: from the bucket first, so that a killed sync leaves a tag that the next one deletes again.
    async fn prune(&self, tags: &[TagName]) -> Result<(), WorkError> {
        for tag in tags {
            self.claim.check()?;
            self.engine.storage.delete_tag(&self.mirror.config.repository, tag).await?;
            self.engine.table.delete_tag(&self.mirror.config.repository, tag).await?;
            self.progress.outcome(tag, Outcome::Pruned, None);
        }
        Ok(())
    }

    /// Reports, and gives the claim up last: whoever sees the mirror's new status finds the run complete.
    async fn end(&self, work: Work, mut pump: Pump) -> Result<Ended, SyncError> {
        let (engine, config) = (self.engine, &self.mirror.config);
        let (tag_failure, failed) = self.progress.failures();
        let (status, failure, log) = match work {
            Work::Done { selected, mut log } if tag_failure.is_none() => {
                log.push(report::succeeded(config, &selected));
                (RunStatus::Success, None, log)
            }
            Work::Done { selected, mut log } => {
                log.push(report::failed_in_part(config, &selected, &failed));
                (RunStatus::Fail, tag_failure, log)
            }
            Work::Failed(failure) => {
                let log = vec![report::failed_as_a_whole(config, &failure)];
                (RunStatus::Fail, Some(failure), log)
            }
            Work::Stopped => self.stopped().await?,
        };
        pump.run.status = status;
        pump.run.ended_at = Some(now());
        pump.run.failure = failure;
        engine.table.add_log(&config.repository, &log).await?;
        pump.flush().await?;
        engine.table.put_run(&config.repository, &pump.run).await?;
        report::metrics(&config.repository, &pump.run);
        match status {
            RunStatus::Success => self.release(SyncEnd::Success).await?,
            RunStatus::Fail => self.release(SyncEnd::Fail).await?,
            RunStatus::Cancel | RunStatus::Syncing => {}
        }
        Ok(Ended::Ran(Box::new(pump.run)))
    }

    /// How a run ended whose claim was lost: it was cancelled, or another sync took over.
    async fn stopped(&self) -> Result<(RunStatus, Option<Failure>, Vec<LogEntry>), SyncError> {
        let config = &self.mirror.config;
        let mirror = self.engine.table.mirror(&config.repository).await?;
        if mirror.is_some_and(|mirror| mirror.state.sync_status == SyncStatus::Cancel) {
            return Ok((RunStatus::Cancel, None, vec![report::cancelled(config, &[])]));
        }
        let message = "another sync of the repository took over".to_owned();
        Ok((RunStatus::Fail, Some(Failure { reason: FailureReason::Preempted, message }), Vec::new()))
    }

    /// Gives the claim up, and sees to what follows from the mirror's new state.
    async fn release(&self, end: SyncEnd) -> Result<(), SyncError> {
        let (scheduler, now) = (&self.engine.scheduler, now());
        let Some(mirror) = self.claim.release(end).await? else { return Ok(()) };
        let (config, state) = (&mirror.config, &mirror.state);
        if state.sync_start_date < self.mirror.state.sync_start_date {
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
