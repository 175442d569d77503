//! An OpenID provider, as whoever has no browser asks it: for a code that is confirmed on another device (RFC 8628), and for
//! a new token in place of one that has ended (RFC 6749, 6).

mod authorization;
mod endpoint;
mod failure;
mod pace;
mod tokens;

use std::time::Duration;

use moorage_domain::{ExposeSecret as _, SecretString, Timestamp};
use reqwest::{
    RequestBuilder, Response,
    header::{ACCEPT, CONTENT_TYPE},
    redirect::Policy,
};
use serde_json::{Map, Value};
use tokio::time::Instant;
use url::form_urlencoded;

pub use authorization::Authorization;
pub use endpoint::Endpoint;
pub use failure::{ProviderError, Refusal};
pub use tokens::{Claims, Tokens};

use pace::{Next, Pace};

/// The largest answer, in bytes: tokens with a thousand groups have 256 KB, which the API would not take any more.
const ANSWER: usize = 256 << 10;
/// For how long a connection may be made.
const CONNECT: Duration = Duration::from_secs(10);
/// For how long a try may last: providers answer within a second.
const ATTEMPT: Duration = Duration::from_secs(20);
/// The path of the document by which a provider says what it has (OpenID Connect Discovery, 4).
const DISCOVERY: &str = "/.well-known/openid-configuration";
/// What is asked for when a code was confirmed.
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// What is asked for when a token has ended.
const REFRESH_TOKEN: &str = "refresh_token";

/// A provider, with the client that its tokens are for. It is asked at https, or on this machine; redirects are not followed.
#[derive(Debug, Clone)]
pub struct Provider {
    http: reqwest::Client,
    /// Which goes by no proxy.
    direct: reqwest::Client,
    token: Endpoint,
    client_id: String,
}

impl Provider {
    /// The provider whose tokens come from this endpoint, for a client. `agent` says who asks.
    pub fn new(token: Endpoint, client_id: &str, agent: &str) -> Result<Self, ProviderError> {
        let builder = || {
            let builder = reqwest::Client::builder().http1_only().user_agent(agent).redirect(Policy::none());
            builder.connect_timeout(CONNECT).timeout(ATTEMPT)
        };
        let http = builder().build().map_err(ProviderError::Setup)?;
        let direct = builder().no_proxy().build().map_err(ProviderError::Setup)?;
        Ok(Self { http, direct, token, client_id: client_id.to_owned() })
    }

    /// Asks for a code that somebody confirms elsewhere.
    pub async fn authorize(&self, device: &Endpoint, scope: &str) -> Result<Authorization, ProviderError> {
        let answer = self.post(device, &[("scope", scope)]).await?;
        Authorization::read(&answer).ok_or_else(|| device.not_understood("no code for another device"))
    }

    /// Waits until it is confirmed, and asks as seldom as the provider wants. Ends with the code.
    pub async fn wait(&self, authorization: &Authorization) -> Result<Tokens, ProviderError> {
        let until = Instant::now() + authorization.expires_in;
        let mut pace = Pace::new(authorization.interval);
        let form = [("grant_type", DEVICE_CODE), ("device_code", authorization.device_code.expose_secret())];
        loop {
            if Instant::now() + pace.interval() > until {
                return Err(ProviderError::Refused(Refusal::ExpiredToken));
            }
            tokio::time::sleep(pace.interval()).await;
            match self.tokens(&form).await {
                Err(error) if pace.next(&error) == Next::Again => {}
                result => return result,
            }
        }
    }

    /// Tokens in place of those that have ended. A provider that gives no other refresh token lets the one go on.
    pub async fn refresh(&self, refresh_token: &SecretString) -> Result<Tokens, ProviderError> {
        let form = [("grant_type", REFRESH_TOKEN), (REFRESH_TOKEN, refresh_token.expose_secret())];
        let tokens = self.tokens(&form).await?;
        Ok(tokens.or_refreshed_by(refresh_token))
    }

    /// Looks whether the issuer's document can be read from here.
    pub async fn look(&self, issuer: &Endpoint) -> Result<(), ProviderError> {
        let document = issuer.below(DISCOVERY);
        let answer =
            object(&document, self.http(&document).get(document.url()).header(ACCEPT, "application/json")).await?;
        match answer.get("issuer").and_then(Value::as_str) {
            Some(name) if issuer.is_named(name) => Ok(()),
            _ => Err(document.not_understood("another issuer's document")),
        }
    }

    async fn tokens(&self, form: &[(&str, &str)]) -> Result<Tokens, ProviderError> {
        let answer = self.post(&self.token, form).await?;
        Tokens::read(&answer).ok_or_else(|| self.token.not_understood("no id token"))
    }

    async fn post(&self, endpoint: &Endpoint, form: &[(&str, &str)]) -> Result<Map<String, Value>, ProviderError> {
        let request = self.http(endpoint).post(endpoint.url()).header(ACCEPT, "application/json");
        let request = request.body(self.form(form));
        object(endpoint, request.header(CONTENT_TYPE, "application/x-www-form-urlencoded")).await
    }

    fn http(&self, endpoint: &Endpoint) -> &reqwest::Client {
        if endpoint.is_direct() { &self.direct } else { &self.http }
    }

    /// A form, with whose it is.
    fn form(&self, fields: &[(&str, &str)]) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields).append_pair("client_id", &self.client_id).finish()
    }
}

/// The object that is answered.
async fn object(endpoint: &Endpoint, request: RequestBuilder) -> Result<Map<String, Value>, ProviderError> {
    let response = request.send().await.map_err(|error| endpoint.unreachable(&error))?;
    let status = response.status().as_u16();
    let body = read(endpoint, response).await?;
    let body: Option<Map<String, Value>> = serde_json::from_slice(&body).ok();
    match (status, body) {
        (200, Some(body)) => Ok(body),
        (200, None) => Err(endpoint.not_understood("no JSON")),
        (300..=399, _) => Err(endpoint.not_understood("a redirect, which is not followed")),
        // Providers use several of these: Google says 428 that nobody has confirmed yet.
        (400..=499, Some(body)) if status != 429 && body.get("error").is_some_and(Value::is_string) => {
            let code = body.get("error").and_then(Value::as_str).unwrap_or_default();
            Err(ProviderError::Refused(Refusal::named(code)))
        }
        (429 | 500..=599, _) => Err(ProviderError::Unavailable { host: endpoint.host(), status }),
        _ => Err(endpoint.not_understood("a status without a reason")),
    }
}

async fn read(endpoint: &Endpoint, mut response: Response) -> Result<Vec<u8>, ProviderError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| endpoint.unreachable(&error))? {
        if bytes.len() + chunk.len() > ANSWER {
            return Err(endpoint.not_understood("more than tokens have"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Whether something that ends then has ended, or does so within `margin` seconds.
pub fn ends_within(ends: Timestamp, margin: i64, now: Timestamp) -> bool {
    ends.unix().saturating_sub(margin) <= now.unix()
}
