//! What is known of the tags, and what follows from it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use moorage_domain::{
    Digest, TagName,
    gate::{Judgement, Mode, Reason},
    plan::{self, Cause, HeldTag, Prune, Seen, TagAction},
    preview::{PreviewAction, PreviewTag},
    referrers::{attached_tags, is_derived_tag, referrers_tag},
    signature_policy::{SignaturePolicy, Verdict},
};

use super::{
    Wanted,
    passages::{Passage, Passages},
    scout::Resolved,
};

/// Everything that is known of the tags.
pub(crate) struct View<'a> {
    pub(crate) listed: &'a [TagName],
    /// The listed tags that the root rule selects, with the pattern.
    pub(crate) matched: BTreeMap<&'a TagName, &'a str>,
    pub(crate) held: &'a BTreeMap<TagName, HeldTag>,
    /// The held tags whose names the rule selects, listed or not.
    pub(crate) held_matched: BTreeSet<TagName>,
    pub(crate) digests: HashMap<TagName, Resolved>,
    pub(crate) passages: Passages<'a>,
    /// Who has signed, of the tags of which that was asked.
    pub(crate) verdicts: BTreeMap<TagName, Verdict>,
    /// Whether that counts.
    pub(crate) signatures: Mode,
}

impl View<'_> {
    pub(crate) fn tags(&self, wanted: Wanted<'_>) -> Vec<PreviewTag> {
        let selected: BTreeMap<_, _> = self.matched.iter().filter(|(tag, _)| self.passages.keeps(tag)).collect();
        let chosen = selected.iter().map(|(tag, pattern)| self.selected(tag, pattern, wanted.architectures));
        let chosen: Vec<_> = chosen.collect();
        let attached = self.attached(&chosen);
        let kept = selected.keys().map(|tag| **tag).chain(&attached).cloned().collect();
        let matched = self.held_matched.iter().filter(|tag| self.passages.keeps(tag)).cloned().collect();
        let seen = Seen { listed: self.listed.len(), kept: &kept, matched: &matched };
        let Prune { delete, held_back, limit } = plan::prune(self.held, seen, wanted.deletion_limit);
        let is_selected = |tag: &TagName| selected.contains_key(&tag);
        let attached = attached.iter().filter(|tag| !is_selected(tag)).map(|tag| {
            let action = if self.held.contains_key(tag) { PreviewAction::Keep } else { PreviewAction::Copy };
            self.tag(tag, action, "it is attached to an image that is mirrored".to_owned())
        });
        let listed: BTreeSet<_> = self.listed.iter().collect();
        let obsolete = |action: PreviewAction, (tag, cause): (TagName, Cause)| {
            let why = match (cause, self.out(&tag)) {
                (Cause::Deselected, Some(judgement)) => judgement.message(),
                (Cause::Deselected, None) => "no pattern matches it, or the image that it is attached to".to_owned(),
                (Cause::Vanished, _) => {
                    "the registry does not list it; it is asked for it once more before it is deleted".to_owned()
                }
            };
            let reason = match limit.filter(|_| action == PreviewAction::Hold) {
                None => why,
                Some(limit) => format!("{why}; one sync deletes at most {limit} such tags"),
            };
            let gate = self.out(&tag).filter(|_| cause == Cause::Deselected);
            PreviewTag { cause: Some(cause), gate, ..self.tag(&tag, action, reason) }
        };
        let deleted = delete.into_iter().map(|tag| obsolete(PreviewAction::Delete, tag));
        let deleted = deleted.chain(held_back.into_iter().map(|tag| obsolete(PreviewAction::Hold, tag)));
        let mut tags: Vec<_> = chosen.into_iter().chain(attached).chain(deleted).collect();
        let told: BTreeSet<_> = tags.iter().map(|tag| tag.name.clone()).collect();
        let others = self.listed.iter().filter(|tag| !told.contains(*tag));
        tags.extend(others.map(|tag| self.ignored(tag)));
        // Only if the registry lists nothing at all.
        let others = self.held.keys().filter(|tag| !told.contains(*tag) && !listed.contains(tag));
        let reason = "the registry lists no tags, which deletes nothing";
        tags.extend(others.map(|tag| self.tag(tag, PreviewAction::Keep, reason.to_owned())));
        tags
    }

    /// The tags that clients look for what is attached to a selected image under: those that the registry lists, and the
    /// held indexes of referrers, which it need not list. To what waits or is refused nothing is attached here.
    fn attached(&self, chosen: &[PreviewTag]) -> BTreeSet<TagName> {
        let subjects = chosen.iter().flat_map(|tag| {
            let comes = !matches!(tag.action, PreviewAction::Wait | PreviewAction::Refuse);
            let held = self.held.get(&tag.name).into_iter();
            let held = held.flat_map(|held| held.manifests.iter().chain([&held.digest]));
            tag.digest.iter().filter(move |_| comes).chain(held).cloned().collect::<Vec<_>>()
        });
        let listed: BTreeSet<_> = self.listed.iter().collect();
        let known = |subject: Digest| {
            let held = Some(referrers_tag(&subject)).filter(|tag| self.held.contains_key(tag));
            attached_tags(&subject).filter(|tag| listed.contains(tag)).chain(held).collect::<Vec<_>>()
        };
        subjects.flat_map(known).collect()
    }

    /// What takes a tag out.
    fn out(&self, tag: &TagName) -> Option<Judgement> {
        match self.passages.of(tag) {
            Some(Passage::Out(judgement)) => Some(*judgement),
            _ => None,
        }
    }

    fn ignored(&self, tag: &TagName) -> PreviewTag {
        let gate = self.out(tag);
        let reason = match gate {
            Some(judgement) => judgement.message(),
            None if self.matched.contains_key(tag) => "it is attached to an image that is not mirrored".to_owned(),
            None => "no pattern matches it".to_owned(),
        };
        PreviewTag { gate, ..self.tag(tag, PreviewAction::Ignore, reason) }
    }

    /// The tags whose images have to be signed, with these: those that would be copied, and, if that is asked, those that are
    /// served and were not approved.
    pub(crate) fn to_be_signed(&self, policy: &SignaturePolicy, architectures: &[String]) -> Vec<(TagName, Digest)> {
        let id = policy.id();
        let one = |tag: &TagName| {
            let digest = self.digests.get(tag)?.as_ref().ok()?;
            let held = self.held.get(tag);
            let is_held_back = self.judgement(tag).is_some_and(|judgement| judgement.mode == Mode::Enforce);
            let is_open = || match plan::action(held, digest, architectures) {
                TagAction::Copy => true,
                TagAction::Keep => {
                    let approval = held.and_then(|held| held.approval.as_deref());
                    policy.judges_served() && approval.is_none_or(|approval| approval.policy != id)
                }
            };
            (policy.judges(tag) && !is_held_back && !is_derived_tag(tag) && is_open())
                .then(|| (tag.clone(), digest.clone()))
        };
        self.matched.keys().filter(|tag| self.passages.keeps(tag)).filter_map(|tag| one(tag)).collect()
    }

    /// What the gate says of a tag that the root rule selects, and the selection does not take out.
    fn judgement(&self, tag: &TagName) -> Option<Judgement> {
        let digest = self.digests.get(tag).and_then(|digest| digest.as_ref().ok());
        let moved = || self.passages.on_move(tag, self.held.get(tag)?, digest?);
        match self.passages.of(tag)? {
            Passage::Waits(judgement) => Some(*judgement),
            Passage::Passed(observed) => {
                moved().filter(|moved| moved.mode == Mode::Enforce).or(*observed).or_else(moved)
            }
            Passage::Out(_) | Passage::Derived => None,
        }
    }

    fn selected(&self, tag: &TagName, pattern: &str, architectures: &[String]) -> PreviewTag {
        let gate = self.judgement(tag);
        let is_silent = matches!(self.digests.get(tag), Some(Err(_)));
        if let Some(judgement) = gate.filter(|judgement| judgement.mode == Mode::Enforce && !is_silent) {
            let action = if judgement.reason == Reason::Kept { PreviewAction::Keep } else { PreviewAction::Wait };
            let tag = self.tag(tag, action, judgement.message());
            return PreviewTag { matched_by: Some(pattern.to_owned()), gate, ..tag };
        }
        let tag = self.unsigned(tag, architectures, gate);
        PreviewTag { matched_by: Some(pattern.to_owned()), ..tag }
    }

    /// A tag that passes all but the last question: with who has signed its image.
    fn unsigned(&self, tag: &TagName, architectures: &[String], gate: Option<Judgement>) -> PreviewTag {
        let plain = self.planned(tag, architectures, gate);
        let (detail, reason) = match self.verdicts.get(tag) {
            None => return plain,
            Some(Verdict::Verified { by }) => return PreviewTag { signed: by.clone(), ..plain },
            Some(Verdict::Refused { reason, detail }) => (detail, Reason::Refused(*reason)),
            Some(Verdict::Unavailable { detail }) => (detail, Reason::EvidenceUnavailable),
        };
        let judgement = Judgement::unsigned(self.signatures, reason);
        let said = format!("{} ({detail})", judgement.message());
        if self.signatures != Mode::Enforce {
            return PreviewTag { reason: format!("{}; {said}", plain.reason), gate: gate.or(Some(judgement)), ..plain };
        }
        let action = match reason {
            Reason::Refused(_) => PreviewAction::Refuse,
            // What is served already stays so.
            _ if plain.action == PreviewAction::Keep => PreviewAction::Keep,
            _ => PreviewAction::Wait,
        };
        PreviewTag { action, reason: said, gate: Some(judgement), ..plain }
    }

    /// What would become of a tag that passes.
    fn planned(&self, tag: &TagName, architectures: &[String], gate: Option<Judgement>) -> PreviewTag {
        let held = self.held.get(tag);
        let (action, reason) = match self.digests.get(tag) {
            None => (PreviewAction::Unknown, "there was no time to ask what it points to".to_owned()),
            Some(Err(failure)) => (PreviewAction::Fail, failure.message.clone()),
            Some(Ok(digest)) => match (plan::action(held, digest, architectures), held) {
                (TagAction::Keep, _) => (PreviewAction::Keep, "it has not changed".to_owned()),
                (TagAction::Copy, None) => (PreviewAction::Copy, "it is new".to_owned()),
                (TagAction::Copy, Some(held)) if held.digest == *digest => {
                    (PreviewAction::Copy, "architectures are missing".to_owned())
                }
                (TagAction::Copy, Some(_)) => (PreviewAction::Copy, "it points to another image".to_owned()),
            },
        };
        let reason = gate.map_or_else(|| reason.clone(), |judgement| format!("{reason}; {}", judgement.message()));
        PreviewTag { gate, ..self.tag(tag, action, reason) }
    }

    fn tag(&self, tag: &TagName, action: PreviewAction, reason: String) -> PreviewTag {
        let resolved = self.digests.get(tag);
        PreviewTag {
            name: tag.clone(),
            action,
            reason,
            matched_by: None,
            digest: resolved.and_then(|digest| digest.as_ref().ok()).cloned(),
            held_digest: self.held.get(tag).map(|held| held.digest.clone()),
            failure: resolved.and_then(|digest| digest.as_ref().err()).cloned(),
            cause: None,
            gate: None,
            signed: Vec::new(),
            ranked: self.passages.ranked(tag),
        }
    }
}
