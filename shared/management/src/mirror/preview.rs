//! What a sync would do. The sync function finds out, which speaks to registries.

use moorage_domain::{
    RepositoryName,
    preview::{Preview, PreviewRequest},
    task::{Task, TaskAnswer},
};
use serde_json::json;

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError},
    mirror::{body as mirror_body, find::find_mirror},
    organization::share,
};

/// `POST …/mirror/preview`. That the registry cannot be read is an answer: a sync would fail so.
pub(crate) async fn preview(api: &Api, repository: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    let body = call.optional_object()?;
    let body = mirror_body::parse(&body)?.check_selection()?;
    find_mirror(api, repository).await?;
    let request = PreviewRequest {
        repository: repository.clone(),
        root_rule: body.root_rule,
        architecture_filter: body.architecture_filter,
        deletion_limit: body.policy.deletion_limit.flatten(),
    };
    let (preview, failure) = match share::ask_registry(api, &repository.namespace(), &Task::Preview(request)).await? {
        TaskAnswer::Preview(preview) => (preview, None),
        TaskAnswer::Failed(failure) => (Preview::default(), Some(failure)),
        TaskAnswer::NotFound => return Err(ApiError::NotFound),
        other => return Err(ApiError::Unavailable(format!("the sync function answered {other:?}"))),
    };
    let failure = failure.map(
        |failure| json!({"reason": failure.reason, "message": failure.message, "advice": failure.reason.advice()}),
    );
    Ok(Answer::ok(json!({
        "counts": preview.counts, "tags": preview.tags, "truncated": preview.truncated, "failure": failure,
    })))
}
