//! What a selection decides, by its edges and beside a second one, and versions beside Masterminds' own.

mod edges;
mod fields;
mod newest;
mod second;
mod semver;

use serde_json::Value;

use super::{Candidate, Decision, Maturity, Selection, Step, Verdict};
use crate::FieldError;
use crate::{TagName, Timestamp};

fn parse(given: Value) -> Result<Selection, FieldError> {
    Selection::parse(given)
}

fn selection(given: Value) -> Selection {
    parse(given).unwrap()
}

fn tag(name: &str) -> TagName {
    name.parse().unwrap()
}

/// A tag whose image is known, mature and of no platform.
fn candidate(name: &str) -> Candidate {
    let moment = Timestamp::from_unix(1_000);
    let maturity = Maturity::Mature;
    Candidate {
        tag: tag(name),
        first_seen: Some(moment),
        maturity,
        is_served: false,
        size: Some(1),
        platforms: Some(vec![]),
    }
}

fn candidates(names: &str) -> Vec<Candidate> {
    names.split_whitespace().map(candidate).collect()
}

/// The tags that are kept, in the order in which they are given.
fn kept(given: Value, candidates: &[Candidate]) -> String {
    let decided = selection(given).decide(candidates);
    let kept = decided.iter().filter(|decision| decision.verdict == Verdict::Kept);
    kept.map(|decision| decision.tag.as_str()).collect::<Vec<_>>().join(" ")
}

fn removed(step: Step) -> Verdict {
    Verdict::Removed { step }
}

fn later() -> Timestamp {
    Timestamp::from_unix(2_000)
}

fn waiting(name: &str) -> Candidate {
    Candidate { maturity: Maturity::Waiting { until: later() }, ..candidate(name) }
}

fn decided(given: Value, candidates: &[Candidate]) -> Vec<Decision> {
    selection(given).decide(candidates)
}

/// What is decided about one of them.
fn about(given: Value, candidates: &[Candidate], name: &str) -> Decision {
    decided(given, candidates).into_iter().find(|decision| decision.tag.as_str() == name).unwrap()
}

fn verdicts(given: Value, candidates: &[Candidate]) -> Vec<Verdict> {
    decided(given, candidates).into_iter().map(|decision| decision.verdict).collect()
}
