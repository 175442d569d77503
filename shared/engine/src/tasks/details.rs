//! What images are for, and what is attached to them: read from the bucket for a page of tags.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use futures_util::{StreamExt as _, stream};
use moorage_domain::{
    Digest, Owner, RepositoryName,
    details::{Details, DetailsOf, count_kinds},
    manifest::{Content, Descriptor, MAX_MANIFEST_SIZE, Manifest},
    platform::{self, Platform},
    referrers,
    task::TaskAnswer,
};
use moorage_storage::Stored;

use crate::{engine::Engine, error::WorkError, tasks::answer};

/// Images that are read at once: each may have a manifest of 4 MiB in memory.
const AT_ONCE: usize = 16;

impl Engine {
    /// Says what images of a repository are for and what refers to them, as far as the bucket answers until `end`. Each
    /// takes five reads at most: a link and a manifest, its config, and the link and the manifest of its referrers.
    pub async fn describe_images(&self, repository: &RepositoryName, images: &[DetailsOf], end: Instant) -> TaskAnswer {
        answer(self.details(repository, images, end).await)
    }

    async fn details(
        &self,
        repository: &RepositoryName,
        images: &[DetailsOf],
        end: Instant,
    ) -> Result<TaskAnswer, WorkError> {
        let Some(found) = self.table.repository(repository).await? else { return Ok(TaskAnswer::NotFound) };
        let owner = Arc::new(Owner { repository: found.repository, generation: found.id });
        let details =
            async |image: &DetailsOf| tokio::time::timeout_at(end.into(), self.details_of(&owner, image)).await.ok();
        let mut described = Vec::new();
        let mut all = stream::iter(images).map(details).buffer_unordered(AT_ONCE);
        while let Some(one) = all.next().await {
            described.extend(one.transpose()?.flatten());
        }
        Ok(TaskAnswer::Described(described))
    }

    /// Nothing of an image that the repository does not have, or not as it should be.
    async fn details_of(&self, owner: &Arc<Owner>, image: &DetailsOf) -> Result<Option<Details>, WorkError> {
        let digest = &image.digest;
        let Some(proven) = self.storage.links_manifest(owner, digest).await? else { return Ok(None) };
        let Stored::Sound(bytes) = self.storage.manifest(&proven).await? else { return Ok(None) };
        let platforms = match Manifest::parse(&bytes).map(|manifest| manifest.content) {
            Ok(Content::Index(_)) => platform::of_index(&bytes),
            Ok(Content::Image(blobs)) => {
                // A page of large manifests is not held while more is read.
                drop(bytes);
                let config = blobs.first().filter(|config| config.size <= MAX_MANIFEST_SIZE as u64);
                let config = config.and_then(|config: &Descriptor| proven.part(&config.digest));
                match config {
                    Some(config) => match self.storage.manifest(&config).await? {
                        Stored::Sound(config) => platform::of_config(digest, &config).into_iter().collect(),
                        Stored::Damaged | Stored::Missing => Vec::new(),
                    },
                    None => Vec::new(),
                }
            }
            Err(_) => Vec::<Platform>::new(),
        };
        let attached = match &image.referrers {
            Some(index) => self.attached(owner, index).await?,
            None => BTreeMap::new(),
        };
        Ok(Some(Details { digest: digest.clone(), platforms, attached }))
    }

    /// How many artifacts of which kind an index of referrers lists. Where it is an image that has the tag of such an
    /// index, nothing is known.
    async fn attached(&self, owner: &Arc<Owner>, index: &Digest) -> Result<BTreeMap<String, u64>, WorkError> {
        let Some(proven) = self.storage.links_manifest(owner, index).await? else { return Ok(BTreeMap::new()) };
        let Stored::Sound(bytes) = self.storage.manifest(&proven).await? else { return Ok(BTreeMap::new()) };
        let list = referrers::parse(&bytes).ok().filter(referrers::ReferrerList::is_of_referrers);
        Ok(list.map(|list| count_kinds(&list.referrers)).unwrap_or_default())
    }
}
