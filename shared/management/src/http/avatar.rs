//! Avatars.

use serde_json::{Value, json};

/// Quay's picture of a user or an organization; ours have none.
pub(crate) fn avatar(name: &str, kind: &str) -> Value {
    json!({"name": name, "hash": "", "color": "#969696", "kind": kind})
}
