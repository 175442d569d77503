//! What an issuer says of itself.

use moorage_domain::Guard;
use serde::Deserialize;
use url::Url;

use crate::{
    fetch_error::FetchError,
    issuer::{self, Issuer},
};

/// The longest address of keys or of an endpoint, in bytes: it is parsed and asked, and no server takes much longer ones.
const MAX_ADDRESS: usize = 2_048;

/// What we read of a discovery document.
#[derive(Debug)]
pub(crate) struct Discovery {
    /// Where the issuer's keys are.
    pub(crate) keys: Url,
    /// Where people sign in.
    pub(crate) endpoints: Endpoints,
}

/// Where an issuer lets people sign in. What it does not name, or names in a form that nobody should follow, is not there:
/// workloads' issuers have none of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Endpoints {
    /// Where a browser goes (RFC 6749, 3.1).
    pub authorization: Option<Url>,
    /// Where a code becomes a token (RFC 6749, 3.2).
    pub token: Option<Url>,
    /// Where a device gets a code (RFC 8628, 3.1).
    pub device_authorization: Option<Url>,
    /// How a client's secret is sent.
    pub(crate) secret_in: SecretIn,
}

/// How a client's secret is sent (OpenID Connect Core 1.0, 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum SecretIn {
    /// `client_secret_basic`, which is meant where nothing is said.
    #[default]
    Header,
    /// `client_secret_post`.
    Body,
}

/// What an issuer's discovery document says. Another one's document is none: an issuer that names another could lend its
/// keys to that one's tokens.
pub(crate) fn read(issuer: &Issuer, guard: &Guard, document: &[u8]) -> Result<Discovery, FetchError> {
    #[derive(Deserialize)]
    struct Document {
        issuer: String,
        jwks_uri: String,
        authorization_endpoint: Option<serde_json::Value>,
        token_endpoint: Option<serde_json::Value>,
        device_authorization_endpoint: Option<serde_json::Value>,
        token_endpoint_auth_methods_supported: Option<serde_json::Value>,
    }
    let document: Document = serde_json::from_slice(document).map_err(|_| FetchError::Malformed)?;
    if document.issuer != issuer.as_str() {
        return Err(FetchError::OtherIssuer);
    }
    let endpoint = |value: Option<serde_json::Value>| {
        let url = address(value?.as_str()?).ok()?;
        issuer::check(&url, guard).is_ok().then_some(url)
    };
    Ok(Discovery {
        keys: address(&document.jwks_uri)?,
        endpoints: Endpoints {
            authorization: endpoint(document.authorization_endpoint),
            token: endpoint(document.token_endpoint),
            device_authorization: endpoint(document.device_authorization_endpoint),
            secret_in: secret_in(document.token_endpoint_auth_methods_supported.as_ref()),
        },
    })
}

fn address(text: &str) -> Result<Url, FetchError> {
    if text.len() > MAX_ADDRESS {
        return Err(FetchError::Malformed);
    }
    Url::parse(text).map_err(|_| FetchError::Malformed)
}

fn secret_in(methods: Option<&serde_json::Value>) -> SecretIn {
    let has = |name: &str| {
        methods.and_then(serde_json::Value::as_array).is_some_and(|all| all.iter().any(|method| method == name))
    };
    if has("client_secret_post") && !has("client_secret_basic") { SecretIn::Body } else { SecretIn::Header }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn issuer() -> Issuer {
        Issuer::parse("https://idp.example/a", &Guard::default()).unwrap()
    }

    fn keys(document: &str) -> Result<String, FetchError> {
        read(&issuer(), &Guard::default(), document.as_bytes()).map(|read| read.keys.into())
    }

    #[test]
    fn a_document_names_its_issuer_letter_by_letter() {
        let good = r#"{"issuer": "https://idp.example/a", "jwks_uri": "https://keys.example/jwks", "more": [1]}"#;
        assert_eq!(keys(good), Ok("https://keys.example/jwks".into()));
        for other in ["https://idp.example/a/", "https://idp.example", "https://IDP.example/a"] {
            assert_eq!(keys(&good.replace("https://idp.example/a", other)), Err(FetchError::OtherIssuer), "{other}");
        }
        for document in
            ["", "[]", "{}", r#"{"issuer": "https://idp.example/a"}"#, &good.replace("https://keys", "keys")]
        {
            assert_eq!(keys(document), Err(FetchError::Malformed), "{document}");
        }
        let long =
            |length: usize| good.replace("/jwks", &format!("/{}", "k".repeat(length - "https://keys.example/".len())));
        assert!(keys(&long(MAX_ADDRESS)).is_ok());
        assert_eq!(keys(&long(MAX_ADDRESS + 1)), Err(FetchError::Malformed));
    }

    #[test]
    fn endpoints_are_there_if_somebody_may_follow_them() {
        let read = |more: Value| {
            let mut document = json!({"issuer": "https://idp.example/a", "jwks_uri": "https://idp.example/jwks"});
            document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            read(&issuer(), &Guard::default(), document.to_string().as_bytes()).unwrap().endpoints
        };
        assert_eq!(read(json!({})), Endpoints::default(), "a workload's issuer");
        let all = read(json!({
            "authorization_endpoint": "https://idp.example/auth", "token_endpoint": "https://idp.example/token",
            "device_authorization_endpoint": "https://idp.example/device",
            "token_endpoint_auth_methods_supported": ["none", "client_secret_post"],
        }));
        let text = |url: &Option<Url>| url.as_ref().map(Url::to_string).unwrap_or_default();
        assert_eq!(
            (text(&all.authorization).as_str(), text(&all.token).as_str(), text(&all.device_authorization).as_str()),
            ("https://idp.example/auth", "https://idp.example/token", "https://idp.example/device")
        );
        assert_eq!(all.secret_in, SecretIn::Body);
        for wrong in [
            json!("javascript:alert(1)"),
            json!("http://idp.example/token"),
            json!("https://user:password@idp.example/token"),
            json!("https://169.254.169.254/token"),
            json!("/token"),
            json!(["https://idp.example/token"]),
            json!(null),
        ] {
            let read = read(json!({"token_endpoint": wrong, "authorization_endpoint": wrong}));
            assert_eq!((read.token, read.authorization), (None, None), "{wrong}");
        }
        let both = json!({"token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"]});
        assert_eq!(read(both).secret_in, SecretIn::Header);
    }
}
