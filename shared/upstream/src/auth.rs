//! Authentication: Basic, and Bearer tokens that are fetched once for all who wait.

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use moorage_domain::{ExposeSecret as _, SecretString, TokenRealm};
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
    realm::{Verdict, judge},
    request::Http,
    settings::Credentials,
    transport::{Recipient, Request, display, sensitive, without_user},
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
    /// Token servers of other domains that may have the credentials.
    realms: Vec<TokenRealm>,
    scope: String,
    /// Held while a token is fetched: that makes everybody else wait for it.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The challenge that was answered last, and where it came from.
    challenge: Option<(Challenge, Url)>,
    /// The token server that answered first, without its query. There is no other in a run.
    realm: Option<Url>,
    /// Why the token server was asked without the credentials, if it was.
    withheld: Option<String>,
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

/// A token server, as a challenge names it.
struct Server<'a> {
    realm: Url,
    service: Option<&'a str>,
    /// Whether it is the registry itself.
    is_registry: bool,
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
    pub(crate) fn new(credentials: Option<Credentials>, realms: Vec<TokenRealm>, scope: String) -> Self {
        Self { credentials, realms, scope, state: Mutex::new(State::default()) }
    }

    /// What to send with a request now. Replaces a token that is about to end.
    pub(crate) async fn authorization(&self, http: &Http) -> Result<Authorization, UpstreamError> {
        let mut state = self.state.lock().await;
        if state.refresh_at.is_some_and(|at| at <= Instant::now())
            && let Some((challenge, registry)) = state.challenge.clone()
        {
            // Boxed, as below: what logs in is large, and most requests need not.
            Box::pin(self.answer(challenge, &registry, &mut state, http)).await?;
        }
        Ok(Authorization { header: state.header.clone(), generation: state.generation })
    }

    /// Answers the challenge of a request to `registry` that was refused with `used`. If somebody else has answered one
    /// meanwhile, the new authorization is used as it is.
    pub(crate) async fn challenged(
        &self,
        used: &Authorization,
        registry: &Url,
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
        Box::pin(self.answer(challenge, registry, &mut state, http)).await
    }

    /// The challenge that was answered last.
    pub(crate) async fn challenge(&self) -> Option<Challenge> {
        Some(self.state.lock().await.challenge.as_ref()?.0.clone())
    }

    /// What a refusal comes from, if the registry's token server was not given the credentials.
    pub(crate) async fn withheld(&self) -> Option<UpstreamError> {
        self.state.lock().await.withheld.clone().map(UpstreamError::Auth)
    }

    async fn answer(
        &self,
        challenge: Challenge,
        registry: &Url,
        state: &mut State,
        http: &Http,
    ) -> Result<(), UpstreamError> {
        let (header, lifetime) = match &challenge {
            Challenge::Basic => {
                let missing = || UpstreamError::Auth("the registry asks for a user name and a password".into());
                state.withheld = None;
                (self.basic().ok_or_else(missing)?, None)
            }
            Challenge::Bearer { realm, service } => {
                let realm = Url::parse(realm).map(without_user);
                let realm = realm.map_err(|_| UpstreamError::Protocol("the realm is not a URL".into()))?;
                let place = place(&realm);
                if let Some(pinned) = state.realm.as_ref().filter(|pinned| **pinned != place) {
                    let (other, pinned) = (display(&place), display(pinned));
                    let message = format!("the registry asks to log in at {other}, after it did at {pinned}");
                    return Err(UpstreamError::Protocol(message));
                }
                let (credentials, withheld) = match &self.credentials {
                    Some(credentials) => match self.judge(&realm, registry, http).await {
                        Verdict::May => (Some(credentials), None),
                        verdict => (None, Some(explain(verdict, &realm))),
                    },
                    None => (None, None),
                };
                state.withheld = withheld;
                let server =
                    Server { realm, service: service.as_deref(), is_registry: place.origin() == registry.origin() };
                let fetched = self.fetch(&server, credentials, http).await;
                let (header, lifetime) = match (fetched, &state.withheld) {
                    (Err(UpstreamError::Auth(_)), Some(why)) => return Err(UpstreamError::Auth(why.clone())),
                    (fetched, _) => fetched?,
                };
                state.realm = Some(place);
                (header, Some(lifetime))
            }
        };
        let until = lifetime.and_then(|lifetime| Instant::now().checked_add(lifetime.saturating_sub(REFRESH_MARGIN)));
        (state.challenge, state.header, state.refresh_at) = (Some((challenge, registry.clone())), Some(header), until);
        state.generation += 1;
        Ok(())
    }

    /// Whether a token server may have the credentials. What it resolves to counts, too, where it is a stranger to the
    /// registry.
    async fn judge(&self, realm: &Url, registry: &Url, http: &Http) -> Verdict {
        let verdict = judge(registry, realm, &self.realms);
        let is_inside = verdict == Verdict::May
            && realm.host_str() != registry.host_str()
            && http.transport.leads_inside(realm).await
            && !http.transport.leads_inside(registry).await;
        if is_inside { Verdict::Never } else { verdict }
    }

    fn basic(&self) -> Option<HeaderValue> {
        basic(self.credentials.as_ref()?)
    }

    /// Fetches a token: by GET, and by `OAuth2`'s POST where the server does not know the GET.
    async fn fetch(
        &self,
        server: &Server<'_>,
        credentials: Option<&Credentials>,
        http: &Http,
    ) -> Result<(HeaderValue, Duration), UpstreamError> {
        let mut url = server.realm.clone();
        let service = server.service.map(|service| ("service", service));
        url.query_pairs_mut().extend_pairs(service).append_pair("scope", &self.scope);
        let basic = credentials.and_then(|_| self.basic());
        let headers = HeaderMap::from_iter(basic.map(|basic| (AUTHORIZATION, basic)));
        let get = Request { method: Method::GET, url, headers, body: None, to: server.recipient() };
        let mut answer = http.fetch(&get, MAX_TOKEN_BODY, "the token server's answer").await?;
        if let (StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED, Some(credentials)) =
            (answer.head.status, credentials)
        {
            let post = self.oauth2(server, credentials);
            answer = http.fetch(&post, MAX_TOKEN_BODY, "the token server's answer").await?;
        }
        if !server.is_registry {
            // How long another server than the registry wants to be left alone is not for it to say.
            answer.head.headers.clear();
        }
        let (status, name) = (answer.head.status, display(&server.realm));
        if !status.is_success() {
            return Err(if matches!(status.as_u16(), 400 | 401 | 403) {
                UpstreamError::Auth(format!("{name} refused the credentials with status {}", status.as_u16()))
            } else {
                answer.into_error(&server.realm)
            });
        }
        token(&answer.body).ok_or_else(|| UpstreamError::Protocol(format!("{name} answered without a token")))
    }

    fn oauth2(&self, server: &Server<'_>, credentials: &Credentials) -> Request {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "password")
            .append_pair("client_id", "moorage")
            .append_pair("scope", &self.scope)
            .extend_pairs(server.service.map(|service| ("service", service)))
            .append_pair("username", &credentials.username)
            .append_pair("password", credentials.password.expose_secret());
        let content_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, content_type)]);
        let (url, to) = (server.realm.clone(), server.recipient());
        Request { method: Method::POST, url, headers, body: Some(form.finish()), to }
    }
}

impl Server<'_> {
    fn recipient(&self) -> Recipient {
        Recipient::TokenServer { is_registry: self.is_registry }
    }
}

/// A user name and password as a header (RFC 7617).
pub(crate) fn basic(credentials: &Credentials) -> Option<HeaderValue> {
    let pair = format!("{}:{}", credentials.username, credentials.password.expose_secret());
    sensitive(&format!("Basic {}", BASE64.encode(pair)))
}

/// The token of a server's answer as a header, and how long it lasts, within bounds.
pub(crate) fn token(body: &[u8]) -> Option<(HeaderValue, Duration)> {
    let parsed: TokenAnswer = serde_json::from_slice(body).ok()?;
    let token = parsed.token.filter(|token| !token.expose_secret().is_empty()).or(parsed.access_token)?;
    let lifetime = parsed.expires_in.map_or(DEFAULT_LIFETIME, Duration::from_secs);
    Some((sensitive(&format!("Bearer {}", token.expose_secret()))?, lifetime.clamp(REFRESH_MARGIN * 2, MAX_LIFETIME)))
}

/// Where a token server is: some registries change its query from one challenge to the next.
fn place(realm: &Url) -> Url {
    let mut place = realm.clone();
    place.set_query(None);
    place.set_fragment(None);
    place
}

/// How the mirror's settings name a token server.
fn named(realm: &Url) -> String {
    let port = realm.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}{port}", realm.host_str().unwrap_or_default())
}

/// Why a token server was not given the credentials, and what to do.
fn explain(verdict: Verdict, realm: &Url) -> String {
    let realm = named(realm);
    match verdict {
        Verdict::Never => format!(
            "the registry refuses access without a login, and the credentials are not sent to its token server {realm}: \
             that is not reached by https as the registry is, or at an address of this machine"
        ),
        Verdict::Unnamed | Verdict::May => format!(
            "the registry refuses access without a login, and its token server {realm} is not of its own domain: to send \
             the credentials there, name it in external_registry_config.token_realms"
        ),
    }
}
