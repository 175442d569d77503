//! What a run, or a change by hand, may add to its namespace's tags and bytes.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use moorage_domain::{
    FailureReason, RepositoryName, TagName,
    failure::Failure,
    plan::HeldTag,
    share::{OverQuota, Quota, Usage},
};
use moorage_state::StateError;

use crate::{engine::Engine, error::WorkError};

impl Engine {
    /// Writes down how many tags and bytes a repository has, where the namespace has a quota.
    pub(crate) async fn measure(&self, repository: &RepositoryName) -> Result<(), StateError> {
        if self.settings.shares.quota.is_unlimited() {
            return Ok(());
        }
        let held = self.table.tags(repository).await?;
        self.table.put_usage(repository, usage(&held)).await
    }

    /// Whether the namespace's quota admits a tag that is set by hand.
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

    /// Whether the quota admits a tag, whatever its size: asked before anything of it is fetched.
    pub(crate) fn check_tag(&self, tag: &TagName) -> Result<(), WorkError> {
        self.with(|taken| {
            let before = taken.sizes.get(tag).copied();
            Ok(self.quota.admit(taken.usage, taken.usage.with(before.unwrap_or(1), before))?)
        })
    }

    /// Whether the quota admits the content of one image, by its manifest: asked before the content is fetched. A tag
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
        Self::Failed(Failure::new(FailureReason::QuotaExceeded, over.to_string()))
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
