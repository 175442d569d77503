//! The root rule: which tags of the external repository are mirrored.

use serde::{Deserialize, Serialize};

use crate::{
    TagName,
    fnmatch::{Alphabet, Matcher},
};

/// The most patterns of one rule. Quay has no limit; ours keeps the item and the matcher small.
pub const MAX_PATTERNS: usize = 1_000;
/// The longest pattern, in bytes: more than any tag (128 characters) needs, every character as a class of its own.
pub const MAX_PATTERN_LENGTH: usize = 1_024;

/// Quay's `tag_glob_csv`: a tag is mirrored when any of the patterns matches it whole, case-sensitively,
/// with the semantics of Python's `fnmatch`. Patterns are taken as they are: not trimmed, not split at commas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct RootRule(Vec<String>);

/// Why a list of patterns is not a rule; the first message is Quay's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// No pattern.
    #[error("validation failed: rule_value for TAG_GLOB_CSV must be a list with at least one rule")]
    Empty,
    /// More than [`MAX_PATTERNS`].
    #[error("validation failed: rule_value holds more than {MAX_PATTERNS} patterns")]
    TooMany,
    /// A pattern over [`MAX_PATTERN_LENGTH`].
    #[error("validation failed: rule_value holds a pattern longer than {MAX_PATTERN_LENGTH} bytes")]
    TooLong,
    /// The patterns together make a matcher that is too large.
    #[error("validation failed: the patterns of rule_value are too complex")]
    TooComplex,
}

impl RootRule {
    /// A rule of these patterns.
    pub fn new(patterns: Vec<String>) -> Result<Self, RuleError> {
        if patterns.is_empty() {
            return Err(RuleError::Empty);
        }
        if patterns.len() > MAX_PATTERNS {
            return Err(RuleError::TooMany);
        }
        if patterns.iter().any(|pattern| pattern.len() > MAX_PATTERN_LENGTH) {
            return Err(RuleError::TooLong);
        }
        let rule = Self(patterns);
        rule.matcher()?;
        Ok(rule)
    }

    /// The rule that selects every tag.
    pub fn all() -> Self {
        Self(vec!["*".to_owned()])
    }

    /// The patterns, in the order in which they were given.
    pub fn patterns(&self) -> &[String] {
        &self.0
    }

    /// The first pattern that matches each of `tags`, if one does.
    pub fn explain<'a>(&'a self, tags: &[TagName]) -> Result<Vec<Option<&'a str>>, RuleError> {
        let matcher = self.matcher()?;
        Ok(tags.iter().map(|tag| matcher.first(tag.as_str())).collect())
    }

    /// The listed tags that match, sorted and without duplicates.
    pub fn select(&self, listed: impl IntoIterator<Item = TagName>) -> Result<Vec<TagName>, RuleError> {
        let matcher = self.matcher()?;
        let mut selected: Vec<_> = listed.into_iter().filter(|tag| matcher.is_match(tag.as_str())).collect();
        selected.sort_unstable();
        selected.dedup();
        Ok(selected)
    }

    fn matcher(&self) -> Result<Matcher<'_>, RuleError> {
        Matcher::new(&self.0, Alphabet::TAG).map_err(|_| RuleError::TooComplex)
    }
}

impl TryFrom<Vec<String>> for RootRule {
    type Error = RuleError;

    fn try_from(patterns: Vec<String>) -> Result<Self, RuleError> {
        Self::new(patterns)
    }
}

impl From<RootRule> for Vec<String> {
    fn from(rule: RootRule) -> Self {
        rule.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn select(patterns: &[&str], tags: &str) -> String {
        let rule = RootRule::new(patterns.iter().map(ToString::to_string).collect()).unwrap();
        let tags = tags.split(' ').map(|tag| tag.parse().unwrap());
        rule.select(tags).unwrap().iter().map(TagName::as_str).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn quays_table() {
        let tags = "v32 v3.1 v3.2 v3.2-4beta v3.3 V3.1 v3 latest";
        for (pattern, selected) in [
            ("v3*", "v3 v3.1 v3.2 v3.2-4beta v3.3 v32"),
            ("v3.*", "v3.1 v3.2 v3.2-4beta v3.3"),
            ("v3.?", "v3.1 v3.2 v3.3"),
            ("v3.[12]", "v3.1 v3.2"),
            ("v3.[12]*", "v3.1 v3.2 v3.2-4beta"),
            ("v3.[!1]*", "v3.2 v3.2-4beta v3.3"),
            ("v3.[1-3]", "v3.1 v3.2 v3.3"),
            ("V3*", "V3.1"),
            ("v3.[^1]", "v3.1"),
            ("[!v]*", "V3.1 latest"),
            (r"v3.\*", ""),
            ("{v3.1,v3.2}", ""),
            (" v3.1", ""),
            ("v3.1,v3.2", ""),
            ("", ""),
        ] {
            assert_eq!(select(&[pattern], tags), selected, "{pattern}");
        }
        assert_eq!(select(&["v3.1", "latest", "v3.?"], tags), "latest v3.1 v3.2 v3.3");
    }

    #[test]
    fn the_first_pattern_that_matches_explains_a_tag() {
        let rule = RootRule::new(["[]", "latest", "v1*", "*"].map(str::to_owned).to_vec()).unwrap();
        let tags = ["latest", "v1.2", "x"].map(|tag| tag.parse().unwrap());
        assert_eq!(rule.explain(&tags).unwrap(), [Some("latest"), Some("v1*"), Some("*")]);
        let rule = RootRule::new(vec!["v2".into()]).unwrap();
        assert_eq!(rule.explain(&tags[..1]).unwrap(), [None]);
    }

    /// Each line: pattern, tag, and 1 or 0 as Python's `fnmatch.fnmatchcase` answered. See `tests/make_fnmatch.py`.
    #[test]
    fn python_agrees() {
        let table = include_str!("../tests/fnmatch.tsv");
        let mut cases = 0;
        for line in table.lines() {
            let [pattern, tags, expected] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let patterns = RootRule::new(vec![pattern.to_owned()]).unwrap();
            for (tag, expected) in tags.split(' ').zip(expected.chars()) {
                let selected = patterns.select([tag.parse().unwrap()]).unwrap();
                assert_eq!(selected.len() == 1, expected == '1', "pattern {pattern:?}, tag {tag:?}");
                cases += 1;
            }
        }
        assert!(cases > 20_000, "only {cases} cases");
    }

    #[test]
    fn rules_are_bounded() {
        assert_eq!(RootRule::new(vec![]), Err(RuleError::Empty));
        assert_eq!(RootRule::new(vec!["a".into(); MAX_PATTERNS + 1]), Err(RuleError::TooMany));
        assert_eq!(RootRule::new(vec!["a".repeat(MAX_PATTERN_LENGTH + 1)]), Err(RuleError::TooLong));
    }

    /// fnmatch without classes, as it is defined: `*` is any run, `?` any one character, the rest themselves.
    fn matches(pattern: &[u8], tag: &[u8]) -> bool {
        match pattern {
            [] => tag.is_empty(),
            [b'*', rest @ ..] => (0..=tag.len()).any(|taken| matches(rest, &tag[taken..])),
            [b'?', rest @ ..] => !tag.is_empty() && matches(rest, &tag[1..]),
            [one, rest @ ..] => tag.first() == Some(one) && matches(rest, &tag[1..]),
        }
    }

    proptest! {
        #[test]
        fn stars_and_question_marks(pattern in "[a-c*?.]{0,6}", tag in "[a-c][a-c.]{0,5}") {
            let expected = matches(pattern.as_bytes(), tag.as_bytes());
            prop_assert_eq!(select(&[&pattern], &tag) == tag, expected);
        }

        #[test]
        fn any_text_is_a_pattern_and_selects_from_the_listed(patterns in proptest::collection::vec(".{0,20}", 1..5), tags in proptest::collection::btree_set("[a-z]{1,3}", 0..20)) {
            let rule = RootRule::new(patterns).unwrap();
            let tags: std::collections::BTreeSet<TagName> = tags.iter().map(|tag| tag.parse().unwrap()).collect();
            let selected = rule.select(tags.clone()).unwrap();
            prop_assert!(selected.is_sorted() && selected.iter().all(|tag| tags.contains(tag)));
        }
    }
}
