//! What the API says of itself.

use crate::http::{
    answer::Answer,
    call::Call,
    endpoint::Endpoints,
    error::{ApiError, describe},
    openapi,
};

/// `GET error/{error_type}`.
pub(crate) fn error(kind: &str) -> Result<Answer, ApiError> {
    describe(kind).map(Answer::ok).ok_or(ApiError::NotFound)
}

/// `GET openapi.json`.
pub(crate) fn openapi(endpoints: Endpoints, call: &Call) -> Result<Answer, ApiError> {
    openapi::document(endpoints, &call.host).map(Answer::ok)
}
