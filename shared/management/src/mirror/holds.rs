//! What waits at the gate of a mirror, and how it is let in.

use moorage_domain::{
    Digest, RepositoryName, Timestamp,
    gate::{Hold, Judgement, Question, Release},
};
use moorage_state::now;
use serde_json::{Value, json};

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError, field::Fields},
    mirror::{find::find_mirror, log::changed, sync},
};

/// Holds on a page, if the caller does not say.
const DEFAULT_LIMIT: i32 = 100;
/// The most holds on a page.
const MAX_LIMIT: i32 = 1_000;
/// The longest reason of a release, in characters: a sentence or a ticket's address.
const MAX_REASON: usize = 1_000;

/// `GET …/mirror/holds`. A mirror without a gate has none, whatever its last sync with one has left.
pub(crate) async fn list(api: &Api, repository: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    let limit = call.limit(DEFAULT_LIMIT, MAX_LIMIT)?;
    let after = call.query("next_page").map(str::parse).transpose();
    let after = after.map_err(|_| ApiError::InvalidRequest("next_page is not a page".into()))?;
    let mirror = find_mirror(api, repository).await?;
    if !mirror.config.policy.gate.asks() {
        return Ok(Answer::ok(json!({"holds": []})));
    }
    let page = api.table.holds(repository, limit, after.as_ref()).await?;
    let mut body = json!({"holds": page.holds.iter().map(view).collect::<Vec<_>>()});
    if let Some(next) = page.next {
        body["next_page"] = next.as_str().into();
    }
    Ok(Answer::ok(body))
}

/// `POST …/mirror/holds/{digest}/release`: the image is let in, whichever tags wait for it, by a sync that begins now; where
/// one runs, by the next one.
pub(crate) async fn release(
    api: &Api,
    repository: &RepositoryName,
    digest: &str,
    call: &Call,
) -> Result<Answer, ApiError> {
    let body = call.object()?;
    let fields = Fields(&body);
    fields.require(&["reason"])?;
    let reason = fields.string("reason")?.unwrap_or_default().trim().to_owned();
    if reason.is_empty() || reason.chars().count() > MAX_REASON {
        return Err(ApiError::InvalidRequest(format!("reason has to have 1 to {MAX_REASON} characters")));
    }
    let digest: Digest = digest.parse().map_err(|_| ApiError::NotFound)?;
    find_mirror(api, repository).await?;
    let records = api.table.gate_records(repository, now()).await?;
    let waiting: Vec<_> = records.holds.values().filter(|hold| hold.digest == digest).collect();
    if waiting.is_empty() {
        return Err(ApiError::Missing(
            "Nothing waits for this image. What signature_policy refuses cannot be released.",
        ));
    }
    if !waiting.iter().any(|hold| hold.can_be_released()) {
        return Err(ApiError::Refused("Only what waits for its age or for its move can be released.".into()));
    }
    let release = Release {
        at: now(),
        by: call.caller.name(),
        reason: reason.clone(),
        age: waiting.iter().any(|hold| hold.judgement.question == Question::MinAge),
        tags: waiting.iter().map(|hold| hold.tag.clone()).collect(),
    };
    api.table.release_image(repository, &digest, &release).await?;
    let tags: Vec<_> = waiting.iter().map(|hold| hold.tag.as_str()).collect();
    let what = json!({"digest": digest, "tags": tags, "reason": reason});
    api.log(call, repository, vec![changed("hold_released", what)]).await;
    sync::begin_if_idle(api, repository, call).await?;
    Ok(Answer::NoContent)
}

/// A hold as it is shown.
fn view(hold: &Hold) -> Value {
    let mut view = judgement(&hold.judgement);
    view["tag"] = hold.tag.as_str().into();
    view["digest"] = json!(hold.digest);
    view["served_digest"] = json!(hold.served);
    view["since"] = hold.since.iso().into();
    view["can_be_released"] = hold.can_be_released().into();
    view
}

/// What the gate says of a tag, in words, too.
pub(crate) fn judgement(judgement: &Judgement) -> Value {
    let mut view = json!({
        "question": judgement.question, "mode": judgement.mode, "reason": judgement.reason,
        "message": judgement.message(),
    });
    if let Some(step) = judgement.step {
        view["step"] = json!(step);
    }
    if let Some(until) = judgement.until.map(Timestamp::iso) {
        view["until"] = until.into();
    }
    view
}

#[cfg(test)]
mod tests {
    use moorage_domain::gate::{Mode, Reason};

    use super::*;

    #[test]
    fn a_hold_says_for_what_and_until_when() {
        let at = Timestamp::from_unix(0);
        let digest = Digest::sha256(b"new");
        let mut hold = Hold {
            tag: "v1".parse().unwrap(),
            digest: digest.clone(),
            served: None,
            since: at,
            judgement: Judgement::too_young(Mode::Enforce, at),
        };
        let shown = view(&hold);
        assert_eq!(
            (&shown["until"], &shown["since"]),
            (&json!("1970-01-01T00:00:00Z"), &json!("1970-01-01T00:00:00Z"))
        );
        assert_eq!((&shown["question"], &shown["can_be_released"]), (&json!("min_age"), &json!(true)));
        assert_eq!((&shown["digest"], &shown["served_digest"]), (&json!(digest), &Value::Null));
        hold.judgement = Judgement::new(Question::Selection, Mode::Enforce, Reason::EvidenceUnavailable);
        assert_eq!(view(&hold)["can_be_released"], false);
    }
}
