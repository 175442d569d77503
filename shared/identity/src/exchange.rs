//! A code, or a refresh token, becomes tokens at the provider's token endpoint (RFC 6749, 4.1.3 and 6; RFC 7636, 4.5).

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use moorage_domain::{ExposeSecret as _, SecretString, Timestamp};
use reqwest::{
    RequestBuilder, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use serde::Deserialize;
use url::form_urlencoded::{Serializer, byte_serialize};

use crate::{
    discovery::SecretIn,
    fetch::{body, sorted},
    fetch_error::FetchError,
    issuers::{IdentityError, Issuers},
};

/// How long the provider may take. Somebody waits, also for the documents, and API Gateway gives up after 30 seconds.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest answer, in bytes: some tokens, each of which may be as long as those that are taken.
const MAX_LENGTH: usize = 64 * 1024;
/// The longest refresh token that is handed on, in bytes: it comes back in a request's body.
const MAX_REFRESH_TOKEN: usize = 16 * 1024;
/// The errors that are handed on: those of RFC 6749, 5.2. What else a provider may say is nothing for others to read.
const ERRORS: [&str; 6] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
];

/// Who exchanges: a client of the provider.
#[derive(Debug, Clone, Copy)]
pub struct Client<'c> {
    /// Its id.
    pub id: &'c str,
    /// Its secret; none of a public client.
    pub secret: Option<&'c SecretString>,
}

/// What is exchanged.
#[derive(Debug, Clone, Copy)]
pub enum Grant<'g> {
    /// What the provider has sent a browser back with.
    Code {
        /// The code.
        code: &'g SecretString,
        /// What its challenge was made of.
        verifier: &'g SecretString,
        /// Where the browser was sent back to.
        redirect_uri: &'g str,
    },
    /// What an earlier exchange has given.
    RefreshToken(&'g SecretString),
}

/// What the provider gives. Nothing of it is verified.
#[derive(Debug)]
pub struct Exchanged {
    /// Says who signed in.
    pub id_token: SecretString,
    /// Is exchanged for the next ones.
    pub refresh_token: Option<SecretString>,
}

/// Why nothing is given.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// As many were exchanged as may be in a minute.
    #[error("too many sign in at this moment")]
    TooMany,
    /// The provider cannot be asked.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// It lets nobody sign in.
    #[error("the provider has no token endpoint that may be asked")]
    NoEndpoint,
    /// It refuses; with one of the codes of RFC 6749, if it says one.
    #[error("the provider refuses: {}", .0.unwrap_or("it says no reason that is known"))]
    Refused(Option<&'static str>),
    /// It answers something else than tokens.
    #[error("the provider's answer is malformed, or has no ID token")]
    Malformed,
}

impl From<FetchError> for ExchangeError {
    fn from(error: FetchError) -> Self {
        Self::Identity(error.into())
    }
}

impl Issuers {
    /// Exchanges what a provider has given for tokens. The provider is asked once, whatever it answers, and so many times in
    /// a minute at most.
    pub async fn exchange(
        &self,
        issuer: &str,
        client: Client<'_>,
        grant: Grant<'_>,
        now: Timestamp,
    ) -> Result<Exchanged, ExchangeError> {
        let endpoints = self.endpoints(issuer, now).await?;
        let url = endpoints.token.as_ref().ok_or(ExchangeError::NoEndpoint)?;
        if !self.exchanges.take(now) {
            return Err(ExchangeError::TooMany);
        }
        let request = of(self.fetcher.post(url).await?, client, grant, endpoints.secret_in);
        let response = request.timeout(TIMEOUT).send().await.map_err(|error| sorted(&error.without_url()))?;
        let status = response.status();
        let body = body(response, MAX_LENGTH).await?;
        match status {
            StatusCode::OK => given(&body),
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(ExchangeError::Refused(reason(&body)))
            }
            status => Err(FetchError::Status(status.as_u16()).into()),
        }
    }
}

fn of(request: RequestBuilder, client: Client<'_>, grant: Grant<'_>, secret_in: SecretIn) -> RequestBuilder {
    let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let mut form = form(client, grant);
    match (client.secret, secret_in) {
        (None, _) => request.body(form.finish()),
        (Some(secret), SecretIn::Body) => {
            request.body(form.append_pair("client_secret", secret.expose_secret()).finish())
        }
        (Some(secret), SecretIn::Header) => {
            let header = format!("Basic {}", BASE64.encode(basic(client.id, secret)));
            request.header(AUTHORIZATION, header).body(form.finish())
        }
    }
}

fn form(client: Client<'_>, grant: Grant<'_>) -> Serializer<'static, String> {
    let mut form = Serializer::new(String::new());
    form.append_pair("client_id", client.id);
    match grant {
        Grant::Code { code, verifier, redirect_uri } => form
            .append_pair("grant_type", "authorization_code")
            .append_pair("code", code.expose_secret())
            .append_pair("code_verifier", verifier.expose_secret())
            .append_pair("redirect_uri", redirect_uri),
        Grant::RefreshToken(token) => {
            form.append_pair("grant_type", "refresh_token").append_pair("refresh_token", token.expose_secret())
        }
    };
    form
}

/// User name and password are encoded before they are put together (RFC 6749, 2.3.1).
fn basic(id: &str, secret: &SecretString) -> String {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    format!("{}:{}", encoded(id), encoded(secret.expose_secret()))
}

fn given(body: &[u8]) -> Result<Exchanged, ExchangeError> {
    #[derive(Deserialize)]
    struct Body {
        id_token: String,
        refresh_token: Option<String>,
    }
    let body: Body = serde_json::from_slice(body).map_err(|_| ExchangeError::Malformed)?;
    let refresh_token = body.refresh_token.filter(|token| !token.is_empty() && token.len() <= MAX_REFRESH_TOKEN);
    Ok(Exchanged { id_token: body.id_token.into(), refresh_token: refresh_token.map(SecretString::from) })
}

fn reason(body: &[u8]) -> Option<&'static str> {
    #[derive(Deserialize)]
    struct Body {
        error: String,
    }
    let body: Body = serde_json::from_slice(body).ok()?;
    ERRORS.into_iter().find(|known| *known == body.error)
}

#[cfg(test)]
mod tests;
