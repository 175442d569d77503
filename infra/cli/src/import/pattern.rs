//! Patterns of other tools as patterns of ours: what selects the same tags, or nothing.
//!
//! Tags have 65 different characters (`A` to `Z`, `a` to `z`, `0` to `9`, `.`, `_`, `-`), so that patterns are equal here that
//! are not equal elsewhere: `\S`, `.` and `[^/]` are all `?`.

mod glob;
mod go;
mod hir;
pub(crate) mod tags;
#[cfg(test)]
mod tests;

use moorage_domain::RootRule;

/// What one pattern of another tool is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// Globs, one of which has to match.
    Globs(Vec<String>),
    /// A regular expression, which has to match whole.
    Regex(String),
}

impl Pattern {
    /// One tag.
    pub(crate) fn tag(tag: &str) -> Self {
        Self::Globs(vec![tag.to_owned()])
    }

    /// An expression of Go's that has to match somewhere.
    pub(crate) fn somewhere(text: &str) -> Result<Self, String> {
        let text = go::rust(text)?;
        let whole = if hir::is_whole(&text)? { text.clone() } else { format!(".*(?:{text}).*") };
        Self::found(&text, &whole)
    }

    /// An expression of Go's with `^` before it and `$` behind it, and no group around it: of `a|b` it is what begins with `a`
    /// or ends with `b`.
    pub(crate) fn between_anchors(text: &str) -> Result<Self, String> {
        let text = go::rust(text)?;
        let anchored = format!("^{text}$");
        let whole = if hir::is_whole(&anchored)? { text } else { format!(".*(?:{anchored}).*") };
        Self::found(&anchored, &whole)
    }

    /// A glob of Harbor's.
    pub(crate) fn doublestar(text: &str) -> Result<Self, String> {
        glob::doublestar(text).map(Self::Globs)
    }

    /// What is found by an expression anywhere in a tag: globs if there are some that do the same, and otherwise `whole`.
    fn found(expression: &str, whole: &str) -> Result<Self, String> {
        match hir::globs(expression)? {
            // They are held against the same limits as those that people write.
            Some(globs) if globs.is_empty() || RootRule::new(globs.clone()).is_ok() => Ok(Self::Globs(globs)),
            _ => Ok(Self::Regex(whole.to_owned())),
        }
    }

    /// It as an expression that has to match whole.
    pub(crate) fn regex(&self) -> String {
        match self {
            Self::Regex(text) => text.clone(),
            Self::Globs(globs) => globs.iter().map(|it| glob::regex(it)).collect::<Vec<_>>().join("|"),
        }
    }
}

/// Why an expression of Go's is not taken whose alternatives are not grouped, in words for the report; nothing if they are.
pub(crate) fn ungrouped(text: &str) -> Option<String> {
    let anchored = format!("^{}$", go::rust(text).ok()?);
    let is_surprising = !hir::is_whole(&anchored).ok()?;
    is_surprising.then(|| {
        format!(
            "{text:.100} has alternatives that are in no group: it means what begins with the first or ends with the last, \
             there and here"
        )
    })
}
