//! Tags of ordinary repositories, changed by hand.

use moorage_domain::{
    Digest, RepositoryName, TagName,
    manifest::{Content, Manifest},
    mirror::RepositoryState,
    plan::{HeldTag, MAX_MANIFESTS},
    task::TaskAnswer,
};
use moorage_storage::Stored;

use crate::{clock::now, error::WorkError, sync::Engine};

/// How deep the size of an index is added up.
const DEPTH: usize = 2;

impl Engine {
    /// Points a tag to a manifest that the repository has. The bucket comes first: it is what is served.
    pub(crate) async fn point_tag(
        &self,
        repository: &RepositoryName,
        tag: &TagName,
        digest: &Digest,
        reversion: bool,
    ) -> Result<TaskAnswer, WorkError> {
        if !self.is_normal(repository).await? || !self.storage.has_manifest(repository, digest).await? {
            return Ok(TaskAnswer::NotFound);
        }
        let Some(held) = self.describe(repository, digest).await? else { return Ok(TaskAnswer::NotFound) };
        self.admit_by_hand(repository, tag, held.size).await?;
        self.storage.publish_tag(repository, tag, digest).await?;
        self.table.put_tag(repository, tag, HeldTag { reversion, ..held }).await?;
        self.measure(repository).await?;
        Ok(TaskAnswer::Done)
    }

    /// Deletes a tag.
    pub(crate) async fn delete_tag(&self, repository: &RepositoryName, tag: &TagName) -> Result<TaskAnswer, WorkError> {
        if !self.is_normal(repository).await? {
            return Ok(TaskAnswer::NotFound);
        }
        self.storage.delete_tag(repository, tag).await?;
        self.table.delete_tag(repository, tag).await?;
        self.measure(repository).await?;
        Ok(TaskAnswer::Done)
    }

    /// Whether tags may be changed by hand. The API has asked, but the state may have changed since: a mirror's tags are
    /// its own.
    async fn is_normal(&self, repository: &RepositoryName) -> Result<bool, WorkError> {
        let found = self.table.repository(repository).await?;
        Ok(found.is_some_and(|repository| repository.state == RepositoryState::Normal))
    }

    /// A manifest of the repository as a tag that points to it since now.
    pub(crate) async fn describe(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<HeldTag>, WorkError> {
        let Stored::Sound(bytes) = self.storage.manifest(digest).await? else { return Ok(None) };
        let manifest = Manifest::parse(&bytes)?;
        let mut sizes = std::collections::BTreeMap::from([(digest.clone(), bytes.len() as u64)]);
        let (mut manifests, mut nested, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
        let (mut open, mut depth) = (vec![manifest.content], 0);
        while !open.is_empty() && depth < DEPTH {
            let mut below = Vec::new();
            for content in open {
                match content {
                    Content::Image(blobs) => sizes.extend(blobs.into_iter().map(|blob| (blob.digest, blob.size))),
                    Content::Index(children) => {
                        for child in children.into_iter().take(MAX_MANIFESTS) {
                            let is_here = self.storage.has_manifest(repository, &child.digest).await?;
                            let stored =
                                if is_here { self.storage.manifest(&child.digest).await? } else { Stored::Missing };
                            // An index may lack what its mirror left out.
                            let Stored::Sound(bytes) = stored else {
                                if depth == 0 {
                                    left_out.push(child.digest);
                                }
                                continue;
                            };
                            sizes.insert(child.digest.clone(), bytes.len() as u64);
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
            size: sizes.values().sum(),
            first_seen: now(),
            last_seen: None,
            source: None,
            architectures: Vec::new(),
            manifests,
            nested,
            left_out,
            reversion: false,
        }))
    }
}
