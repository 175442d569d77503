//! Fields of ours whose values clients compare with what they sent.

use serde::{Serialize, Serializer, de::DeserializeOwned};
use serde_json::Value;

use crate::{FieldError, object::Object};

/// The largest of them, in bytes of JSON without blanks. Each is a part of the mirror's item in the table, and everything in
/// it is looked at for each tag.
pub(crate) const MAX_SENT: usize = 16 * 1024;

/// A value: parsed, and kept exactly as it was sent, which is what it is equal by, and what is stored and shown.
#[derive(Debug, Clone)]
pub(crate) struct Sent<T> {
    given: Value,
    pub(crate) parsed: T,
}

impl<T> Sent<T> {
    /// What was sent.
    pub(crate) fn given(&self) -> &Value {
        &self.given
    }

    /// Parses the object that was sent as `field`; `check` makes of its fields what they are together.
    pub(crate) fn parse<F: DeserializeOwned>(
        field: &str,
        given: Value,
        check: impl FnOnce(F) -> Result<T, FieldError>,
    ) -> Result<Self, FieldError> {
        if given.to_string().len() > MAX_SENT {
            return Err(FieldError::at(field, ".", &format!("is larger than {MAX_SENT} bytes")));
        }
        let Object(fields) = FieldError::read(field, &given)?;
        Ok(Self { parsed: check(fields)?, given })
    }
}

impl<T> Serialize for Sent<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.given.serialize(serializer)
    }
}

impl<T> PartialEq for Sent<T> {
    fn eq(&self, other: &Self) -> bool {
        self.given == other.given
    }
}

impl<T> Eq for Sent<T> {}
