//! What people of a namespace were told: what Quay's bell shows.

use moorage_domain::Namespace;
use moorage_state::{Note, now};
use serde_json::{Value, json};

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError},
};

/// Notes, if the caller does not say how many.
const DEFAULT_LIMIT: i32 = 50;
/// The most notes.
const MAX_LIMIT: i32 = 200;

/// `GET organization/{orgname}/notes`, the newest first.
pub(crate) async fn list(api: &Api, namespace: &Namespace, call: &Call) -> Result<Answer, ApiError> {
    let limit = call.limit(DEFAULT_LIMIT, MAX_LIMIT)?;
    let notes = api.table.notes(namespace, limit, now()).await?;
    Ok(Answer::ok(json!({"notes": notes.iter().map(view).collect::<Vec<_>>()})))
}

fn view(note: &Note) -> Value {
    json!({
        "id": note.id, "kind": note.kind, "target": note.target, "metadata": note.metadata,
        "created": note.created.iso(),
    })
}
