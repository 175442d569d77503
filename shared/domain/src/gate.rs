//! What stands between "the registry has it" and "we serve it": questions of a mirror that its tags must pass, in this order.
//!
//! | | field | what it asks |
//! |---|---|---|
//! | 1 | `selection` | whether the tag is one of those that are mirrored ([`crate::Selection`]) |
//! | 2 | `min_age` | whether its image has been at the registry for long enough ([`MinAge`]) |
//! | 3 | `on_move` | whether the tag may point to another image than before ([`OnMove`]) |
//! | 4 | `signature_policy` | whether those have signed its image who have to ([`SignaturePolicy`]) |
//!
//! Nothing of it is Quay's. A tag that has to wait keeps the image that it has here, and is not deleted for it; what cannot
//! be judged waits, too. An image that a tag points to here has passed: what was let in is not held again.

mod admission;
mod hold;
mod judgement;
mod min_age;
mod on_move;
mod places;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use crate::mode::Mode;
pub use admission::{Admission, Ask};
pub use hold::{Facts, Hold, Release, Sighting};
pub use judgement::{Judgement, Question, Reason};
pub use min_age::{MAX_AGE, MinAge};
pub use on_move::{Move, OnMove};
pub use places::spared;

use crate::{
    Digest, Selection, TagName,
    referrers::is_derived_tag,
    selection::{Candidate, Decision, Maturity, Needs, Step, Verdict},
    signature_policy::SignaturePolicy,
};

/// The gate's fields, as a mirror has them; nothing of them lets everything in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gate {
    /// Which of the tags that the root rule selects are mirrored.
    pub selection: Option<Selection>,
    /// How long an image has to be at the registry first.
    pub min_age: Option<MinAge>,
    /// What becomes of tags that point to another image.
    pub on_move: Option<OnMove>,
    /// By whom images have to be signed.
    pub signature_policy: Option<SignaturePolicy>,
}

impl Gate {
    /// Whether it has no field at all.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it asks anything. If it does not, a sync costs what it costs without a gate.
    pub fn asks(&self) -> bool {
        self.selects().is_some() || self.age().is_some() || self.moves().is_some() || self.signatures().is_some()
    }

    /// The selection, if it is asked.
    pub fn selects(&self) -> Option<&Selection> {
        self.selection.as_ref().filter(|selection| selection.mode() != Mode::Off)
    }

    /// The age that is asked for.
    pub fn age(&self) -> Option<&MinAge> {
        self.min_age.as_ref().filter(|age| age.mode != Mode::Off)
    }

    /// What has to be known of images before it can be said which tags are mirrored.
    pub fn needs(&self) -> Needs {
        self.selects().map(Selection::needs).unwrap_or_default()
    }

    /// Whether it has to be known what tags point to before any of them is copied.
    pub fn needs_digests(&self) -> bool {
        self.age().is_some() || self.needs() != Needs::default()
    }

    /// What the selection and the age say of tags that the root rule selects. Without a selection, what is attached to
    /// images is asked for no age of its own: it follows its image.
    pub fn decide(&self, candidates: &[Candidate]) -> Vec<Decision> {
        let Some(selection) = self.selects() else {
            return candidates.iter().map(|candidate| self.without_selection(candidate)).collect();
        };
        let decisions = selection.decide(candidates);
        if selection.mode() == Mode::Enforce {
            return decisions;
        }
        // It only says what it would do: they are asked for their age alone.
        decisions.into_iter().zip(candidates).map(|(decision, candidate)| observed(decision, candidate)).collect()
    }

    /// Where images have to be signed, what is named after a digest is no image of its own: it follows the one that it is
    /// attached to, or nobody would have to sign it.
    fn without_selection(&self, candidate: &Candidate) -> Decision {
        let decision = by_age(candidate);
        let must_be_signed = self.signatures().is_some_and(|policy| policy.mode() == Mode::Enforce);
        if must_be_signed && is_derived_tag(&candidate.tag) {
            return Decision { verdict: Verdict::Removed { step: Step::Derived }, ..decision };
        }
        decision
    }

    /// What is said of a tag that points to another image at the registry than here, if it does not simply follow: one whose
    /// image somebody has let in does.
    pub fn judge_move(
        &self,
        tag: &TagName,
        upstream: &Digest,
        sightings: &BTreeMap<Digest, Sighting>,
    ) -> Option<Judgement> {
        let rules = self.moves()?;
        let release = || sightings.get(upstream).and_then(|seen| seen.release.as_ref());
        let is_released = || release().is_some_and(|release| release.tags.contains(tag));
        let reason = match rules.action(tag) {
            Move::Keep => Reason::Kept,
            Move::Hold if !is_released() => Reason::Moved,
            Move::Hold | Move::Follow => return None,
        };
        Some(Judgement::new(Question::OnMove, rules.mode(), reason))
    }

    /// By whom images have to be signed, if anybody asks.
    pub fn signatures(&self) -> Option<&SignaturePolicy> {
        self.signature_policy.as_ref().filter(|policy| policy.mode() != Mode::Off)
    }

    /// What is asked of tags that move.
    pub fn moves(&self) -> Option<&OnMove> {
        self.on_move.as_ref().filter(|rules| rules.mode() != Mode::Off)
    }
}

fn by_age(candidate: &Candidate) -> Decision {
    let verdict = match candidate.maturity {
        _ if is_derived_tag(&candidate.tag) => Verdict::Kept,
        Maturity::Mature => Verdict::Kept,
        Maturity::Waiting { until } => Verdict::Held { until },
        Maturity::Unknown => Verdict::Unknown { step: Step::MinAge },
    };
    Decision { tag: candidate.tag.clone(), verdict, key: None, group: None, rank: None, spared: None, observed: None }
}

/// What is decided where the selection only says what it would do.
fn observed(decision: Decision, candidate: &Candidate) -> Decision {
    let is_selections = match decision.verdict {
        Verdict::Removed { step } => step != Step::Derived,
        Verdict::Unknown { step } => step != Step::MinAge,
        Verdict::Kept | Verdict::Held { .. } => false,
    };
    if !is_selections {
        return decision;
    }
    Decision { verdict: by_age(candidate).verdict, observed: Some(decision.verdict), ..decision }
}
