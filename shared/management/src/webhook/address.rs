//! What administrators do with a mirror's webhook.

use moorage_domain::{ExposeSecret as _, RepositoryName, Timestamp, usage_log::LogKind, webhook::Webhook};
use moorage_state::{Race, StateError, new_address, now};
use serde_json::json;

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError, field::Fields},
    mirror::find::{find_mirror, refuse_if_discovered},
    usage_log::write::object,
};

/// `POST …/mirror/webhook`: makes one, or another address beside the present one. Both are shown only now.
pub(crate) async fn create(api: &Api, repository: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    let body = call.optional_object()?;
    let fields = Fields(&body);
    fields.refuse_others(&["require_signature"])?;
    let wanted = fields.boolean("require_signature")?;
    refuse_if_discovered(&find_mirror(api, repository).await?)?;
    let mut race = Race::begin();
    loop {
        let before = api.table.webhook(repository).await?;
        let require_signature = required(wanted, before.as_ref().filter(|before| !before.is_unaddressed));
        let (id, secret, address) = new_address(require_signature)?;
        let rotated = before.as_ref().is_some_and(|before| !before.is_unaddressed);
        let webhook = match before.clone() {
            Some(before) => before.rotated(address, now()),
            None => Webhook::new(address, now()),
        };
        match api.table.put_webhook(repository, before.as_ref(), &webhook).await {
            Ok(()) => {}
            Err(StateError::Conflict) => {
                race.lost().await?;
                continue;
            }
            Err(error) => return Err(error.into()),
        }
        let metadata = object([("rotated", rotated.into()), ("require_signature", require_signature.into())]);
        api.log(call, repository, vec![(LogKind::CreateRepoMirrorWebhook, metadata)]).await;
        let url = format!("{}/api/v1/webhooks/{}", call.host, id.text().expose_secret());
        return Ok(Answer::Json(
            201,
            json!({
                "url": url, "secret": secret.expose_secret(), "created": webhook.created.iso(),
                "require_signature": require_signature, "previous_is_valid": webhook.previous.is_some(),
            }),
        ));
    }
}

/// `GET …/mirror/webhook`: whether there is one, and whether it is called. Neither its address nor its secret is known.
pub(crate) async fn get(api: &Api, repository: &RepositoryName) -> Result<Answer, ApiError> {
    find_mirror(api, repository).await?;
    let webhook = addressed(api, repository).await?;
    let last = webhook.last_delivery.map(|last| json!({"at": last.at.iso(), "outcome": last.outcome}));
    Ok(Answer::ok(json!({
        "created": webhook.created.iso(), "require_signature": webhook.address.require_signature,
        "previous_is_valid": webhook.previous.is_some(), "last_delivery": last,
        "last_sync": webhook.taken_at.map(Timestamp::iso),
    })))
}

/// `DELETE …/mirror/webhook`: ends it; with `previous=true` only the address that it had before.
pub(crate) async fn delete(api: &Api, repository: &RepositoryName, call: &Call) -> Result<Answer, ApiError> {
    let of_previous = call.flag("previous", false);
    let mut race = Race::begin();
    loop {
        let webhook = addressed(api, repository).await?;
        let deleted = if of_previous {
            if webhook.previous.is_none() {
                return Err(ApiError::NotFound);
            }
            api.table.change_webhook(repository, &webhook, &webhook.clone().without_previous()).await
        } else {
            api.table.delete_webhook(repository, &webhook).await
        };
        match deleted {
            Ok(()) => {}
            Err(StateError::Conflict) => {
                race.lost().await?;
                continue;
            }
            Err(error) => return Err(error.into()),
        }
        let metadata = object([("previous", of_previous.into())]);
        api.log(call, repository, vec![(LogKind::DeleteRepoMirrorWebhook, metadata)]).await;
        return Ok(Answer::NoContent);
    }
}

/// The webhook of a mirror, if somebody was given its address.
async fn addressed(api: &Api, repository: &RepositoryName) -> Result<Webhook, ApiError> {
    let found = api.table.webhook(repository).await?;
    found.filter(|webhook| !webhook.is_unaddressed).ok_or(ApiError::NotFound)
}

/// Whether deliveries to a new address have to be signed: as is `wanted`, and if nothing is said, as before.
fn required(wanted: Option<bool>, before: Option<&Webhook>) -> bool {
    wanted.unwrap_or_else(|| before.is_some_and(|before| before.address.require_signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_address_is_as_strict_as_the_one_before() {
        for strict in [false, true] {
            let before = Webhook::new(new_address(strict).unwrap().2, now());
            assert_eq!(required(None, Some(&before)), strict);
            assert_eq!([true, false].map(|wanted| required(Some(wanted), Some(&before))), [true, false]);
        }
        assert!(!required(None, None));
    }
}
