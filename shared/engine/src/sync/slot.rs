//! A namespace's slots: how many of its syncs run at once.

use std::time::Duration;

use moorage_domain::{
    RepositoryName, Timestamp,
    run::{Run, SyncRequest, Trigger},
    status::SyncState,
};
use moorage_state::{FreeSlot, Slot, SlotKind, SlotsOf, StateError, Vacancy, free_slot, now};
use uuid::Uuid;

use crate::{engine::Engine, error::SyncError};

/// When a sync comes again that found no slot, at the earliest.
const PUT_OFF: Duration = Duration::from_secs(10);
/// Over how many seconds those are spread that found none at once.
const SPREAD: u128 = 20;
/// How long a run that gave its slot up stays away: by then those have come who found none.
const AWAY: Duration = Duration::from_secs(30);

impl Engine {
    /// Has a run go on in another invocation: in about a second. One that verifies, which may take hours of a repository of
    /// many tags, gives its slot up each time, and leaves it to others first where there are not enough for all.
    pub(crate) async fn go_on(&self, repository: &RepositoryName, run: &Run) -> Result<(), SyncError> {
        let request = SyncRequest { repository: repository.clone(), trigger: Trigger::Continuation };
        if self.settings.shares.syncs > 0 && run.verifies {
            self.scheduler.once(request, now().plus(AWAY)).await?;
        } else {
            self.invoker.start(&request).await?;
        }
        Ok(())
    }

    /// Takes a slot of the namespace. One is free if its holder's claim has ended, however that came: nobody has to give
    /// it up, and nothing has to be renewed. It is free, too, while its holder waits for its registry, which may be for a
    /// day: a run that was killed in between has not given it up.
    /// None is needed, either, while another invocation syncs the repository, so that this one will not.
    pub(crate) async fn take_slot(&self, repository: &RepositoryName) -> Result<Vacancy, StateError> {
        let (count, namespace) = (self.settings.shares.syncs, repository.namespace());
        let choose = |slots: Vec<Slot>| async move {
            let holders: Vec<RepositoryName> = slots.iter().filter_map(|slot| slot.holder.parse().ok()).collect();
            let mirrors = self.table.mirrors_of_many(&holders).await?;
            let state_of = |name: &str| {
                mirrors.iter().find(|mirror| mirror.config.repository.as_str() == name).map(|mirror| &mirror.state)
            };
            if state_of(repository.as_str()).is_some_and(|state| state.is_running(now())) {
                return Ok(Vacancy::NotNeeded);
            }
            let works = |name: &str| state_of(name).is_some_and(|state| works(state, now()));
            let own = slots.iter().find(|slot| slot.holder == repository.as_str() && slot.number < count);
            let own = own.map(|own| FreeSlot { number: own.number, before: Some(own.ticket) });
            let free = own.or_else(|| free_slot(&slots, count, |slot| slot.until > now() || works(&slot.holder)));
            Ok(free.map_or(Vacancy::None, Vacancy::Slot))
        };
        let of = SlotsOf { namespace: &namespace, kind: SlotKind::Syncs, count };
        // Until then the claim is there.
        self.table.take_slot(of, repository.as_str(), self.settings.claim, choose).await
    }

    /// Has a sync come again that found no slot. The mirror stays as it is.
    pub(crate) async fn put_off(&self, request: &SyncRequest) -> Result<(), SyncError> {
        let spread = Duration::from_secs(u64::try_from(Uuid::new_v4().as_u128() % SPREAD).unwrap_or_default());
        Ok(self.scheduler.once(request.clone(), now().plus(PUT_OFF + spread)).await?)
    }

    /// Gives a slot up.
    pub(crate) async fn leave_slot(&self, repository: &RepositoryName, slot: &Slot) {
        if let Err(error) = self.table.leave_slot(&repository.namespace(), SlotKind::Syncs, slot).await {
            // It is free as soon as somebody sees that the mirror's claim has ended.
            tracing::warn!(%repository, %error, "a slot was not given up");
        }
    }
}

/// Whether a mirror's sync needs its slot at this moment: somebody works on it.
fn works(state: &SyncState, now: Timestamp) -> bool {
    state.is_running(now) && !state.is_waiting(now)
}

#[cfg(test)]
mod tests {
    use moorage_domain::status::SyncStatus;

    use super::*;

    #[test]
    fn who_waits_for_a_registry_holds_no_slot() {
        let at = Timestamp::from_unix;
        let running = SyncState {
            sync_status: SyncStatus::Syncing,
            sync_expiration_date: Some(at(120)),
            ..SyncState::new(at(0), Uuid::nil())
        };
        assert!(works(&running, at(119)) && !works(&running, at(120)));
        let waiting = running.wait(at(86_400), Uuid::nil());
        assert!(waiting.is_running(at(119)) && !works(&waiting, at(119)));
    }
}
