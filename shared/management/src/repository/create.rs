//! New repositories.

use moorage_domain::{RepositoryName, mirror::RepositoryState, usage_log::LogKind};
use moorage_state::{ADMIN, GrantUserError, NewRepository, Repository, Role, StateError, now};
use serde_json::{Map, json};

use crate::{
    api::Api,
    http::{
        answer::Answer,
        call::Call,
        error::ApiError,
        field::{Fields, repr},
    },
    lock_wait::LockWait,
    organization::find::find_generation,
    organization_mirror::find::refuse_if_mirrored,
    repository::{end, quota},
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
        return Err(ApiError::InvalidRequest(format!("{} is not one of ['image', None]", repr(&kind.into()))));
    }
    check_description(description)?;
    let namespace = namespace.unwrap_or(ADMIN);
    if !call.caller.may_create_in(&namespace.parse().map_err(|_| ApiError::NotFound)?) {
        return Err(call.caller.refused());
    }
    let (namespace, organization_id) = find_generation(api, namespace).await?;
    let repository = RepositoryName::new(namespace.as_str(), name);
    let repository = repository.map_err(|_| ApiError::InvalidRequest("Invalid repository name".into()))?;
    refuse_if_mirrored(api, &namespace, "Repositories cannot be created").await?;
    let created = Repository::from(NewRepository {
        repository: repository.clone(),
        organization_id,
        state: RepositoryState::Normal,
        is_public: visibility == Some("public"),
        description: description.to_owned(),
        created: now(),
    });
    let creator = call.caller.person().filter(|_| call.caller.role_in(&namespace).is_none());
    if let Some(person) = creator
        && !api.table.has_room_for_role(&repository, &person.user.name).await?
    {
        return Err(GrantUserError::TooMany.into());
    }
    quota::check_repositories(api, &namespace).await?;
    let wait = LockWait::begin();
    let inserted = loop {
        let inserted = insert(api, &created).await;
        if !wait.again(&inserted).await {
            break inserted;
        }
    };
    match inserted {
        Ok(()) => quota::check_created(api, &created).await?,
        Err(StateError::Conflict) => return Err(ApiError::InvalidRequest("Repository already exists".into())),
        Err(error) => return Err(error.into()),
    }
    // As in Quay, whoever creates it is its admin, if they are not one of the whole namespace.
    if let Some(person) = creator {
        api.table.grant_user(&created, &person.user, Role::Admin).await?;
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
        end::finish(api, &created.repository).await;
        return api.table.create_repository(created).await;
    }
    first
}

pub(crate) fn check_description(text: &str) -> Result<(), ApiError> {
    if text.len() > DESCRIPTION_LENGTH {
        return Err(ApiError::InvalidRequest(format!("description is longer than {DESCRIPTION_LENGTH} bytes")));
    }
    Ok(())
}
