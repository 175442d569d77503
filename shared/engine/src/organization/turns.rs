//! Whose turn it is to be synced.

use moorage_domain::{
    Namespace,
    run::{RunStatus, SyncRequest, Trigger},
};

use crate::{
    error::SyncError,
    sync::{Ended, Engine},
};

impl Engine {
    /// Starts up to `count` of an organization's queued syncs.
    pub(crate) async fn start_turns(&self, organization: &Namespace, count: usize) -> Result<(), SyncError> {
        let mut taken = self.table.take_turns(organization, count).await?.into_iter();
        while let Some(repository) = taken.next() {
            let request = SyncRequest { repository: repository.clone(), trigger: Trigger::Organization };
            let Err(error) = self.invoker.start(&request).await else { continue };
            for repository in std::iter::once(repository).chain(taken) {
                self.table.put_turn(&repository).await?;
            }
            return Err(error.into());
        }
        Ok(())
    }

    /// Starts the next of an organization's queued syncs, if that is up to the one that has just ended. Where this fails,
    /// a turn is lost until the next reconciliation; the sync itself has ended well.
    pub(crate) async fn pass_turn(&self, request: &SyncRequest, ended: &Result<Ended, SyncError>) {
        if has_turn(request, ended)
            && let Err(error) = self.start_turns(&request.repository.namespace(), 1).await
        {
            tracing::warn!(repository = %request.repository, %error, "no other repository got the turn");
        }
    }
}

/// Whether a turn came to its end. A run keeps it through all of its invocations.
fn has_turn(request: &SyncRequest, ended: &Result<Ended, SyncError>) -> bool {
    use moorage_domain::status::NotEligible;

    match ended {
        Ok(Ended::Ran(run)) => run.trigger == Trigger::Organization && run.status != RunStatus::Syncing,
        // It comes again, with the same trigger; or another sync goes on, and keeps the turn.
        Ok(Ended::NotEligible(NotEligible::Locked | NotEligible::Crowded) | Ended::Superseded) => false,
        Ok(Ended::NotEligible(_) | Ended::NoMirror) | Err(_) => request.trigger == Trigger::Organization,
    }
}
