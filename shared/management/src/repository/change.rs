//! Changes of repositories.

use moorage_domain::{RepositoryName, mirror::RepositoryState, usage_log::LogKind};
use serde_json::json;

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError, field::Fields},
    lock_wait::LockWait,
    organization_mirror::find::refuse_if_mirrored,
    repository::{create::check_description, find::find_repository},
    usage_log::write::object,
};

/// `PUT /repository/{repository}`.
pub(crate) async fn change(api: &Api, name: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    // Before the body is looked at: it may be meant for something that there is not, below a repository.
    find_repository(api, name).await?;
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
    refuse_if_mirrored(api, &name.namespace(), "Repository state cannot be changed").await?;
    let wait = LockWait::begin();
    let changed = loop {
        let changed = api.table.set_repository_state(name, state).await;
        if !wait.again(&changed).await {
            break changed;
        }
    };
    changed?;
    if !state.is_mirror() {
        api.table.withdraw_sync(name).await?;
    }
    if let Some(mirror) = api.table.mirror(name).await? {
        api.table.list_mirror(&mirror, state.is_mirror()).await?;
    }
    let metadata = object([("state_changed", state.as_str().into())]);
    api.log(call, name, vec![(LogKind::ChangeRepoState, metadata)]).await;
    Ok(Answer::ok(json!({"success": true})))
}
