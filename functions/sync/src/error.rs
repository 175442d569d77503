//! How a task can fail.

use moorage_engine::SyncError;
use moorage_organizations::OrganizationsError;
use moorage_schedule::ScheduleError;

/// A task that could not be done, nor answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TaskError {
    #[error(transparent)]
    Engine(#[from] SyncError),
    #[error(transparent)]
    Organizations(#[from] OrganizationsError),
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    #[error("a fault of ours: the function's log says where")]
    Fault,
}
