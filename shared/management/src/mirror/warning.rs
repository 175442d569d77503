//! Warnings.

use moorage_domain::Warning;
use serde_json::{Value, json};

/// A warning, of a run or of the mirror as its last run left it.
pub(crate) fn warning(warning: Warning) -> Value {
    let mut view = json!({"reason": warning.reason(), "message": warning.message()});
    if warning.is_about_credentials() {
        view["settings"] = warning.settings().into();
    } else {
        view["tags"] = warning.tags().into();
    }
    if let Warning::DeletionsHeld { limit, .. } = warning {
        view["limit"] = limit.into();
    }
    view
}
