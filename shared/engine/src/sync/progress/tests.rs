use std::time::Duration;

use super::*;

fn tag(n: usize) -> TagName {
    format!("{n:0>128}").parse().unwrap()
}

#[test]
fn no_number_of_a_registry_is_too_large() {
    let progress = Progress::default();
    for _ in 0..2 {
        progress.want(u64::MAX);
        progress.done(u64::MAX);
        progress.received(u64::MAX);
        progress.attached(usize::MAX);
    }
    progress.lost(u64::MAX);
    progress.lost(1);
    progress.counted(u64::MAX);
    progress.counted(1);
    let counts = progress.counts();
    assert_eq!((counts.bytes_total, counts.bytes_done, counts.bytes_copied), (0, 0, u64::MAX));
    assert_eq!(counts.tags_total, u64::MAX);
}

#[test]
fn messages_are_cut() {
    let progress = Progress::default();
    progress.failure(&tag(1), Failure::new(FailureReason::NotFound, "é".repeat(1_000_000)), None);
    assert!(progress.queued().0[0].failure.as_ref().unwrap().message.len() < 500);
    assert!(progress.failures().0.unwrap().message.len() < 500);
}

#[tokio::test]
async fn whoever_has_too_many_outcomes_waits_for_the_table() {
    let progress = std::sync::Arc::new(Progress::default());
    for n in 0..QUEUE_LENGTH {
        progress.queue_ready().await;
        progress.failure(&tag(n), Failure::new(FailureReason::NotFound, "x".repeat(9_999)), None);
    }
    let short = Duration::from_millis(20);
    assert!(tokio::time::timeout(short, progress.queue_ready()).await.is_err(), "the queue is full");
    tokio::time::timeout(short, progress.queue_full()).await.expect("somebody said so");
    let waiting = tokio::spawn({
        let progress = progress.clone();
        async move { progress.queue_ready().await }
    });
    tokio::task::yield_now().await;
    progress.dequeue(QUEUE_LENGTH);
    tokio::time::timeout(short, waiting).await.unwrap().unwrap();
    assert_eq!(progress.failures().1.len(), QUEUE_LENGTH);
}

#[test]
fn done_is_never_more_than_all() {
    let attached: TagName = format!("sha256-{}", "a".repeat(64)).parse().unwrap();
    let progress = Progress::default();
    progress.selected(1);
    progress.outcome(&tag(1), Outcome::Unchanged, None);
    // The registry's own tag of the name, and then what its API adds to that.
    progress.attached(1);
    progress.outcome(&attached, Outcome::Copied, None);
    progress.outcome(&attached, Outcome::Copied, None);
    progress.received(7);
    let counts = progress.counts();
    assert_eq!((counts.tags_total, counts.tags_done, counts.tags_copied), (2, 2, 1));
    assert_eq!((counts.bytes_total, counts.bytes_done), (7, 7));

    let mut earlier = Earlier::default();
    progress.queued().0.into_iter().for_each(|outcome| earlier.add(outcome));
    // The last invocation had counted more than it came to write.
    let next = Progress::resume(Counts { tags_done: 9, tags_copied: 8, ..counts }, None, &mut earlier);
    next.selected(1);
    let counts = next.counts();
    assert_eq!((counts.tags_total, counts.tags_done, counts.tags_copied), (2, 2, 1));
    next.selected(5);
    next.complete();
    assert_eq!(next.counts().tags_total, 2);
}

#[test]
fn what_was_done_before_is_not_done_again() {
    let mut earlier = Earlier::default();
    for (n, outcome) in [Outcome::Copied, Outcome::Failed, Outcome::Pruned].into_iter().enumerate() {
        let failure = Failure::new(FailureReason::NotFound, n.to_string());
        let failure = (outcome == Outcome::Failed).then_some(failure);
        earlier.add(TagOutcome { failure, ..TagOutcome::new(tag(n), outcome) });
    }
    let done = [0, 1, 2].map(|n| (earlier.done.contains(&tag(n)), earlier.copied.contains(&tag(n))));
    assert_eq!(done, [(true, true), (true, false), (false, false)]);
    let counts = Counts { bytes_done: 5, bytes_total: 9, ..Counts::default() };
    let progress = Progress::resume(counts, None, &mut earlier);
    let (failure, failed) = progress.failures();
    assert_eq!((failure.unwrap().message.as_str(), failed.len(), progress.counts().bytes_total), ("1", 1, 9));
    progress.want(3);
    progress.received(3);
    assert_eq!(progress.counts().bytes_total, 9, "no more than was known of is wanted anew");
    progress.complete();
    assert_eq!(progress.counts().bytes_total, 8, "and nobody wanted all of it");
}
