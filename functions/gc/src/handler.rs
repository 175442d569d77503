//! One invocation: collect, say in one line how that was, and see to it that it goes on.

use std::time::{Instant, SystemTime};

use lambda_runtime::{Diagnostic, Error, LambdaEvent};
use moorage_collector::Ended;
use moorage_domain::collection::{CollectRequest, Collection};

use crate::config::Function;

/// Collects. Answers with the collection as far as it is; nothing if another one is at work.
pub(crate) async fn handle(
    function: &Function,
    event: LambdaEvent<CollectRequest>,
) -> Result<Option<Collection>, Diagnostic> {
    let left = event.context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
    let failed = |error: Error| {
        tracing::error!(%error, "the collection failed; the next one goes on");
        Diagnostic { error_type: "CollectError".to_owned(), error_message: error.to_string() }
    };
    match function
        .collector
        .collect(event.payload, Instant::now() + left)
        .await
        .map_err(|error| failed(error.into()))?
    {
        Ended::Done(collection) => {
            log(&collection, "garbage was collected");
            Ok(Some(*collection))
        }
        Ended::Unfinished(request, collection) => {
            log(&collection, "the collection goes on in another invocation");
            function.invoker.collect(request).await.map_err(|error| failed(error.into()))?;
            Ok(Some(*collection))
        }
        Ended::GivenUp(collection) => {
            log(&collection, "the collection is given up");
            Err(failed("it took too many invocations".into()))
        }
        Ended::Busy => {
            tracing::info!("another collector is at work");
            Ok(None)
        }
    }
}

fn log(collection: &Collection, message: &str) {
    let counts = &collection.counts;
    let held = collection.held.map(|held| format!("{held:?}"));
    if let Some(held) = &held {
        tracing::warn!(run.id = %collection.run_id, held, "the numbers look wrong: nothing was deleted");
    }
    let skipped = collection.skipped.iter().map(|it| format!("{} ({})", it.repository, it.why)).collect::<Vec<_>>();
    tracing::info!(
        run.id = %collection.run_id, run.invocations = collection.invocations, dry_run = collection.dry_run, held,
        repositories = counts.repositories, repositories.skipped = counts.repositories_skipped,
        repositories.skipped.names = skipped.join("; "),
        links = counts.links, links.removed = counts.manifests_unlinked + counts.blobs_unlinked,
        blobs = counts.blobs, condemned = counts.condemned, lifted = counts.lifted, deleted = counts.deleted,
        deferred = counts.deferred,
        bytes.deleted = counts.bytes_deleted, uploads.aborted = counts.uploads_aborted, "{message}"
    );
}
