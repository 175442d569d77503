//! What is asked for besides syncs.

pub(crate) mod details;
pub(crate) mod ecr;
pub(crate) mod organization;
pub(crate) mod pin;
pub(crate) mod preview;
pub(crate) mod purge;
pub(crate) mod reconcile;
pub(crate) mod rights;
pub(crate) mod rollback;
pub(crate) mod tags;
pub(crate) mod trust;
pub(crate) mod watch;

use moorage_domain::{FailureReason, failure::Failure, task::TaskAnswer};

use crate::error::WorkError;

/// A failure of the work is an answer: the function did what it was asked for.
fn answer(result: Result<TaskAnswer, WorkError>) -> TaskAnswer {
    match result {
        Ok(answer) => answer,
        Err(WorkError::Failed(failure)) => TaskAnswer::Failed(failure),
        Err(WorkError::Limited(until)) => {
            let message = format!("the registry limits the rate of requests, until {until}");
            TaskAnswer::Failed(Failure::new(FailureReason::RateLimited, message))
        }
        Err(WorkError::ClaimLost | WorkError::Suspended) => TaskAnswer::Unfinished,
    }
}
