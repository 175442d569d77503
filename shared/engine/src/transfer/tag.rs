//! One tag: its manifests and blobs, children before parents, the tag itself last.

use moorage_domain::{
    Digest, TagName, architecture,
    manifest::{Content, MAX_MANIFEST_SIZE, Manifest, inline},
    plan::{HeldTag, MAX_MANIFESTS},
    run::Outcome,
};
use moorage_state::{Recorded, SkippedTag, now};
use moorage_storage::Verified;

use crate::{
    error::WorkError,
    sync::report,
    transfer::{
        blobs::Blobs,
        copier::Copier,
        publish::{Believed, publish},
        tree::{Contents, DescriptorLimit, Tree},
    },
};

impl Copier {
    /// Copies what `digest` names and points the tag to it. `source` is the registry's digest, where that is another
    /// one; `believed` is what the tag's link is. Tells what became of it: an image of another architecture than the
    /// mirror keeps is skipped, and an earlier one of the tag stays, as in Quay.
    pub(crate) async fn tag(
        &self,
        tag: &TagName,
        digest: &Digest,
        source: Option<Digest>,
        believed: Believed,
    ) -> Result<Outcome, WorkError> {
        let Blobs { storage, claim, tags, possession, allowance, .. } = &self.blobs;
        allowance.check_tag(tag)?;
        if self.in_time(self.is_left_out(digest, tag)).await? {
            let skipped = SkippedTag { digest: digest.clone(), architectures: self.config.architecture_filter.clone() };
            tags.put_skipped(tag, skipped).await?;
            return Ok(Outcome::Skipped);
        }
        let limit = DescriptorLimit::new();
        let tree = self.in_time(self.manifest(digest, Some(tag), &limit)).await?;
        self.leads.end(digest);
        let contents = tree.contents();
        allowance.take(tag, contents.size())?;
        claim.check()?;
        // From here on the tag may point to it, even if nothing is heard of that: its content stays.
        possession.needed(contents.sizes.keys()).await?;
        let is_first = matches!(believed, Believed::Nothing);
        claim.changes_tag(tag);
        let link = publish(storage, &tree.proven, tag, believed, async || Ok(claim.renew().await?)).await?;
        let approval = self.approval(tag).map(Box::new);
        let held = HeldTag { approval, ..self.held(&tree, &contents, source, link) };
        let log = Some(report::copied(&self.config, tag, digest));
        tags.put(tag, Recorded { held: held.clone(), is_first, log }).await?;
        claim.recorded(tag);
        self.copied(tag, held);
        Ok(Outcome::Copied)
    }

    /// A tag that points to an image since now.
    fn held(&self, tree: &Tree, contents: &Contents, source: Option<Digest>, link: String) -> HeldTag {
        let manifests: Vec<_> = contents.manifests.iter().take(MAX_MANIFESTS).cloned().collect();
        let (own, left_out) = tree.lists();
        HeldTag {
            digest: tree.proven.digest().clone(),
            media_type: tree.media_type,
            size: contents.size(),
            first_seen: now(),
            last_seen: None,
            missing: None,
            source,
            architectures: if tree.is_sparse { self.config.architecture_filter.clone() } else { Vec::new() },
            nested: manifests.iter().filter(|digest| !own.contains(digest)).cloned().collect(),
            manifests,
            left_out: left_out.iter().take(MAX_MANIFESTS).cloned().collect(),
            reversion: false,
            generation: tree.proven.owner().generation,
            link: Some(link).filter(|link| !link.is_empty()),
            approval: None,
        }
    }

    /// Makes sure that the bucket has everything that a tag references which the registry still has as it is held.
    pub(crate) async fn verify(&self, tag: &TagName, held: &HeldTag) -> Result<Outcome, WorkError> {
        let Blobs { storage, claim, possession, .. } = &self.blobs;
        possession.trust_record(held);
        let limit = DescriptorLimit::new();
        let tree = self.in_time(self.manifest(&held.digest, Some(tag), &limit)).await;
        possession.forget_record(held);
        let tree = tree?;
        claim.check()?;
        // As where it is published: from here on the tag may need it.
        possession.needed(tree.contents().sizes.keys()).await?;
        let is_new = storage.mend_tag(&tree.proven, tag).await? || tree.is_new;
        Ok(if is_new { Outcome::Repaired } else { Outcome::Unchanged })
    }

    /// Whether a tag's image is one of another architecture than the mirror keeps. What has to be fetched to know it is
    /// kept for copying.
    async fn is_left_out(&self, digest: &Digest, tag: &TagName) -> Result<bool, WorkError> {
        if self.config.architecture_filter.is_empty() {
            return Ok(false);
        }
        self.left_out.get(digest, |_| true, || self.look(digest, tag)).await
    }

    async fn look(&self, digest: &Digest, tag: &TagName) -> Result<bool, WorkError> {
        let Blobs { registry, flow, .. } = &self.blobs;
        let _place = self.documents.acquire().await;
        let bytes = match flow.take(digest) {
            Some(bytes) => bytes,
            None => registry.manifest(digest, Some(tag)).await?,
        };
        let manifest = Manifest::parse(&bytes)?;
        flow.keep(digest, &bytes);
        let Content::Image(blobs) = manifest.content else { return Ok(false) };
        let Some(config) = blobs.first().filter(|config| config.size <= MAX_MANIFEST_SIZE as u64) else {
            return Ok(false);
        };
        let inlined = if config.has_data() { inline(&bytes, &config.digest) } else { None };
        // What was fetched goes before more is fetched.
        drop(bytes);
        let content = match inlined {
            Some(data) => Verified::new(self.blobs.possession.owner(), &config.digest, data.into())?,
            None => self.blobs.fetch(config).await?,
        };
        let is_left_out = architecture::leaves_out(content.bytes(), &self.config.architecture_filter);
        if is_left_out {
            flow.take(digest);
        } else {
            flow.keep(&config.digest, content.bytes());
        }
        Ok(is_left_out)
    }
}
