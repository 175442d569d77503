//! Notifications, which the API makes and deletes, but does not change.

use serde_json::{Map, Value, json};

use super::{Deed, Wanted};
use crate::{
    call::{Call, Verb},
    key::Key,
    present::Found,
    step::{Action, Change, To},
};

pub(super) fn create(wanted: &Wanted<'_>) -> Vec<Call> {
    create_with(wanted, json!({}))
}

/// With these wishes, if none are declared.
fn create_with(wanted: &Wanted<'_>, event_config: Value) -> Vec<Call> {
    let (mut body, secrets) = wanted.whole();
    body.entry("eventConfig").or_insert(event_config);
    body.entry("config").or_insert_with(|| json!({}));
    vec![Call::new(Verb::Post, wanted.key.path()).body(body.into()).secrets(secrets)]
}

/// The first of those with the title that is as declared stays; others of the title go. If none is, one is made first, so
/// that somebody is always told.
pub(super) fn change(wanted: &Wanted<'_>, found: &Found, titled: &[Found]) -> Deed {
    let kept = titled.iter().position(|one| changes(wanted, one).is_empty());
    let going = titled.iter().enumerate().filter(|(index, _)| Some(*index) != kept);
    let mut calls: Vec<_> = going.filter_map(|(_, one)| delete(wanted.key, &one.view)).collect();
    if kept.is_some() && calls.is_empty() {
        return (Action::Unchanged, calls);
    }
    if kept.is_none() {
        let kept = found.view.get("eventConfig").cloned().unwrap_or_else(|| json!({}));
        calls.splice(0..0, create_with(wanted, kept));
    }
    (Action::Change(changes(wanted, found)), calls)
}

/// What is other than declared; secrets only as far as it is shown whether there is one.
fn changes(wanted: &Wanted<'_>, found: &Found) -> Vec<Change> {
    let mut changes = wanted.differences(found);
    let is_signed = found.view.get("signed").and_then(Value::as_bool).unwrap_or_default();
    let mut has_secret = false;
    for field in wanted.fields {
        let To::Secret(_) = &field.to else { continue };
        has_secret |= field.path == "config.secret";
        let is_missing = field.path == "config.secret" && !is_signed;
        if wanted.options.rotate_secrets || is_missing {
            changes.push(Change { field: field.path.clone(), from: None, to: field.to.clone() });
        }
    }
    let gone = |field: String, from: Value| Change { field, from: Some(from), to: To::Value(Value::Null) };
    // It is made anew as a whole, so that what is not declared of it would go.
    let config = found.view.get("config").and_then(Value::as_object);
    for (name, value) in config.into_iter().flatten() {
        let path = format!("config.{name}");
        if !wanted.fields.iter().any(|field| field.path == path) {
            changes.push(gone(path, value.clone()));
        }
    }
    if is_signed && !has_secret {
        changes.push(gone("config.secret".to_owned(), json!("set")));
    }
    changes
}

/// How one is deleted, by how it is shown.
pub(super) fn delete(key: &Key, view: &Map<String, Value>) -> Option<Call> {
    let uuid = view.get("uuid")?.as_str()?;
    // It comes from the answer, and goes into a path.
    let is_id = !uuid.is_empty() && uuid.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_id.then(|| Call::new(Verb::Delete, format!("{}/{uuid}", key.path())))
}
