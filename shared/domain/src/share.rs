//! Shares: how much of a deployment one namespace may take.

use serde::{Deserialize, Serialize};

/// What the tags of a repository, or of a namespace, hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// How many there are.
    pub tags: u64,
    /// The bytes of all of them, each with everything that it references: what two tags share counts twice, as it does
    /// for whoever pulls them.
    pub bytes: u64,
}

impl Usage {
    /// With another tag, or, if `before` is its size, with the tag as it is now. Nothing overflows: the numbers are a
    /// registry's.
    #[must_use]
    pub fn with(self, size: u64, before: Option<u64>) -> Self {
        Self {
            tags: self.tags.saturating_add(u64::from(before.is_none())),
            bytes: self.bytes.saturating_sub(before.unwrap_or_default()).saturating_add(size),
        }
    }
}

impl std::iter::Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(usages: I) -> Self {
        usages.fold(Self::default(), |sum, usage| Self {
            tags: sum.tags.saturating_add(usage.tags),
            bytes: sum.bytes.saturating_add(usage.bytes),
        })
    }
}

/// What one namespace may have. 0 is any number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quota {
    /// Tags.
    pub tags: u64,
    /// Bytes.
    pub bytes: u64,
}

/// A namespace would have more than it may. The message names the template's parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OverQuota {
    /// Of repositories.
    #[error("the namespace has the {0} repositories that it may have (MaxRepositories)")]
    Repositories(u64),
    /// Of tags.
    #[error("the namespace has the {0} tags that it may have (MaxTags)")]
    Tags(u64),
    /// Of bytes.
    #[error("the namespace may have {most} bytes (MaxBytes), and would have {bytes}")]
    Bytes {
        /// What it may have.
        most: u64,
        /// What it would have.
        bytes: u64,
    },
}

impl Quota {
    /// Whether everything may be had.
    pub fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a namespace may go from one usage to the other. One that has too much already, because less is allowed by
    /// now, may have less of it.
    pub fn admit(&self, before: Usage, after: Usage) -> Result<(), OverQuota> {
        let is_over = |most, before, after| most > 0 && after > most && after > before;
        if is_over(self.tags, before.tags, after.tags) {
            return Err(OverQuota::Tags(self.tags));
        }
        if is_over(self.bytes, before.bytes, after.bytes) {
            return Err(OverQuota::Bytes { most: self.bytes, bytes: after.bytes });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usages_add_up_and_nothing_overflows() {
        let usage = Usage { tags: 1, bytes: 10 };
        assert_eq!(usage.with(5, None), Usage { tags: 2, bytes: 15 });
        assert_eq!(usage.with(5, Some(10)), Usage { tags: 1, bytes: 5 });
        assert_eq!(usage.with(5, Some(u64::MAX)), Usage { tags: 1, bytes: 5 });
        assert_eq!([usage, usage].into_iter().sum::<Usage>(), Usage { tags: 2, bytes: 20 });
        let most = Usage { tags: u64::MAX, bytes: u64::MAX };
        assert_eq!(most.with(u64::MAX, None), most);
        assert_eq!([most, usage].into_iter().sum::<Usage>(), most);
    }

    #[test]
    fn a_quota_bounds_growth_only() {
        let quota = Quota { tags: 2, bytes: 100 };
        let (none, some) = (Usage::default(), Usage { tags: 2, bytes: 100 });
        assert_eq!(quota.admit(none, some), Ok(()));
        assert_eq!(quota.admit(some, some.with(0, None)), Err(OverQuota::Tags(2)));
        let bytes = OverQuota::Bytes { most: 100, bytes: 101 };
        assert_eq!(quota.admit(some, some.with(51, Some(50))), Err(bytes));
        let much = Usage { tags: 9, bytes: 900 };
        assert_eq!(quota.admit(much, much.with(50, Some(50))), Ok(()), "a tag that moves stays one");
        assert_eq!(quota.admit(much, much.with(51, Some(50))), Err(OverQuota::Bytes { most: 100, bytes: 901 }));
        assert!(Quota::default().is_unlimited());
        assert_eq!(Quota::default().admit(much, much.with(u64::MAX, None)), Ok(()));
    }
}
