//! The claim: for a while, the right to sync a mirror, or to discover what an organization's mirror is to mirror. Both have
//! the same one.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use moorage_domain::{
    Fence, MirrorOf, Namespace, Remedy, Selection, TagName, Timestamp, Timetable,
    failure::Failure,
    run::{RunId, Trigger},
    status::{Findings, NewClaim, NotEligible, SyncEnd, SyncState, Unsettled},
};
use uuid::Uuid;

use crate::{
    Mirror, OrganizationMirror, Repository, StateError, Table, TransitionError, mirrors::transition::Renewal, now,
};

/// The pause before asking again whether whoever keeps a mirror from being claimed is done: that takes seconds.
const LOCKED_PAUSE: Duration = Duration::from_millis(500);
/// How long a request that was under way when its run stopped may take to arrive.
const SETTLED: Duration = Duration::from_secs(1);
/// The longest pause between two renewals: how soon a cancel is noticed.
const LONGEST_RENEWAL: Duration = Duration::from_secs(3);
/// How often a claim is renewed before it would expire, at least.
const RENEWALS: u32 = 4;

/// What a claim is asked for by.
#[derive(Debug, Clone, Copy)]
pub struct Claimant {
    /// Why a sync, or a discovery, is to begin.
    pub trigger: Trigger,
    /// How long the claim lasts unless it is renewed.
    pub duration: Duration,
    /// Whether a sync that begins is to ask for hinted tags only, if the mirror's gate can judge them by themselves.
    pub is_hinted: bool,
}

/// A claim that somebody holds.
#[derive(Debug)]
pub struct Claim {
    table: Table,
    of: MirrorOf,
    transaction: Uuid,
    duration: Duration,
    run: RunId,
    /// The expiration that the table has.
    fence: Fence,
    has_moved: AtomicBool,
    /// The tags of which the bucket may say something else than the table.
    unsettled: Mutex<BTreeSet<TagName>>,
    /// Whether what others before have left of that is among them.
    has_looked: AtomicBool,
}

impl Claim {
    /// Claims the mirror of a repository, both as they were read. While somebody has the repository to themselves, or a run
    /// that was ended has not noticed, that is waited for as long as `may_wait` says so; then it is [`NotEligible::Locked`].
    pub async fn of_mirror(
        table: &Table,
        (repository, seen): (&Repository, &Mirror),
        claimant: Claimant,
        may_wait: impl Fn() -> bool,
    ) -> Result<(Self, Mirror), TransitionError> {
        let claim = async |new: NewClaim| {
            let claimed = table.claim(repository, seen, |mirror| {
                let newest = mirror.config.policy.gate.selects().and_then(Selection::newest);
                let is_hinted = claimant.is_hinted && newest.is_none();
                let new = NewClaim { is_hinted, ..new };
                Ok(mirror.state.claim(mirror.config.is_enabled, claimant.trigger, now(), new)?)
            });
            claimed.await
        };
        let of = MirrorOf::Repository(repository.repository.clone());
        Self::take(table, of, claimant.duration, may_wait, claim).await
    }

    /// As [`Self::of_mirror`], for an organization's mirror: what is waited for is a discovery that was ended.
    pub async fn of_organization(
        table: &Table,
        organization: &Namespace,
        claimant: Claimant,
        may_wait: impl Fn() -> bool,
    ) -> Result<(Self, OrganizationMirror), TransitionError> {
        let claim = async |new: NewClaim| {
            let claimed = table.transition_organization(organization, |mirror| {
                Ok(mirror.state.claim(mirror.config.is_enabled, claimant.trigger, now(), new)?)
            });
            claimed.await
        };
        let of = MirrorOf::Organization(organization.clone());
        Self::take(table, of, claimant.duration, may_wait, claim).await
    }

    async fn take<M>(
        table: &Table,
        of: MirrorOf,
        duration: Duration,
        may_wait: impl Fn() -> bool,
        claim: impl AsyncFn(NewClaim) -> Result<M, TransitionError>,
    ) -> Result<(Self, M), TransitionError> {
        let (transaction, run) = (Uuid::new_v4(), RunId(Uuid::now_v7()));
        loop {
            let expiration = now().plus(duration);
            match claim(NewClaim { transaction, expiration, run, is_hinted: false }).await {
                Err(TransitionError::NotEligible(NotEligible::Locked)) if may_wait() => {
                    tokio::time::sleep(LOCKED_PAUSE).await;
                }
                claimed => {
                    let (table, fence) = (table.clone(), Fence::until(expiration));
                    let has_moved = AtomicBool::new(false);
                    // A discovery changes no tags.
                    let has_looked = AtomicBool::new(matches!(of, MirrorOf::Organization(_)));
                    let unsettled = Mutex::default();
                    let claim = Self { table, of, transaction, duration, run, fence, has_moved, unsettled, has_looked };
                    return Ok((claim, claimed?));
                }
            }
        }
    }

    /// The run that begins with this claim, unless an earlier one goes on.
    pub fn run(&self) -> RunId {
        self.run
    }

    /// What the table knows the claim by: the fencing token of whatever is written by it.
    pub fn transaction(&self) -> Uuid {
        self.transaction
    }

    /// How often to renew: a few times before the claim expires, and often enough that a cancel is noticed soon.
    pub fn renewal_interval(&self) -> Duration {
        (self.duration / RENEWALS).min(LONGEST_RENEWAL)
    }

    /// Renews the claim; [`TransitionError::ClaimLost`] if it is no longer ours.
    pub async fn renew(&self) -> Result<(), TransitionError> {
        let (now, has_moved) = (now(), self.has_moved.load(Ordering::Relaxed));
        let expiration = now.plus(self.duration);
        let renewal = Renewal { transaction: self.transaction, now, expiration, has_moved };
        match &self.of {
            MirrorOf::Repository(name) => self.table.renew_claim(name, renewal).await?,
            MirrorOf::Organization(name) => self.table.renew_organization_claim(name, renewal).await?,
        }
        self.fence.put_off(expiration);
        Ok(())
    }

    /// Says that the holder has done something that need not be done again: from the next renewal on, those that were killed
    /// before do not count any more.
    pub fn moved(&self) {
        self.has_moved.store(true, Ordering::Relaxed);
    }

    /// Says that a tag is about to be changed in the bucket. If the claim is given up before that is recorded, whoever claims
    /// the mirror next has to look.
    pub fn changes_tag(&self, tag: &TagName) {
        self.lock_unsettled().insert(tag.clone());
    }

    /// Says that the table tells of a tag what the bucket has.
    pub fn recorded(&self, tag: &TagName) {
        self.lock_unsettled().remove(tag);
    }

    /// Adds the tags that others before have left otherwise in the bucket than in the table.
    pub fn looked(&self, tags: impl IntoIterator<Item = TagName>) {
        self.lock_unsettled().extend(tags);
        self.has_looked.store(true, Ordering::Relaxed);
    }

    /// The tags of which the bucket may say something else than the table, as far as that is known.
    pub fn unsettled(&self) -> BTreeSet<TagName> {
        self.lock_unsettled().clone()
    }

    fn lock_unsettled(&self) -> MutexGuard<'_, BTreeSet<TagName>> {
        // A set is whole after a panic elsewhere.
        self.unsettled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state with what its holder leaves to others.
    fn left(&self, state: SyncState) -> SyncState {
        let has_looked = state.sync_unsettled != Some(Unsettled::Earlier) || self.has_looked.load(Ordering::Relaxed);
        if has_looked && self.lock_unsettled().is_empty() { state.settled() } else { state }
    }

    /// Renews the claim from time to time, and returns when it is lost. After another failure the next renewal may succeed;
    /// if none does, the claim expires; `tell` is told of each.
    pub async fn keep(&self, tell: impl Fn(&TransitionError)) {
        loop {
            tokio::time::sleep(self.renewal_interval()).await;
            match self.renew().await {
                Ok(()) => {}
                Err(TransitionError::ClaimLost) => return,
                Err(error) => tell(&error),
            }
        }
    }

    /// Fails once the claim may have been taken over, without asking the table. Whatever changes what readers see asks here
    /// first.
    pub fn check(&self) -> Result<(), TransitionError> {
        self.fence.pass(now()).map_err(|_| TransitionError::ClaimLost)
    }

    /// Where the right ends that the claim gives, as far as it was renewed by now.
    pub fn fence(&self) -> &Fence {
        &self.fence
    }

    /// Gives the claim up and moves the mirror to its next state: what it starts by from now on. `seen` is the mirror, if it
    /// was read a moment ago. `None` if the claim was lost before.
    pub async fn release(
        &self,
        seen: Option<Mirror>,
        end: SyncEnd,
        findings: Option<Findings>,
        failure: Option<(&Failure, Remedy)>,
    ) -> Result<Option<Timetable>, StateError> {
        self.give_up(seen, |state, sync_interval| {
            let released = state.release(end, sync_interval, now(), Uuid::new_v4());
            // How one of hinted tags ended says nothing of the mirror.
            if state.sync_hinted.is_some() {
                return released;
            }
            let state = released.because(failure);
            match &findings {
                Some(findings) => state.with(findings.clone()),
                None => state,
            }
        })
        .await
    }

    /// Gives the claim up for the next invocation of the same run. `None` if the claim was lost before.
    pub async fn hand_over(&self) -> Result<Option<Timetable>, StateError> {
        self.give_up(None, |state, _| state.hand_over(now(), Uuid::new_v4())).await
    }

    /// Keeps everybody away until a moment, and then lets anybody go on. `None` if the claim was lost before.
    pub async fn wait(&self, until: Timestamp) -> Result<Option<Timetable>, StateError> {
        self.give_up(None, |state, _| state.wait(until, Uuid::new_v4())).await
    }

    /// Says that whoever held the claim has noticed that it was taken away, and writes nothing more: others need not wait for
    /// that any longer. What a discovery writes is in transactions, so that nothing is under way.
    pub async fn leave(&self) -> Result<(), StateError> {
        match &self.of {
            MirrorOf::Repository(name) => self.table.run_has_left(name, self.transaction, now().plus(SETTLED)).await,
            MirrorOf::Organization(name) => self.table.discovery_has_left(name, self.transaction).await,
        }
    }

    async fn give_up(
        &self,
        seen: Option<Mirror>,
        next: impl Fn(&SyncState, u64) -> SyncState,
    ) -> Result<Option<Timetable>, StateError> {
        let next = |state: &SyncState, sync_interval: u64| {
            let is_ours = state.sync_transaction_id == self.transaction;
            if is_ours { Ok(self.left(next(state, sync_interval))) } else { Err(TransitionError::ClaimLost) }
        };
        let given = match &self.of {
            MirrorOf::Repository(name) => {
                let next = |mirror: &Mirror| next(&mirror.state, mirror.config.sync_interval);
                let given = match seen {
                    Some(seen) => self.table.transition_from(seen, next).await,
                    None => self.table.transition(name, next).await,
                };
                given.map(|mirror| mirror.timetable())
            }
            MirrorOf::Organization(name) => {
                let given =
                    self.table.transition_organization(name, |mirror| next(&mirror.state, mirror.config.sync_interval));
                given.await.map(|mirror| mirror.timetable())
            }
        };
        match given {
            Ok(timetable) => Ok(Some(timetable)),
            Err(TransitionError::State(error)) => Err(error),
            Err(_) => Ok(None),
        }
    }
}
