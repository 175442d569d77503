//! What happens by itself, sooner or later, after a crash.

use std::time::Duration;

use moorage_domain::task::Task;
use moorage_tests::{function::Outcome, lab::Lab, table::let_pass};
use serde_json::json;

/// Settings by which garbage goes at once; claims last until the test lets time pass, however slow the machine is.
pub(super) const SHORT: &[(&str, &str)] =
    &[("RETENTION_SECONDS", "1"), ("GC_GRACE_SECONDS", "1"), ("CLAIM_SECONDS", "120")];
/// Past the grace of content, by the bucket's clock.
const GRACE: Duration = Duration::from_millis(2_100);
/// Past every claim, lock, lease and sentence.
const A_WHILE: Duration = Duration::from_secs(20 * 60);

/// Time passes, and the stack's own schedules do what they are for.
pub(super) async fn after_a_crash(lab: &Lab) {
    let_pass(&lab.stack, A_WHILE).await;
    lab.task(&Task::Watch {}).await;
    lab.settle().await;
    lab.task(&Task::Reconcile { invocation: 0, after: None }).await;
    lab.settle().await;
}

/// Garbage is collected: what is condemned by the first collection is deleted by the second.
pub(super) async fn collect(lab: &Lab) {
    tokio::time::sleep(GRACE).await;
    for _ in 0..2 {
        let_pass(&lab.stack, A_WHILE).await;
        let ended = lab.run(&lab.stack.gc_function, &json!({"force": true})).await;
        assert!(matches!(&ended, Outcome::Answer(collection) if !collection.is_null()), "{ended:?}");
        lab.settle().await;
    }
}
