//! Repositories.

use moorage_domain::{RepositoryName, mirror::RepositoryState, usage_log::LogKind};
use moorage_state::{ADMIN, NewRepository, Repository, Role, StateError};
use serde_json::{Map, Value, json};

use crate::{
    api::{Api, Call, Patience, now, object},
    http::{answer::Answer, error::ApiError, field::Fields},
    organization::{change as organization, share},
    organization_mirror::change as organization_mirror,
    repository::end as repository_end,
};

/// The longest description: it is markdown, and must fit the table's item.
const DESCRIPTION_LENGTH: usize = 64 * 1024;
/// The most tags in the view of a repository, as in Quay. The list of tags has all.
const MOST_TAGS: i32 = 500;

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
            crate::http::field::repr(&kind.into())
        )));
    }
    check_description(description)?;
    let namespace = namespace.unwrap_or(ADMIN);
    call.caller.require(&namespace.parse().map_err(|_| ApiError::NotFound)?, Role::Admin)?;
    let (namespace, organization_id) = organization::find_place(api, namespace).await?;
    let repository = RepositoryName::new(namespace.as_str(), name);
    let repository = repository.map_err(|_| ApiError::InvalidRequest("Invalid repository name".into()))?;
    organization_mirror::refuse(api, &namespace, "Repositories cannot be created").await?;
    let created = Repository::from(NewRepository {
        repository: repository.clone(),
        organization_id,
        state: RepositoryState::Normal,
        is_public: visibility == Some("public"),
        description: description.to_owned(),
        created: now(),
    });
    share::check_repositories(api, &namespace).await?;
    let patience = Patience::begin();
    let inserted = loop {
        let inserted = insert(api, &created).await;
        if !patience.again(&inserted).await {
            break inserted;
        }
    };
    match inserted {
        Ok(()) => share::check_created(api, &created).await?,
        Err(StateError::Conflict) => return Err(ApiError::InvalidRequest("Repository already exists".into())),
        Err(error) => return Err(error.into()),
    }
    api.log(call, &repository, vec![(LogKind::CreateRepo, Map::new())]).await;
    let (namespace, name) = (repository.namespace(), repository.name());
    Ok(Answer::Json(201, json!({"namespace": namespace, "name": name, "kind": "image"})))
}

/// Creates a repository. If there was one of its name, what is left of that goes first.
async fn insert(api: &Api, created: &Repository) -> Result<(), StateError> {
    let first = api.table.create_repository(created).await;
    let is_taken = matches!(first, Err(StateError::Conflict));
    if is_taken && api.table.is_repository_deleted(&created.repository).await? {
        repository_end::finish(api, &created.repository).await;
        return api.table.create_repository(created).await;
    }
    first
}

/// `GET /repository/{repository}`.
pub(crate) async fn get(api: &Api, name: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    let repository = find(api, name).await?;
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

/// `PUT /repository/{repository}`.
pub(crate) async fn change(api: &Api, name: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    // Before the body is looked at: it may be meant for something that there is not, below a repository.
    find(api, name).await?;
    let body = call.object()?;
    let fields = Fields(&body);
    fields.require(&["description"])?;
    let description = fields.string("description")?.unwrap_or_default();
    check_description(description)?;
    api.table.set_repository_description(name, description).await?;
    api.log(call, name, vec![(LogKind::SetRepoDescription, object([("description", description.into())]))]).await;
    Ok(Answer::ok(json!({"success": true})))
}

/// `POST /repository/{repository}/changevisibility`.
pub(crate) async fn change_visibility(api: &Api, name: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    let body = call.object()?;
    let fields = Fields(&body);
    fields.require(&["visibility"])?;
    let visibility = fields.one_of("visibility", &["public", "private"])?.unwrap_or_default();
    api.table.set_repository_public(name, visibility == "public").await?;
    api.log(call, name, vec![(LogKind::ChangeRepoVisibility, object([("visibility", visibility.into())]))]).await;
    Ok(Answer::ok(json!({"success": true})))
}

/// `PUT /repository/{repository}/changestate`.
pub(crate) async fn change_state(api: &Api, name: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    let body = call.object()?;
    let fields = Fields(&body);
    fields.require(&["state"])?;
    let states = [RepositoryState::Normal, RepositoryState::ReadOnly, RepositoryState::Mirror];
    let text = fields.one_of("state", &states.map(RepositoryState::as_str))?;
    let state = states.into_iter().find(|state| Some(state.as_str()) == text).ok_or(ApiError::NotFound)?;
    organization_mirror::refuse(api, &name.namespace(), "Repository state cannot be changed").await?;
    let patience = Patience::begin();
    let changed = loop {
        let changed = api.table.set_repository_state(name, state).await;
        if !patience.again(&changed).await {
            break changed;
        }
    };
    changed?;
    let metadata = object([("state_changed", state.as_str().into())]);
    api.log(call, name, vec![(LogKind::ChangeRepoState, metadata)]).await;
    Ok(Answer::ok(json!({"success": true})))
}

/// The repository `name`, or 404.
pub(crate) async fn find(api: &Api, name: &RepositoryName) -> Result<Repository, ApiError> {
    api.table.repository(name).await?.ok_or(ApiError::NotFound)
}

fn check_description(text: &str) -> Result<(), ApiError> {
    if text.len() > DESCRIPTION_LENGTH {
        return Err(ApiError::InvalidRequest(format!("description is longer than {DESCRIPTION_LENGTH} bytes")));
    }
    Ok(())
}

fn view(api: &Api, call: &Call, repository: &Repository) -> Value {
    let namespace = repository.repository.namespace();
    let role = call.caller.role_in(&namespace);
    json!({
        "namespace": namespace, "name": repository.repository.name(), "kind": "image",
        "description": repository.description, "is_public": repository.is_public,
        "is_organization": namespace.as_str() != ADMIN, "is_starred": false, "status_token": "", "trust_enabled": false,
        "tag_expiration_s": api.tag_retention.as_secs(), "is_free_account": false, "state": repository.state,
        "can_admin": role == Some(Role::Admin),
        "can_write": role >= Some(Role::Write) && repository.state == RepositoryState::Normal,
    })
}
