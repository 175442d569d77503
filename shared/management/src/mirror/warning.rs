//! Warnings.

use moorage_domain::{Timestamp, Warning, status::SyncState};
use serde_json::{Value, json};

/// What is said of a sync that nobody works on although it has begun.
pub(crate) const INTERRUPTED: &str = "the sync was interrupted, most likely killed";
/// What can be done about it.
pub(crate) const GOES_ON: &str =
    "it goes on by itself within minutes, or at once with Sync Now; the sync function's log says more";

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
    if let Some(until) = warning.until() {
        view["until"] = until.iso().into();
    }
    view
}

/// Why a sync that has begun is shown as one that is going to be started, if it is.
pub(crate) fn interrupted(state: &SyncState, now: Timestamp) -> Option<Value> {
    let message = || format!("{INTERRUPTED}: {GOES_ON}");
    state.is_interrupted(now).then(|| json!({"reason": "interrupted", "message": message(), "tags": 0}))
}
