//! Changes of tags by hand: only of ordinary repositories. The sync function makes them, which has access to the bucket.

use moorage_domain::{
    Digest, RepositoryName, TagName,
    mirror::RepositoryState,
    task::{Task, TaskAnswer},
    usage_log::LogKind,
};
use serde_json::{Value, json};

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError, field::Fields},
    repository::find::find_repository,
    usage_log::write::object,
};

/// `PUT …/tag/{tag}`.
pub(crate) async fn change(api: &Api, name: &RepositoryName, tag: &str, call: &Call) -> Result<Answer, ApiError> {
    require_normal(api, name).await?;
    let body = call.object()?;
    let fields = Fields(&body);
    let digest = fields.nullable_string("manifest_digest")?;
    if fields.boolean("immutable")? == Some(true) {
        return Err(ApiError::InvalidRequest("Tags that nobody can change are not supported: immutable".into()));
    }
    if body.get("expiration").is_some_and(|expiration| !expiration.is_null()) {
        return Err(ApiError::InvalidRequest("Tags without end only: expiration is not supported".into()));
    }
    let tag: TagName = tag.parse().map_err(|_| ApiError::BrokenRule("Invalid tag name".into()))?;
    let Some(digest) = digest else { return Ok(updated()) };
    let digest = parse_digest(digest.unwrap_or_default())?;
    let before = api.table.tag(name, &tag).await?;
    apply(api, name, &tag, Some(&digest), false).await?;
    let kind = if before.is_some() { LogKind::MoveTag } else { LogKind::CreateTag };
    let metadata = object([
        ("username", call.caller.user().into()),
        ("tag", tag.as_str().into()),
        ("manifest_digest", digest.to_string().into()),
        ("original_manifest_digest", before.map(|held| held.digest.to_string()).into()),
    ]);
    api.log(call, name, vec![(kind, metadata)]).await;
    Ok(updated())
}

/// `DELETE …/tag/{tag}`.
pub(crate) async fn delete(api: &Api, name: &RepositoryName, tag: &str, call: &Call) -> Result<Answer, ApiError> {
    require_normal(api, name).await?;
    let tag: TagName = tag.parse().map_err(|_| ApiError::NotFound)?;
    api.table.tag(name, &tag).await?.ok_or(ApiError::NotFound)?;
    apply(api, name, &tag, None, false).await?;
    let metadata = object([("username", call.caller.user().into()), ("tag", tag.as_str().into())]);
    api.log(call, name, vec![(LogKind::DeleteTag, metadata)]).await;
    Ok(Answer::NoContent)
}

/// `POST …/tag/{tag}/restore`.
pub(crate) async fn restore(api: &Api, name: &RepositoryName, tag: &str, call: &Call) -> Result<Answer, ApiError> {
    require_normal(api, name).await?;
    let body = call.object()?;
    let digest = Fields(&body).string("manifest_digest")?;
    let digest = digest.ok_or_else(|| ApiError::InvalidRequest("Missing manifest_digest".into()))?;
    let tag: TagName = tag.parse().map_err(|_| ApiError::NotFound)?;
    let digest = parse_digest(digest)?;
    apply(api, name, &tag, Some(&digest), true).await?;
    let metadata = object([
        ("username", call.caller.user().into()),
        ("tag", tag.as_str().into()),
        ("manifest_digest", digest.to_string().into()),
    ]);
    api.log(call, name, vec![(LogKind::RevertTag, metadata)]).await;
    Ok(Answer::ok(json!({})))
}

/// What others than the mirror may not change. It comes before the body is looked at, as in Quay.
async fn require_normal(api: &Api, name: &RepositoryName) -> Result<(), ApiError> {
    let state = find_repository(api, name).await?.state;
    if state == RepositoryState::Normal { Ok(()) } else { Err(ApiError::NotNormal(name.clone())) }
}

async fn apply(
    api: &Api,
    name: &RepositoryName,
    tag: &TagName,
    digest: Option<&Digest>,
    reversion: bool,
) -> Result<(), ApiError> {
    let task = Task::ChangeTag { repository: name.clone(), tag: tag.clone(), digest: digest.cloned(), reversion };
    match api.invoker.ask(&task).await? {
        TaskAnswer::Done => Ok(()),
        TaskAnswer::NotFound => Err(ApiError::NotFound),
        TaskAnswer::Busy => Err(ApiError::Busy),
        TaskAnswer::Failed(failure) => Err(failure.into()),
        other => Err(ApiError::Unavailable(format!("the sync function answered {other:?}"))),
    }
}

fn parse_digest(text: &str) -> Result<Digest, ApiError> {
    text.parse().map_err(|_| ApiError::NotFound)
}

fn updated() -> Answer {
    Answer::Json(201, Value::from("Updated"))
}
