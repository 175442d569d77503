//! One sync: claim, run the steps as long as there is time, report, release or hand over.

pub(crate) mod budget;
pub(crate) mod claim;
pub(crate) mod end;
pub(crate) mod heartbeat;
pub(crate) mod hint;
pub(crate) mod hinted;
pub(crate) mod invocation;
pub(crate) mod knowledge;
pub(crate) mod listing;
pub(crate) mod losses;
pub(crate) mod outfit;
pub(crate) mod progress;
pub(crate) mod prune;
pub(crate) mod refresh;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod slot;
pub(crate) mod source;
pub(crate) mod steps;
pub(crate) mod tab;
pub(crate) mod tag_set;
pub(crate) mod turn_back;
pub(crate) mod unsettled;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, Instant},
};

use moorage_domain::{
    FailureReason, Generation, Owner, TagName,
    failure::Failure,
    mirror::MirrorConfig,
    notification::Notice,
    run::{Run, RunStatus, SyncRequest, Trigger},
    status::NotEligible,
    webhook::HintedTags,
};
use moorage_state::{
    Claim, Crowd, GateRecords, Login, ReferrersChecked, Repository, Right, SkippedTag, StateError, Vacancy, now,
};
use moorage_upstream::Meter;
use tokio::sync::OnceCell;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use self::{
    budget::Budget,
    claim::{Claimed, claim},
    end::{ClaimedMirror, Ended, Ending},
    heartbeat::Heartbeat,
    invocation::{Invocation, Work},
    progress::Progress,
    tab::Tab,
};
use crate::{engine::Engine, error::SyncError, fault::caught, gate::keeper::Gatekeeper};

/// How old what was read beside the claim may be when that is had: who has waited for it looks again.
const FRESH: Duration = Duration::from_millis(250);
/// When a sync comes again that somebody kept out of the repository for a whole invocation.
const AFTER_LOCK: Duration = Duration::from_secs(60);

impl Engine {
    /// Runs the sync that `request` asks for, if it may run now, until it is done or `deadline` is near. Where its namespace
    /// has no free slot it is put off by seconds, and the mirror stays as it is.
    pub async fn sync(&self, request: &SyncRequest, deadline: Instant) -> Result<Ended, SyncError> {
        let tab = Arc::new(Tab::open(&self.meter, self.settings.memory_mb));
        let mut hint = None;
        if request.trigger == Trigger::Webhook {
            hint = self.await_hint(&request.repository).await?;
            if hint.is_none() {
                return Ok(Ended::NotEligible(NotEligible::NotRequested));
            }
        }
        let due = hint.as_ref().and_then(|webhook| webhook.due(now()));
        let is_hinted = matches!(due, Some(HintedTags::Only(_)));
        let slot = match self.take_slot(&request.repository).await? {
            Vacancy::Slot(slot) => Some(slot),
            Vacancy::NotNeeded => None,
            Vacancy::None => {
                self.put_off(request).await?;
                return Ok(Ended::NotEligible(NotEligible::Crowded));
            }
        };
        let ended = Box::pin(self.sync_in_slot(request, is_hinted, deadline, tab)).await;
        if let Some(read) = hint.filter(|_| begins_no_more(&ended)) {
            self.drop_hint(&request.repository, &read).await?;
        }
        if let Some(slot) = slot
            && needs_no_slot(&ended)
        {
            self.leave_slot(&request.repository, &slot).await;
        }
        ended
    }

    async fn sync_in_slot(
        &self,
        request: &SyncRequest,
        is_hinted: bool,
        deadline: Instant,
        tab: Arc<Tab>,
    ) -> Result<Ended, SyncError> {
        let budget = Budget::until(deadline);
        let (found, seen) = self.table.mirrored(&request.repository).await?;
        let Some(repository) = found else { return Ok(Ended::NoMirror) };
        if !repository.state.is_mirror() {
            self.table.withdraw_sync(&request.repository).await?;
            return Ok(Ended::NotEligible(NotEligible::NotMirror));
        }
        let Some(seen) = seen else { return Ok(Ended::NoMirror) };
        let (asked_at, duration) = (Instant::now(), self.settings.claim);
        let (claimed, login) = tokio::join!(
            claim(&self.table, (&repository, &seen), (request, is_hinted), duration, budget),
            caught(self.table.login(&seen)),
        );
        let (claim, mirror): (Arc<Claim>, _) = match claimed? {
            Claimed::Ours(claim, mirror) => (Arc::from(claim), *mirror),
            Claimed::NotEligible(NotEligible::Locked) => {
                // A trigger that is let go does not come again before the mirror's next start.
                self.scheduler.once(request.clone(), now().plus(AFTER_LOCK)).await?;
                return Ok(Ended::NotEligible(NotEligible::Locked));
            }
            Claimed::NotEligible(reason) => return Ok(Ended::NotEligible(reason)),
            Claimed::NoMirror => return Ok(Ended::NoMirror),
        };
        // Otherwise it is read by who can say what became of that.
        let is_fresh = mirror.config_revision == seen.config_revision && asked_at.elapsed() < FRESH;
        let login = login.ok().and_then(Result::ok).filter(|_| is_fresh);
        let fenced = self.fenced(claim.fence());
        let Repository { is_notified, has_webhook, .. } = repository;
        let claimed = ClaimedMirror { engine: &fenced, mirror, claim, is_notified, has_webhook, tab };
        if let Some(failure) = claimed.mirror.state.given_up() {
            return claimed.fail(request, failure).await;
        }
        // Boxed: it holds the state of every step.
        let ended = match caught(Box::pin(fenced.sync_claimed(request, &claimed, (repository.id, login), budget))).await
        {
            Ok(Ok(ended)) => Ok(ended),
            // It was away, and its claim has ended.
            Ok(Err(SyncError::State(StateError::Closed))) => Ok(Ended::Superseded),
            // The table may still take the end of the run, though it did not take something else.
            Ok(Err(error)) => {
                let failure = Failure::of(FailureReason::StorageError, &error).caused_by(error.service());
                match claimed.fail(request, failure).await {
                    Ok(Ended::Ran(run)) => Ok(Ended::Ran(run)),
                    _ => Err(error),
                }
            }
            Err(fault) => claimed.fail(request, fault).await,
        };
        if was_lost(&ended) {
            claimed.claim.leave().await?;
        }
        ended
    }

    /// Runs a sync that holds its claim, of a repository of this generation; `login` is who the mirror is at its registry, if
    /// that is known. Whatever it starts ends with it.
    async fn sync_claimed(
        &self,
        request: &SyncRequest,
        claimed: &ClaimedMirror<'_>,
        (generation, login): (Generation, Option<Login>),
        budget: Budget,
    ) -> Result<Ended, SyncError> {
        let (mirror, claim) = (&claimed.mirror, &claimed.claim);
        let login = async {
            let login = match login {
                Some(login) => login,
                None => self.table.login(mirror).await?,
            };
            Ok::<_, StateError>((self.table.rate_limit(&login.account).await?, login))
        };
        // None of them waits for another. The run's beginning is not given up because one of the others fails.
        let (begun, login, left) =
            tokio::join!(self.begin(request, claim, mirror, &claimed.tab), login, self.left(&mirror.config));
        let Some((run, mut earlier)) = begun? else { return Ok(Ended::Superseded) };
        let ((limit, login), Left { skipped, gate, checked }) = (login?, left?);
        let (before, run_id, started_at, verifies) = (run.progress, run.run_id, run.started_at, run.verifies);
        let rollback = run.rollback.clone();
        let hinted = run.hinted.clone();
        let is_resumed = run.invocations > 1;
        let tell = async {
            if claimed.is_notified && !is_resumed {
                self.tell(&Notice::Started { repository: request.repository.clone(), run_id }).await;
            }
        };
        let meter = Meter::new(limit, mirror.config.policy.rate_limit_floor.unwrap_or_default());
        meter.fall_back(before.upstream.fallbacks.iter());
        let (knowledge, known) = self.knowledge(&run, mirror).await?;
        let held = std::mem::take(&mut earlier.gated);
        let keep = |records| Gatekeeper::new(self.table.clone(), mirror.config.repository.clone(), records, held);
        let gatekeeper = gate.map(keep);
        let knowledge = Arc::new(knowledge);
        let progress = Arc::new(Progress::resume(before, run.warning, &mut earlier));
        progress.go_on_comparing(run.compared.clone());
        let begun = progress.counts();
        let stop = CancellationToken::new();
        let heartbeat = Heartbeat {
            table: self.table.clone(),
            config: mirror.config.clone(),
            progress: Arc::clone(&progress),
            tab: Arc::clone(&claimed.tab),
            before: before.upstream,
            meter: meter.clone(),
            account: login.account.clone(),
            limit,
            min_bytes_per_hour: self.settings.min_bytes_per_hour,
            begun: begun.steps(),
            looked_at: Instant::now(),
            unlogged: Vec::new(),
            failure: None,
            run,
        };
        // Its own task, so that the claim is renewed whatever the steps do; and it ends with its owner.
        let beating = AbortOnDropHandle::new(tokio::spawn(heartbeat.beat(Arc::clone(claim), stop.clone())));
        let crowd = Crowd::default();
        let invocation = Invocation {
            engine: self,
            mirror,
            claim,
            tags: self.table.tags_by(&request.repository, Right::Claim(claim.transaction()), crowd.clone()),
            crowd,
            progress: &progress,
            budget,
            run: run_id,
            started_at,
            is_resumed,
            done: earlier.done,
            copied: earlier.copied,
            skipped,
            checked,
            hinted,
            verifies,
            rollback,
            login: &login,
            meter,
            knowledge: Arc::clone(&knowledge),
            said: OnceLock::new(),
            owner: Arc::new(Owner { repository: request.repository.clone(), generation }),
            gatekeeper,
            trust: OnceCell::new(),
            unattached: Mutex::default(),
            possession: OnceLock::new(),
        };
        let work = async {
            tokio::select! {
                // Boxed, too.
                work = caught(Box::pin(invocation.all())) => work.unwrap_or_else(Work::Failed),
                () = stop.cancelled() => Work::Stopped,
                () = budget.spent() => Work::Suspended,
            }
        };
        let (work, ()) = tokio::join!(work, tell);
        if let Err(error) = invocation.leave(&work).await {
            tracing::warn!(repository = %request.repository, ?error, "what no tag needs is left to the collector");
        }
        stop.cancel();
        let mut heartbeat =
            beating.await.map_err(|_| StateError::Unavailable("the run's progress was not written".into()))?;
        let work = match (work, heartbeat.failure.take()) {
            (Work::Stopped, Some(failure)) => Work::Failed(failure),
            (work, _) => work,
        };
        let untold = login.warning;
        Box::pin(Ending { claimed, progress, begun, knowledge, known, untold }.end(work, heartbeat)).await
    }
}

/// What a mirror's earlier runs have left for the next one.
struct Left {
    /// The tags that its architecture filter has left out, if it has one.
    skipped: BTreeMap<TagName, SkippedTag>,
    /// What its gate remembers, if it has one.
    gate: Option<GateRecords>,
    /// When it was asked what refers to its images.
    checked: Option<ReferrersChecked>,
}

impl Engine {
    async fn left(&self, config: &MirrorConfig) -> Result<Left, StateError> {
        let repository = &config.repository;
        let skipped = async {
            let has_filter = !config.architecture_filter.is_empty();
            if has_filter { self.table.skipped(repository).await } else { Ok(BTreeMap::new()) }
        };
        let gate = async {
            let has_gate = config.policy.gate.asks();
            if has_gate { self.table.gate_records(repository, now()).await.map(Some) } else { Ok(None) }
        };
        let (skipped, gate, checked) = tokio::try_join!(skipped, gate, self.table.referrers_checked(repository))?;
        Ok(Left { skipped, gate, checked })
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

/// Whether no sync of the mirror begins until somebody wants it: then what webhooks have brought is not kept for it.
fn begins_no_more(ended: &Result<Ended, SyncError>) -> bool {
    use NotEligible::{Cancelled, Disabled, NotMirror, Paused};
    matches!(ended, Ok(Ended::NotEligible(Cancelled | Disabled | NotMirror | Paused)))
}

/// Whether the repository needs its slot no more: its run has ended, or waits for its registry, or there is none. A run
/// that goes on in another invocation takes it over there, unless it leaves it to others meanwhile, as one that verifies.
fn needs_no_slot(ended: &Result<Ended, SyncError>) -> bool {
    match ended {
        Ok(Ended::Ran(run)) => run.status != RunStatus::Syncing || run.waiting_until.is_some() || run.verifies,
        // Whoever runs has it.
        Ok(Ended::NotEligible(NotEligible::Running) | Ended::Superseded) | Err(_) => false,
        Ok(Ended::NotEligible(_) | Ended::NoMirror) => true,
    }
}
