//! A run that does not sync: it turns the tags back to what they were, if all of their content is still there. The registry
//! is not asked.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{
    Digest, FailureReason, Owner, PastTag, RepositoryName, TagName, Timestamp,
    changes::TagChange,
    failure::Failure,
    pin::PinnedTag,
    plan::HeldTag,
    referrers::is_attached_tag,
    rollback,
    run::{Outcome, TagOutcome},
    target::Target,
};
use moorage_state::{Recorded, now};

use crate::{
    engine::Engine,
    error::WorkError,
    sync::{
        invocation::{Invocation, Work},
        report,
    },
    transfer::{
        describe::BlobLinks,
        publish::{Believed, publish},
    },
};

/// The most tags that are turned back together: their records, and those of what they were, take some 50 MB.
pub(crate) const MOST_TAGS: usize = 50_000;
/// Images that are looked at at once, and tags that are turned at once.
const IN_FLIGHT: usize = 16;
/// What stands for the architectures of an image of which not all are here: nobody knows any more which were wanted, so the
/// next sync looks.
const UNKNOWN: &str = "unknown";
/// How many of those that are gone a message names.
const NAMED: usize = 3;

/// What turning back comes to.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// What becomes of tags, by their names.
    pub(crate) changes: Vec<TagChange>,
    /// The images that tags point to again, each with the manifests that it has to have.
    pub(crate) images: BTreeMap<Digest, BTreeSet<Digest>>,
    /// What earlier invocations of the run have done.
    pub(crate) turned: Vec<TagChange>,
}

/// An image that is looked for.
pub(crate) enum Found {
    /// All of it is there: the record of a tag that points to it.
    Whole(Box<HeldTag>),
    /// It is not.
    Gone(Digest),
}

impl Engine {
    /// What becomes of the tags that are `held` now; for a run that has begun, with what it may have left undone.
    pub(crate) async fn plan_rollback(
        &self,
        repository: &RepositoryName,
        target: &Target,
        held: &BTreeMap<TagName, HeldTag>,
        began: Option<Timestamp>,
    ) -> Result<Plan, WorkError> {
        let now = now();
        let refused = |message: String| WorkError::Failed(Failure::new(FailureReason::ContentGone, message));
        let pinned = self.pinned(repository, target).await?;
        if pinned.is_none() && !self.table.remembers(target.at, now) {
            return Err(refused(format!("what tags were at {} is not remembered any more", target.at.iso())));
        }
        let is_told = |past: &PastTag| pinned.is_none() && target.is_of(past);
        let counts = |past: &PastTag| is_told(past) || Target::may_have_left(past, began);
        let past = self.table.past_tags(repository, 2 * MOST_TAGS + 1, now, counts).await?;
        if past.len() > 2 * MOST_TAGS || held.len() > MOST_TAGS {
            return Err(refused(format!("there are more than the {MOST_TAGS} tags that are turned back together")));
        }
        let changes = rollback::changes(target, held, &past, pinned.as_deref(), began);
        let changes = changes.map_err(|error| refused(error.to_string()))?;
        let turned = began.map(|began| rollback::turned(held, &past, began)).unwrap_or_default();
        if turned.is_empty() && rollback::leaves_nothing(target, held, &changes) {
            let message = format!(
                "there was no tag at {}: all would be deleted; name them in tags to have that",
                target.at.iso()
            );
            return Err(refused(message));
        }
        let wanted: BTreeSet<&Digest> = changes.iter().filter_map(|change| change.to.as_ref()).collect();
        let mut images = BTreeMap::<Digest, BTreeSet<Digest>>::new();
        for past in past.iter().filter(|past| is_told(past) && wanted.contains(&past.digest)) {
            let children = past.children.iter().flat_map(|children| children.present.iter().cloned());
            images.entry(past.digest.clone()).or_default().extend(children);
        }
        for pinned in pinned.iter().flatten().filter(|pinned| wanted.contains(&pinned.digest)) {
            images.entry(pinned.digest.clone()).or_default().extend(pinned.children.iter().cloned());
        }
        Ok(Plan { changes, images, turned })
    }

    /// What the run has left that the tags are turned back to, if it is pinned.
    async fn pinned(&self, repository: &RepositoryName, target: &Target) -> Result<Option<Vec<PinnedTag>>, WorkError> {
        let (Some(run), Some(found)) = (target.run_id, self.table.repository(repository).await?) else {
            return Ok(None);
        };
        let Some(pin) = self.table.pin(repository, &found.pins, run).await? else { return Ok(None) };
        let mut tags = Vec::new();
        let is_pinned = self.table.each_pinned_tag(repository, &pin, |tag| tags.push(tag)).await?;
        Ok(is_pinned.then_some(tags))
    }

    /// Looks for an image, with everything below it that it has to have.
    pub(crate) async fn find_image(
        &self,
        owner: &Arc<Owner>,
        digest: &Digest,
        children: &BTreeSet<Digest>,
    ) -> Result<Found, WorkError> {
        let held = self.describe(owner, digest, BlobLinks::Present).await?;
        let is_whole = |held: &HeldTag| children.iter().all(|child| held.manifests.contains(child));
        Ok(match held.filter(is_whole) {
            Some(held) => Found::Whole(Box::new(held)),
            None => Found::Gone(digest.clone()),
        })
    }
}

impl Invocation<'_> {
    /// Turns the tags back. An earlier invocation of the run may have turned some: these are what they are to be.
    pub(crate) async fn turn_back(&self, target: &Target) -> Result<Work, WorkError> {
        let repository = &self.owner.repository;
        let mut held = self.engine.table.tags(repository).await?;
        if !self.is_resumed {
            self.look_for_unsettled(&held).await?;
            self.take_in_unsettled(&mut held).await?;
        }
        let began = Some(self.started_at).filter(|_| self.is_resumed);
        let Plan { changes, images, turned } = self.engine.plan_rollback(repository, target, &held, began).await?;
        for TagChange { tag, from, to, .. } in turned.into_iter().filter(|change| !self.done.contains(&change.tag)) {
            self.progress.record(turned_back(tag, from, to));
        }
        let before = usize::try_from(self.progress.counts().tags_done).unwrap_or_default();
        self.progress.selected(before.saturating_add(changes.iter().filter(|it| it.to.is_some()).count()));
        let look = async |(digest, children): (&Digest, &BTreeSet<Digest>)| {
            self.engine.find_image(&self.owner, digest, children).await
        };
        let found: Vec<Found> = stream::iter(&images).map(look).buffer_unordered(IN_FLIGHT).try_collect().await?;
        let (mut whole, mut gone) = (BTreeMap::new(), BTreeSet::new());
        for found in found {
            match found {
                Found::Whole(held) => _ = whole.insert(held.digest.clone(), *held),
                Found::Gone(digest) => _ = gone.insert(digest),
            }
        }
        if !gone.is_empty() {
            return Ok(Work::Failed(missing(&changes, &gone, began.is_some())));
        }
        // Nobody sees an image without what is attached to it, nor that without its image for longer than a moment.
        let stage = |change: &&TagChange| match (change.to.is_some(), is_attached_tag(&change.tag)) {
            (true, true) => 0,
            (true, false) => 1,
            (false, false) => 2,
            (false, true) => 3,
        };
        for number in 0..=3 {
            let mut now: Vec<_> = changes.iter().filter(|change| stage(change) == number).collect();
            // The tags of one image one after the other: they agree again within a moment.
            now.sort_by_key(|change| change.to.as_ref());
            let turn = async |change: &TagChange| self.turn(change, held.get(&change.tag), &whole).await;
            stream::iter(now).map(turn).buffer_unordered(IN_FLIGHT).try_collect::<()>().await?;
        }
        if self.mirror.state.verify_requested || self.is_unsettled() {
            self.mend_others(&held, &changes).await?;
        }
        self.engine.measure(repository).await?;
        self.progress.complete();
        Ok(Work::TurnedBack)
    }

    /// Mends the links of the tags that stay as they are. A run may have been ended while it turned tags back: the bucket may
    /// have what it has begun, and the table does not know of it.
    async fn mend_others(&self, held: &BTreeMap<TagName, HeldTag>, changes: &[TagChange]) -> Result<(), WorkError> {
        let turned: BTreeSet<&TagName> = changes.iter().map(|change| &change.tag).collect();
        let mend = async |(tag, held): (&TagName, &HeldTag)| {
            self.claim.check()?;
            if let Some(proven) = self.engine.storage.links_manifest(&self.owner, &held.digest).await? {
                self.engine.storage.mend_tag(&proven, tag).await?;
                self.claim.recorded(tag);
            }
            Ok::<_, WorkError>(())
        };
        let others = held.iter().filter(|(tag, _)| !turned.contains(tag));
        stream::iter(others).map(mend).buffer_unordered(IN_FLIGHT).try_collect::<()>().await
    }

    /// Turns one tag back: the bucket first, which is what is served.
    async fn turn(
        &self,
        change: &TagChange,
        held: Option<&HeldTag>,
        whole: &BTreeMap<Digest, HeldTag>,
    ) -> Result<(), WorkError> {
        let (storage, config) = (&self.engine.storage, &self.mirror.config);
        let TagChange { tag, from, to, .. } = change;
        self.progress.queue_ready().await;
        self.claim.check()?;
        let log = Some(report::turned_back(config, tag, to.as_ref()));
        let Some(digest) = to else {
            self.claim.changes_tag(tag);
            storage.delete_tag(&self.owner.repository, tag).await?;
            self.tags.delete(tag, log).await?;
            self.claim.recorded(tag);
            self.progress.record(turned_back(tag.clone(), from.clone(), None));
            return Ok(());
        };
        let proven = storage.links_manifest(&self.owner, digest).await?;
        let (Some(image), Some(proven)) = (whole.get(digest), proven) else {
            let message = format!("the content of {tag} went while the tags were turned back: some of them are");
            return Err(WorkError::Failed(Failure::new(FailureReason::ContentGone, message)));
        };
        let may_go_on = async || Ok(self.claim.renew().await?);
        self.claim.changes_tag(tag);
        let link = publish(storage, &proven, tag, Believed::of(held), may_go_on).await?;
        // The registry may have something else under the tag since long.
        let last_seen = Some(held.map_or(image.first_seen, |held| held.first_seen));
        let architectures = if image.left_out.is_empty() { Vec::new() } else { vec![UNKNOWN.to_owned()] };
        let image =
            HeldTag { reversion: true, link: Some(link), last_seen, first_seen: now(), architectures, ..image.clone() };
        self.tags.put(tag, Recorded { held: image, is_first: false, log }).await?;
        self.claim.recorded(tag);
        self.progress.record(turned_back(tag.clone(), from.clone(), Some(digest.clone())));
        Ok(())
    }
}

/// What became of a tag.
fn turned_back(tag: TagName, from: Option<Digest>, to: Option<Digest>) -> TagOutcome {
    let outcome = if to.is_some() { Outcome::Copied } else { Outcome::Pruned };
    TagOutcome { digest: to, from, ..TagOutcome::new(tag, outcome) }
}

/// That images are not there any more that tags would point to.
fn missing(changes: &[TagChange], gone: &BTreeSet<Digest>, is_resumed: bool) -> Failure {
    let is_gone = |change: &&TagChange| change.to.as_ref().is_some_and(|to| gone.contains(to));
    let tags: Vec<_> = changes.iter().filter(is_gone).map(|change| change.tag.as_str()).collect();
    let more = if tags.len() > NAMED { ", …" } else { "" };
    let names = tags.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    let others = if is_resumed { "others may have been turned back before" } else { "no tag was turned back" };
    let message = format!("the content of {} tags is not here any more ({names}{more}); {others}", tags.len());
    Failure::new(FailureReason::ContentGone, message)
}
