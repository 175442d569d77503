//! What one manifest lists, some at a time.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use futures_util::{StreamExt as _, future, stream};

/// Descriptors of one manifest that are followed at once. Blobs have a limit of their own.
const DESCRIPTORS_IN_FLIGHT: usize = 8;
/// How long what goes on beside a failure may take to end: a write of a few bytes.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// Does `work` for the descriptors from 0 to `count`, some at a time, until all are done or one fails. What is about to end
/// then may end: a link whose writer is stopped would be there, and in nobody's books.
pub(crate) async fn follow<T, E, F>(count: usize, work: impl Fn(usize) -> F) -> Result<Vec<T>, E>
where
    F: Future<Output = Result<T, E>>,
{
    let has_failed = AtomicBool::new(false);
    let begun = stream::iter(0..count).take_while(|_| future::ready(!has_failed.load(Relaxed)));
    let mut results = begun.map(work).buffer_unordered(DESCRIPTORS_IN_FLIGHT);
    let mut done = Vec::new();
    while let Some(result) = results.next().await {
        match result {
            Ok(result) => done.push(result),
            Err(error) => {
                has_failed.store(true, Relaxed);
                let rest = async { while results.next().await.is_some() {} };
                let _ended = tokio::time::timeout(LAST_WORDS, rest).await;
                return Err(error);
            }
        }
    }
    Ok(done)
}
