//! One invocation of a reconciliation: of organizations' mirrors first, then of all mirrors.

use std::time::Instant;

use moorage_domain::{
    RepositoryName,
    task::{Task, TaskAnswer},
};
use moorage_engine::Reconciled;
use moorage_organizations::Reconciled as Organizations;

use crate::{config::Services, error::TaskError};

/// The most further invocations of one reconciliation: hours, in which hundreds of thousands of schedules are made.
const MAX_INVOCATIONS: u32 = 20;

/// Mends what was left undone, until `end`: the mirrors behind `after`, the last one that the invocation before looked at.
/// If some are left, and this invocation did anything, it orders another one for them.
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
        Box::pin(services.engine.reconcile(after.cloned(), end)).await?
    } else {
        Reconciled { reached: after.cloned(), ..Reconciled::default() }
    };
    let (mended, removed) = (organizations.mended + mirrors.mended, organizations.removed + mirrors.removed);
    if mirrors.is_whole {
        return Ok(TaskAnswer::Reconciled { mended, removed, failed: mirrors.failed });
    }
    if mended + removed + mirrors.purged > 0 && invocation < MAX_INVOCATIONS {
        let task = Task::Reconcile { invocation: invocation + 1, after: mirrors.reached };
        services.engine.invoker.order(&task).await?;
    }
    Ok(TaskAnswer::Unfinished)
}
