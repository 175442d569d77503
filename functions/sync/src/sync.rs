//! One invocation of a sync: run it, pass its turn on, and say in one line how it ended.

use std::time::Instant;

use lambda_runtime::{Diagnostic, Error};
use moorage_domain::{
    Timestamp,
    failure::Failure,
    run::{Run, RunStatus, SyncRequest},
};
use moorage_engine::{Ended, SyncError};

use crate::{config::Services, turn};

/// Runs the sync that `request` asks for. A failed sync is reported in its run and is no error of the function: it has
/// been handled. An error means that nothing could be reported, and makes the function's error metric.
pub(crate) async fn run(services: &Services, request: &SyncRequest, deadline: Instant) -> Result<(), Diagnostic> {
    let (repository, trigger, started) = (&request.repository, request.trigger.as_str(), Instant::now());
    let ended = services.engine.sync(request, deadline).await;
    turn::pass(&services.organizations, request, &ended).await;
    match ended {
        Ok(Ended::Ran(run)) => {
            let counts = run.progress;
            let reason = run.failure.as_ref().map(|failure| failure.reason.as_str());
            let error = run.failure.as_ref().map(Failure::logged);
            let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(
                %repository, trigger, run.id = %run.run_id, run.status = ?run.status, reason, error,
                tags.total = counts.tags_total, tags.copied = counts.tags_copied,
                tags.unchanged = counts.tags_unchanged, tags.failed = counts.tags_failed,
                tags.pruned = counts.tags_pruned, bytes.copied = counts.bytes_copied, run.invocations = run.invocations,
                tags.repaired = counts.tags_repaired, run.verifies = run.verifies,
                upstream.requests = counts.upstream.requests, upstream.manifest_gets = counts.upstream.manifest_gets,
                upstream.retries = counts.upstream.retries, upstream.waited_ms = counts.upstream.waited_ms,
                waiting_until = run.waiting_until.map(Timestamp::iso), duration_ms,
                "{}", ending(&run)
            );
            Ok(())
        }
        Ok(Ended::NotEligible(reason)) => {
            tracing::info!(%repository, trigger, %reason, "nothing to sync");
            Ok(())
        }
        Ok(Ended::Superseded) => {
            tracing::warn!(%repository, trigger, "another sync took over");
            Ok(())
        }
        Ok(Ended::NoMirror) => {
            tracing::info!(%repository, trigger, "there is no such mirror");
            Ok(())
        }
        Err(error) => {
            tracing::error!(%repository, trigger, %error, "sync could not be reported");
            let error_type = match &error {
                SyncError::State(_) => "StateError",
                SyncError::Schedule(_) => "ScheduleError",
            };
            Err(Diagnostic { error_type: error_type.to_owned(), error_message: Error::from(error).to_string() })
        }
    }
}

fn ending(run: &Run) -> &'static str {
    match (run.status, run.waiting_until) {
        (RunStatus::Syncing, Some(_)) => "sync waits for its registry",
        (RunStatus::Syncing, None) => "sync goes on in another invocation",
        _ => "sync ended",
    }
}
