//! What becomes of a tag that points to another image at the registry than here.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::mode::Mode;
use crate::{
    FieldError, TagName,
    lists::{Glob, GlobList, ListError, Listed},
    object::Object,
    sent::Sent,
};

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
/// whole name counts; a tag that none matches follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct OnMove(Sent<Rules>);

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    mode: Mode,
    rules: Listed<Object<Rule>, MAX_RULES>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    tags: TagGlobs,
    action: Move,
}

/// Globs, of which there is one at least.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Listed<Glob, MAX_GLOBS>")]
struct TagGlobs(GlobList);

impl OnMove {
    /// Parses what was sent.
    pub fn parse(given: Value) -> Result<Self, FieldError> {
        Ok(Self(Sent::parse("on_move", given, Ok)?))
    }

    /// Whether it counts.
    pub fn mode(&self) -> Mode {
        self.0.parsed.mode
    }

    /// What becomes of a tag that has moved.
    pub fn action(&self, tag: &TagName) -> Move {
        let Listed(rules) = &self.0.parsed.rules;
        let rule = rules.iter().find(|Object(rule)| rule.tags.0.is_match(tag));
        rule.map_or(Move::Follow, |Object(rule)| rule.action)
    }
}

impl TryFrom<Listed<Glob, MAX_GLOBS>> for TagGlobs {
    type Error = ListError;

    fn try_from(Listed(globs): Listed<Glob, MAX_GLOBS>) -> Result<Self, ListError> {
        GlobList::try_from(globs).map(Self)
    }
}

impl TryFrom<Value> for OnMove {
    type Error = FieldError;

    fn try_from(given: Value) -> Result<Self, FieldError> {
        Self::parse(given)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::rule::MAX_PATTERN_LENGTH;

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
            (rule(json!(["a".repeat(MAX_PATTERN_LENGTH + 1)]), "hold"), "on_move.rules[0].tags[0]"),
            (rule(json!(["*"]), "stay"), "on_move.rules[0].action"),
            (rule(json!(vec!["a".repeat(1_000); 20]), "hold"), "on_move"),
        ] {
            assert_eq!(OnMove::parse(given.clone()).unwrap_err().field, field, "{given}");
        }
    }
}
