//! What becomes of a tag that points to another image at the registry than here.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::mode::Mode;
use crate::{
    FieldError, TagName,
    fnmatch::{Alphabet, Globs},
    rule::MAX_PATTERN_LENGTH,
};

/// The largest value, in bytes of JSON without blanks: it is a part of the mirror's item in the table.
const MAX_ON_MOVE: usize = 16 * 1024;
/// The most rules: each is looked at for every tag that moves.
const MAX_RULES: usize = 64;
/// The most globs of one rule.
const MAX_GLOBS: usize = 64;

/// What becomes of the tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Move {
    /// It points to the other image, as without this.
    Follow,
    /// It stays where it is until somebody releases the other image.
    Hold,
    /// It stays where it is.
    Keep,
}

/// `on_move`: `{"mode": "enforce", "rules": [{"tags": ["v*"], "action": "hold"}]}`. The first rule that matches a tag's
/// whole name counts; a tag that none matches follows. Kept as it was sent, because clients compare what they get back.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Value")]
pub struct OnMove {
    given: Value,
    rules: Rules,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    mode: Mode,
    rules: RuleList,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Vec<Rule>")]
struct RuleList(Vec<Rule>);

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    tags: TagGlobs,
    action: Move,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Vec<String>")]
struct TagGlobs(Globs);

impl OnMove {
    /// Parses what was sent.
    pub fn parse(given: Value) -> Result<Self, FieldError> {
        if given.to_string().len() > MAX_ON_MOVE {
            return Err(FieldError::at("on_move", ".", &format!("is larger than {MAX_ON_MOVE} bytes")));
        }
        let rules = FieldError::parse("on_move", &given, &[])?;
        Ok(Self { given, rules })
    }

    /// Whether it counts.
    pub fn mode(&self) -> Mode {
        self.rules.mode
    }

    /// What becomes of a tag that has moved.
    pub fn action(&self, tag: &TagName) -> Move {
        let RuleList(rules) = &self.rules.rules;
        let rule = rules.iter().find(|rule| rule.tags.0.is_match(tag.as_str()));
        rule.map_or(Move::Follow, |rule| rule.action)
    }
}

impl TryFrom<Vec<Rule>> for RuleList {
    type Error = String;

    fn try_from(rules: Vec<Rule>) -> Result<Self, String> {
        match rules.len() {
            0 => Err("is empty: leave on_move out where all tags follow".to_owned()),
            1..=MAX_RULES => Ok(Self(rules)),
            _ => Err(format!("has more than {MAX_RULES} entries")),
        }
    }
}

impl TryFrom<Vec<String>> for TagGlobs {
    type Error = String;

    fn try_from(globs: Vec<String>) -> Result<Self, String> {
        if globs.is_empty() {
            return Err("is empty: [\"*\"] is all tags".to_owned());
        }
        if globs.len() > MAX_GLOBS {
            return Err(format!("has more than {MAX_GLOBS} entries"));
        }
        if globs.iter().any(|glob| glob.len() > MAX_PATTERN_LENGTH) {
            return Err(format!("has a pattern of more than {MAX_PATTERN_LENGTH} bytes"));
        }
        let globs = Globs::new(globs.iter().map(String::as_str), Alphabet::TAG);
        globs.map(Self).map_err(|_| "are together too complex".to_owned())
    }
}

impl TryFrom<Value> for OnMove {
    type Error = FieldError;

    fn try_from(given: Value) -> Result<Self, FieldError> {
        Self::parse(given)
    }
}

impl Serialize for OnMove {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.given.serialize(serializer)
    }
}

impl PartialEq for OnMove {
    fn eq(&self, other: &Self) -> bool {
        self.given == other.given
    }
}

impl Eq for OnMove {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_rule_that_matches_counts() {
        let given = json!({"mode": "enforce", "rules": [
            {"tags": ["v1.*", "v2.*"], "action": "hold"},
            {"tags": ["v*"], "action": "keep"},
            {"tags": ["v*", "nightly"], "action": "follow"},
        ]});
        let rules = OnMove::parse(given.clone()).unwrap();
        for (tag, action) in [
            ("v1.0", Move::Hold),
            ("v2.0", Move::Hold),
            ("v3.0", Move::Keep),
            ("nightly", Move::Follow),
            ("latest", Move::Follow),
            ("xv1.0", Move::Follow),
        ] {
            assert_eq!(rules.action(&tag.parse().unwrap()), action, "{tag}");
        }
        assert_eq!(serde_json::to_value(&rules).unwrap(), given, "kept as it was sent");
        assert_eq!(serde_json::from_value::<OnMove>(given).unwrap(), rules);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let rule = |tags: Value, action: &str| json!({"mode": "enforce", "rules": [{"tags": tags, "action": action}]});
        for (given, field) in [
            (json!("hold"), "on_move"),
            (json!({"mode": "enforce", "rules": []}), "on_move.rules"),
            (json!({"mode": "maybe", "rules": []}), "on_move.mode"),
            (rule(json!([]), "hold"), "on_move.rules[0].tags"),
            (rule(json!(["a".repeat(MAX_PATTERN_LENGTH + 1)]), "hold"), "on_move.rules[0].tags"),
            (rule(json!(["*"]), "stay"), "on_move.rules[0].action"),
            (rule(json!(vec!["a".repeat(1_000); 20]), "hold"), "on_move"),
        ] {
            assert_eq!(OnMove::parse(given.clone()).unwrap_err().field, field, "{given}");
        }
    }
}
