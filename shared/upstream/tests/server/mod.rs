//! Servers that answer as a test says, and remember what they were asked.

#![allow(dead_code, reason = "not every test needs all of it")]

pub(crate) mod raw;
pub(crate) mod secure;
pub(crate) mod streams;

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use moorage_domain::{Credentials, Guard, Proxy, Tls};
use moorage_upstream::{Limits, Meter, Registry, Settings};
use tokio::net::TcpListener;

/// What came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) range: Option<String>,
    pub(crate) body: String,
}

/// What goes back: status, headers, body.
pub(crate) type Reply = (u16, Vec<(&'static str, String)>, Vec<u8>);

/// A running server. Its task ends with the test's runtime.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Starts a server; `answer` gets its own URL.
    pub(crate) async fn start(answer: impl Fn(&str, &Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(answer));
        let server = Self { address, seen: Arc::clone(&seen) };
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                let service = service_fn(move |request: Request<Incoming>| {
                    let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                    async move {
                        let (parts, body) = request.into_parts();
                        let body = body.collect().await.unwrap().to_bytes();
                        let authorization = parts.headers.get("authorization");
                        let one = Seen {
                            method: parts.method.to_string(),
                            path: parts.uri.to_string(),
                            authorization: authorization.map(|value| value.to_str().unwrap().to_owned()),
                            range: parts.headers.get("range").map(|value| value.to_str().unwrap().to_owned()),
                            body: String::from_utf8(body.to_vec()).unwrap(),
                        };
                        let (status, headers, body) = answer(&format!("http://{address}"), &one);
                        seen.lock().unwrap().push(one);
                        let response = Response::builder().status(status);
                        let response =
                            headers.into_iter().fold(response, |response, (name, value)| response.header(name, value));
                        Ok::<_, Infallible>(response.body(Full::new(bytes::Bytes::from(body))).unwrap())
                    }
                });
                // What speaks TLS here ends at once.
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Whether a password arrived here in any form, or a token.
    pub(crate) fn has_secrets(&self) -> bool {
        self.seen().iter().any(|seen| seen.authorization.is_some() || seen.body.contains(PASSWORD))
    }
}

pub(crate) const PASSWORD: &str = "open-sesame";

pub(crate) fn settings(meter: Meter, realms: &[String]) -> Settings {
    let credentials = Credentials { username: "user".into(), password: PASSWORD.to_owned().into() };
    Settings {
        credentials: Some(credentials),
        verify_tls: false,
        tls: Tls::default(),
        proxy: Proxy::default(),
        token_realms: realms.iter().map(|realm| realm.parse().unwrap()).collect(),
        guard: Guard::new("127.0.0.0/8,localhost").unwrap(),
        limits: Limits { tries: 2, max_wait: Duration::from_secs(1), ..Limits::default() },
        meter,
    }
}

pub(crate) fn open(server: &Server, meter: Meter, realms: &[String]) -> Registry {
    Registry::new(format!("{}/a/b", server.address).parse().unwrap(), settings(meter, realms)).unwrap()
}

pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Reply {
    (200, vec![], body.into())
}

pub(crate) fn status(status: u16, headers: Vec<(&'static str, String)>) -> Reply {
    (status, headers, vec![])
}
