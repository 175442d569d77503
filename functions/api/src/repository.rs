//! Repositories.

use moorage_domain::{RepositoryName, mirror::RepositoryState, usage_log::LogKind};
use moorage_state::{Repository, StateError};
use serde_json::{Map, Value, json};

use crate::{
    answer::Answer,
    api::{Api, Call, now},
    error::ApiError,
    field::Fields,
    organization,
};

/// The longest description: it is markdown, and must fit the table's item.
const DESCRIPTION_LENGTH: usize = 64 * 1024;

/// `POST /repository`.
pub(crate) async fn create(api: &Api, call: &Call) -> Result<Answer, ApiError> {
    let body = call.object()?;
    let fields = Fields(&body);
    fields.require(&["repository", "visibility", "description"])?;
    let name = fields.string("repository")?.unwrap_or_default();
    let visibility = fields.one_of("visibility", &["public", "private"])?;
    let description = fields.string("description")?.unwrap_or_default();
    let namespace = fields.string("namespace")?;
    if let Some(Some(kind)) = fields.nullable_string("repo_kind")?
        && kind != "image"
    {
        return Err(ApiError::InvalidRequest(format!(
            "{} is not one of ['image', None]",
            crate::field::repr(&kind.into())
        )));
    }
    if description.len() > DESCRIPTION_LENGTH {
        return Err(ApiError::InvalidRequest(format!("description is longer than {DESCRIPTION_LENGTH} bytes")));
    }
    let namespace = namespace.ok_or_else(|| ApiError::InvalidRequest("'namespace' is a required property".into()))?;
    let organization = organization::find(api, namespace).await?;
    let repository = RepositoryName::new(organization.name.as_str(), name);
    let repository = repository.map_err(|_| ApiError::InvalidRequest("Invalid repository name".into()))?;
    let created = Repository {
        repository: repository.clone(),
        state: RepositoryState::Normal,
        is_public: visibility == Some("public"),
        description: description.to_owned(),
        created: now(),
    };
    match api.table.create_repository(&created).await {
        Ok(()) => {}
        Err(StateError::Conflict) => return Err(ApiError::InvalidRequest("Repository already exists".into())),
        Err(error) => return Err(error.into()),
    }
    api.log(call, &repository, vec![(LogKind::CreateRepo, Map::new())]).await;
    let (namespace, name) = (repository.namespace(), repository.name());
    Ok(Answer::Json(201, json!({"namespace": namespace, "name": name, "kind": "image"})))
}

/// `GET /repository/{repository}`.
pub(crate) async fn get(api: &Api, name: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    let repository = find(api, name).await?;
    let mut view = view(&repository);
    // Quay sends the tags unless they are not asked for.
    if call.flag("includeTags", true) {
        let mirror = api.table.mirror(name).await?;
        let last_complete = mirror.and_then(|mirror| mirror.state.last_complete);
        let tags = api.table.tags(name).await?.into_iter().map(|(tag, held)| {
            let entry = json!({
                "name": tag, "size": held.size, "last_modified": held.first_seen.rfc2822(), "manifest_digest": held.digest,
                "first_seen": held.first_seen.iso(), "last_seen": held.seen(last_complete).iso(),
            });
            (tag.to_string(), entry)
        });
        view["tags"] = Value::Object(tags.collect());
    }
    Ok(Answer::ok(view))
}

/// `PUT /repository/{repository}/changestate`.
pub(crate) async fn change_state(api: &Api, name: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    let body = call.object()?;
    let fields = Fields(&body);
    fields.require(&["state"])?;
    let states = [RepositoryState::Normal, RepositoryState::ReadOnly, RepositoryState::Mirror];
    let text = fields.one_of("state", &states.map(RepositoryState::as_str))?;
    let state = states.into_iter().find(|state| Some(state.as_str()) == text).ok_or(ApiError::NotFound)?;
    api.table.set_repository_state(name, state).await?;
    let metadata = Map::from_iter([("state_changed".to_owned(), state.as_str().into())]);
    api.log(call, name, vec![(LogKind::ChangeRepoState, metadata)]).await;
    Ok(Answer::ok(json!({"success": true})))
}

/// The repository `name`, or 404.
pub(crate) async fn find(api: &Api, name: &RepositoryName) -> Result<Repository, ApiError> {
    api.table.repository(name).await?.ok_or(ApiError::NotFound)
}

fn view(repository: &Repository) -> Value {
    json!({
        "namespace": repository.repository.namespace(), "name": repository.repository.name(), "kind": "image",
        "description": repository.description, "is_public": repository.is_public, "is_organization": true,
        "is_starred": false, "status_token": "", "trust_enabled": false, "tag_expiration_s": 1_209_600,
        "is_free_account": false, "state": repository.state, "can_admin": true,
        "can_write": repository.state == RepositoryState::Normal,
    })
}
