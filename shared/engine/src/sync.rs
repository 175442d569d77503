//! One sync: claim, run the steps as long as there is time, report, release or hand over.

pub(crate) mod budget;
pub(crate) mod claim;
pub(crate) mod end;
pub(crate) mod heartbeat;
pub(crate) mod knowledge;
pub(crate) mod losses;
pub(crate) mod progress;
pub(crate) mod proxies;
pub(crate) mod prune;
pub(crate) mod report;
pub(crate) mod said;
pub(crate) mod share;
pub(crate) mod source;
pub(crate) mod steps;
pub(crate) mod tag_set;

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use moorage_domain::{
    FailureReason, Generation, Guard, Owner, RepositoryName, TrustDomain,
    failure::Failure,
    learnt::Learnt,
    mirror::MirrorConfig,
    run::{Run, RunId, RunStatus, SyncRequest},
    status::NotEligible,
};
use moorage_schedule::{Invoker, Scheduler};
use moorage_state::{Mirror, SecretBox, StateError, Table, TransitionError};
use moorage_storage::Storage;
use moorage_upstream::{Limits, Meter};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    clock::now,
    error::{SyncError, cut},
    fault::caught,
    sync::{
        budget::Budget,
        claim::{Claim, Claimed},
        end::{Held, Sync},
        heartbeat::Pump,
        knowledge::Knowledge,
        progress::{Earlier, Progress},
        share::Shares,
        steps::{Steps, Work},
    },
};

/// When a sync comes again that somebody kept out of the repository for a whole invocation.
const AFTER_LOCK: Duration = Duration::from_secs(60);
/// How often a run is read again that another sync wrote just before it lost its claim: it can do so once.
const MAX_RACES: u32 = 4;

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
    /// The fewest bytes that a run moves in an hour of work in which it gets done with no tag; one that moves less is
    /// ended. 0 lets every run go on.
    pub min_bytes_per_hour: u64,
    /// Whether each repository has metrics of its own, or only each namespace: CloudWatch charges for every one.
    pub repository_metrics: bool,
    /// What one namespace may take.
    pub shares: Shares,
    /// How much is asked of one registry at once.
    pub limits: Limits,
    /// Which addresses a registry may have.
    pub guard: Guard,
    /// Whose possession of content lets a repository have it without its registry's sending it.
    pub trust: TrustDomain,
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
    /// Another sync has the mirror now, and its run; this one did nothing that is seen since.
    Superseded,
    /// There is no such mirror; its schedule will be gone soon.
    NoMirror,
}

impl Engine {
    /// Runs the sync that `request` asks for, if it may run now, until it is done or `deadline` is near.
    pub async fn sync(&self, request: &SyncRequest, deadline: Instant) -> Result<Ended, SyncError> {
        let ended = Box::pin(self.sync_in_share(request, deadline)).await;
        self.pass_turn(request, &ended).await;
        ended
    }

    pub(crate) async fn sync_one(&self, request: &SyncRequest, deadline: Instant) -> Result<Ended, SyncError> {
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
        let held = Held { engine: self, mirror, claim };
        // Boxed: it holds the state of every step.
        let ended = match caught(Box::pin(self.sync_held(request, &held, repository.id, budget))).await {
            Ok(Ok(ended)) => Ok(ended),
            // The table may still take the end of the run, though it did not take something else.
            Ok(Err(error)) => match held.fail(request, lost(&error)).await {
                Ok(Ended::Ran(run)) => Ok(Ended::Ran(run)),
                _ => Err(error),
            },
            Err(fault) => held.fail(request, fault).await,
        };
        if was_lost(&ended) {
            held.claim.leave().await?;
        }
        ended
    }

    /// Runs a sync that holds its claim. Whatever it starts ends with it.
    async fn sync_held(
        &self,
        request: &SyncRequest,
        held: &Held<'_>,
        generation: Generation,
        budget: Budget,
    ) -> Result<Ended, SyncError> {
        let (mirror, claim) = (&held.mirror, &held.claim);
        let limit = async {
            let (account, anonymous) = source::account(self, mirror).await?;
            Ok((self.table.rate_limit(&account).await?, account, anonymous))
        };
        let (begun, (limit, account, anonymous)) = tokio::try_join!(self.begin(request, claim, mirror), limit)?;
        let Some((run, mut earlier)) = begun else { return Ok(Ended::Superseded) };
        let (before, run_id, started_at, verifies) = (run.progress, run.run_id, run.started_at, run.verifies);
        let has_filter = !mirror.config.architecture_filter.is_empty();
        let skipped = if has_filter { self.table.skipped(&request.repository).await? } else { BTreeMap::new() };
        let meter = Meter::new(limit, mirror.config.rate_limit_floor.unwrap_or_default());
        meter.fall_back(before.upstream.fallbacks.iter());
        let knowledge = Arc::new(self.knowledge(&run, &mirror.config).await?);
        let known = knowledge.count();
        let progress = Arc::new(Progress::resume(before, run.warning, &mut earlier));
        let begun = progress.counts();
        let stop = CancellationToken::new();
        let pump = Pump {
            table: self.table.clone(),
            config: mirror.config.clone(),
            progress: Arc::clone(&progress),
            before: before.upstream,
            meter: meter.clone(),
            account,
            limit,
            min_bytes_per_hour: self.settings.min_bytes_per_hour,
            looked_at: Instant::now(),
            unlogged: Vec::new(),
            failure: None,
            run,
        };
        // Its own task, so that the claim is renewed whatever the steps do; and it ends with its owner.
        let pumping = AbortOnDropHandle::new(tokio::spawn(pump.run(Arc::clone(claim), stop.clone())));
        let steps = Steps {
            engine: self,
            mirror,
            claim,
            progress: &progress,
            budget,
            run: run_id,
            started_at,
            done: earlier.done,
            copied: earlier.copied,
            skipped,
            verifies,
            meter,
            knowledge: Arc::clone(&knowledge),
            adopted: OnceLock::new(),
            said: OnceLock::new(),
            owner: Arc::new(Owner { repository: request.repository.clone(), generation }),
            possession: OnceLock::new(),
        };
        let work = tokio::select! {
            // Boxed, too.
            work = caught(Box::pin(steps.all())) => work.unwrap_or_else(Work::Failed),
            () = stop.cancelled() => Work::Stopped,
            () = budget.spent() => Work::Suspended,
        };
        if let Err(error) = steps.leave(&work).await {
            tracing::warn!(repository = %request.repository, ?error, "what no tag needs is left to the collector");
        }
        stop.cancel();
        let mut pump =
            pumping.await.map_err(|_| StateError::Unavailable("the run's progress was not written".into()))?;
        let work = match (work, pump.failure.take()) {
            (Work::Stopped, Some(failure)) => Work::Failed(failure),
            (work, _) => work,
        };
        Sync { held, progress, begun, knowledge, known, anonymous }.end(work, pump).await
    }

    /// Begins a run, or goes on with the one that the claim was taken over with. Returns what became of its tags so far,
    /// too. `None` if the claim was lost meanwhile.
    async fn begin(
        &self,
        request: &SyncRequest,
        claim: &Claim,
        mirror: &Mirror,
    ) -> Result<Option<(Run, Earlier)>, SyncError> {
        let id = mirror.state.sync_run_id.unwrap_or(claim.run());
        let new = || {
            let verifies = mirror.state.verify_due(mirror.created, self.settings.verify_interval, now());
            Run::new(id, request.trigger, now(), verifies)
        };
        let Some(run) = self.attempt(claim, &request.repository, id, new).await? else { return Ok(None) };
        let mut earlier = Earlier::default();
        if run.invocations == 1 {
            self.table.add_log(&request.repository, &[report::started(&mirror.config)]).await?;
        } else {
            self.table.each_outcome(&request.repository, &run, |outcome| earlier.add(outcome)).await?;
        }
        Ok(Some((run, earlier)))
    }

    /// What earlier invocations of a run have learnt of its registry, if that is still good.
    async fn knowledge(&self, run: &Run, config: &MirrorConfig) -> Result<Knowledge, StateError> {
        let known = if run.invocations == 1 { None } else { self.table.learnt(&config.repository, run.run_id).await? };
        let good = known.filter(|known| known.is_good(&config.external_reference, now()));
        Ok(Knowledge::new(good.unwrap_or_else(|| Learnt::new(config.external_reference.clone(), now()))))
    }

    /// Makes the next attempt at a run, or the first one at a new run: from now on nothing is seen of what an earlier one
    /// does. `None` if the claim is lost.
    pub(crate) async fn attempt(
        &self,
        claim: &Claim,
        repository: &RepositoryName,
        id: RunId,
        new: impl Fn() -> Run,
    ) -> Result<Option<Run>, SyncError> {
        for race in 0..MAX_RACES {
            // A run that the claim gave its name is most likely a new one.
            let is_new = race == 0 && id == claim.run();
            let known = if is_new { None } else { self.table.run(repository, id).await? };
            let run = known.map_or_else(&new, Run::again);
            match self.table.begin_attempt(repository, &run, claim.transaction()).await {
                Ok(true) => return Ok(Some(run)),
                // An earlier one has just written it.
                Ok(false) => {}
                Err(TransitionError::State(error)) => return Err(error.into()),
                Err(_) => return Ok(None),
            }
        }
        Err(StateError::Conflict.into())
    }
}

/// Whether the claim may have been taken away: then somebody may wait for this run to notice.
fn was_lost(ended: &Result<Ended, SyncError>) -> bool {
    let is_preempted = |run: &Run| run.failure.as_ref().is_some_and(|it| it.reason == FailureReason::Preempted);
    match ended {
        Ok(Ended::Ran(run)) => run.status == RunStatus::Cancel || is_preempted(run),
        Ok(Ended::NotEligible(_) | Ended::NoMirror) => false,
        Ok(Ended::Superseded) | Err(_) => true,
    }
}

fn lost(error: &SyncError) -> Failure {
    Failure { reason: FailureReason::StorageError, message: cut(error.to_string()) }
}
