//! Faults of our own: a panic ends what it happened in as failed, and nothing else.

use std::{any::Any, panic::AssertUnwindSafe};

use futures_util::FutureExt as _;
use moorage_domain::failure::Failure;

/// Does some work; a panic in it is a failure. What the panic says stays out of it: that may be anything.
pub(crate) async fn caught<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    // Whatever is used afterwards are counters and answers of services, which stay what they are.
    AssertUnwindSafe(work).catch_unwind().await.map_err(|_: Box<dyn Any + Send>| Failure::fault())
}

#[cfg(test)]
mod tests {
    use moorage_domain::FailureReason;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_failure_that_repeats_nothing() {
        assert_eq!(caught(async { 7 }).await.unwrap(), 7);
        let panics = async {
            tokio::task::yield_now().await;
            panic!("hunter2");
        };
        let failure = caught::<()>(panics).await.unwrap_err();
        assert_eq!(failure.reason, FailureReason::UnknownError);
        assert!(!failure.message.contains("hunter2"));
    }
}
