//! The claim: the right to write to a repository, for a while.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use moorage_domain::{
    RepositoryName, Timestamp,
    failure::Failure,
    run::{RunId, SyncRequest},
    status::{Findings, NewClaim, NotEligible, SyncEnd, SyncState},
};
use moorage_state::{Mirror, Repository, Right, StateError, Table, Tags, TransitionError};
use uuid::Uuid;

use crate::{clock::now, error::WorkError, sync::budget::Budget};

/// How long to wait before asking again whether whoever has the repository is done with it: that takes seconds.
const LOCKED_PAUSE: Duration = Duration::from_millis(500);
/// How long a request that was under way when its run stopped may take to arrive.
const SETTLED: Duration = Duration::from_secs(1);

/// A claim that this sync holds.
#[derive(Debug)]
pub(crate) struct Claim {
    table: Table,
    repository: RepositoryName,
    transaction: Uuid,
    duration: Duration,
    run: RunId,
    /// What is written of tags by it.
    pub(crate) tags: Tags,
    /// Unix seconds of the expiration that the table has.
    expiration: AtomicI64,
}

/// What came of trying to claim a mirror.
pub(crate) enum Claimed {
    /// It is ours; the mirror is as it was when it was claimed.
    Ours(Box<Claim>, Box<Mirror>),
    /// A sync may not run now. That is no failure.
    NotEligible(NotEligible),
    /// There is no such mirror (any more).
    NoMirror,
}

impl Claim {
    /// Claims the requested mirror of a repository for `duration`. While somebody has the repository to themselves, or a run
    /// that was ended has not noticed, that is waited for as long as there is time to begin.
    pub(crate) async fn take(
        table: &Table,
        repository: &Repository,
        request: &SyncRequest,
        duration: Duration,
        budget: Budget,
    ) -> Result<Claimed, StateError> {
        let (transaction, run) = (Uuid::new_v4(), RunId(Uuid::now_v7()));
        let claim = async || {
            let expiration = now().plus(duration);
            let new = NewClaim { transaction, expiration, run };
            let claimed = table.claim(repository, |mirror| {
                Ok(mirror.state.claim(mirror.config.is_enabled, request.trigger, now(), new)?)
            });
            claimed.await.map(|mirror| (mirror, expiration))
        };
        let mut claimed = claim().await;
        while matches!(claimed, Err(TransitionError::NotEligible(NotEligible::Locked))) && budget.may_begin() {
            tokio::time::sleep(LOCKED_PAUSE).await;
            claimed = claim().await;
        }
        let (mirror, expiration) = match claimed {
            Ok(claimed) => claimed,
            Err(TransitionError::NotEligible(reason)) => return Ok(Claimed::NotEligible(reason)),
            Err(TransitionError::NotFound) => return Ok(Claimed::NoMirror),
            // Whoever won the race holds the claim.
            Err(TransitionError::ClaimLost | TransitionError::State(StateError::Conflict)) => {
                return Ok(Claimed::NotEligible(NotEligible::Running));
            }
            Err(TransitionError::State(error)) => return Err(error),
        };
        let claim = Self {
            table: table.clone(),
            repository: request.repository.clone(),
            transaction,
            duration,
            run,
            tags: table.tags_by(&request.repository, Right::Claim(transaction)),
            expiration: AtomicI64::new(expiration.unix()),
        };
        Ok(Claimed::Ours(Box::new(claim), Box::new(mirror)))
    }

    /// The run that begins with this claim, unless an earlier one goes on.
    pub(crate) fn run(&self) -> RunId {
        self.run
    }

    /// What the table knows the claim by.
    pub(crate) fn transaction(&self) -> Uuid {
        self.transaction
    }

    /// How often to renew: a few times before the claim expires, and often enough that a cancel is noticed soon.
    pub(crate) fn renewal_interval(&self) -> Duration {
        const SOON: Duration = Duration::from_secs(3);
        (self.duration / 4).min(SOON)
    }

    /// Renews the claim, or learns that it is lost.
    pub(crate) async fn renew(&self) -> Result<(), WorkError> {
        let now = now();
        let expiration = now.plus(self.duration);
        self.table.renew_claim(&self.repository, self.transaction, now, expiration).await?;
        self.expiration.store(expiration.unix(), Ordering::Relaxed);
        Ok(())
    }

    /// Fails once the claim may have been taken over. Whatever changes what readers see asks here first.
    pub(crate) fn check(&self) -> Result<(), WorkError> {
        let expiration = Timestamp::from_unix(self.expiration.load(Ordering::Relaxed));
        if now() < expiration { Ok(()) } else { Err(WorkError::ClaimLost) }
    }

    /// Gives the claim up and moves the mirror to its next state. `None` if the claim was lost before.
    pub(crate) async fn release(
        &self,
        end: SyncEnd,
        findings: Option<Findings>,
        failure: Option<&Failure>,
    ) -> Result<Option<Mirror>, StateError> {
        self.give_up(|mirror| {
            let state = mirror.state.release(end, mirror.config.sync_interval, now(), Uuid::new_v4());
            let state = state.because(failure);
            findings.map_or(state.clone(), |findings| state.with(findings))
        })
        .await
    }

    /// Gives the claim up for the next invocation of the same sync. `None` if the claim was lost before.
    pub(crate) async fn hand_over(&self) -> Result<Option<Mirror>, StateError> {
        self.give_up(|mirror| mirror.state.hand_over(now(), Uuid::new_v4())).await
    }

    /// Keeps everybody away until a moment, and then lets anybody go on. `None` if the claim was lost before.
    pub(crate) async fn wait(&self, until: Timestamp) -> Result<Option<Mirror>, StateError> {
        self.give_up(|mirror| mirror.state.wait(until, Uuid::new_v4())).await
    }

    /// Says that the run has noticed that its claim was taken away, and writes nothing more: others need not wait for that any
    /// longer.
    pub(crate) async fn leave(&self) -> Result<(), StateError> {
        self.table.run_has_left(&self.repository, self.transaction, now().plus(SETTLED)).await
    }

    async fn give_up(&self, next: impl Fn(&Mirror) -> SyncState) -> Result<Option<Mirror>, StateError> {
        let given = self.table.transition(&self.repository, |mirror| {
            if mirror.state.sync_transaction_id != self.transaction {
                return Err(TransitionError::ClaimLost);
            }
            Ok(next(mirror))
        });
        match given.await {
            Ok(mirror) => Ok(Some(mirror)),
            Err(TransitionError::State(error)) => Err(error),
            Err(_) => Ok(None),
        }
    }
}
