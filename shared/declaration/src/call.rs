//! A call of the API that is to be made.

use serde_json::Value;

use crate::secret::SecretSource;

/// What a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// It makes something.
    Post,
    /// It makes something so.
    Put,
    /// It takes something away.
    Delete,
}

impl Verb {
    /// Its name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// A call. No secret is in it: they are filled in when it is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// What it does.
    pub verb: Verb,
    /// Below the API's path.
    pub path: String,
    /// Its body, without the secrets.
    pub body: Option<Value>,
    /// The secrets that belong into the body.
    pub secrets: Vec<Slot>,
    /// The entity tag of what it changes, if that has one: it changes nothing that is another one by now.
    pub if_match: Option<String>,
    /// Whether it does no harm if it is done twice.
    pub is_repeatable: bool,
}

/// A place of a body where a secret belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The place, as a JSON pointer; there is null until then.
    pub pointer: String,
    /// Where the secret is.
    pub source: SecretSource,
}

impl Call {
    pub(crate) fn new(verb: Verb, path: impl Into<String>) -> Self {
        let is_repeatable = verb != Verb::Post;
        Self { verb, path: path.into(), body: None, secrets: Vec::new(), if_match: None, is_repeatable }
    }

    pub(crate) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    pub(crate) fn secrets(mut self, secrets: Vec<Slot>) -> Self {
        self.secrets = secrets;
        self
    }

    pub(crate) fn if_match(mut self, tag: Option<String>) -> Self {
        self.if_match = tag;
        self
    }

    pub(crate) fn repeatable(mut self) -> Self {
        self.is_repeatable = true;
        self
    }

    /// The body as it is sent: `resolve` says the secrets. It is not to be printed.
    pub fn filled<E>(&self, mut resolve: impl FnMut(&SecretSource) -> Result<String, E>) -> Result<Option<Value>, E> {
        let Some(mut body) = self.body.clone() else { return Ok(None) };
        for slot in &self.secrets {
            if let Some(place) = body.pointer_mut(&slot.pointer) {
                *place = resolve(&slot.source)?.into();
            }
        }
        Ok(Some(body))
    }
}
