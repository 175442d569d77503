//! With whom people sign in.

use moorage_identity::Endpoints;
use moorage_state::now;
use serde_json::{Value, json};

use crate::{
    access::provider::Provider,
    api::Api,
    http::{answer::Answer, error::ApiError},
};

/// `GET signin`.
pub(crate) async fn get(api: &Api) -> Result<Answer, ApiError> {
    let Some(provider) = &api.provider else { return Ok(Answer::ok(json!({"oidc": null}))) };
    let oidc = if let Ok(endpoints) = provider.issuers.endpoints(provider.issuer.as_str(), now()).await {
        view(provider, &endpoints)
    } else {
        let mut view = common(provider);
        view["unreachable"] = true.into();
        view
    };
    Ok(Answer::ok(json!({ "oidc": oidc })))
}

fn common(provider: &Provider) -> Value {
    json!({"issuer": provider.issuer.as_str(), "client_id": provider.client_id, "scopes": provider.scopes})
}

fn view(provider: &Provider, endpoints: &Endpoints) -> Value {
    let mut view = common(provider);
    view["authorization_endpoint"] = json!(endpoints.authorization.as_ref().map(url::Url::as_str));
    view["token_endpoint"] = json!(endpoints.token.as_ref().map(url::Url::as_str));
    view["device_authorization_endpoint"] = json!(endpoints.device_authorization.as_ref().map(url::Url::as_str));
    view["device"] = endpoints.device_authorization.is_some().into();
    view
}
