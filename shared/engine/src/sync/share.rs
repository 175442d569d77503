//! A namespace's share: how many of its syncs run at once, and how much its tags may hold.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use moorage_domain::{
    FailureReason, RepositoryName, TagName,
    failure::Failure,
    plan::HeldTag,
    run::{RunStatus, SyncRequest},
    share::{OverQuota, Quota, Usage},
    status::NotEligible,
};
use moorage_state::{Share, Slot, StateError, free_slot};
use uuid::Uuid;

use crate::{
    clock::now,
    error::{SyncError, WorkError},
    sync::{Ended, Engine},
};

/// When a sync comes again that found no room, at the earliest.
const PUT_OFF: Duration = Duration::from_secs(10);
/// Over how many seconds those are spread that found none at once.
const SPREAD: u128 = 20;
/// How often a slot is tried for that somebody else was faster to take.
const TRIES: u32 = 8;

/// What one namespace may take of the deployment. 0 is any number.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shares {
    /// Syncs at once.
    pub syncs: u32,
    /// Repositories.
    pub repositories: u64,
    /// Tags and bytes in all repositories together.
    pub quota: Quota,
}

/// What came of asking for a slot.
enum Room {
    /// This one; it is given up when the run has ended.
    Slot(Slot),
    /// None is needed: there is no limit, or another invocation syncs the repository, so that this one will not.
    NotNeeded,
    /// All are taken.
    None,
}

impl Engine {
    /// Runs a sync if its namespace has room for another one. Otherwise it is put off by seconds, and the mirror stays as
    /// it is.
    pub(crate) async fn sync_in_share(&self, request: &SyncRequest, deadline: Instant) -> Result<Ended, SyncError> {
        let slot = match self.room(&request.repository).await? {
            Room::Slot(slot) => Some(slot),
            Room::NotNeeded => None,
            Room::None => {
                let spread = Duration::from_secs(u64::try_from(Uuid::new_v4().as_u128() % SPREAD).unwrap_or_default());
                self.scheduler.once(request.clone(), now().plus(PUT_OFF + spread)).await?;
                return Ok(Ended::NotEligible(NotEligible::Crowded));
            }
        };
        let ended = Box::pin(self.sync_one(request, deadline)).await;
        let namespace = request.repository.namespace();
        if let Some(slot) = slot
            && leaves(&ended)
            && let Err(error) = self.table.leave_slot(&namespace, Share::Syncs, &slot).await
        {
            // It is free as soon as somebody sees that the mirror's claim has ended.
            tracing::warn!(repository = %request.repository, %error, "a slot was not given up");
        }
        ended
    }

    /// Takes a slot of the namespace. One is free if its holder's claim has ended, however that came: nobody has to give
    /// it up, and nothing has to be renewed.
    async fn room(&self, repository: &RepositoryName) -> Result<Room, StateError> {
        let (most, namespace) = (self.settings.shares.syncs, repository.namespace());
        if most == 0 {
            return Ok(Room::NotNeeded);
        }
        for _ in 0..TRIES {
            let slots = self.table.slots(&namespace, Share::Syncs).await?;
            let holders: Vec<RepositoryName> = slots.iter().filter_map(|slot| slot.holder.parse().ok()).collect();
            let mut running = self.table.mirrors_of_many(&holders).await?;
            running.retain(|mirror| mirror.state.is_running(now()));
            let runs = |name: &str| running.iter().any(|mirror| mirror.config.repository.as_str() == name);
            if runs(repository.as_str()) {
                return Ok(Room::NotNeeded);
            }
            let own = slots.iter().find(|slot| slot.holder == repository.as_str() && slot.number < most);
            let free = match own {
                Some(own) => Some((own.number, Some(own.ticket))),
                None => free_slot(&slots, most, |slot| slot.until > now() || runs(&slot.holder)),
            };
            let Some((number, before)) = free else { return Ok(Room::None) };
            // Until then the claim is there.
            let slot = Slot::new(number, repository.as_str(), now().plus(self.settings.claim));
            match self.table.take_slot(&namespace, Share::Syncs, &slot, before).await {
                Ok(()) => return Ok(Room::Slot(slot)),
                Err(StateError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Room::None)
    }

    /// Writes down what the tags of a repository hold, where that is limited.
    pub(crate) async fn measure(&self, repository: &RepositoryName) -> Result<(), StateError> {
        if self.settings.shares.quota.is_unlimited() {
            return Ok(());
        }
        let held = self.table.tags(repository).await?;
        self.table.put_usage(repository, usage(&held)).await
    }

    /// Whether a tag that is set by hand has room.
    pub(crate) async fn admit_by_hand(
        &self,
        repository: &RepositoryName,
        tag: &TagName,
        size: u64,
    ) -> Result<(), WorkError> {
        if self.settings.shares.quota.is_unlimited() {
            return Ok(());
        }
        let held = self.table.tags(repository).await?;
        Allowance::new(self, repository, &held).await?.take(tag, size)
    }
}

/// Whether the repository needs its slot no more: its run has ended, or waits for its registry, or there is none. A run
/// that goes on in another invocation takes it over there.
fn leaves(ended: &Result<Ended, SyncError>) -> bool {
    match ended {
        Ok(Ended::Ran(run)) => run.status != RunStatus::Syncing || run.waiting_until.is_some(),
        // Whoever runs has it.
        Ok(Ended::NotEligible(NotEligible::Running) | Ended::Superseded) | Err(_) => false,
        Ok(Ended::NotEligible(_) | Ended::NoMirror) => true,
    }
}

fn usage(held: &BTreeMap<TagName, HeldTag>) -> Usage {
    held.values().fold(Usage::default(), |usage, held| usage.with(held.size, None))
}

/// What a run may add to its namespace. What other runs add meanwhile is seen by the next one: a namespace may exceed its
/// share by what its syncs copy at once, and then gets nothing until it has less.
#[derive(Debug, Default)]
pub(crate) struct Allowance {
    quota: Quota,
    inner: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    /// What the namespace has.
    usage: Usage,
    /// The sizes of the repository's tags.
    sizes: BTreeMap<TagName, u64>,
}

impl Allowance {
    /// For a repository that holds these tags.
    pub(crate) async fn new(
        engine: &Engine,
        repository: &RepositoryName,
        held: &BTreeMap<TagName, HeldTag>,
    ) -> Result<Arc<Self>, StateError> {
        let quota = engine.settings.shares.quota;
        if quota.is_unlimited() {
            return Ok(Arc::default());
        }
        let others = engine.table.usage(&repository.namespace(), repository).await?;
        let usage = [others, usage(held)].into_iter().sum();
        let sizes = held.iter().map(|(tag, held)| (tag.clone(), held.size)).collect();
        Ok(Arc::new(Self { quota, inner: Mutex::new(Taken { usage, sizes }) }))
    }

    /// Whether there is room for a tag, whatever its size: asked before anything of it is fetched.
    pub(crate) fn check_tag(&self, tag: &TagName) -> Result<(), WorkError> {
        self.with(|taken| {
            let before = taken.sizes.get(tag).copied();
            Ok(self.quota.admit(taken.usage, taken.usage.with(before.unwrap_or(1), before))?)
        })
    }

    /// Whether there is room for the content of one image, which its manifest tells: asked before it is fetched. A tag
    /// that moves may need no more than before, so `size` must not exceed all that there may be.
    pub(crate) fn check_size(&self, size: u64) -> Result<(), WorkError> {
        self.with(|_| Ok(self.quota.admit(Usage::default(), Usage { tags: 0, bytes: size })?))
    }

    /// Takes what a tag needs that is about to be published.
    pub(crate) fn take(&self, tag: &TagName, size: u64) -> Result<(), WorkError> {
        self.with(|taken| {
            let after = taken.usage.with(size, taken.sizes.get(tag).copied());
            self.quota.admit(taken.usage, after)?;
            taken.usage = after;
            taken.sizes.insert(tag.clone(), size);
            Ok(())
        })
    }

    fn with(&self, check: impl FnOnce(&mut Taken) -> Result<(), WorkError>) -> Result<(), WorkError> {
        if self.quota.is_unlimited() {
            return Ok(());
        }
        // What was taken stays so after a panic elsewhere.
        check(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl From<OverQuota> for WorkError {
    fn from(over: OverQuota) -> Self {
        Self::Failed(Failure { reason: FailureReason::QuotaExceeded, message: over.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowance(tags: u64, bytes: u64) -> Allowance {
        let (old, size) = ("old".parse().unwrap(), 10);
        let taken = Taken { usage: Usage { tags: 3, bytes: 40 }, sizes: BTreeMap::from([(old, size)]) };
        Allowance { quota: Quota { tags, bytes }, inner: Mutex::new(taken) }
    }

    #[test]
    fn tags_take_what_is_left() {
        let tag = |name: &str| name.parse::<TagName>().unwrap();
        let allowance = allowance(4, 100);
        assert!(allowance.check_tag(&tag("new")).is_ok());
        assert!(allowance.take(&tag("new"), 50).is_ok());
        assert!(allowance.check_tag(&tag("newer")).is_err(), "there are four tags");
        assert!(allowance.take(&tag("old"), 21).is_err(), "90 bytes are taken, and 11 more do not fit");
        assert!(allowance.take(&tag("old"), 20).is_ok());
        assert!(allowance.check_size(100).is_ok());
        assert!(allowance.check_size(101).is_err());
        assert!(allowance.check_tag(&tag("old")).is_ok(), "it may move to something that is no larger");
    }

    #[test]
    fn no_quota_asks_for_nothing() {
        let allowance = allowance(0, 0);
        assert!(allowance.take(&"new".parse().unwrap(), u64::MAX).is_ok());
        assert!(allowance.check_size(u64::MAX).is_ok());
    }
}
