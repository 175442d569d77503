//! How long an image has to be at the registry before it is mirrored.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::hold::Sighting;
use crate::mode::Mode;
use crate::{FieldError, Timestamp, object::Object, selection::Maturity};

/// The longest age, in seconds: a year. What somebody wants to see for longer is not to be mirrored at all.
pub const MAX_AGE: u64 = 366 * 86_400;

/// `min_age`: `{"mode": "enforce", "seconds": 259200}`.
///
/// The clock of an image begins when a sync first sees its digest in the external repository, whether or not it is
/// mirrored; tags of one digest share it, and a tag that moves to another image has that one's. What nobody has seen yet
/// begins to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MinAge {
    /// Whether it counts.
    pub mode: Mode,
    /// How many seconds, up to [`MAX_AGE`].
    #[serde(deserialize_with = "seconds")]
    pub seconds: u64,
}

fn seconds<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let seconds = u64::deserialize(deserializer)?;
    if (1..=MAX_AGE).contains(&seconds) {
        return Ok(seconds);
    }
    Err(serde::de::Error::custom(format!("is not from 1 to {MAX_AGE}")))
}

impl MinAge {
    /// Parses what was sent.
    pub fn parse(given: &Value) -> Result<Self, FieldError> {
        let Object(age) = FieldError::read("min_age", given)?;
        Ok(age)
    }

    /// Whether an image is old enough at `now`, by when it was first seen.
    pub fn maturity(&self, sighting: &Sighting, now: Timestamp) -> Maturity {
        let until = sighting.first_seen.plus(std::time::Duration::from_secs(self.seconds));
        let is_released = sighting.release.as_ref().is_some_and(|release| release.age);
        if is_released || until <= now { Maturity::Mature } else { Maturity::Waiting { until } }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::gate::{Facts, Release};

    #[test]
    fn an_image_waits_from_when_it_was_first_seen_unless_it_is_released() {
        let age = MinAge::parse(&json!({"mode": "enforce", "seconds": 100})).unwrap();
        let at = Timestamp::from_unix;
        let seen = Sighting { first_seen: at(1_000), release: None, facts: Facts::default() };
        assert_eq!(age.maturity(&seen, at(1_099)), Maturity::Waiting { until: at(1_100) });
        assert_eq!(age.maturity(&seen, at(1_100)), Maturity::Mature);
        let (by, reason) = ("acme+ops".to_owned(), "hotfix".to_owned());
        let mut release = Release { at: at(1_001), by, reason, age: true, tags: Vec::new() };
        let released = |release: &Release| Sighting { release: Some(release.clone()), ..seen.clone() };
        assert_eq!(age.maturity(&released(&release), at(1_001)), Maturity::Mature);
        release.age = false;
        assert_eq!(age.maturity(&released(&release), at(1_001)), Maturity::Waiting { until: at(1_100) }, "only a move");
    }

    #[test]
    fn what_is_no_age_is_refused_by_its_field() {
        let wrong = |given: serde_json::Value| MinAge::parse(&given).unwrap_err();
        assert_eq!(wrong(json!(3600)).to_string(), "min_age: invalid type: integer `3600`, expected an object");
        assert_eq!(wrong(json!(["enforce", 3600])).field, "min_age");
        assert_eq!(wrong(json!({"mode": "enforce", "seconds": 0})).field, "min_age.seconds");
        assert_eq!(wrong(json!({"mode": "enforce", "seconds": MAX_AGE + 1})).field, "min_age.seconds");
        assert_eq!(wrong(json!({"mode": "sometimes", "seconds": 1})).field, "min_age.mode");
        assert!(wrong(json!({"mode": "off", "seconds": 1, "days": 1})).to_string().contains("days"));
        assert!(wrong(json!({"seconds": 1})).to_string().contains("mode"));
    }
}
