//! Regular expressions over tags, and over the names of those who sign.

use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;

use crate::{TagName, rule::MAX_PATTERN_LENGTH};

/// How much memory an expression may take compiled, in bytes. It bounds the time of a match, too, which is one step for each
/// byte of the tag and each state where the engine cannot do better: at most some tenths of a millisecond a tag, measured
/// with the worst that fit. People's expressions take less than a microsecond; `[a-z0-9.-]{1,128}`, which is as long as a
/// tag can be, fits.
const MAX_COMPILED: usize = 32 * 1024;
/// How much memory the states that matches have met may take, in bytes: enough for all of an expression that fits. They
/// only save time.
const MAX_CACHED: usize = 1024 * 1024;
/// How deep groups may be nested: the parser's stack, and far more than anybody reads.
const MAX_NESTING: u32 = 32;

/// An expression that a text must match whole, in the syntax of the `regex` crate. Tags are ASCII, and so are its classes:
/// `\w` is `[0-9A-Za-z_]`.
///
/// Matching takes time in proportion to the tag, whatever the expression is; what cannot be matched so, look-around and
/// backreferences, is refused.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Pattern(Regex);

/// Why a text is no [`Pattern`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PatternError {
    #[error("is longer than {MAX_PATTERN_LENGTH} bytes")]
    TooLong,
    #[error("is too complex: compiled, it would take more than {MAX_COMPILED} bytes")]
    TooComplex,
    #[error("has a look-around, (?=…), (?!…), (?<=…) or (?<!…), which cannot be matched in bounded time")]
    LookAround,
    #[error("has a backreference, which cannot be matched in bounded time")]
    Backreference,
    #[error("is no regular expression: {0}")]
    Syntax(String),
}

impl Pattern {
    fn new(text: &str) -> Result<Self, PatternError> {
        if text.len() > MAX_PATTERN_LENGTH {
            return Err(PatternError::TooLong);
        }
        // First by itself: `a)|(?:b` would only be an expression inside of the group.
        compile(text)?;
        match compile(&format!("^(?:{text})$")) {
            // It ends in a comment, and the group with it. Where there may be comments, the end of a line says nothing.
            Err(PatternError::Syntax(_)) => compile(&format!("^(?:{text}\n)$")),
            compiled => compiled,
        }
        .map(Self)
    }

    /// Whether it matches the whole text.
    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text.as_bytes())
    }

    /// Whether it has a group of that name.
    pub(crate) fn has_group(&self, name: &str) -> bool {
        self.0.capture_names().flatten().any(|group| group == name)
    }

    /// What the group of that name has of a tag that is matched whole; nothing if it has no part in the match.
    pub(crate) fn group<'a>(&self, name: &str, tag: &'a TagName) -> Option<&'a str> {
        let range = self.0.captures(tag.as_str().as_bytes())?.name(name)?.range();
        tag.as_str().get(range)
    }
}

impl TryFrom<String> for Pattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, PatternError> {
        Self::new(&text)
    }
}

fn compile(text: &str) -> Result<Regex, PatternError> {
    let built = RegexBuilder::new(text)
        .unicode(false)
        .size_limit(MAX_COMPILED)
        .dfa_size_limit(MAX_CACHED)
        .nest_limit(MAX_NESTING)
        .build();
    built.map_err(|error| match error {
        regex::Error::Syntax(text) => refused(&text),
        _ => PatternError::TooComplex,
    })
}

/// The last line of the parser's message says what is wrong; those before it show the expression.
fn refused(message: &str) -> PatternError {
    let reason = message.lines().last().unwrap_or_default();
    let reason = reason.strip_prefix("error: ").unwrap_or(reason);
    if reason.starts_with("look-around") {
        PatternError::LookAround
    } else if reason.starts_with("backreferences") {
        PatternError::Backreference
    } else {
        PatternError::Syntax(reason.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, tag: &str) -> bool {
        Pattern::new(pattern).unwrap().is_match(tag)
    }

    fn refusal(pattern: &str) -> PatternError {
        Pattern::new(pattern).unwrap_err()
    }

    #[test]
    fn texts_are_matched_whole() {
        for (pattern, tag, expected) in [
            ("v1", "v1", true),
            ("v1", "v1.0", false),
            ("v1", "av1", false),
            ("a|b", "a", true),
            ("a|b", "ab", false),
            ("a|b", "xb", false),
            ("a|ab", "ab", true),
            ("", "a", false),
            ("^v1$", "v1", true),
            ("(?i)V1", "v1", true),
            (r"\d+", "12", true),
            ("(?x) v1 # the first", "v1", true),
            ("(?x) v1 # the first", "v1.0", false),
            ("(?m)v1$", "v1", true),
        ] {
            assert_eq!(matches(pattern, tag), expected, "{pattern} {tag}");
        }
    }

    #[test]
    fn what_cannot_be_matched_in_bounded_time_is_refused_by_name() {
        for pattern in ["(?=a)", "a(?!b)", "(?<=a)b", "(?<!a)b"] {
            assert_eq!(refusal(pattern), PatternError::LookAround, "{pattern}");
        }
        assert!(PatternError::LookAround.to_string().contains("look-around"));
        assert_eq!(refusal(r"(a)\1"), PatternError::Backreference);
    }

    #[test]
    fn nobody_leaves_the_group() {
        assert_eq!(refusal("a)|(?:b"), PatternError::Syntax("unopened group".into()));
        assert_eq!(refusal("(a"), PatternError::Syntax("unclosed group".into()));
        assert_eq!(
            refusal(r"a\"),
            PatternError::Syntax("incomplete escape sequence, reached end of pattern prematurely".into())
        );
        assert!(!matches(r"a[\n]?\\?", "ab"));
    }

    #[test]
    fn size_and_nesting_are_bounded() {
        assert_eq!(refusal(&"a".repeat(MAX_PATTERN_LENGTH + 1)), PatternError::TooLong);
        assert_eq!(refusal("(?:[a-z0-9.-]{1,128}){1,128}"), PatternError::TooComplex);
        assert_eq!(refusal("((a{1000}){1000}){1000}"), PatternError::TooComplex);
        let nested = |depth| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
        assert!(matches!(refusal(&nested(40)), PatternError::Syntax(_)));
        assert!(matches(&nested(30), "a"), "one more group is round it");
        assert!(matches("[a-z0-9.-]{1,128}", &"a".repeat(128)));
    }

    #[test]
    fn groups_are_of_the_whole_match() {
        let pattern = Pattern::new(r"v?(?<minor>\d+\.\d+)\.\d+(-(?P<variant>\w+))?").unwrap();
        let [plain, alpine, other] = ["v1.20.3", "1.20.3-alpine", "x"].map(|tag| tag.parse().unwrap());
        assert_eq!((pattern.group("minor", &plain), pattern.group("variant", &plain)), (Some("1.20"), None));
        assert_eq!(pattern.group("variant", &alpine), Some("alpine"));
        assert_eq!((pattern.group("minor", &other), pattern.group("none", &plain)), (None, None));
        assert!(pattern.has_group("minor") && !pattern.has_group("patch"));
    }
}
