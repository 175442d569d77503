//! What the API says of itself.

use crate::{
    api::Call,
    http::{
        answer::Answer,
        error::{ApiError, describe},
        openapi,
    },
};

/// `GET error/{error_type}`.
pub(crate) fn error(kind: &str) -> Result<Answer, ApiError> {
    describe(kind).map(Answer::ok).ok_or(ApiError::NotFound)
}

/// `GET openapi.json`.
pub(crate) fn openapi(call: &Call) -> Result<Answer, ApiError> {
    openapi::document(&call.host).map(Answer::ok)
}
