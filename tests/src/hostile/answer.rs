//! What a lying registry answers.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::flood::INDEX;

/// A body that is made while it is sent.
pub(super) type Chunks = Box<dyn Iterator<Item = Bytes> + Send>;

/// An answer. What its headers do not say is said truly.
pub struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Body,
    /// A pause before each piece of the body.
    pub(super) pace: Option<Duration>,
}

pub(super) enum Body {
    /// Known, with its length.
    Whole(Bytes),
    /// In chunks.
    Made(Chunks),
    /// Headers, for ever.
    Headers,
}

impl Answer {
    /// Without a body.
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Body::Whole(Bytes::new()), pace: None }
    }

    /// With a document.
    pub fn json(document: &Value) -> Self {
        Self::new(200).header("content-type", "application/json").body(document.to_string())
    }

    /// With a list of these descriptors, as the referrers API gives it.
    pub fn referrers(descriptors: &[Value]) -> Self {
        Self::json(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": descriptors}))
    }

    /// With a body that is made while it is sent, however long it is.
    pub fn made(chunks: impl Iterator<Item = Bytes> + Send + 'static) -> Self {
        Self { body: Body::Made(Box::new(chunks)), ..Self::new(200) }
    }

    /// With headers that never end.
    pub fn endless_headers() -> Self {
        Self { body: Body::Headers, ..Self::new(200) }
    }

    /// To another place.
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::new(status).header("location", location)
    }

    /// With another status.
    #[must_use]
    pub fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a body.
    #[must_use]
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        Self { body: Body::Whole(body.into()), ..self }
    }

    /// A byte of the body each time.
    #[must_use]
    pub fn dripping(self, pace: Duration) -> Self {
        let body = match self.body {
            Body::Whole(bytes) => Body::Made(Box::new((0..bytes.len()).map(move |at| bytes.slice(at..=at)))),
            body => body,
        };
        Self { body, pace: Some(pace), ..self }
    }

    pub(super) fn says(&self, name: &str) -> bool {
        self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }
}
