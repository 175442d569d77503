//! A registry in front of the registry: it counts requests, and misbehaves as it is told.

mod body;
mod limit;
mod page;
pub(crate) mod tls;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::Notify,
};

pub use self::tls::{acceptor, offering};
use self::{
    body::{Body, broken, dripping, full, plain},
    limit::Limit,
    page::paged,
};
use crate::http;

/// What goes wrong.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Another status, with these headers.
    Status(u16, Vec<(&'static str, String)>),
    /// The right length, but another last byte.
    Corrupt,
    /// One byte less than there should be, and a length that fits.
    Shorten,
    /// The connection breaks after so many bytes of the body.
    Cut(usize),
    /// The answer stops after its headers and half its body.
    Stall,
    /// A pause before the answer.
    Delay(Duration),
    /// The whole body, although a part was asked for.
    IgnoreRange,
    /// The answer lacks this header.
    Without(&'static str),
    /// Success, with another body.
    Body(Bytes),
    /// Another answer altogether.
    Answer(u16, Vec<(&'static str, String)>, Bytes),
    /// A byte of the body each time.
    Drip(Duration),
    /// The answer has this header, too.
    With(&'static str, String),
    /// This fault, once the test lets it happen.
    Held(Arc<Notify>, Box<Fault>),
    /// This fault, after a pause.
    Late(Duration, Box<Fault>),
}

/// When it goes wrong: in requests of this method whose path, a space and range hold this text, so many times.
#[derive(Debug, Clone)]
struct Rule {
    method: &'static str,
    path: String,
    times: usize,
    fault: Fault,
}

/// One request, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The `Range` header.
    pub range: Option<String>,
}

#[derive(Debug, Default)]
struct State {
    target: String,
    rules: Vec<Rule>,
    seen: Vec<Seen>,
    /// The user that the token server knows, if a token is needed.
    user: Option<(String, String)>,
    /// How many requests one token is good for.
    token_uses: usize,
    tokens: usize,
    used: usize,
    limit: Limit,
    /// Tags on a page, if the list is paged.
    page: Option<usize>,
    served: u64,
    in_flight: usize,
    most_in_flight: usize,
}

/// The proxy; its address is what a mirror's reference begins with.
#[derive(Debug)]
pub struct Proxy {
    /// Host and port.
    pub address: String,
    /// The port.
    pub port: u16,
    state: Arc<Mutex<State>>,
}

/// What the tokens that the token server gives begin with.
const TOKEN: &str = "a-token-of-the-tests";

impl Proxy {
    /// In front of the registry at `target`, a URL.
    pub async fn start(target: &str) -> Self {
        Self::listen(target, None).await
    }

    /// As [`Self::start`], with TLS and a certificate that nobody vouches for.
    pub async fn start_tls(target: &str) -> Self {
        Self::listen(target, Some(tls::acceptor())).await
    }

    async fn listen(target: &str, tls: Option<tokio_rustls::TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = State { target: target.to_owned(), token_uses: usize::MAX, ..State::default() };
        let state = Arc::new(Mutex::new(state));
        let proxy = Self { address: format!("127.0.0.1:{port}"), port, state: Arc::clone(&state) };
        let url = format!("{}://{}", if tls.is_some() { "https" } else { "http" }, proxy.address);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (state, url, tls) = (Arc::clone(&state), url.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, state, url).await;
                            }
                        }
                        None => serve(stream, state, url).await,
                    }
                });
            }
        });
        proxy
    }

    /// Makes something go wrong, `times` times.
    pub fn fault(&self, method: &'static str, path: &str, times: usize, fault: Fault) {
        self.state.lock().unwrap().rules.push(Rule { method, path: path.to_owned(), times, fault });
    }

    /// Makes everything go right again.
    pub fn heal(&self) {
        self.state.lock().unwrap().rules.clear();
    }

    /// Asks for a Bearer token, which its own token server gives to this user.
    pub fn require_token(&self, user: &str, password: &str) {
        self.state.lock().unwrap().user = Some((user.to_owned(), password.to_owned()));
    }

    /// Lets each token end after so many requests.
    pub fn end_tokens_after(&self, uses: usize) {
        self.state.lock().unwrap().token_uses = uses;
    }

    /// Lets so many more manifests be fetched, and says in each answer how many are left.
    pub fn allow_manifests(&self, allowance: usize) {
        self.state.lock().unwrap().limit.manifests = Some(allowance);
    }

    /// Opens a window in which so many requests are answered; others are refused, and told to wait for so many seconds.
    pub fn open_window(&self, requests: usize, seconds: u64) {
        self.state.lock().unwrap().limit.window = Some((requests, seconds));
    }

    /// How many requests were answered in all windows.
    pub fn answered(&self) -> usize {
        self.state.lock().unwrap().limit.answered
    }

    /// Pages the list of tags.
    pub fn page_tags(&self, page: usize) {
        self.state.lock().unwrap().page = Some(page);
    }

    /// The requests since the last call.
    pub fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state.lock().unwrap().seen)
    }

    /// The most requests that were under way at the same time.
    pub fn most_in_flight(&self) -> usize {
        self.state.lock().unwrap().most_in_flight
    }

    /// Bytes of blobs sent so far.
    pub fn served(&self) -> u64 {
        self.state.lock().unwrap().served
    }
}

/// Requests by method and kind, for example `HEAD manifests`.
pub fn count(seen: &[Seen]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for request in seen {
        let path = request.path.split('?').next().unwrap();
        let kind = ["/manifests/", "/blobs/", "/tags/", "/token", "/v2/"].into_iter().find(|kind| path.contains(kind));
        let name = format!("{} {}", request.method, kind.unwrap_or("other").trim_matches('/'));
        *counts.entry(name).or_default() += 1;
    }
    counts
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, state: Arc<Mutex<State>>, url: String) {
    let service = service_fn(|request| answer(Arc::clone(&state), url.clone(), request));
    // A broken connection is what some tests ask for.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    state: Arc<Mutex<State>>,
    url: String,
    request: Request<Incoming>,
) -> Result<Response<Body>, std::io::Error> {
    {
        let mut state = state.lock().unwrap();
        state.in_flight += 1;
        state.most_in_flight = state.most_in_flight.max(state.in_flight);
    }
    let answered = answer_one(Arc::clone(&state), url, request).await;
    state.lock().unwrap().in_flight -= 1;
    answered
}

async fn answer_one(
    state: Arc<Mutex<State>>,
    url: String,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, std::io::Error> {
    let path = request.uri().path_and_query().unwrap().as_str().to_owned();
    let header =
        |name| request.headers().get(name).map(|value: &hyper::header::HeaderValue| value.to_str().unwrap().to_owned());
    let authorization = header("authorization");
    let method = request.method().to_string();
    let (fault, target, user, page) = {
        let mut state = state.lock().unwrap();
        let (authorization, range) = (authorization.clone(), header("range"));
        let line = format!("{path} {}", range.as_deref().unwrap_or_default());
        state.seen.push(Seen { method: method.clone(), path: path.clone(), authorization, range });
        let rule =
            state.rules.iter_mut().find(|rule| rule.times > 0 && rule.method == method && line.contains(&rule.path));
        let fault = rule.map(|rule| {
            rule.times -= 1;
            rule.fault.clone()
        });
        (fault, state.target.clone(), state.user.clone(), state.page)
    };
    // A fault of the token server comes before its answer.
    let user = user.filter(|_| fault.is_none() || !path.starts_with("/token"));
    let form = if method == "POST" { body_of(request.body_mut()).await } else { String::new() };
    if let Some(refused) =
        user.and_then(|user| authenticate(&state, &url, &user, (&path, &form), authorization.as_deref()))
    {
        return Ok(refused);
    }
    let is_manifest = path.contains("/manifests/");
    let (refused, left) = {
        let limit = &mut state.lock().unwrap().limit;
        (limit.refuse(is_manifest, &method), limit.manifests.filter(|_| is_manifest))
    };
    if let Some(refused) = refused {
        return Ok(refused);
    }
    let fault = due(fault).await;
    match &fault {
        Some(Fault::Status(status, headers)) => return Ok(plain(*status, headers, Bytes::new())),
        Some(Fault::Body(body)) => return Ok(plain(200, &[], body.clone())),
        Some(Fault::Answer(status, headers, body)) => return Ok(plain(*status, headers, body.clone())),
        Some(Fault::Delay(delay)) => tokio::time::sleep(*delay).await,
        _ => {}
    }
    let mut forward = http().request(request.method().clone(), format!("{target}{path}"));
    let names: &[&str] = if matches!(fault, Some(Fault::IgnoreRange)) { &["accept"] } else { &["accept", "range"] };
    for name in names {
        forward =
            request.headers().get_all(*name).into_iter().fold(forward, |forward, value| forward.header(*name, value));
    }
    let response = forward.send().await.map_err(std::io::Error::other)?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut body = response.bytes().await.map_err(std::io::Error::other)?;
    let mut builder = Response::builder().status(status);
    for (name, value) in &headers {
        let dropped = matches!(&fault, Some(Fault::Without(without)) if name == without);
        if !dropped && !matches!(name.as_str(), "connection" | "transfer-encoding") {
            builder = builder.header(name, value);
        }
    }
    if let Some(Fault::With(name, value)) = &fault {
        builder = builder.header(*name, value);
    }
    if let Some(left) = left {
        builder = builder.header("ratelimit-remaining", format!("{left};w=21600"));
    }
    if let (Some(page), true) = (page, path.contains("/tags/list")) {
        let (paged, link) = paged(&body, &path, page);
        let builder = Response::builder().status(status).header("content-type", "application/json");
        let builder = link.into_iter().fold(builder, |builder, link| builder.header("link", link));
        return Ok(builder.body(full(paged)).unwrap());
    }
    if path.contains("/blobs/") && method == "GET" {
        state.lock().unwrap().served += body.len() as u64;
    }
    let parts = match fault {
        Some(Fault::Corrupt) => {
            let mut bytes = body.to_vec();
            if let Some(last) = bytes.last_mut() {
                *last ^= 1;
            }
            body = bytes.into();
            None
        }
        Some(Fault::Shorten) => {
            let shorter = body.slice(..body.len().saturating_sub(1));
            return Ok(plain(200, &[], shorter));
        }
        Some(Fault::Drip(every)) => return Ok(builder.body(dripping(body, every)).unwrap()),
        Some(Fault::Cut(after)) => Some((body.slice(..after.min(body.len())), false)),
        Some(Fault::Stall) => Some((body.slice(..body.len() / 2), true)),
        _ => None,
    };
    Ok(match parts {
        None => builder.body(full(body)).unwrap(),
        Some((part, stall)) => builder.body(broken(part, stall)).unwrap(),
    })
}

/// The fault, when it is to happen.
async fn due(fault: Option<Fault>) -> Option<Fault> {
    match fault {
        Some(Fault::Held(released, fault)) => {
            released.notified().await;
            Some(*fault)
        }
        Some(Fault::Late(pause, fault)) => {
            tokio::time::sleep(pause).await;
            Some(*fault)
        }
        fault => fault,
    }
}

async fn body_of(body: &mut Incoming) -> String {
    String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// The token server's answer, or the refusal of a request that lacks a token.
fn authenticate(
    state: &Mutex<State>,
    url: &str,
    (user, password): &(String, String),
    (path, form): (&str, &str),
    authorization: Option<&str>,
) -> Option<Response<Body>> {
    let mut state = state.lock().unwrap();
    if path.starts_with("/token") {
        let basic = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        let form: BTreeMap<String, String> =
            reqwest::Url::parse(&format!("http://x/?{form}")).unwrap().query_pairs().into_owned().collect();
        let by_form = form.get("username") == Some(user) && form.get("password") == Some(password);
        let anonymous = user.is_empty() && authorization.is_none();
        if authorization != Some(&basic) && !by_form && !anonymous {
            return Some(plain(401, &[], "{}".into()));
        }
        state.tokens += 1;
        state.used = 0;
        // The distribution's name of the field, and OAuth2's.
        let field = if by_form { "access_token" } else { "token" };
        return Some(plain(200, &[], format!(r#"{{"{field}":"{TOKEN}-{}","expires_in":300}}"#, state.tokens).into()));
    }
    state.used += 1;
    if state.used <= state.token_uses && authorization == Some(&format!("Bearer {TOKEN}-{}", state.tokens)) {
        return None;
    }
    let challenge = format!(r#"Bearer realm="{url}/token?account=x",service="test""#);
    Some(plain(401, &[("www-authenticate", challenge)], Bytes::from_static(b"{}")))
}
