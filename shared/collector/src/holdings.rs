//! What one repository has that nobody needs. It is looked for without a lock, which may take minutes, and once more under
//! it, which does not: then only what has changed is read.

use std::ops::ControlFlow;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{Digest, Owner, RepositoryName, TagName, Timestamp, collection::Skip, manifest::Content};
use moorage_state::now;
use moorage_storage::HeldLink;

use crate::{
    collector::{CollectError, Collector},
    digests::Digests,
    facts::Facts,
    live::{LiveError, Reader},
};

/// Manifests of one repository that are read at once.
const READS_IN_FLIGHT: usize = 32;

/// What nobody needs, in the order in which it is to go.
#[derive(Debug, Default)]
pub(crate) struct Garbage {
    /// Tags of an earlier repository of the name.
    pub(crate) strays: Vec<TagName>,
    /// Indexes before images: nobody finds an index whose images are gone.
    pub(crate) manifests: Vec<Digest>,
    pub(crate) blobs: Vec<Digest>,
}

impl Garbage {
    pub(crate) fn is_empty(&self) -> bool {
        self.strays.is_empty() && self.manifests.is_empty() && self.blobs.is_empty()
    }
}

/// Everything that a repository links to.
#[derive(Default)]
struct Holdings {
    tags: Vec<(TagName, String)>,
    manifests: Digests,
    blobs: Digests,
    newest: Option<Timestamp>,
}

impl Collector {
    /// What nobody needs of a repository, or why it is left alone.
    pub(crate) async fn garbage(
        &self,
        repository: &RepositoryName,
        facts: &mut Facts,
        most: usize,
    ) -> Result<Result<Garbage, Skip>, CollectError> {
        let known = self.table.repository(repository).await?;
        let pins = known.as_ref().map(|known| known.pins.clone()).unwrap_or_default();
        let owner = known.map(|known| Owner { repository: repository.clone(), generation: known.id });
        let Some(holdings) = self.holdings(repository, most).await? else { return Ok(Err(Skip::TooLarge)) };
        let strays = self.read_tags(repository, owner.as_ref(), &holdings, facts).await?;
        let mut roots: Vec<Digest> =
            holdings.tags.iter().filter_map(|(tag, _)| Some(facts.tags.get(tag)?.1.clone())).collect();
        if owner.is_some() {
            // What is gone already cannot be restored any more, and needs nothing.
            let mut past = Digests::default();
            let mut visit = |digest| {
                if holdings.manifests.contains(&digest) {
                    past.insert(&digest);
                }
            };
            self.table.each_past_digest(repository, now(), &mut visit).await?;
            self.table.each_pinned_digest(repository, &pins, &mut visit).await?;
            roots.extend(past.without(&facts.live.manifests));
        } else if !roots.is_empty() {
            return Ok(Err(Skip::Unknown));
        } else if holdings.newest.is_some_and(|newest| newest.plus(self.settings.grace) >= now()) {
            return Ok(Err(Skip::Recent));
        }
        let reader = Reader { storage: &self.storage, permits: &self.manifests, at_once: READS_IN_FLIGHT };
        match facts.live.add(&reader, roots, &holdings.manifests).await {
            Ok(()) => {}
            Err(LiveError::Unreadable(digest)) => return Ok(Err(Skip::Unreadable { digest })),
            Err(LiveError::Storage(error)) => return Err(error.into()),
        }
        let manifests = holdings.manifests.without(&facts.live.manifests);
        let manifests = parents_first(&reader, manifests, &mut facts.images).await?;
        Ok(Ok(Garbage { strays, manifests, blobs: holdings.blobs.without(&facts.live.blobs) }))
    }

    /// Everything that a repository links to; nothing if it is more than `most`.
    async fn holdings(&self, repository: &RepositoryName, most: usize) -> Result<Option<Holdings>, CollectError> {
        let (mut holdings, mut count) = (Holdings::default(), 0);
        let visit = |link, modified: Timestamp| {
            count += 1;
            holdings.newest = holdings.newest.max(Some(modified));
            match link {
                HeldLink::Tag(tag, etag) => holdings.tags.push((tag, etag)),
                HeldLink::Manifest(digest) => drop(holdings.manifests.insert(&digest)),
                HeldLink::Blob(digest) => drop(holdings.blobs.insert(&digest)),
            }
            if count > most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let is_all = self.storage.each_held(repository, visit).await?.is_continue();
        Ok(is_all.then_some(holdings))
    }

    /// Reads the tags that are not known as they are. Returns those of an earlier repository.
    async fn read_tags(
        &self,
        repository: &RepositoryName,
        owner: Option<&Owner>,
        holdings: &Holdings,
        facts: &mut Facts,
    ) -> Result<Vec<TagName>, CollectError> {
        // What is not known by a tag that is the same is read, and before that forgotten.
        let is_same = |etag: &str, known: &str| !etag.is_empty() && etag == known;
        let unknown = holdings
            .tags
            .iter()
            .filter(|(tag, etag)| !facts.tags.get(tag).is_some_and(|(known, _)| is_same(etag, known)));
        let unknown: Vec<TagName> = unknown.map(|(tag, _)| tag.clone()).collect();
        for tag in &unknown {
            facts.tags.remove(tag);
        }
        let mut strays = Vec::new();
        let visit = |tag, target: moorage_storage::TagTarget| {
            if target.is_stray {
                strays.push(tag);
            } else {
                facts.tags.insert(tag, (target.etag, target.digest));
            }
        };
        self.storage.each_target(repository, owner, unknown, visit).await?;
        Ok(strays)
    }
}

/// Indexes, and what cannot be read, before images.
async fn parents_first(
    reader: &Reader<'_>,
    manifests: Vec<Digest>,
    images: &mut Digests,
) -> Result<Vec<Digest>, CollectError> {
    let (mut last, unknown): (Vec<_>, Vec<_>) = manifests.into_iter().partition(|digest| images.contains(digest));
    let (mut first, mut reads) = (
        Vec::new(),
        stream::iter(unknown)
            .map(async |digest| {
                let content = reader.content(&digest).await?;
                Ok::<_, CollectError>((digest, matches!(content, Some(Content::Image(_)))))
            })
            .buffer_unordered(reader.at_once),
    );
    while let Some((digest, is_image)) = reads.try_next().await? {
        if is_image {
            images.insert(&digest);
            last.push(digest);
        } else {
            first.push(digest);
        }
    }
    first.append(&mut last);
    Ok(first)
}
