//! A namespace's slots: how many of its syncs run at once.

use std::time::Duration;

use moorage_domain::{RepositoryName, run::SyncRequest};
use moorage_state::{Slot, SlotKind, StateError, free_slot, now};
use uuid::Uuid;

use crate::{engine::Engine, error::SyncError};

/// When a sync comes again that found no slot, at the earliest.
const PUT_OFF: Duration = Duration::from_secs(10);
/// Over how many seconds those are spread that found none at once.
const SPREAD: u128 = 20;
/// How often a slot is tried for that somebody else was faster to take.
const TRIES: u32 = 8;

/// What came of asking for a slot.
pub(crate) enum Vacancy {
    /// This one; it is given up when the run has ended.
    Slot(Slot),
    /// None is needed: there is no limit, or another invocation syncs the repository, so that this one will not.
    NotNeeded,
    /// All are taken.
    None,
}

impl Engine {
    /// Takes a slot of the namespace. One is free if its holder's claim has ended, however that came: nobody has to give
    /// it up, and nothing has to be renewed.
    pub(crate) async fn take_slot(&self, repository: &RepositoryName) -> Result<Vacancy, StateError> {
        let (most, namespace) = (self.settings.shares.syncs, repository.namespace());
        if most == 0 {
            return Ok(Vacancy::NotNeeded);
        }
        for _ in 0..TRIES {
            let slots = self.table.slots(&namespace, SlotKind::Syncs).await?;
            let holders: Vec<RepositoryName> = slots.iter().filter_map(|slot| slot.holder.parse().ok()).collect();
            let mut running = self.table.mirrors_of_many(&holders).await?;
            running.retain(|mirror| mirror.state.is_running(now()));
            let runs = |name: &str| running.iter().any(|mirror| mirror.config.repository.as_str() == name);
            if runs(repository.as_str()) {
                return Ok(Vacancy::NotNeeded);
            }
            let own = slots.iter().find(|slot| slot.holder == repository.as_str() && slot.number < most);
            let free = match own {
                Some(own) => Some((own.number, Some(own.ticket))),
                None => free_slot(&slots, most, |slot| slot.until > now() || runs(&slot.holder)),
            };
            let Some((number, before)) = free else { return Ok(Vacancy::None) };
            // Until then the claim is there.
            let slot = Slot::new(number, repository.as_str(), now().plus(self.settings.claim));
            match self.table.take_slot(&namespace, SlotKind::Syncs, &slot, before).await {
                Ok(()) => return Ok(Vacancy::Slot(slot)),
                Err(StateError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Vacancy::None)
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
