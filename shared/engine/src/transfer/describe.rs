//! What the bucket has, as the record of a tag that points to it.

use std::{collections::BTreeMap, sync::Arc};

use moorage_domain::{
    Digest, Owner,
    manifest::{Content, MAX_DESCRIPTORS, MAX_INDEX_DEPTH, Manifest, Refusal},
    plan::{HeldTag, MAX_MANIFESTS},
};
use moorage_state::now;
use moorage_storage::Stored;

use crate::{engine::Engine, error::WorkError, transfer::follow::follow};

/// How deep the size of an index is added up, where its bytes need not be there.
const DEPTH: usize = 2;

/// Whether an image's blobs have to be linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlobLinks {
    /// They have to: a collection before may have taken out those of an image that no tag needed.
    Required,
    /// And their bytes have to be there.
    Present,
    /// What is missing is brought again.
    Optional,
}

impl Engine {
    /// A manifest that the repository links, as a tag that points to it since now. What it lists and the repository does
    /// not link was left out. Nothing if blobs are missing that have to be there.
    pub(crate) async fn describe(
        &self,
        owner: &Arc<Owner>,
        digest: &Digest,
        blob_links: BlobLinks,
    ) -> Result<Option<HeldTag>, WorkError> {
        let Stored::Sound(bytes) = self.linked(owner, digest).await? else { return Ok(None) };
        let manifest = Manifest::parse(&bytes)?;
        let mut sizes = BTreeMap::from([(digest.clone(), bytes.len() as u64)]);
        let (mut manifests, mut nested, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
        let deepest = if blob_links == BlobLinks::Present { MAX_INDEX_DEPTH + 1 } else { DEPTH };
        let (mut open, mut depth) = (vec![manifest.content], 0);
        while !open.is_empty() && depth < deepest {
            let mut below = Vec::new();
            for content in open {
                match content {
                    Content::Image(blobs) => {
                        let is_linked = async |index: usize| {
                            Ok::<_, WorkError>(match self.storage.links_blob(owner, &blobs[index].digest).await? {
                                Some(blob) if blob_links == BlobLinks::Present => {
                                    self.storage.blob_size(&blob).await? == Some(blobs[index].size)
                                }
                                linked => linked.is_some(),
                            })
                        };
                        if blob_links != BlobLinks::Optional && follow(blobs.len(), is_linked).await?.contains(&false) {
                            return Ok(None);
                        }
                        sizes.extend(blobs.into_iter().map(|blob| (blob.digest, blob.size)));
                    }
                    Content::Index(children) => {
                        for child in children.into_iter().take(MAX_MANIFESTS) {
                            if sizes.contains_key(&child.digest) || left_out.contains(&child.digest) {
                                continue;
                            }
                            let Stored::Sound(bytes) = self.linked(owner, &child.digest).await? else {
                                if self.storage.links_blob(owner, &child.digest).await?.is_some() {
                                    sizes.insert(child.digest, child.size);
                                } else if depth == 0 {
                                    left_out.push(child.digest);
                                }
                                continue;
                            };
                            sizes.insert(child.digest.clone(), bytes.len() as u64);
                            if sizes.len() > MAX_DESCRIPTORS {
                                return Err(Refusal::TooMany.into());
                            }
                            if depth > 0 {
                                nested.push(child.digest.clone());
                            }
                            manifests.push(child.digest);
                            below.push(Manifest::parse(&bytes)?.content);
                        }
                    }
                }
            }
            (open, depth) = (below, depth + 1);
        }
        manifests.truncate(MAX_MANIFESTS);
        Ok(Some(HeldTag {
            digest: digest.clone(),
            media_type: manifest.media_type,
            size: sizes.values().fold(0, |sum, size| sum.saturating_add(*size)),
            first_seen: now(),
            last_seen: None,
            missing: None,
            source: None,
            architectures: Vec::new(),
            manifests,
            nested,
            left_out,
            reversion: false,
            generation: owner.generation,
            link: None,
            approval: None,
        }))
    }

    /// A manifest that a repository links, as the bucket has it.
    pub(crate) async fn linked(&self, owner: &Arc<Owner>, digest: &Digest) -> Result<Stored, WorkError> {
        Ok(match self.storage.links_manifest(owner, digest).await? {
            Some(proven) => self.storage.manifest(&proven).await?,
            None => Stored::Missing,
        })
    }
}
