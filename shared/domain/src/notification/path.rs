//! The paths of templates: that part of `JSONPath` that leads to values of a body, and takes no longer than the body is large.
//!
//! Names, indexes and wildcards: `message`, `$.failed_tags[0].tag`, `changed_tags[*].tag`, `['docker_url']`. What Quay's
//! library knows besides (descents, filters, slices, unions) is refused: those search, and may find the same value
//! many times over.

use serde_json::Value;

/// The longest path, in bytes: bodies nest three levels deep.
const MAX_LENGTH: usize = 256;

/// A path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Name(String),
    /// From the end, if it is negative.
    Index(i64),
    /// Every value of a list or an object.
    All,
}

/// Why a text is no path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Nothing.
    #[error("Empty expression found")]
    Empty,
    /// It is longer than is read.
    #[error("it is longer than {MAX_LENGTH} bytes")]
    Long,
    /// What `JSONPath` has and is not taken here.
    #[error("filters, slices, unions and descents (`..`) are not supported: only names, indexes and wildcards are")]
    Unsupported,
    /// Anything else.
    #[error("it is no path from byte {0} on")]
    Syntax(usize),
}

impl Path {
    /// Parses one.
    pub(super) fn parse(text: &str) -> Result<Self, PathError> {
        if text.trim().is_empty() {
            return Err(PathError::Empty);
        }
        if text.len() > MAX_LENGTH {
            return Err(PathError::Long);
        }
        let mut reader = Reader { text, at: 0 };
        let mut steps = Vec::new();
        match reader.peek() {
            Some('$') => reader.at += 1,
            Some('[') => {}
            _ => steps.push(reader.name()?),
        }
        while let Some(next) = reader.peek() {
            steps.push(match next {
                '.' => {
                    reader.at += 1;
                    reader.name()?
                }
                '[' => reader.bracket()?,
                _ => return Err(reader.wrong()),
            });
        }
        Ok(Self(steps))
    }

    /// The values that it leads to.
    pub(super) fn find<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        let mut found = vec![value];
        for step in &self.0 {
            found = found.into_iter().flat_map(|value| step.find(value)).collect();
        }
        found
    }
}

impl Step {
    fn find<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        match (self, value) {
            (Self::Name(name), Value::Object(object)) => object.get(name).into_iter().collect(),
            (Self::Index(index), Value::Array(list)) => {
                let from_start = usize::try_from(*index).ok();
                let from_end = || usize::try_from(index.unsigned_abs()).ok().and_then(|n| list.len().checked_sub(n));
                from_start.or_else(from_end).and_then(|index| list.get(index)).into_iter().collect()
            }
            (Self::All, Value::Array(list)) => list.iter().collect(),
            (Self::All, Value::Object(object)) => object.values().collect(),
            _ => Vec::new(),
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// What is wrong here.
    fn wrong(&self) -> PathError {
        match self.peek() {
            Some('.' | '?' | ':' | ',' | '|' | '&' | '(') => PathError::Unsupported,
            _ => PathError::Syntax(self.at),
        }
    }

    /// Takes what is like this.
    fn take(&mut self, is_part: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|char| !is_part(char)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    /// A name, or a wildcard.
    fn name(&mut self) -> Result<Step, PathError> {
        if self.peek() == Some('*') {
            self.at += 1;
            return Ok(Step::All);
        }
        let name = self.take(|char| char.is_ascii_alphanumeric() || matches!(char, '_' | '@' | '-'));
        if name.is_empty() { Err(self.wrong()) } else { Ok(Step::Name(name.to_owned())) }
    }

    /// What is in brackets: an index, a name in quotes, or a wildcard.
    fn bracket(&mut self) -> Result<Step, PathError> {
        self.at += 1;
        let step = match self.peek() {
            Some('*') => {
                self.at += 1;
                Step::All
            }
            Some(quote @ ('\'' | '"')) => {
                self.at += 1;
                let name = self.take(|char| char != quote);
                self.pass(quote)?;
                Step::Name(name.to_owned())
            }
            _ => {
                let start = self.at;
                let number = self.take(|char| char.is_ascii_digit() || char == '-');
                if number.is_empty() {
                    return Err(self.wrong());
                }
                Step::Index(number.parse().map_err(|_| PathError::Syntax(start))?)
            }
        };
        self.pass(']')?;
        Ok(step)
    }

    fn pass(&mut self, char: char) -> Result<(), PathError> {
        if self.peek() != Some(char) {
            return Err(self.wrong());
        }
        self.at += char.len_utf8();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_lead_to_values() {
        let body = json!({
            "message": "m",
            "failed_tags": [{"tag": "a", "reason": "x"}, {"tag": "b"}],
            "bytes": {"total": 7},
            "odd name": 1,
        });
        for (path, found) in [
            ("message", json!(["m"])),
            ("$.message", json!(["m"])),
            ("$['message']", json!(["m"])),
            ("[\"odd name\"]", json!([1])),
            ("bytes.total", json!([7])),
            ("bytes.*", json!([7])),
            ("failed_tags[0].tag", json!(["a"])),
            ("failed_tags[-1].tag", json!(["b"])),
            ("failed_tags[2]", json!([])),
            ("failed_tags[-3]", json!([])),
            ("failed_tags[*].tag", json!(["a", "b"])),
            ("failed_tags[*].reason", json!(["x"])),
            ("missing.further", json!([])),
            ("message[0]", json!([])),
            ("message.x", json!([])),
        ] {
            assert_eq!(json!(Path::parse(path).unwrap().find(&body)), found, "{path}");
        }
        assert_eq!(Path::parse("$").unwrap().find(&body), [&body]);
    }

    #[test]
    fn what_searches_is_refused_and_so_is_what_is_no_path() {
        use PathError as E;
        for (path, error) in [
            ("", E::Empty),
            (" ", E::Empty),
            ("$..tag", E::Unsupported),
            ("failed_tags[?(@.tag)]", E::Unsupported),
            ("failed_tags[0:2]", E::Unsupported),
            ("failed_tags[0,1]", E::Unsupported),
            ("a|b", E::Unsupported),
            (";;", E::Syntax(0)),
            ("first[", E::Syntax(6)),
            ("first[1", E::Syntax(7)),
            ("first['a]", E::Syntax(9)),
            ("first[--]", E::Syntax(6)),
            ("first.", E::Syntax(6)),
            ("a b", E::Syntax(1)),
            ("é", E::Syntax(0)),
        ] {
            assert_eq!(Path::parse(path), Err(error), "{path}");
        }
        assert_eq!(Path::parse(&"a".repeat(MAX_LENGTH + 1)), Err(E::Long));
    }

    proptest! {
        #[test]
        fn nothing_breaks_the_reader(text in "[-a$.\\[\\]'\"*0-9?:é ]{0,40}") {
            if let Ok(path) = Path::parse(&text) {
                // Each value is found once at most.
                let body = json!({"a": [1, [2], {"a": 3}], "": 4});
                prop_assert!(path.find(&body).len() <= 8);
            }
        }
    }
}
