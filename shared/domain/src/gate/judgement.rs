//! What the gate says of a tag.

use serde::{Deserialize, Serialize};

use crate::mode::Mode;
use crate::{
    Timestamp,
    selection::{Step, Verdict},
    signature_policy::Refusal,
};

/// The questions of the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// `selection`.
    Selection,
    /// `min_age`.
    MinAge,
    /// `on_move`.
    OnMove,
    /// `signature_policy`.
    SignaturePolicy,
}

/// Why a tag did not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A step of the selection takes it out.
    Deselected,
    /// Its image is too young.
    TooYoung,
    /// It points to another image, and waits for somebody to say that it may.
    Moved,
    /// It points to another image, and is to stay what it is.
    Kept,
    /// What would have to be known is not to be had at present.
    EvidenceUnavailable,
    /// Its image is not signed as it has to be.
    #[serde(untagged)]
    Refused(Refusal),
}

/// What a question of the gate says of a tag that does not pass it, or would not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// Which question.
    pub question: Question,
    /// Whether it counts: [`Mode::Observe`] tells only what would be.
    pub mode: Mode,
    /// Why it does not pass.
    pub reason: Reason,
    /// The step of the selection, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Step>,
    /// Until when it waits, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Judgement {
    /// Of a question that is asked so.
    pub fn new(question: Question, mode: Mode, reason: Reason) -> Self {
        Self { question, mode, reason, step: None, until: None }
    }

    /// A step of the selection takes a tag out, or cannot say.
    pub fn of_step(step: Step, reason: Reason) -> Self {
        let question = if step == Step::MinAge { Question::MinAge } else { Question::Selection };
        Self { step: Some(step), ..Self::new(question, Mode::Enforce, reason) }
    }

    /// What a selection would do that is only observed.
    pub fn observed(verdict: Verdict) -> Option<Self> {
        let of = |step, reason| Some(Self { mode: Mode::Observe, ..Self::of_step(step, reason) });
        match verdict {
            Verdict::Removed { step } => of(step, Reason::Deselected),
            Verdict::Unknown { step } => of(step, Reason::EvidenceUnavailable),
            Verdict::Kept | Verdict::Held { .. } => None,
        }
    }

    /// An image waits for its age.
    pub fn too_young(mode: Mode, until: Timestamp) -> Self {
        Self { until: Some(until), ..Self::new(Question::MinAge, mode, Reason::TooYoung) }
    }

    /// An image is not signed, or nobody can say.
    pub fn unsigned(mode: Mode, reason: Reason) -> Self {
        Self::new(Question::SignaturePolicy, mode, reason)
    }

    /// In a sentence.
    pub fn message(&self) -> String {
        let would = if self.mode == Mode::Observe { "would be held" } else { "is held" };
        match (self.reason, self.until) {
            (Reason::Deselected, _) => match self.step {
                Some(step) if self.mode == Mode::Observe => {
                    format!("selection: {} would not let it pass", step.field())
                }
                Some(step) => format!("selection: {} does not let it pass", step.field()),
                None => "selection does not let it pass".to_owned(),
            },
            (Reason::TooYoung, Some(until)) => format!("min_age: its image {would} until {until}"),
            (Reason::TooYoung, None) => format!("min_age: its image {would}"),
            (Reason::Moved, _) => {
                format!("on_move: it points to another image at the registry, which {would} until somebody releases it")
            }
            (Reason::Kept, _) => {
                "on_move: it points to another image at the registry, and is to stay what it is here".to_owned()
            }
            (Reason::Refused(refusal), _) => {
                let would = if self.mode == Mode::Observe { "would be refused" } else { "is refused" };
                format!("signature_policy: its image {would}: {}", refusal.message())
            }
            (Reason::EvidenceUnavailable, _) if self.question == Question::SignaturePolicy => {
                format!(
                    "signature_policy: its image {would}, because what would have to be known is not to be had at present"
                )
            }
            (Reason::EvidenceUnavailable, _) => {
                let what = self.step.map_or("what it would have to know", Step::wants);
                format!("{}: {what} is not to be had at present", self.question.field())
            }
        }
    }
}

impl Question {
    /// The field of the mirror that asks it.
    pub const fn field(self) -> &'static str {
        match self {
            Self::Selection => "selection",
            Self::MinAge => "min_age",
            Self::OnMove => "on_move",
            Self::SignaturePolicy => "signature_policy",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_judgement_names_its_field_on_the_wire_and_in_words() {
        let at = Timestamp::from_unix(0);
        for (judgement, field) in [
            (Judgement::of_step(Step::Newest, Reason::Deselected), "selection"),
            (Judgement::of_step(Step::MaxSize, Reason::EvidenceUnavailable), "selection"),
            (Judgement::of_step(Step::MinAge, Reason::EvidenceUnavailable), "min_age"),
            (Judgement::too_young(Mode::Enforce, at), "min_age"),
            (Judgement::new(Question::OnMove, Mode::Observe, Reason::Moved), "on_move"),
            (Judgement::unsigned(Mode::Enforce, Reason::EvidenceUnavailable), "signature_policy"),
            (Judgement::unsigned(Mode::Enforce, Reason::Refused(Refusal::WrongIdentity)), "signature_policy"),
        ] {
            let wire = serde_json::to_value(judgement).unwrap();
            assert_eq!(wire["question"], field);
            assert!(judgement.message().starts_with(field), "{}", judgement.message());
            assert_eq!(serde_json::from_value::<Judgement>(wire).unwrap(), judgement);
        }
        assert!(Judgement::too_young(Mode::Observe, at).message().contains("would be held"));
    }
}
