//! The claim of the mirror that is to be synced. Nothing is published without it.

use std::time::Duration;

use moorage_domain::{run::SyncRequest, status::NotEligible};
use moorage_state::{Claim, Claimant, Mirror, Repository, StateError, Table, TransitionError};

use crate::sync::budget::Budget;

/// What came of trying to claim a mirror.
pub(crate) enum Claimed {
    /// It is ours; the mirror is as it was when it was claimed.
    Ours(Box<Claim>, Box<Mirror>),
    /// A sync may not run now. That is no failure.
    NotEligible(NotEligible),
    /// There is no such mirror (any more).
    NoMirror,
}

/// Claims the requested mirror of a repository, both as they were read, for `duration`. While somebody has the repository to
/// themselves, or a run that was ended has not noticed, that is waited for as long as there is time to begin.
pub(crate) async fn claim(
    table: &Table,
    seen: (&Repository, &Mirror),
    (request, is_hinted): (&SyncRequest, bool),
    duration: Duration,
    budget: Budget,
) -> Result<Claimed, StateError> {
    let claimant = Claimant { trigger: request.trigger, duration, is_hinted };
    match Claim::of_mirror(table, seen, claimant, || budget.may_begin()).await {
        Ok((claim, mirror)) => Ok(Claimed::Ours(Box::new(claim), Box::new(mirror))),
        Err(TransitionError::NotEligible(reason)) => Ok(Claimed::NotEligible(reason)),
        Err(TransitionError::NotFound) => Ok(Claimed::NoMirror),
        // Whoever won the race holds the claim.
        Err(TransitionError::ClaimLost | TransitionError::State(StateError::Conflict)) => {
            Ok(Claimed::NotEligible(NotEligible::Running))
        }
        Err(TransitionError::State(error)) => Err(error),
    }
}
