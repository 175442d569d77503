//! Tags that the bucket has and the table does not know: somebody restored one of the two, or a killed sync had published
//! a tag and not recorded it. A verify takes them in, so that they are treated like all others.

use std::collections::{BTreeMap, BTreeSet};

use moorage_domain::{TagName, plan::HeldTag, run::Outcome};

use crate::{
    error::WorkError,
    sync::{invocation::Invocation, report},
    transfer::describe::BlobLinks,
};

impl Invocation<'_> {
    /// Adds to `held` what only the bucket knows of. Returns those tags. One whose manifest the repository does not link, or
    /// that cannot be read, is deleted: nobody can pull it, and if it is selected it comes again.
    pub(crate) async fn adopt(&self, held: &mut BTreeMap<TagName, HeldTag>) -> Result<BTreeSet<TagName>, WorkError> {
        let (engine, repository) = (self.engine, &self.mirror.config.repository);
        let mut adopted = BTreeSet::new();
        let links = engine.storage.links(repository, Some(&self.owner)).await?;
        for tag in links.strays.iter().filter(|tag| !held.contains_key(*tag)) {
            self.claim.check()?;
            engine.storage.delete_tag(repository, tag).await?;
        }
        for (tag, digest) in links.tags {
            if held.contains_key(&tag) {
                continue;
            }
            self.claim.check()?;
            match engine.describe(&self.owner, &digest, BlobLinks::Optional).await {
                Ok(Some(found)) => {
                    self.tags.put(&tag, found.clone(), None).await?;
                    held.insert(tag.clone(), found);
                    adopted.insert(tag);
                }
                Ok(None) | Err(WorkError::Failed(_)) => {
                    engine.storage.delete_tag(repository, &tag).await?;
                    self.tags.delete(&tag, Some(report::deleted(&self.mirror.config, &tag, None))).await?;
                    self.progress.outcome(&tag, Outcome::Pruned, None);
                }
                Err(error) => return Err(error),
            }
        }
        if !adopted.is_empty() {
            let tags = adopted.len();
            tracing::warn!(%repository, tags, "the bucket had tags that the table did not know");
        }
        Ok(adopted)
    }
}
