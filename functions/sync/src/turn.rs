//! A sync that was its organization's mirror's turn passes it on.

use moorage_domain::{
    run::{RunStatus, SyncRequest, Trigger},
    status::NotEligible,
};
use moorage_engine::{Ended, SyncError};
use moorage_organizations::Organizations;

/// Starts the next of an organization's queued syncs, if that is up to the one that has just ended. Where this fails, a turn
/// is lost until the next reconciliation; the sync itself has ended well.
pub(crate) async fn pass(organizations: &Organizations, request: &SyncRequest, ended: &Result<Ended, SyncError>) {
    if has_turn(request, ended)
        && let Err(error) = organizations.start_turns(&request.repository.namespace(), 1).await
    {
        tracing::warn!(repository = %request.repository, %error, "no other repository got the turn");
    }
}

/// Whether a turn came to its end. A run keeps it through all of its invocations.
fn has_turn(request: &SyncRequest, ended: &Result<Ended, SyncError>) -> bool {
    match ended {
        Ok(Ended::Ran(run)) => run.is_turn() && run.status != RunStatus::Syncing,
        // It comes again, with the same trigger; or another sync goes on, and keeps the turn.
        Ok(Ended::NotEligible(NotEligible::Locked | NotEligible::Crowded) | Ended::Superseded) => false,
        Ok(Ended::NotEligible(_) | Ended::NoMirror) | Err(_) => request.trigger == Trigger::Organization,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_passed_on_once() {
        let request = |trigger| SyncRequest { repository: "acme/app".parse().unwrap(), trigger };
        let not_eligible = |reason| Ok(Ended::NotEligible(reason));
        for (ended, expected) in [
            (not_eligible(NotEligible::Cancelled), true),
            (Ok(Ended::NoMirror), true),
            (not_eligible(NotEligible::Crowded), false),
            (not_eligible(NotEligible::Locked), false),
            (Ok(Ended::Superseded), false),
        ] {
            assert_eq!(has_turn(&request(Trigger::Organization), &ended), expected, "{ended:?}");
            assert!(!has_turn(&request(Trigger::Schedule), &ended), "{ended:?}: it had none");
        }
    }
}
