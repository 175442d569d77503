//! What is shown of a repository.

use moorage_domain::{RepositoryName, mirror::RepositoryState};
use moorage_state::{ADMIN, Repository, Role};
use serde_json::{Value, json};

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError},
    repository::find::find_repository,
};

/// The most tags in the view of a repository, as in Quay. The list of tags has all.
const MOST_TAGS: i32 = 500;

/// `GET /repository/{repository}`.
pub(crate) async fn get(api: &Api, name: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    let repository = find_repository(api, name).await?;
    let mut view = view(api, call, &repository);
    // Quay sends the tags unless they are not asked for.
    if call.flag("includeTags", true) {
        let mirror = api.table.mirror(name).await?;
        let last_complete = mirror.and_then(|mirror| mirror.state.last_complete);
        let tags = api.table.first_tags(name, MOST_TAGS).await?.into_iter().map(|(tag, held)| {
            let entry = json!({
                "name": tag, "size": held.size, "last_modified": held.first_seen.rfc2822(), "manifest_digest": held.digest,
                "first_seen": held.first_seen.iso(), "last_seen": held.seen(last_complete).iso(),
            });
            (tag.to_string(), entry)
        });
        view["tags"] = Value::Object(tags.collect());
    }
    if call.flag("includeStats", false) {
        // Pulls are not counted.
        view["stats"] = json!([]);
    }
    Ok(Answer::ok(view))
}

fn view(api: &Api, call: &Call, repository: &Repository) -> Value {
    let namespace = repository.repository.namespace();
    let role = call.role;
    json!({
        "namespace": namespace, "name": repository.repository.name(), "kind": "image",
        "description": repository.description, "is_public": repository.is_public,
        "is_organization": namespace.as_str() != ADMIN, "is_starred": false, "status_token": "", "trust_enabled": false,
        "tag_expiration_s": api.tag_retention.as_secs(), "is_free_account": false, "state": repository.state,
        "can_admin": role == Some(Role::Admin),
        "can_write": role >= Some(Role::Write) && repository.state == RepositoryState::Normal,
    })
}
