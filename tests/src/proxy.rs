//! A registry in front of the registry: it counts requests, and misbehaves as it is told.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{Request, Response, body::Frame, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

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
    /// Tags on a page, if the list is paged.
    page: Option<usize>,
    served: u64,
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

type Body = UnsyncBoxBody<Bytes, std::io::Error>;
/// The token that the token server gives.
const TOKEN: &str = "a-token-of-the-tests";

impl Proxy {
    /// In front of the registry at `target`, a URL.
    pub async fn start(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State { target: target.to_owned(), ..State::default() }));
        let proxy = Self { address: format!("127.0.0.1:{port}"), port, state: Arc::clone(&state) };
        let address = proxy.address.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (state, address) = (Arc::clone(&state), address.clone());
                tokio::spawn(async move {
                    let service = service_fn(|request| answer(Arc::clone(&state), address.clone(), request));
                    let server = hyper::server::conn::http1::Builder::new();
                    // A broken connection is what some tests ask for.
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
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

    /// Pages the list of tags.
    pub fn page_tags(&self, page: usize) {
        self.state.lock().unwrap().page = Some(page);
    }

    /// The requests since the last call.
    pub fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state.lock().unwrap().seen)
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

async fn answer(
    state: Arc<Mutex<State>>,
    address: String,
    request: Request<Incoming>,
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
    if let Some((user, password)) = user {
        if path.starts_with("/token") {
            let expected = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
            let known = authorization == Some(expected);
            let body = if known { format!(r#"{{"token":"{TOKEN}","expires_in":300}}"#) } else { "{}".into() };
            return Ok(plain(if known { 200 } else { 401 }, &[], body.into()));
        }
        if authorization != Some(format!("Bearer {TOKEN}")) {
            let challenge = format!(r#"Bearer realm="http://{address}/token?account=x",service="test""#);
            return Ok(plain(401, &[("www-authenticate", challenge)], Bytes::from_static(b"{}")));
        }
    }
    match &fault {
        Some(Fault::Status(status, headers)) => return Ok(plain(*status, headers, Bytes::new())),
        Some(Fault::Body(body)) => return Ok(plain(200, &[], body.clone())),
        Some(Fault::Delay(delay)) => tokio::time::sleep(*delay).await,
        _ => {}
    }
    let mut forward = http().request(request.method().clone(), format!("{target}{path}"));
    let names: &[&str] = if matches!(fault, Some(Fault::IgnoreRange)) { &["accept"] } else { &["accept", "range"] };
    for name in names {
        forward = request.headers().get(*name).into_iter().fold(forward, |forward, value| forward.header(*name, value));
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
        Some(Fault::Cut(after)) => Some((body.slice(..after.min(body.len())), false)),
        Some(Fault::Stall) => Some((body.slice(..body.len() / 2), true)),
        _ => None,
    };
    Ok(match parts {
        None => builder.body(full(body)).unwrap(),
        Some((part, stall)) => builder.body(broken(part, stall)).unwrap(),
    })
}

fn plain(status: u16, headers: &[(&'static str, String)], body: Bytes) -> Response<Body> {
    let builder = Response::builder().status(status);
    headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, value)).body(full(body)).unwrap()
}

fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// A body that ends in a broken connection, or does not end.
fn broken(part: Bytes, stall: bool) -> Body {
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        let _ = sender.send(Ok(Frame::data(part))).await;
        // Long enough for the part to leave before the connection breaks.
        let pause = if stall { Duration::from_secs(600) } else { Duration::from_millis(50) };
        tokio::time::sleep(pause).await;
        let _ = sender.send(Err(std::io::Error::other("broken on purpose"))).await;
    });
    StreamBody::new(Receiver(receiver)).boxed_unsync()
}

struct Receiver(tokio::sync::mpsc::Receiver<Result<Frame<Bytes>, std::io::Error>>);

impl futures_core::Stream for Receiver {
    type Item = Result<Frame<Bytes>, std::io::Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}

/// A page of a list of tags, behind `last` of the query, and the link to the next one.
fn paged(body: &Bytes, path: &str, page: usize) -> (Bytes, Option<String>) {
    let mut list: serde_json::Value = serde_json::from_slice(body).unwrap();
    let tags: Option<Vec<String>> = serde_json::from_value(list["tags"].clone()).unwrap();
    let mut tags = tags.unwrap_or_default();
    tags.sort();
    let after = path.split_once("last=").map(|(_, after)| after.to_owned());
    let rest: Vec<_> = tags.into_iter().filter(|tag| after.as_ref().is_none_or(|after| tag > after)).collect();
    let next =
        rest.get(page).map(|_| format!("<{}?last={}>; rel=\"next\"", path.split('?').next().unwrap(), rest[page - 1]));
    list["tags"] = rest.into_iter().take(page).collect();
    (list.to_string().into(), next)
}
