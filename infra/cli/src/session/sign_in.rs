//! How people sign in to a deployment, as it says.

use moorage_client::{Client, ClientError, Endpoint, ProviderError};
use serde_json::Value;

use crate::error::CliError;

/// How people sign in.
#[derive(Debug, Clone)]
pub(crate) struct SignIn {
    /// Who signs their tokens.
    pub(crate) issuer: String,
    /// For which client they have to be.
    pub(crate) client_id: String,
    /// What is asked for.
    pub(crate) scopes: String,
    /// Where; nothing while the deployment cannot reach the provider.
    pub(crate) endpoints: Option<Endpoints>,
}

/// Where a provider is asked.
#[derive(Debug, Clone)]
pub(crate) struct Endpoints {
    pub(crate) token: Endpoint,
    /// For a code that is confirmed on another device; not each provider has that.
    pub(crate) device: Option<Endpoint>,
}

impl SignIn {
    /// What the deployment says; nothing if people do not sign in to it, or it is of a release that does not know of that.
    pub(crate) async fn read(client: &Client) -> Result<Option<Self>, CliError> {
        let Some(answer) = client.find("signin").await? else { return Ok(None) };
        match &answer.body["oidc"] {
            Value::Null => Ok(None),
            oidc => Self::of(oidc).map(Some).map_err(|error| ClientError::SignIn(error).into()),
        }
    }

    fn of(oidc: &Value) -> Result<Self, ProviderError> {
        let text = |name: &str| oidc[name].as_str().unwrap_or_default();
        let endpoint = |name: &str| oidc[name].as_str().map(Endpoint::parse).transpose();
        let device = if oidc["device"] == false { None } else { endpoint("device_authorization_endpoint")? };
        let endpoints = endpoint("token_endpoint")?.map(|token| Endpoints { token, device });
        let (issuer, client_id) = (text("issuer").to_owned(), text("client_id").to_owned());
        Ok(Self { issuer, client_id, scopes: text("scopes").to_owned(), endpoints })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_deployment_says_where_people_sign_in() {
        let whole = json!({
            "issuer": "https://login.example.com", "client_id": "moorage", "scopes": "openid", "device": true,
            "token_endpoint": "https://login.example.com/token",
            "device_authorization_endpoint": "https://login.example.com/device",
        });
        let sign_in = SignIn::of(&whole).unwrap();
        let device = |sign_in: &SignIn| sign_in.endpoints.as_ref().and_then(|it| it.device.clone());
        assert_eq!(sign_in.client_id, "moorage");
        assert_eq!(device(&sign_in).unwrap().as_str(), "https://login.example.com/device");
        for (name, value) in [("device", json!(false)), ("device_authorization_endpoint", json!(null))] {
            let mut without = whole.clone();
            without[name] = value;
            let sign_in = SignIn::of(&without).unwrap();
            assert!(sign_in.endpoints.is_some() && device(&sign_in).is_none());
        }
        let unreachable =
            json!({"issuer": "https://h", "client_id": "moorage", "scopes": "openid", "unreachable": true});
        assert!(SignIn::of(&unreachable).unwrap().endpoints.is_none());
        let mut plain = whole;
        plain["token_endpoint"] = "http://login.example.com/token".into();
        assert!(SignIn::of(&plain).is_err(), "a refresh token goes by TLS");
    }
}
