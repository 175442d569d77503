//! How a task can fail.

use moorage_domain::ServiceError;
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

impl TaskError {
    /// What whoever asked knows the failure by: the code of the service that failed, if one did.
    pub(crate) fn error_type(&self) -> &str {
        let service = match self {
            Self::Engine(error) => error.service(),
            Self::Organizations(error) => error.service(),
            Self::Schedule(error) => error.service(),
            Self::Fault => None,
        };
        service.and_then(ServiceError::portable_code).unwrap_or("TaskError")
    }
}

#[cfg(test)]
mod tests {
    use moorage_state::StateError;

    use super::*;

    #[test]
    fn whoever_asks_is_told_the_services_code() {
        let denied =
            ServiceError::new("DynamoDB", Some("AccessDeniedException".into()), Some(400), std::io::Error::other("no"));
        let error = TaskError::from(SyncError::from(StateError::from(denied)));
        assert_eq!((error.error_type(), TaskError::Fault.error_type()), ("AccessDeniedException", "TaskError"));
    }
}
