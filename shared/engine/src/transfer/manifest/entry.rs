//! What an index lists: manifests, and what is none and is copied as a blob. What the registry has under a digest decides.

use std::{collections::HashMap, sync::Arc};

use moorage_domain::{
    Digest, FailureReason, Proven,
    manifest::{Descriptor, inline},
};
use moorage_storage::Stored;

use crate::{
    error::WorkError,
    transfer::{
        blobs::wrong_size,
        copier::Copier,
        follow::follow,
        possession::Proof,
        tree::{DescriptorLimit, NoTree, Tree},
    },
};

/// What an entry of an index came to.
pub(crate) enum Part {
    Manifest(Arc<Tree>),
    /// Some bytes; clients that want them ask for a blob.
    Blob {
        digest: Digest,
        size: u64,
        is_new: bool,
    },
}

impl Copier {
    /// Copies the entries of an index that are kept, each with everything below it.
    pub(crate) async fn parts(
        &self,
        index: &Proven,
        kept: &[Descriptor],
        depth: usize,
        limit: &DescriptorLimit,
    ) -> Result<Vec<Part>, WorkError> {
        let blobs: Vec<Descriptor> = kept.iter().filter(|entry| !entry.is_manifest()).cloned().collect();
        self.blobs.allowance.check_size(blobs.iter().fold(0, |sum, blob| sum.saturating_add(blob.size)))?;
        // The index may have been linked without those of its entries that were left out.
        let proofs = if blobs.is_empty() { HashMap::new() } else { self.blobs.proofs(None, &blobs).await? };
        follow(kept.len(), |place| self.part(index, &kept[place], &proofs, depth, limit)).await
    }

    async fn part(
        &self,
        index: &Proven,
        entry: &Descriptor,
        proofs: &HashMap<Digest, Proof>,
        depth: usize,
        limit: &DescriptorLimit,
    ) -> Result<Part, WorkError> {
        let as_blob = async || {
            let is_new = self.blob(index, entry, proofs.get(&entry.digest)).await?;
            Ok(Part::Blob { digest: entry.digest.clone(), size: entry.size, is_new })
        };
        let as_manifest = async || {
            let tree = self.child(index, entry, depth, limit).await?;
            // Its parent is published with what it says of it.
            if tree.size == entry.size {
                Ok(Part::Manifest(tree))
            } else {
                Err(wrong_size(&entry.digest, entry.size, tree.size).into())
            }
        };
        let missing = if entry.is_manifest() {
            match as_manifest().await {
                Err(NoTree::Absent(missing)) => missing,
                other => return other.map_err(NoTree::into_error),
            }
        } else {
            match as_blob().await {
                Err(WorkError::Failed(missing)) if is_missing(missing.reason) => match as_manifest().await {
                    Err(NoTree::Absent(_)) => missing,
                    other => return other.map_err(NoTree::into_error),
                },
                other => return other,
            }
        };
        match as_blob().await {
            Err(WorkError::Failed(failure)) if is_missing(failure.reason) => Err(WorkError::Failed(missing)),
            other => other,
        }
    }

    /// A manifest of an index, from the registry or from the index itself.
    async fn child(
        &self,
        index: &Proven,
        entry: &Descriptor,
        depth: usize,
        limit: &DescriptorLimit,
    ) -> Result<Arc<Tree>, NoTree> {
        match self.tree(&entry.digest, None, depth, limit).await {
            Err(NoTree::Absent(_)) if entry.has_data() && self.unfold(index, entry).await? => {
                self.tree(&entry.digest, None, depth, limit).await
            }
            other => other,
        }
    }

    /// Copies a blob from the registry or, where that does not have it, from the manifest that lists it. Tells whether
    /// anything was missing.
    pub(crate) async fn blob(
        &self,
        manifest: &Proven,
        blob: &Descriptor,
        proof: Option<&Proof>,
    ) -> Result<bool, WorkError> {
        match self.blobs.ensure(blob, proof).await {
            Err(WorkError::Failed(failure)) if blob.has_data() && is_upstream(failure.reason) => {
                if self.unfold(manifest, blob).await? {
                    Box::pin(self.blobs.copy(blob, proof)).await
                } else {
                    Err(WorkError::Failed(failure))
                }
            }
            other => other,
        }
    }

    /// Keeps the inline content of a descriptor until it is copied. Tells whether it is what the descriptor says.
    async fn unfold(&self, manifest: &Proven, of: &Descriptor) -> Result<bool, WorkError> {
        let _place = self.documents.acquire().await;
        let Stored::Sound(bytes) = self.blobs.storage.manifest(manifest).await? else { return Ok(false) };
        let data = inline(&bytes, &of.digest).filter(|data| data.len() as u64 == of.size);
        if let Some(data) = &data {
            self.blobs.flow.keep(&of.digest, data);
        }
        Ok(data.is_some())
    }
}

/// Whether the registry has no such content, or says in another way that it is nothing that can be asked for like this.
fn is_missing(reason: FailureReason) -> bool {
    matches!(reason, FailureReason::NotFound | FailureReason::RegistryError)
}

/// Whether it is the registry that did not give the content.
fn is_upstream(reason: FailureReason) -> bool {
    !matches!(reason, FailureReason::StorageError | FailureReason::QuotaExceeded | FailureReason::Preempted)
}
