//! One invocation of a reconciliation: of organizations' mirrors first, then of all mirrors.

use std::time::Instant;

use moorage_domain::{
    RepositoryName,
    task::{Task, TaskAnswer},
};
use moorage_engine::Reconciled;
use moorage_organizations::Reconciled as Organizations;

use crate::{config::Services, error::TaskError, health};

/// Mends what was left undone until `end`, behind the mirror `after`, which an invocation before has reached. Another one
/// has only the rest to do, and is ordered if it is worth it.
pub(crate) async fn reconcile(
    services: &Services,
    invocation: u32,
    after: Option<&RepositoryName>,
    end: Instant,
) -> Result<TaskAnswer, TaskError> {
    let organizations = match after {
        None => Box::pin(services.organizations.reconcile(end)).await?,
        // The invocation before is done with them.
        Some(_) => Organizations { is_whole: true, ..Organizations::default() },
    };
    let mirrors = if organizations.is_whole {
        let mirrors = Box::pin(services.engine.reconcile(after.cloned(), end)).await?;
        // What was mended stays so, and the next one tells.
        let failed = organizations.failed + mirrors.failed;
        if let Err(error) = health::report(services, &mirrors.health, failed).await {
            tracing::warn!(%error, "nothing was told of the deployment's health");
        }
        mirrors
    } else {
        Reconciled { reached: after.cloned(), ..Reconciled::default() }
    };
    let (mended, removed) = (organizations.mended + mirrors.mended, organizations.removed + mirrors.removed);
    if mirrors.is_whole {
        let failed = organizations.failed + mirrors.failed;
        return Ok(TaskAnswer::Reconciled { mended, removed, failed });
    }
    let has_done = mended + removed + mirrors.purged > 0;
    if let Some(task) = Task::next_invocation(invocation, has_done, after, mirrors.reached) {
        services.engine.invoker.order(&task).await?;
    }
    Ok(TaskAnswer::Unfinished)
}
