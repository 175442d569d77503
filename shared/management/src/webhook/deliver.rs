//! Deliveries. Whoever knows a webhook's id may call it; what comes is a hint, and nothing in it is believed.

use moorage_domain::{
    Digest, RepositoryName,
    run::{SyncRequest, Trigger},
    webhook::{Address, DeliveryOutcome, Hint, HintedTags, Webhook, WebhookId, is_signed},
};
use moorage_state::{Race, StateError, now, secret_of};
use serde_json::json;

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError},
};

/// What is told to whoever calls too often.
const TOO_OFTEN: &str = "The webhook was called too often in this minute. Call it again in the next one.";

/// What a delivery comes to.
enum Said {
    Hint(Hint),
    Ignored(&'static str),
    Refused(DeliveryOutcome, ApiError),
}

/// `POST webhooks/{id}`. An id that cannot be one takes the same time as one that is not known, and has the same answer.
pub(crate) async fn deliver(api: &Api, id: &str, call: &Call) -> Result<Answer, ApiError> {
    let parsed = WebhookId::parse(id);
    let hash = Digest::sha256(id.as_bytes());
    let found = api.table.webhook_repository(&hash).await?;
    let (Ok(id), Some(repository)) = (parsed, found) else { return Err(ApiError::NotFound) };
    let (mut race, mut heard) = (Race::begin(), None);
    loop {
        let webhook = api.table.webhook(&repository).await?.ok_or(ApiError::NotFound)?;
        let address = webhook.address_of(&hash).ok_or(ApiError::NotFound)?;
        let at = now();
        if let Some(seconds) = webhook.rate.again(at).retry_after(at) {
            return Err(ApiError::TooMany(TOO_OFTEN.to_owned(), seconds));
        }
        let said = match heard.take() {
            Some(said) => said,
            None => hear(api, &repository, (&id, address), call).await?,
        };
        let (changed, asks) = changed(&webhook, &said);
        match api.table.change_webhook(&repository, &webhook, &changed).await {
            Ok(()) => {}
            Err(StateError::Conflict) => {
                race.lost().await?;
                heard = Some(said);
                continue;
            }
            Err(error) => return Err(error.into()),
        }
        if asks {
            // If this is lost, the watch sees to it, or the next delivery.
            let request = SyncRequest { repository, trigger: Trigger::Webhook };
            if let Err(error) = api.invoker.start(&request).await {
                tracing::warn!(repository = %request.repository, %error, "what a webhook has brought waits for the watch");
            }
        }
        return said.answer();
    }
}

/// The webhook after a delivery, and whether a sync has to be asked for.
fn changed(webhook: &Webhook, said: &Said) -> (Webhook, bool) {
    let called = |outcome| webhook.clone().called(outcome, now());
    match said {
        Said::Hint(hint) => called(DeliveryOutcome::Accepted).hinted(hint.clone(), now()),
        Said::Ignored(_) => (called(DeliveryOutcome::Ignored), false),
        Said::Refused(outcome, _) => (called(*outcome), false),
    }
}

/// Understands a delivery.
async fn hear(
    api: &Api,
    repository: &RepositoryName,
    (id, address): (&WebhookId, &Address),
    call: &Call,
) -> Result<Said, ApiError> {
    if !is_authentic(id, address, call) {
        return Ok(Said::Refused(DeliveryOutcome::Unsigned, ApiError::Unsigned));
    }
    let Some(mirror) = api.table.mirror(repository).await? else { return Err(ApiError::NotFound) };
    let hint = match Hint::read(call.content_type.as_deref(), &call.body, &mirror.config.external_reference) {
        Ok(Some(hint)) => hint,
        Ok(None) => return Ok(Said::Ignored("It is about another repository.")),
        Err(error) => {
            let error = ApiError::InvalidRequest(error.to_string());
            return Ok(Said::Refused(DeliveryOutcome::Invalid, error));
        }
    };
    let state = api.table.repository(repository).await?.map(|found| found.state);
    Ok(match hint.ignored(&mirror.config, &mirror.state, state, now()) {
        Some(why) => Said::Ignored(why),
        None => Said::Hint(hint),
    })
}

/// Whether a delivery is signed as it has to be: one with a signature with a right one, and one without if none is needed.
fn is_authentic(id: &WebhookId, address: &Address, call: &Call) -> bool {
    match &call.signature {
        Some(signature) => secret_of(id, address).is_some_and(|secret| is_signed(&secret, &call.body, signature)),
        None => !address.require_signature,
    }
}

impl Said {
    fn answer(self) -> Result<Answer, ApiError> {
        match self {
            Self::Hint(Hint { tags: HintedTags::Only(tags), .. }) => Ok(Answer::Json(202, json!({"tags": tags.len()}))),
            Self::Hint(Hint { tags: HintedTags::All, .. }) => Ok(Answer::Json(202, json!({"tags": "all"}))),
            Self::Ignored(why) => Ok(Answer::Json(202, json!({"ignored": why}))),
            Self::Refused(_, error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use moorage_domain::ExposeSecret as _;
    use moorage_state::new_address;

    use super::*;

    #[test]
    fn deliveries_are_signed_or_need_not_be() {
        let call = |signature: Option<&str>| Call {
            body: b"{}".to_vec(),
            signature: signature.map(str::to_owned),
            ..Call::default()
        };
        for required in [false, true] {
            let (id, secret, address) = new_address(required).unwrap();
            let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
            let right = format!("sha256={}", hex::encode(aws_lc_rs::hmac::sign(&key, b"{}")));
            for (signature, is_right) in
                [(Some(right.as_str()), true), (Some("sha256=00"), false), (Some(""), false), (None, !required)]
            {
                assert_eq!(is_authentic(&id, &address, &call(signature)), is_right, "{signature:?} {required}");
            }
        }
    }
}
