//! A copied manifest with everything below it, in few bytes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use moorage_domain::{
    Digest, MediaType, Proven,
    failure::Failure,
    manifest::{MAX_DESCRIPTORS, Refusal},
};

use crate::error::WorkError;

/// A manifest whose whole content is in the repository.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) proven: Proven,
    pub(crate) media_type: MediaType,
    /// Its own length in bytes.
    pub(crate) size: u64,
    pub(crate) below: Below,
    /// How many descriptors there are in it and below it.
    pub(crate) descriptors: usize,
    /// Whether something below it was left out.
    pub(crate) is_sparse: bool,
    /// Whether something of it was not there before.
    pub(crate) is_new: bool,
}

/// What a manifest lists.
#[derive(Debug)]
pub(crate) enum Below {
    /// Blobs and their lengths.
    Blobs(Vec<(Digest, u64)>),
    /// The manifests and the blobs that it lists, and what of that is left out.
    Entries { trees: Vec<Arc<Tree>>, blobs: Vec<(Digest, u64)>, left_out: Vec<Digest> },
}

/// Why there is no manifest.
#[derive(Debug, Clone)]
pub(crate) enum NoTree {
    /// The registry has none of this digest, or of a type that is none here. As a part of an index it may be a blob.
    Absent(Failure),
    /// It cannot be copied.
    Failed(WorkError),
}

impl<E: Into<WorkError>> From<E> for NoTree {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl NoTree {
    /// What it is to somebody who needs a manifest.
    pub(crate) fn into_error(self) -> WorkError {
        match self {
            Self::Absent(failure) => WorkError::Failed(failure),
            Self::Failed(error) => error,
        }
    }
}

/// Everything that a tag references, each digest once.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// The length of everything, by digest.
    pub(crate) sizes: BTreeMap<Digest, u64>,
    /// The manifests below the tag's own.
    pub(crate) manifests: BTreeSet<Digest>,
}

impl Contents {
    /// The length of all of it, in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.sizes.values().fold(0, |sum, size| sum.saturating_add(*size))
    }
}

impl Tree {
    /// How much of a run's memory it takes at most, in descriptors.
    pub(crate) fn weight(&self) -> usize {
        self.descriptors
    }

    /// Everything in it and below it.
    pub(crate) fn contents(&self) -> Contents {
        let mut contents = Contents::default();
        self.collect(&mut contents);
        contents
    }

    fn collect(&self, contents: &mut Contents) {
        contents.sizes.insert(self.proven.digest().clone(), self.size);
        match &self.below {
            Below::Blobs(blobs) => contents.sizes.extend(blobs.iter().cloned()),
            Below::Entries { trees, blobs, .. } => {
                contents.sizes.extend(blobs.iter().cloned());
                for tree in trees {
                    contents.manifests.insert(tree.proven.digest().clone());
                    tree.collect(contents);
                }
            }
        }
    }

    /// The manifests that it lists itself, and of what it lists that which is left out.
    pub(crate) fn lists(&self) -> (BTreeSet<&Digest>, &[Digest]) {
        match &self.below {
            Below::Blobs(_) => (BTreeSet::new(), &[]),
            Below::Entries { trees, left_out, .. } => {
                (trees.iter().map(|tree| tree.proven.digest()).collect(), left_out)
            }
        }
    }
}

/// How many more descriptors a tag may reference.
#[derive(Debug)]
pub(crate) struct DescriptorLimit(AtomicUsize);

impl DescriptorLimit {
    /// For one tag.
    pub(crate) fn new() -> Self {
        Self(AtomicUsize::new(MAX_DESCRIPTORS))
    }

    /// Takes some, if there are as many; else none are left for others of the tag either.
    pub(crate) fn take(&self, descriptors: usize) -> Result<(), WorkError> {
        let taken = self.0.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(descriptors));
        if taken.is_err() {
            self.0.store(0, Relaxed);
        }
        taken.map(drop).map_err(|_| Refusal::TooMany.into())
    }

    /// Whether there are none.
    pub(crate) fn is_spent(&self) -> bool {
        self.0.load(Relaxed) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_references_so_much_and_no_more() {
        let limit = DescriptorLimit::new();
        assert!(limit.take(MAX_DESCRIPTORS - 1).is_ok() && !limit.is_spent());
        let error = limit.take(2).unwrap_err();
        assert!(matches!(&error, WorkError::Failed(failure) if failure.message.contains("20000")), "{error:?}");
        assert!(limit.is_spent(), "others of the tag are not begun either");
    }
}
