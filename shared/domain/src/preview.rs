//! What a sync would do: computed, not done.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    Digest, ExternalReference, MirrorSecrets, RepositoryName, RobotName, RootRule, TagName,
    failure::Failure,
    gate::{Gate, Judgement},
    mirror::RegistryConfig,
    plan::Cause,
    selection::Step,
    signature_policy::Verified,
};

/// The most tags that a preview lists. With all fields a tag takes about 400 bytes, and an answer of a function may
/// have 6 MB.
pub const MAX_TAGS: usize = 10_000;

/// Where a mirror would copy from, and as whom: all of what says so, in place of what the repository's mirror says, if it
/// has one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewSource {
    /// The repository that it would copy from.
    pub external_reference: ExternalReference,
    /// The user name there.
    pub external_registry_username: Option<String>,
    /// TLS and proxy settings.
    pub external_registry_config: RegistryConfig,
    /// The passwords for these places, encrypted for them as a mirror's are.
    pub secrets: MirrorSecrets,
    /// The robot whose credentials stand in for missing ones; none for a mirror that has none yet.
    pub robot: Option<RobotName>,
    /// Seconds that an answer of the registry may take to begin.
    pub skopeo_timeout_interval: u64,
}

/// What to preview: the mirror as it is, but for the settings that are given; or one that is not there yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewRequest {
    /// The mirrored repository.
    pub repository: RepositoryName,
    /// Another rule.
    #[serde(default)]
    pub root_rule: Option<RootRule>,
    /// Other architectures; empty for all.
    #[serde(default)]
    pub architecture_filter: Option<Vec<String>>,
    /// Another limit of deletions: 0 for any number.
    #[serde(default)]
    pub deletion_limit: Option<u64>,
    /// What tags would have to pass.
    #[serde(default, skip_serializing_if = "Gate::is_open")]
    pub gate: Box<Gate>,
    /// Another source, or the one of a mirror that is not there yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Box<PreviewSource>>,
}

/// What would become of one tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PreviewAction {
    /// It would be copied, or moved to another image.
    Copy,
    /// It is here already, unchanged.
    Keep,
    /// It would be deleted here.
    Delete,
    /// It would be deleted, but one sync may not delete so many.
    Hold,
    /// It would wait at the gate, and stay as it is here.
    Wait,
    /// Its image would be refused: it is not signed as it has to be. It would stay as it is here.
    Refuse,
    /// It stays at the registry: the rule does not select it, or the gate takes it out.
    Ignore,
    /// The registry did not say what it points to.
    Fail,
    /// There was no time to ask the registry what it points to.
    Unknown,
}

/// One tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewTag {
    /// Its name.
    pub name: TagName,
    /// What would become of it.
    pub action: PreviewAction,
    /// Why.
    pub reason: String,
    /// The pattern that selects it.
    pub matched_by: Option<String>,
    /// What it points to at the registry.
    pub digest: Option<Digest>,
    /// What it points to here.
    pub held_digest: Option<Digest>,
    /// Why the registry did not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Why it would be deleted, now or once that is allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// What the gate says of it, if it does not pass, or with `observe` would not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Judgement>,
    /// Who signed its image, where that was asked and found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signed: Vec<Verified>,
    /// How the selection has compared it.
    #[serde(default, flatten)]
    pub ranked: Ranked,
}

/// How a selection has compared a tag with others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ranked {
    /// By what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// With which others, if they are grouped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Its place among them, where 1 is the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<usize>,
    /// The step that would take it out, but for `always`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spared_by_always: Option<Step>,
}

/// How many tags each action has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewCounts {
    /// Tags that the registry lists.
    pub listed: u64,
    /// Tags that the rule selects.
    pub selected: u64,
    /// As [`PreviewAction::Copy`].
    pub copy: u64,
    /// As [`PreviewAction::Keep`].
    pub keep: u64,
    /// As [`PreviewAction::Delete`].
    pub delete: u64,
    /// As [`PreviewAction::Hold`].
    pub hold: u64,
    /// As [`PreviewAction::Wait`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gated: u64,
    /// As [`PreviewAction::Refuse`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub refuse: u64,
    /// As [`PreviewAction::Ignore`].
    pub ignore: u64,
    /// Those to be deleted or held that the rule does not select.
    #[serde(default)]
    pub deselected: u64,
    /// Those to be deleted or held that the registry has lost.
    #[serde(default)]
    pub vanished: u64,
    /// As [`PreviewAction::Fail`].
    pub fail: u64,
    /// As [`PreviewAction::Unknown`].
    pub unknown: u64,
}

/// What a sync would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// All tags, counted.
    pub counts: PreviewCounts,
    /// The first [`MAX_TAGS`] tags: those with something to do before the others, by name.
    pub tags: Vec<PreviewTag>,
    /// Whether there are more.
    pub truncated: bool,
    /// What the sync would take of the registry.
    #[serde(default, skip_serializing_if = "Cost::is_nothing")]
    pub cost: Cost,
}

/// What a sync would take of its registry, as far as it can be told without asking for more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Images whose manifests would be fetched, each once: what some registries count. Each manifest that one of them lists
    /// is another.
    pub pulls: u64,
}

impl Cost {
    /// Whether it takes nothing.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Preview {
    /// Of these tags, of which the registry listed `listed`.
    pub fn new(listed: usize, mut tags: Vec<PreviewTag>) -> Self {
        let mut counts = PreviewCounts { listed: listed as u64, ..PreviewCounts::default() };
        for tag in &tags {
            counts.selected += u64::from(tag.matched_by.is_some());
            let count = match tag.action {
                PreviewAction::Copy => &mut counts.copy,
                PreviewAction::Keep => &mut counts.keep,
                PreviewAction::Delete => &mut counts.delete,
                PreviewAction::Hold => &mut counts.hold,
                PreviewAction::Wait => &mut counts.gated,
                PreviewAction::Refuse => &mut counts.refuse,
                PreviewAction::Ignore => &mut counts.ignore,
                PreviewAction::Fail => &mut counts.fail,
                PreviewAction::Unknown => &mut counts.unknown,
            };
            *count += 1;
            counts.deselected += u64::from(tag.cause == Some(Cause::Deselected));
            counts.vanished += u64::from(tag.cause == Some(Cause::Vanished));
        }
        let idle = |tag: &PreviewTag| matches!(tag.action, PreviewAction::Ignore | PreviewAction::Keep);
        tags.sort_by(|a, b| (idle(a), &a.name).cmp(&(idle(b), &b.name)));
        let truncated = tags.len() > MAX_TAGS;
        let copied = tags.iter().filter(|tag| tag.action == PreviewAction::Copy && tag.digest != tag.held_digest);
        let pulls = copied.filter_map(|tag| tag.digest.as_ref()).collect::<BTreeSet<_>>().len() as u64;
        tags.truncate(MAX_TAGS);
        Self { counts, tags, truncated, cost: Cost { pulls } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_comes_first_and_all_is_counted() {
        let tag = |name: &str, action, matched: Option<&str>| PreviewTag {
            name: name.parse().unwrap(),
            action,
            reason: String::new(),
            matched_by: matched.map(str::to_owned),
            digest: None,
            held_digest: None,
            failure: None,
            cause: (action == PreviewAction::Delete).then_some(Cause::Deselected),
            gate: None,
            signed: Vec::new(),
            ranked: Ranked::default(),
        };
        let tags = vec![
            tag("a", PreviewAction::Ignore, None),
            tag("c", PreviewAction::Delete, None),
            tag("b", PreviewAction::Copy, Some("*")),
        ];
        let preview = Preview::new(2, tags.clone());
        assert_eq!(preview.tags.iter().map(|tag| tag.name.as_str()).collect::<Vec<_>>(), ["b", "c", "a"]);
        let counts = PreviewCounts {
            listed: 2,
            selected: 1,
            copy: 1,
            delete: 1,
            deselected: 1,
            ignore: 1,
            ..PreviewCounts::default()
        };
        assert_eq!((preview.counts, preview.truncated), (counts, false));
        let many = Preview::new(0, std::iter::repeat_n(tags[0].clone(), MAX_TAGS + 1).collect());
        assert_eq!((many.tags.len(), many.truncated, many.counts.ignore), (MAX_TAGS, true, MAX_TAGS as u64 + 1));
    }
}
