//! Turning a repository's tags back to what they were at a moment.
//!
//! What is attached to images follows them: it comes back with an image that comes back, and goes with one that goes. What is
//! attached to an image that stays, stays: a signature that came later is no reason to have the image without one.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    Digest, PastTag, RepositoryName, TagName, Timestamp,
    changes::{ChangeKind, TagChange, TagState},
    pin::PinnedTag,
    plan::HeldTag,
    referrers::{MAX_REFERRER_DEPTH, attached_tags, is_attached_tag},
    rule::RuleError,
    target::Target,
};

/// The most changes that a plan tells: each takes up to 300 bytes, and an answer of a function may have 6 MB.
const MAX_CHANGES: usize = 10_000;
/// The most tags without content that are named of one of an organization's repositories, of which one answer has a thousand.
const MAX_NAMED: usize = 20;

/// What turning back comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackPlan {
    /// How many tags change.
    pub total: u64,
    /// The first of them, by name.
    pub changes: Vec<TagChange>,
    /// The tags among all of them whose content is not here any more, the first of them: nothing is turned back then.
    pub missing: Vec<TagName>,
    /// Images that there was no time to look at.
    pub unverified: u64,
}

impl RollbackPlan {
    /// Of these changes, of which images are `gone`.
    pub fn new(mut changes: Vec<TagChange>, gone: &BTreeSet<Digest>, unverified: u64) -> Self {
        let missing = missing(&changes, gone).take(MAX_CHANGES).cloned().collect();
        let total = changes.len() as u64;
        changes.truncate(MAX_CHANGES);
        Self { total, changes, missing, unverified }
    }
}

/// What turning back comes to for one of an organization's repositories.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryPlan {
    /// The repository.
    pub repository: RepositoryName,
    /// How many tags come back.
    pub created: u64,
    /// How many point to something else.
    pub moved: u64,
    /// How many go.
    pub deleted: u64,
    /// How many have no content here any more: no tag of the repository is turned back then.
    pub missing: u64,
    /// The first of those.
    pub missing_tags: Vec<TagName>,
    /// Images that there was no time to look at.
    pub unverified: u64,
    /// Why it cannot be turned back, whatever its content is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// What turning an organization's mirror back comes to: of some of its repositories, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrganizationPlan {
    /// These repositories.
    pub repositories: Vec<RepositoryPlan>,
    /// Whether there are more behind the last of them.
    pub has_more: bool,
}

impl RepositoryPlan {
    /// Of these changes, of which images are `gone`.
    pub fn new(repository: RepositoryName, changes: &[TagChange], gone: &BTreeSet<Digest>, unverified: u64) -> Self {
        let count = |kind: ChangeKind| changes.iter().filter(|change| change.change == kind).count() as u64;
        Self {
            repository,
            created: count(ChangeKind::Created),
            moved: count(ChangeKind::Moved),
            deleted: count(ChangeKind::Deleted),
            missing: missing(changes, gone).count() as u64,
            missing_tags: missing(changes, gone).take(MAX_NAMED).cloned().collect(),
            unverified,
            refused: None,
        }
    }

    /// Of a repository that cannot be turned back, for this reason.
    pub fn refused(repository: RepositoryName, why: String) -> Self {
        Self { refused: Some(why), ..Self::new(repository, &[], &BTreeSet::new(), 0) }
    }
}

/// The tags that would point to images that are `gone`.
fn missing<'a>(changes: &'a [TagChange], gone: &'a BTreeSet<Digest>) -> impl Iterator<Item = &'a TagName> {
    let is_gone = |change: &&TagChange| change.to.as_ref().is_some_and(|to| gone.contains(to));
    changes.iter().filter(is_gone).map(|change| &change.tag)
}

/// What a tag points to: its manifest, and what that lists.
type Points<'a> = (&'a Digest, &'a [Digest]);

/// A tag that was, at the moment.
fn of_past(past: &PastTag) -> Points<'_> {
    (&past.digest, past.children.as_ref().map_or(&[], |children| &children.present))
}

/// A tag that a pin keeps.
fn of_pinned(pinned: &PinnedTag) -> Points<'_> {
    (&pinned.digest, &pinned.children)
}

fn of_held(held: &HeldTag) -> Points<'_> {
    (&held.digest, &held.manifests)
}

/// What has to be changed of tags that are `held` now, of which the `past` has been; or which were all of those that are
/// `pinned`, whatever is remembered besides. Who goes on with what began at `began` has perhaps turned an image's tag back, and
/// not what is attached to the image.
pub fn changes(
    target: &Target,
    held: &BTreeMap<TagName, HeldTag>,
    past: &[PastTag],
    pinned: Option<&[PinnedTag]>,
    began: Option<Timestamp>,
) -> Result<Vec<TagChange>, RuleError> {
    let now: BTreeMap<&TagName, Points<'_>> = held.iter().map(|(tag, held)| (tag, of_held(held))).collect();
    let was = past.iter().filter(|past| target.is_of(past)).map(|past| (&past.tag, of_past(past)));
    let still = held.iter().filter(|(_, held)| held.first_seen <= target.at).map(|(tag, held)| (tag, of_held(held)));
    let then: BTreeMap<&TagName, Points<'_>> = match pinned {
        Some(pinned) => pinned.iter().map(|pinned| (&pinned.tag, of_pinned(pinned))).collect(),
        None => was.chain(still).collect(),
    };
    let names: BTreeSet<&TagName> = now.keys().chain(then.keys()).copied().collect();
    let chosen = names.iter().filter(|tag| !is_attached_tag(tag)).map(|tag| (*tag).clone());
    let turned: BTreeSet<TagName> = match &target.tags {
        Some(rule) => rule.select(chosen)?.into_iter().collect(),
        None => chosen.collect(),
    };
    let now = |tag: &TagName| now.get(tag).copied();
    let then = |tag: &TagName| then.get(tag).copied();
    let after = |tag: &TagName| if turned.contains(tag) { then(tag) } else { now(tag) };
    let left = past.iter().filter(|past| Target::may_have_left(past, began) && !is_attached_tag(&past.tag));
    let left = left.map(of_past);
    let present = attached(images(&names, now).chain(left), now);
    let coming = attached(images(&names, after), |tag| if present.contains(tag) { now(tag) } else { then(tag) });
    let becomes = |tag: &TagName| match (present.contains(tag), coming.contains(tag)) {
        _ if !is_attached_tag(tag) => after(tag),
        (false, true) => then(tag).or(now(tag)),
        (true, false) => None,
        _ => now(tag),
    };
    let state = |points: Option<Points<'_>>| TagState { digest: points.map(|(digest, _)| digest.clone()), held: None };
    let change = |tag: &&TagName| TagChange::between(tag, &state(now(tag)), &state(becomes(tag)));
    Ok(names.iter().filter_map(change).collect())
}

/// What somebody has turned back already who has begun at `began`, as the tags that are `held` now and the `past` tell.
pub fn turned(held: &BTreeMap<TagName, HeldTag>, past: &[PastTag], began: Timestamp) -> Vec<TagChange> {
    let left: BTreeMap<&TagName, &Digest> = past
        .iter()
        .filter(|past| Target::may_have_left(past, Some(began)))
        .map(|past| (&past.tag, &past.digest))
        .collect();
    let came = held.iter().filter(|(_, held)| held.reversion && held.first_seen >= began);
    let came: BTreeMap<&TagName, &Digest> = came.map(|(tag, held)| (tag, &held.digest)).collect();
    let went = left.keys().filter(|tag| !held.contains_key(**tag)).copied();
    let state = |digest: Option<&&Digest>| TagState { digest: digest.map(|it| (*it).clone()), held: None };
    let tags: BTreeSet<&TagName> = came.keys().copied().chain(went).collect();
    let change = |tag: &TagName| TagChange::between(tag, &state(left.get(tag)), &state(came.get(tag)));
    tags.into_iter().filter_map(change).collect()
}

/// Whether this would take everything away because there was nothing: the moment lies before the first sync. Of an
/// organization's repositories some are newer than others.
pub fn leaves_nothing(target: &Target, held: &BTreeMap<TagName, HeldTag>, changes: &[TagChange]) -> bool {
    let is_all = target.tags.is_none() && !target.by_organization;
    is_all && !held.is_empty() && changes.len() == held.len() && changes.iter().all(|it| it.to.is_none())
}

/// What the tags point to that are not named after what they are attached to.
fn images<'a>(
    names: &BTreeSet<&TagName>,
    state: impl Fn(&TagName) -> Option<Points<'a>>,
) -> impl Iterator<Item = Points<'a>> {
    names.iter().filter(|tag| !is_attached_tag(tag)).filter_map(move |tag| state(tag))
}

/// The names of what is attached to images, and to what is attached to them.
fn attached<'a>(
    images: impl IntoIterator<Item = Points<'a>>,
    list: impl Fn(&TagName) -> Option<Points<'a>>,
) -> BTreeSet<TagName> {
    let mut subjects: BTreeSet<&Digest> = images.into_iter().flat_map(below).collect();
    let mut found = BTreeSet::new();
    for _ in 0..MAX_REFERRER_DEPTH {
        let names: Vec<TagName> = subjects.iter().flat_map(|subject| attached_tags(subject)).collect();
        let fresh: Vec<TagName> = names.into_iter().filter(|tag| found.insert(tag.clone())).collect();
        subjects = fresh.iter().filter_map(&list).flat_map(below).collect();
        if subjects.is_empty() {
            break;
        }
    }
    found
}

/// All manifests that a tag points to.
fn below((digest, children): Points<'_>) -> impl Iterator<Item = &Digest> {
    std::iter::once(digest).chain(children)
}
