//! What is called.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// What of a segment needs no encoding: what names have.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'.').remove(b'_').remove(b'-').remove(b'+').remove(b'~').remove(b'@');

/// What a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// It reads.
    Get,
    /// It makes, or starts.
    Post,
    /// It makes it so.
    Put,
    /// It takes away.
    Delete,
}

impl Method {
    /// Its name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    /// The one of a name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Get, Self::Post, Self::Put, Self::Delete].into_iter().find(|method| method.as_str() == name)
    }
}

/// A call, which may be sent several times. It is not printed: its body may have a password.
#[derive(Clone)]
pub struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
    pub(crate) if_match: Option<String>,
    pub(crate) is_repeatable: bool,
    pub(crate) is_once: bool,
}

impl Request {
    /// A call of a path below `/api/v1/`, with its query. All but POST may be sent again even if it is not known whether it
    /// was done.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        let is_repeatable = method != Method::Post;
        Self { method, path: path.into(), body: None, if_match: None, is_repeatable, is_once: false }
    }

    /// With a body.
    #[must_use]
    pub fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// Only if what it changes is still the one of this entity tag.
    #[must_use]
    pub fn if_match(mut self, tag: Option<String>) -> Self {
        self.if_match = tag;
        self
    }

    /// That it does no harm if it is done twice.
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.is_repeatable = true;
        self
    }

    /// That it is sent once, and whatever is answered is the answer.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.is_once = true;
        self
    }
}

/// A part of a path or a value of a query, percent-encoded.
pub fn segment(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_readable_and_nothing_else_gets_through() {
        assert_eq!(segment("acme+mirror.x_y-z"), "acme+mirror.x_y-z");
        assert_eq!(segment("alice@example.com"), "alice@example.com");
        assert_eq!(segment("a/b?c#d e%"), "a%2Fb%3Fc%23d%20e%25");
        assert_eq!(Method::named("PUT"), Some(Method::Put));
        assert_eq!(Method::named("PATCH"), None);
    }
}
