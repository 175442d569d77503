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
    /// Points a tag to a manifest that the repository has, or deletes it. The bucket comes first: it is what is served.
    pub(crate) async fn change_tag(
        &self,
        repository: &RepositoryName,
        tag: &TagName,
        digest: Option<&Digest>,
    ) -> Result<TaskAnswer, WorkError> {
        // The API has asked, but the state may have changed since: a mirror's tags are its own.
        let state = self.table.repository(repository).await?.map(|repository| repository.state);
        if state != Some(RepositoryState::Normal) {
            return Ok(TaskAnswer::NotFound);
        }
        let Some(digest) = digest else {
            self.storage.delete_tag(repository, tag).await?;
            self.table.delete_tag(repository, tag).await?;
            return Ok(TaskAnswer::Done);
        };
        if !self.storage.has_manifest(repository, digest).await? {
            return Ok(TaskAnswer::NotFound);
        }
        let Some(held) = self.describe(digest).await? else { return Ok(TaskAnswer::NotFound) };
        self.storage.publish_tag(repository, tag, digest).await?;
        self.table.put_tag(repository, tag, held).await?;
        Ok(TaskAnswer::Done)
    }

    /// A manifest of the bucket as a tag that points to it since now.
    pub(crate) async fn describe(&self, digest: &Digest) -> Result<Option<HeldTag>, WorkError> {
        let Stored::Sound(bytes) = self.storage.manifest(digest).await? else { return Ok(None) };
        let manifest = Manifest::parse(&bytes)?;
        let mut sizes = std::collections::BTreeMap::from([(digest.clone(), bytes.len() as u64)]);
        let (mut manifests, mut open, mut depth) = (Vec::new(), vec![manifest.content], 0);
        while !open.is_empty() && depth < DEPTH {
            let mut below = Vec::new();
            for content in open {
                match content {
                    Content::Image(blobs) => sizes.extend(blobs.into_iter().map(|blob| (blob.digest, blob.size))),
                    Content::Index(children) => {
                        for child in children.into_iter().take(MAX_MANIFESTS) {
                            // An index may lack what its mirror left out.
                            let Stored::Sound(bytes) = self.storage.manifest(&child.digest).await? else { continue };
                            sizes.insert(child.digest.clone(), bytes.len() as u64);
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
        }))
    }
}
