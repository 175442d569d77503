//! What the registry can do.

use moorage_domain::architecture::ARCHITECTURES;
use serde_json::json;

use crate::http::{answer::Answer, error::ApiError};

/// `GET registry/capabilities`.
#[expect(clippy::unnecessary_wraps, reason = "what all endpoints return")]
pub(crate) fn get() -> Result<Answer, ApiError> {
    Ok(Answer::ok(json!({
        "sparse_manifests": {
            "supported": true, "required_architectures": [], "optional_architectures_allowed": true,
        },
        "mirror_architectures": ARCHITECTURES,
    })))
}
