//! Which events of its kind a notification wants: `eventConfig`. Quay's fields are for events that are not here, and are kept
//! without being looked at. Ours:
//!
//! | field | what it asks |
//! |---|---|
//! | `only` | that the run failed (`failure`), changed a tag (`change`), or succeeded after one that failed (`recovery`): one of them, or a list of which one has to be |
//! | `reasons` | that it failed for one of these reasons, as a whole or in a tag |
//! | `tags` | that it is about a tag which one of these globs matches; what is about no single tag is about all |
//! | `min_interval` | that so many seconds have passed since the last message. What is not sent for it is not sent later |
//! | `every_attempt` | nothing: each attempt of a run is told, and not only how the run ended |
//! | `intervals` | how many intervals without a success are late; two, if it is not said |

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::event::Event;
use crate::{
    FailureReason, FieldError, TagName,
    lists::{Glob, GlobList, ListError, Listed},
    sent::Sent,
};

/// The field's name, as it is sent.
const FIELD: &str = "eventConfig";
/// The most globs: each is looked at for every tag of an event.
const MAX_GLOBS: usize = 64;
/// More than there are reasons.
const MAX_REASONS: usize = 32;
/// As many as there are.
const MAX_ONLY: usize = 3;
/// The longest interval between two messages, in seconds: thirty days.
const MAX_MIN_INTERVAL: u64 = 30 * 86_400;
/// The most intervals without a success.
const MAX_INTERVALS: u64 = 100;
/// How many intervals are late if it is not said: one failure with its retries is told already.
const LATE_INTERVALS: u64 = 2;

/// Which events are wanted; equal by what was sent, and kept and shown so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct EventConfig(Sent<Ours>);

/// Our fields.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Ours {
    pub(super) only: Option<OnlyList>,
    pub(super) reasons: Option<Listed<FailureReason, MAX_REASONS>>,
    pub(super) tags: Option<TagGlobs>,
    pub(super) min_interval: Option<Bounded<MAX_MIN_INTERVAL>>,
    pub(super) every_attempt: Option<bool>,
    intervals: Option<Bounded<MAX_INTERVALS>>,
}

/// What `only` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Only {
    Failure,
    Change,
    Recovery,
}

/// One, or a list.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct OnlyList(pub(super) Vec<Only>);

/// Globs, of which there is one at least.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Listed<Glob, MAX_GLOBS>")]
pub(super) struct TagGlobs(GlobList);

/// A number from 1 to this.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "u64")]
pub(super) struct Bounded<const MAX: u64>(pub(super) u64);

/// A number that is not from 1 to this.
#[derive(Debug, thiserror::Error)]
#[error("is not from 1 to {0}")]
pub(super) struct OutOfBounds(u64);

impl EventConfig {
    /// Parses what was sent for an event.
    pub fn parse(event: Event, given: Value) -> Result<Self, FieldError> {
        let config = Self::try_from(given)?;
        let never = |only: &&Only| !only.may_be(event);
        match config.ours().only.as_ref().and_then(|OnlyList(list)| list.iter().find(never)) {
            Some(only) => {
                let only = format!("{only:?}").to_lowercase();
                Err(FieldError::at(FIELD, "only", &format!("{event} is never told of a {only}")))
            }
            None => Ok(config),
        }
    }

    /// How many intervals without a success are late.
    pub fn intervals(&self) -> u64 {
        self.ours().intervals.map_or(LATE_INTERVALS, |Bounded(intervals)| intervals)
    }

    pub(super) fn ours(&self) -> &Ours {
        &self.0.parsed
    }
}

impl Only {
    /// Whether an event may be told of such a run. What has begun, or waits, is none of them yet.
    fn may_be(self, event: Event) -> bool {
        match event {
            Event::Started | Event::Waiting => false,
            Event::Success | Event::Recovered => self != Self::Failure,
            Event::Failed => self != Self::Recovery,
            Event::Late => self == Self::Failure,
            Event::Changed | Event::DeletionsHeld | Event::Held | Event::SignatureRefused => true,
        }
    }
}

impl TagGlobs {
    /// Whether one of them matches one of the tags.
    pub(super) fn is_match<'a>(&self, mut tags: impl Iterator<Item = &'a TagName>) -> bool {
        tags.any(|tag| self.0.is_match(tag))
    }
}

impl TryFrom<Value> for EventConfig {
    type Error = FieldError;

    fn try_from(given: Value) -> Result<Self, FieldError> {
        Ok(Self(Sent::parse(FIELD, given, Ok)?))
    }
}

impl TryFrom<Value> for OnlyList {
    type Error = serde_json::Error;

    fn try_from(given: Value) -> Result<Self, serde_json::Error> {
        let list = if given.is_array() { given } else { Value::Array(vec![given]) };
        serde_json::from_value::<Listed<Only, MAX_ONLY>>(list).map(|Listed(list)| Self(list))
    }
}

impl TryFrom<Listed<Glob, MAX_GLOBS>> for TagGlobs {
    type Error = ListError;

    fn try_from(Listed(globs): Listed<Glob, MAX_GLOBS>) -> Result<Self, ListError> {
        GlobList::try_from(globs).map(Self)
    }
}

impl<const MAX: u64> TryFrom<u64> for Bounded<MAX> {
    type Error = OutOfBounds;

    fn try_from(number: u64) -> Result<Self, OutOfBounds> {
        if (1..=MAX).contains(&number) { Ok(Self(number)) } else { Err(OutOfBounds(MAX)) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_sent_is_kept_quays_fields_too() {
        for given in [
            json!({}),
            json!({"level": 3, "ref-regex": "x", "days": 5}),
            json!({"only": "change", "tags": ["v*"], "min_interval": 60, "every_attempt": true, "intervals": 5}),
            json!({"only": ["failure", "recovery"], "reasons": ["auth_failed"], "tags": null}),
        ] {
            let config = EventConfig::parse(Event::Changed, given.clone()).unwrap();
            let stored = serde_json::to_value(&config).unwrap();
            assert_eq!(stored, given);
            assert_eq!(serde_json::from_value::<EventConfig>(stored).unwrap(), config);
        }
        let intervals = |given| EventConfig::parse(Event::Late, given).unwrap().intervals();
        assert_eq!((intervals(json!({})), intervals(json!({"intervals": 5}))), (2, 5));
    }

    #[test]
    fn what_is_wrong_in_ours_is_named() {
        for (given, field) in [
            (json!("x"), "eventConfig"),
            (json!([]), "eventConfig"),
            (json!({"only": "sometimes"}), "eventConfig.only"),
            (json!({"only": []}), "eventConfig.only"),
            (json!({"only": ["change", 7]}), "eventConfig.only"),
            (json!({"reasons": ["bad_luck"]}), "eventConfig.reasons[0]"),
            (json!({"reasons": []}), "eventConfig.reasons"),
            (json!({"tags": []}), "eventConfig.tags"),
            (json!({"tags": "v*"}), "eventConfig.tags"),
            (json!({"min_interval": 0}), "eventConfig.min_interval"),
            (json!({"min_interval": "60"}), "eventConfig.min_interval"),
            (json!({"min_interval": MAX_MIN_INTERVAL + 1}), "eventConfig.min_interval"),
            (json!({"every_attempt": 1}), "eventConfig.every_attempt"),
            (json!({"intervals": 101}), "eventConfig.intervals"),
            (json!({"note": "x".repeat(20_000)}), "eventConfig"),
        ] {
            assert_eq!(EventConfig::parse(Event::Changed, given.clone()).unwrap_err().field, field, "{given}");
        }
    }

    #[test]
    fn what_would_never_be_told_is_refused() {
        let parse = |event, only: &str| EventConfig::parse(event, json!({"only": only}));
        let refused = parse(Event::Failed, "recovery").unwrap_err().to_string();
        assert_eq!(refused, "eventConfig.only: repo_mirror_sync_failed is never told of a recovery");
        for (event, only) in [(Event::Started, "change"), (Event::Success, "failure"), (Event::Late, "change")] {
            assert!(parse(event, only).is_err(), "{event} {only}");
        }
        for (event, only) in [(Event::Success, "change"), (Event::Failed, "failure"), (Event::Recovered, "change")] {
            assert!(parse(event, only).is_ok(), "{event} {only}");
        }
    }
}
