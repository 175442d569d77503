//! What a sync would do. The sync function finds out, which speaks to registries.

use moorage_domain::{
    RepositoryName, RootRule,
    mirror::SyncPolicy,
    preview::{Preview, PreviewRequest, PreviewTag},
    task::{Task, TaskAnswer},
};
use serde_json::{Value, json};

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError},
    mirror::{
        body::{self as mirror_body, MirrorBody},
        candidate,
        holds::judgement,
        signed::signed,
        warning::warning,
    },
    organization::share,
};

/// `POST …/mirror/preview`. That the registry cannot be read is an answer: a sync would fail so.
pub(crate) async fn preview(api: &Api, repository: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    let body = call.optional_object()?;
    let unchecked = mirror_body::parse(&body)?;
    let (body, mut policy, source) = if let Some(mirror) = api.table.mirror(repository).await? {
        let body = unchecked.check_change(&api.guard)?;
        let source = candidate::of_change(api, call, &mirror, &body).await?;
        (body, mirror.config.policy, source)
    } else {
        let body = unchecked.check(&api.guard)?;
        let source = candidate::of_new(api, call, repository, &body).await?;
        let body = MirrorBody { root_rule: body.root_rule.or_else(|| Some(RootRule::all())), ..body };
        (body, SyncPolicy::default(), Some(source))
    };
    let dropped = source.as_ref().and_then(|source| source.secrets.credentials_dropped.warning());
    body.policy.apply(&mut policy);
    let request = PreviewRequest {
        repository: repository.clone(),
        root_rule: body.root_rule,
        architecture_filter: body.architecture_filter,
        deletion_limit: body.policy.deletion_limit.flatten(),
        gate: policy.gate,
        source: source.map(Box::new),
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
    let tags = preview.tags.iter().map(tag).collect::<Result<Vec<_>, _>>()?;
    let mut view = json!({
        "counts": preview.counts, "tags": tags, "truncated": preview.truncated, "cost": preview.cost,
        "failure": failure,
    });
    if let Some(dropped) = dropped {
        view["warning"] = warning(dropped);
    }
    Ok(Answer::ok(view))
}

/// One tag as it is shown.
fn tag(tag: &PreviewTag) -> Result<Value, ApiError> {
    let mut view = serde_json::to_value(tag).map_err(|error| ApiError::Unavailable(error.to_string()))?;
    if let Some(said) = &tag.gate {
        view["gate"] = judgement(said);
    }
    if !tag.signed.is_empty() {
        view["signed"] = signed(&tag.signed);
    }
    Ok(view)
}
