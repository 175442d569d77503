//! Trying what a function may do.

use std::time::Duration;

use moorage_domain::{
    ServiceError,
    rights::{Right, RightCheck},
};

/// How long one try may take: services answer in some hundredths of a second, and somebody waits for the whole.
const PATIENCE: Duration = Duration::from_secs(5);

/// What comes of a call that takes this right; `service` says which failures are a service's.
pub async fn try_right<T, E>(
    right: Right,
    call: impl Future<Output = Result<T, E>>,
    service: fn(&E) -> Option<&ServiceError>,
) -> RightCheck {
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(Ok(_)) => RightCheck::ok(right),
        Ok(Err(error)) => match service(&error) {
            Some(error) => RightCheck::refused(right, error),
            None => RightCheck::failed(right, "what was answered is not understood"),
        },
        Err(_) => RightCheck::failed(right, format!("nothing was answered in {} seconds", PATIENCE.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use moorage_domain::rights::Tried;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("no")]
    struct GetItemError;

    #[tokio::test(start_paused = true)]
    async fn a_try_ends_whatever_the_service_does() {
        let right = Right::ReadTable;
        let denied = ServiceError::new("DynamoDB", Some("AccessDeniedException".into()), Some(400), GetItemError);
        let found = try_right(right, async { Ok::<_, ServiceError>(()) }, |error| Some(error)).await;
        assert_eq!(found, RightCheck::ok(right));
        let found = try_right(right, async { Err::<(), _>(denied) }, |error| Some(error)).await;
        assert_eq!(found.result, Tried::Denied);
        let found = try_right(right, async { Err::<(), _>("?") }, |_| None).await;
        assert_eq!(found.result, Tried::Failed);
        let found = try_right(right, std::future::pending::<Result<(), &str>>(), |_| None).await;
        assert_eq!(found.message.as_deref(), Some("nothing was answered in 5 seconds"));
    }
}
