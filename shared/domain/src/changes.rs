//! What changed between two moments: of a repository's tags, by what they pointed to and what they waited for.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    Digest, PastTag, TagName, Timestamp,
    plan::HeldTag,
    run::{Outcome, TagOutcome},
};

/// A repository's tags at a moment. A tag in no state is not in it.
pub type Tags = BTreeMap<TagName, TagState>;

/// A tag at a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagState {
    /// What it pointed to here.
    pub digest: Option<Digest>,
    /// What it pointed to at the registry, if that was not mirrored because it waited at the gate.
    pub held: Option<Digest>,
}

/// What happened to one tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagChange {
    /// The tag.
    pub tag: TagName,
    /// In a word.
    pub change: ChangeKind,
    /// What it pointed to before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Digest>,
    /// What it points to now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Digest>,
    /// What waits at the gate for it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Digest>,
}

/// The kinds of change. What a tag points to counts more than what it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// There was none of the name.
    Created,
    /// It points to something else.
    Moved,
    /// There is none of the name any more.
    Deleted,
    /// It is as it was, and something waits at the gate for it that did not.
    Held,
    /// It is as it was, and nothing waits at the gate for it any more.
    NoLongerHeld,
}

impl ChangeKind {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Moved => "moved",
            Self::Deleted => "deleted",
            Self::Held => "held",
            Self::NoLongerHeld => "no_longer_held",
        }
    }

    /// Whether somebody who pulls the tag sees it.
    pub const fn is_seen(self) -> bool {
        matches!(self, Self::Created | Self::Moved | Self::Deleted)
    }
}

impl TagState {
    /// A tag that points to an image, for which nothing waits.
    pub fn at(digest: Digest) -> Self {
        Self { digest: Some(digest), held: None }
    }

    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl TagChange {
    /// What leads from one state to another, if they differ.
    pub fn between(tag: &TagName, before: &TagState, after: &TagState) -> Option<Self> {
        let change = match (&before.digest, &after.digest) {
            (None, Some(_)) => ChangeKind::Created,
            (Some(_), None) => ChangeKind::Deleted,
            (Some(from), Some(to)) if from != to => ChangeKind::Moved,
            _ if before.held == after.held => return None,
            _ if after.held.is_some() => ChangeKind::Held,
            _ => ChangeKind::NoLongerHeld,
        };
        let (from, to, held) = (before.digest.clone(), after.digest.clone(), after.held.clone());
        Some(Self { tag: tag.clone(), change, from, to, held })
    }
}

/// Each tag whose state differs, by its name.
pub fn diff(before: &Tags, after: &Tags) -> Vec<TagChange> {
    let none = TagState::default();
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let state = |tags: &'_ Tags, tag| tags.get(tag).cloned().unwrap_or_else(|| none.clone());
    names.into_iter().filter_map(|tag| TagChange::between(tag, &state(before, tag), &state(after, tag))).collect()
}

/// The tags after these changes. What they say of before is not looked at.
#[must_use]
pub fn apply(changes: &[TagChange], mut tags: Tags) -> Tags {
    for TagChange { tag, to, held, .. } in changes {
        let state = TagState { digest: to.clone(), held: held.clone() };
        if state.is_none() {
            tags.remove(tag);
        } else {
            tags.insert(tag.clone(), state);
        }
    }
    tags
}

/// What these outcomes of one run, or of several in their order, have changed of what tags point to.
pub fn of<'a>(outcomes: impl IntoIterator<Item = &'a TagOutcome>) -> Vec<TagChange> {
    let mut changed: BTreeMap<&TagName, (TagState, TagState)> = BTreeMap::new();
    for outcome in outcomes {
        let now = match outcome.outcome {
            Outcome::Copied => outcome.digest.as_ref(),
            Outcome::Pruned => None,
            _ => continue,
        };
        let state = |digest: Option<&Digest>| digest.cloned().map(TagState::at).unwrap_or_default();
        let (_, last) =
            changed.entry(&outcome.tag).or_insert_with(|| (state(outcome.from.as_ref()), TagState::default()));
        *last = state(now);
    }
    changed.into_iter().filter_map(|(tag, (first, last))| TagChange::between(tag, &first, &last)).collect()
}

/// The tags of one run for which something waits at the gate, and which it has not changed.
pub fn held<'a>(outcomes: impl IntoIterator<Item = &'a TagOutcome>) -> Vec<TagChange> {
    let waits = outcomes.into_iter().filter(|outcome| outcome.is_gated());
    let change = |outcome: &TagOutcome| {
        let (tag, held) = (outcome.tag.clone(), outcome.digest.clone());
        TagChange { tag, change: ChangeKind::Held, from: None, to: None, held }
    };
    waits.map(change).collect()
}

/// What tags pointed to at a moment, by what they are now and what they were. What waited at the gate then nobody knows.
/// A tag that changed in that second is taken as it was after it.
pub fn as_of<'a>(
    moment: Timestamp,
    now: impl IntoIterator<Item = (&'a TagName, &'a HeldTag)>,
    past: impl IntoIterator<Item = &'a PastTag>,
) -> Tags {
    let past = past.into_iter().filter(|past| past.start <= moment && moment < past.end);
    let past = past.map(|past| (&past.tag, &past.digest));
    let now = now.into_iter().filter(|(_, held)| held.first_seen <= moment).map(|(tag, held)| (tag, &held.digest));
    past.chain(now).map(|(tag, digest)| (tag.clone(), TagState::at(digest.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::btree_map, option, prelude::*};
    use serde_json::json;

    use super::*;
    use crate::plan::tests::held;

    fn image(n: u8) -> Digest {
        Digest::sha256(&[n])
    }

    #[test]
    fn outcomes_of_several_runs_come_to_what_is_seen_in_the_end() {
        let outcome = |n, outcome, from: Option<u8>, to: Option<u8>| TagOutcome {
            from: from.map(image),
            digest: to.map(image),
            ..TagOutcome::new(tag(n), outcome)
        };
        let outcomes = [
            outcome(1, Outcome::Copied, None, Some(1)),
            outcome(2, Outcome::Copied, Some(1), Some(2)),
            outcome(3, Outcome::Pruned, Some(3), None),
            outcome(4, Outcome::Unchanged, None, None),
            outcome(5, Outcome::Copied, Some(1), Some(1)),
            outcome(6, Outcome::Copied, None, Some(6)),
            outcome(2, Outcome::Copied, Some(2), Some(3)),
            outcome(6, Outcome::Pruned, Some(6), None),
        ];
        let kinds: Vec<_> = of(&outcomes).into_iter().map(|it| (it.tag, it.change, it.from, it.to)).collect();
        let expected = [
            (tag(1), ChangeKind::Created, None, Some(image(1))),
            (tag(2), ChangeKind::Moved, Some(image(1)), Some(image(3))),
            (tag(3), ChangeKind::Deleted, Some(image(3)), None),
        ];
        assert_eq!(kinds, expected);
    }

    fn tag(n: u8) -> TagName {
        format!("t{n}").parse().unwrap()
    }

    fn tags() -> impl Strategy<Value = Tags> {
        let image = || option::of((0..4_u8).prop_map(image));
        let state = (image(), image()).prop_map(|(digest, held)| TagState { digest, held });
        let state = state.prop_filter("it is in some state", |state| !state.is_none());
        btree_map((0..6_u8).prop_map(tag), state, 0..6)
    }

    #[test]
    fn each_kind_has_its_word() {
        let state =
            |digest: Option<u8>, held: Option<u8>| TagState { digest: digest.map(image), held: held.map(image) };
        let nothing = state(None, None);
        for (before, after, kind) in [
            (nothing.clone(), state(Some(1), None), Some(ChangeKind::Created)),
            (state(Some(1), None), state(Some(2), None), Some(ChangeKind::Moved)),
            (state(Some(1), None), nothing.clone(), Some(ChangeKind::Deleted)),
            (state(Some(1), None), state(Some(1), Some(2)), Some(ChangeKind::Held)),
            (state(Some(1), Some(2)), state(Some(1), Some(3)), Some(ChangeKind::Held)),
            (nothing.clone(), state(None, Some(2)), Some(ChangeKind::Held)),
            (state(Some(1), Some(2)), state(Some(1), None), Some(ChangeKind::NoLongerHeld)),
            (state(Some(1), Some(2)), state(Some(2), None), Some(ChangeKind::Moved)),
            (state(Some(1), None), state(Some(1), None), None),
            (nothing.clone(), nothing, None),
        ] {
            let change = TagChange::between(&tag(1), &before, &after).map(|change| change.change);
            assert_eq!(change, kind, "{before:?} to {after:?}");
        }
    }

    #[test]
    fn the_wire_has_what_there_is() {
        let before = Tags::from([(tag(1), TagState::at(image(1)))]);
        let changes = diff(&before, &Tags::new());
        let wire = serde_json::to_value(&changes).unwrap();
        assert_eq!(wire, json!([{"tag": "t1", "change": "deleted", "from": image(1)}]));
        assert_eq!(serde_json::from_value::<Vec<TagChange>>(wire).unwrap(), changes);
    }

    #[test]
    fn the_past_is_what_was_there_then() {
        let at = Timestamp::from_unix;
        let now = HeldTag { digest: image(3), first_seen: at(300), ..held() };
        let was = |n: u8, start: i64, end: i64| {
            let held = HeldTag { digest: image(n), first_seen: at(start), ..held() };
            PastTag::ended(&tag(1), &held, at(end))
        };
        let past = [was(1, 100, 200), was(2, 200, 250)];
        let seen = |moment: i64| {
            let tags = as_of(at(moment), [(&tag(1), &now)], &past);
            tags.get(&tag(1)).and_then(|state| state.digest.clone())
        };
        assert_eq!(
            [99, 100, 199, 200, 249, 250, 300].map(seen),
            [None, Some(1), Some(1), Some(2), Some(2), None, Some(3)].map(|n| n.map(image))
        );
    }

    proptest! {
        #[test]
        fn changes_lead_from_before_to_after(before in tags(), after in tags()) {
            let changes = diff(&before, &after);
            prop_assert_eq!(apply(&changes, before.clone()), after);
            prop_assert_eq!(diff(&before, &before), vec![]);
            prop_assert!(changes.is_sorted_by(|one, other| one.tag < other.tag));
        }
    }
}
