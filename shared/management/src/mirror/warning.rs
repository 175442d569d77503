//! Warnings.

use moorage_domain::Warning;
use serde_json::{Value, json};

/// A warning, of a run or of the mirror as its last run left it.
pub(crate) fn warning(warning: Warning) -> Value {
    let mut view = json!({"reason": warning.reason(), "message": warning.message()});
    if !warning.is_about_credentials() {
        view["tags"] = warning.tags().into();
    }
    let settings = warning.settings();
    if !settings.is_empty() {
        view["settings"] = settings.into();
    }
    if let Warning::DeletionsHeld { limit, .. } = warning {
        view["limit"] = limit.into();
    }
    view
}
