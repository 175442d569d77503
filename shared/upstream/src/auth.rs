//! Authentication: Basic, and Bearer tokens that are fetched once for all who wait.

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use moorage_domain::{ExposeSecret as _, SecretString};
use reqwest::{
    Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE},
};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use crate::{
    UpstreamError,
    challenge::{self, Challenge},
    request::Http,
    settings::Credentials,
    transport::{Request, display, sensitive},
};

/// The largest answer of a token server. Tokens with many claims reach some kilobytes.
const MAX_TOKEN_BODY: usize = 64 * 1024;
/// How long a token lasts whose server does not say (distribution's token specification).
const DEFAULT_LIFETIME: Duration = Duration::from_secs(60);
/// A token is replaced so long before it ends that a request sent with it still arrives in time.
const REFRESH_MARGIN: Duration = Duration::from_secs(10);
/// No token is trusted for longer, whatever its server says.
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// The identity of one sync at one registry.
#[derive(Debug)]
pub(crate) struct Auth {
    credentials: Option<Credentials>,
    scope: String,
    /// Held while a token is fetched: that makes everybody else wait for it.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    challenge: Option<Challenge>,
    header: Option<HeaderValue>,
    /// When a token must be replaced.
    refresh_at: Option<Instant>,
    /// Counts headers, so that of many who were refused with one only the first replaces it.
    generation: u64,
}

/// The authorization of one request.
#[derive(Debug)]
pub(crate) struct Authorization {
    pub(crate) header: Option<HeaderValue>,
    generation: u64,
}

/// A token server's answer (distribution's token specification, and `OAuth2`).
#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<SecretString>,
    access_token: Option<SecretString>,
    expires_in: Option<u64>,
}

impl Auth {
    /// With the scope that tokens are asked for (distribution's token specification).
    pub(crate) fn new(credentials: Option<Credentials>, scope: String) -> Self {
        Self { credentials, scope, state: Mutex::new(State::default()) }
    }

    /// What to send with a request now. Replaces a token that is about to end.
    pub(crate) async fn authorization(&self, http: &Http) -> Result<Authorization, UpstreamError> {
        let mut state = self.state.lock().await;
        if state.refresh_at.is_some_and(|at| at <= Instant::now())
            && let Some(challenge) = state.challenge.clone()
        {
            self.answer(challenge, &mut state, http).await?;
        }
        Ok(Authorization { header: state.header.clone(), generation: state.generation })
    }

    /// Answers the challenge of a request that was refused with `used`. If somebody else has answered one meanwhile,
    /// the new authorization is used as it is.
    pub(crate) async fn challenged(
        &self,
        used: &Authorization,
        answer: &HeaderMap,
        http: &Http,
    ) -> Result<(), UpstreamError> {
        let mut state = self.state.lock().await;
        if state.generation != used.generation {
            return Ok(());
        }
        let challenges = answer.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let challenges: Vec<_> = challenges.flat_map(challenge::parse).collect();
        // A token keeps the password off the wire, so it comes first.
        let bearer = challenges.iter().find(|challenge| matches!(challenge, Challenge::Bearer { .. }));
        let challenge = bearer.or(challenges.first()).cloned();
        let challenge = challenge
            .ok_or_else(|| UpstreamError::Auth("the registry refuses access and names no way to log in".into()))?;
        self.answer(challenge, &mut state, http).await
    }

    async fn answer(&self, challenge: Challenge, state: &mut State, http: &Http) -> Result<(), UpstreamError> {
        let (header, lifetime) = match &challenge {
            Challenge::Basic => {
                let basic = self.basic();
                let missing = || UpstreamError::Auth("the registry asks for a user name and a password".into());
                (basic.ok_or_else(missing)?, None)
            }
            Challenge::Bearer { realm, service } => {
                let (header, lifetime) = self.fetch(realm, service.as_deref(), http).await?;
                (header, Some(lifetime))
            }
        };
        *state = State {
            challenge: Some(challenge),
            header: Some(header),
            refresh_at: lifetime.map(|lifetime| Instant::now() + lifetime.saturating_sub(REFRESH_MARGIN)),
            generation: state.generation + 1,
        };
        Ok(())
    }

    fn basic(&self) -> Option<HeaderValue> {
        let credentials = self.credentials.as_ref()?;
        let pair = format!("{}:{}", credentials.username, credentials.password.expose_secret());
        sensitive(&format!("Basic {}", BASE64.encode(pair)))
    }

    /// Fetches a token: by GET, and by `OAuth2`'s POST where the server does not know the GET.
    async fn fetch(
        &self,
        realm: &str,
        service: Option<&str>,
        http: &Http,
    ) -> Result<(HeaderValue, Duration), UpstreamError> {
        let url = Url::parse(realm).map_err(|_| UpstreamError::Protocol("the realm is not a URL".into()))?;
        let mut get = Request { method: Method::GET, url: url.clone(), headers: HeaderMap::new(), body: None };
        get.url
            .query_pairs_mut()
            .extend_pairs(service.map(|service| ("service", service)))
            .append_pair("scope", &self.scope);
        if let Some(basic) = self.basic() {
            get.headers.insert(AUTHORIZATION, basic);
        }
        let mut answer = http.fetch(&get, MAX_TOKEN_BODY, "the token server's answer").await?;
        if let (StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED, Some(credentials)) =
            (answer.status, &self.credentials)
        {
            let post = self.oauth2(url.clone(), service, credentials);
            answer = http.fetch(&post, MAX_TOKEN_BODY, "the token server's answer").await?;
        }
        if !answer.status.is_success() {
            let (status, server) = (answer.status, display(&url));
            return Err(if matches!(status.as_u16(), 400 | 401 | 403) {
                UpstreamError::Auth(format!("{server} refused the credentials with status {}", status.as_u16()))
            } else {
                answer.into_error(&url)
            });
        }
        let malformed = || UpstreamError::Protocol(format!("{} answered without a token", display(&url)));
        let parsed: TokenAnswer = serde_json::from_slice(&answer.body).map_err(|_| malformed())?;
        let token = parsed.token.filter(|token| !token.expose_secret().is_empty()).or(parsed.access_token);
        let token = token.ok_or_else(malformed)?;
        let header = sensitive(&format!("Bearer {}", token.expose_secret())).ok_or_else(malformed)?;
        let lifetime = parsed.expires_in.map_or(DEFAULT_LIFETIME, Duration::from_secs);
        Ok((header, lifetime.clamp(REFRESH_MARGIN * 2, MAX_LIFETIME)))
    }

    fn oauth2(&self, url: Url, service: Option<&str>, credentials: &Credentials) -> Request {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "password")
            .append_pair("client_id", "moorage")
            .append_pair("scope", &self.scope)
            .extend_pairs(service.map(|service| ("service", service)))
            .append_pair("username", &credentials.username)
            .append_pair("password", credentials.password.expose_secret());
        let content_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, content_type)]);
        Request { method: Method::POST, url, headers, body: Some(form.finish()) }
    }
}
