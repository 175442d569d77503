//! What the provider has given a browser becomes a token. The API asks the provider, so that the console's pages speak to
//! nobody but the API, and a client's secret stays here.

use moorage_domain::{ExposeSecret as _, SecretString, Timestamp};
use moorage_identity::{Client, ExchangeError, Exchanged, Grant, IdentityError};
use moorage_state::now;
use serde_json::json;
use url::Url;

use crate::{
    access::{identify::verified, provider::Provider, told::Told},
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError, field::Fields, service::ServiceFailure},
};

/// The longest code, in bytes: providers' are far below it.
const CODE_LENGTH: usize = 4_096;
/// The lengths of a verifier (RFC 7636, 4.1).
const VERIFIER_LENGTH: std::ops::RangeInclusive<usize> = 43..=128;
/// The longest address of a page, in bytes.
const REDIRECT_LENGTH: usize = 2_048;
/// The longest refresh token, in bytes: no longer ones are given.
const REFRESH_LENGTH: usize = 16 * 1024;

/// What is shown.
enum Shown {
    Code { code: SecretString, verifier: SecretString, redirect_uri: String },
    RefreshToken(SecretString),
}

/// `POST signin/oidc`.
pub(crate) async fn exchange(api: &Api, call: &Call) -> Result<Answer, ApiError> {
    let Some(provider) = &api.provider else { return Err(ApiError::Missing("No identity provider is set")) };
    let (shown, now) = (shown(call)?, now());
    if !provider.sources.take(call.ip.as_deref(), now) {
        return Err(ApiError::TooManySignIns);
    }
    let exchanged = Box::pin(ask(provider, &shown, now)).await?;
    let token = exchanged.id_token.expose_secret();
    let claims = match verified(provider, token, now).await? {
        Ok(claims) => claims,
        Err(refusal) => return Err(ApiError::NotTaken(refusal)),
    };
    // Whom no call would know is told now.
    Told::of(&claims, provider).map_err(ApiError::NotTaken)?;
    let mut body = json!({"id_token": token, "expires_in": claims.expires.unix().saturating_sub(now.unix()).max(0)});
    if let Some(refresh) = &exchanged.refresh_token {
        body["refresh_token"] = refresh.expose_secret().into();
    }
    Ok(Answer::ok(body))
}

fn shown(call: &Call) -> Result<Shown, ApiError> {
    let body = call.object()?;
    let fields = Fields(&body);
    if let Some(token) = fields.string("refresh_token")? {
        return if (1..=REFRESH_LENGTH).contains(&token.len()) {
            Ok(Shown::RefreshToken(token.into()))
        } else {
            Err(wrong("refresh_token"))
        };
    }
    fields.require(&["code", "code_verifier", "redirect_uri"])?;
    let text = |name| Ok::<_, ApiError>(fields.string(name)?.unwrap_or_default());
    let (code, verifier, redirect_uri) = (text("code")?, text("code_verifier")?, text("redirect_uri")?);
    if !(1..=CODE_LENGTH).contains(&code.len()) {
        return Err(wrong("code"));
    }
    let is_unreserved = |it: u8| it.is_ascii_alphanumeric() || b"-._~".contains(&it);
    if !VERIFIER_LENGTH.contains(&verifier.len()) || !verifier.bytes().all(is_unreserved) {
        return Err(wrong("code_verifier"));
    }
    if !(1..=REDIRECT_LENGTH).contains(&redirect_uri.len()) {
        return Err(wrong("redirect_uri"));
    }
    if console(&call.host).as_deref() != Some(redirect_uri) {
        return Err(ApiError::InvalidRequest("redirect_uri is not the address of this deployment's console".into()));
    }
    Ok(Shown::Code { code: code.into(), verifier: verifier.into(), redirect_uri: redirect_uri.to_owned() })
}

/// The console's address, as browsers write it, by the API's. A code that came back to anywhere else is not exchanged: the API may
/// lend a client's secret, which is for its own pages.
fn console(host: &str) -> Option<String> {
    Url::parse(&format!("{host}/console")).ok().map(String::from)
}

fn wrong(name: &str) -> ApiError {
    ApiError::InvalidRequest(format!("{name} is malformed, or too long"))
}

async fn ask(provider: &Provider, shown: &Shown, now: Timestamp) -> Result<Exchanged, ApiError> {
    let secret = match &provider.client_secret {
        Some(secret) => Some(secret.get(now).await.map_err(ServiceFailure::from)?),
        None => None,
    };
    let client = Client { id: &provider.client_id, secret: secret.as_ref() };
    let grant = match shown {
        Shown::Code { code, verifier, redirect_uri } => Grant::Code { code, verifier, redirect_uri },
        Shown::RefreshToken(token) => Grant::RefreshToken(token),
    };
    provider.issuers.exchange(provider.issuer.as_str(), client, grant, now).await.map_err(|error| {
        // No more than what kind of failure it was: the provider's words stay with it.
        tracing::warn!(%error, "a sign-in was not exchanged");
        match error {
            ExchangeError::TooMany => ApiError::TooManySignIns,
            ExchangeError::Refused(_) | ExchangeError::Malformed => ApiError::NotSignedIn(error.to_string()),
            ExchangeError::NoEndpoint | ExchangeError::Identity(IdentityError::Fetch(_) | IdentityError::Issuer(_)) => {
                ApiError::NoProvider
            }
            ExchangeError::Identity(IdentityError::Token(error)) => ApiError::NotTaken(error.into()),
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(body: &Value) -> Result<Shown, u16> {
        let host = "https://h".to_owned();
        let call = Call { body: body.to_string().into_bytes(), host, ..Call::default() };
        shown(&call).map_err(|error| error.answer("").status())
    }

    #[test]
    fn the_console_is_where_the_api_is() {
        assert_eq!(console("https://H.example:443").as_deref(), Some("https://h.example/console"));
        assert_eq!(console("http://localhost:8080").as_deref(), Some("http://localhost:8080/console"));
        assert_eq!(console(""), None, "who does not know where it is has none");
    }

    #[test]
    fn what_is_shown_is_of_a_form() {
        let code = |changes: Value| {
            let mut body = json!({"code": "c", "code_verifier": "v".repeat(43), "redirect_uri": "https://h/console"});
            body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            read(&body)
        };
        assert!(matches!(code(json!({})), Ok(Shown::Code { .. })));
        for wrong in [
            json!({"code": ""}),
            json!({"code": "c".repeat(CODE_LENGTH + 1)}),
            json!({"code": 7}),
            json!({"code_verifier": "v".repeat(42)}),
            json!({"code_verifier": "v".repeat(129)}),
            json!({"code_verifier": "v v".repeat(20)}),
            json!({"redirect_uri": ""}),
            json!({"redirect_uri": "u".repeat(REDIRECT_LENGTH + 1)}),
            json!({"redirect_uri": "https://h/console/"}),
            json!({"redirect_uri": "https://h/console?next=https://evil.example"}),
            json!({"redirect_uri": "https://h.evil.example/console"}),
            json!({"redirect_uri": "http://h/console"}),
            json!({"redirect_uri": "https://h:8443/console"}),
        ] {
            assert_eq!(code(wrong.clone()).err(), Some(400), "{wrong}");
        }
        assert!(matches!(read(&json!({"refresh_token": "r"})), Ok(Shown::RefreshToken(_))));
        for wrong in [json!({"refresh_token": ""}), json!({"refresh_token": "r".repeat(REFRESH_LENGTH + 1)}), json!({})]
        {
            assert_eq!(read(&wrong).err(), Some(400));
        }
    }
}
