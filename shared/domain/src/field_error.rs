//! Values that a field of ours does not take.

use serde::Deserialize;
use serde_json::Value;

/// Why a value is not what a field takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct FieldError {
    /// Which field, as `selection.version.ranges[1]`.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

impl FieldError {
    /// Of a part of a field, by its path in it: `.` for all of it.
    pub(crate) fn at(field: &str, path: &str, reason: &impl ToString) -> Self {
        let field = if path == "." { field.to_owned() } else { format!("{field}.{path}") };
        Self { field, reason: reason.to_string() }
    }

    /// Reads the value of `field`.
    pub(crate) fn read<'de, T: Deserialize<'de>>(field: &str, given: &'de Value) -> Result<T, Self> {
        serde_path_to_error::deserialize(given)
            .map_err(|error| Self::at(field, &error.path().to_string(), error.inner()))
    }
}
