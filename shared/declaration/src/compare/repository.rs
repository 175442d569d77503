//! Repositories, and roles on them.

use moorage_domain::RepositoryName;
use serde_json::{Value, json};

use super::{Deed, Wanted, changed};
use crate::{
    call::{Call, Verb},
    present::Found,
};

pub(super) fn create(wanted: &Wanted<'_>, name: &RepositoryName) -> Vec<Call> {
    let mut body = wanted.whole().0;
    body.insert("namespace".to_owned(), name.namespace().as_str().into());
    body.insert("repository".to_owned(), name.name().into());
    // All of them have to be sent.
    body.entry("visibility").or_insert_with(|| json!("private"));
    body.entry("description").or_insert_with(|| json!(""));
    vec![Call::new(Verb::Post, "repository").body(body.into())]
}

pub(super) fn change(wanted: &Wanted<'_>, found: &Found) -> Deed {
    // It is shown by another name than it is sent by.
    let mut found = found.clone();
    let is_public = found.view.get("is_public").and_then(Value::as_bool).unwrap_or_default();
    found.view.insert("visibility".to_owned(), if is_public { "public" } else { "private" }.into());
    changed(wanted.differences(&found), |changes| {
        let body = wanted.whole().0;
        let path = wanted.key.path();
        let call = |field: &str| {
            let call = match field {
                "visibility" => Call::new(Verb::Post, format!("{path}/changevisibility")).repeatable(),
                _ => Call::new(Verb::Put, &path),
            };
            call.body(json!({ field: body.get(field) }))
        };
        changes.iter().map(|change| call(&change.field)).collect()
    })
}

pub(super) fn grant(wanted: &Wanted<'_>) -> Vec<Call> {
    vec![Call::new(Verb::Put, wanted.key.path()).body(wanted.whole().0.into())]
}

pub(super) fn change_role(wanted: &Wanted<'_>, found: &Found) -> Deed {
    changed(wanted.differences(found), |_| grant(wanted))
}
