//! Somebody who is told: a server that keeps what it gets, and answers as it is told to.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Response, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

/// One delivery.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Path and query.
    pub path: String,
    /// Its headers, by their names in small letters.
    pub headers: Vec<(String, String)>,
    /// Its body, byte for byte.
    pub bytes: Vec<u8>,
    /// The same as JSON.
    pub body: Value,
}

/// How deliveries are answered.
#[derive(Debug, Clone)]
pub enum Manner {
    /// By a status.
    Status(u16),
    /// By a redirect to somewhere else.
    Redirect(String),
    /// Long after nobody waits any more.
    Late(Duration),
    /// With so many bytes.
    Large(usize),
}

/// The server.
#[derive(Clone)]
pub struct Receiver {
    /// Its URL.
    pub url: String,
    state: Arc<Mutex<(Manner, Vec<Delivery>)>>,
}

impl Delivery {
    /// A header; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

impl Receiver {
    /// One that takes everything.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let receiver = Self { url, state: Arc::new(Mutex::new((Manner::Status(204), Vec::new()))) };
        let served = receiver.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let served = served.clone();
                tokio::spawn(async move {
                    let answer = service_fn(|request| served.answer(request));
                    // A client that leaves is what some tests wait for.
                    let _ =
                        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
                });
            }
        });
        receiver
    }

    /// Answers so from now on.
    pub fn answer_with(&self, manner: Manner) {
        self.state.lock().unwrap().0 = manner;
    }

    /// What came so far.
    pub fn seen(&self) -> Vec<Delivery> {
        self.state.lock().unwrap().1.clone()
    }

    /// Takes what came, of this event.
    pub fn of(&self, event: &str) -> Vec<Delivery> {
        self.seen().into_iter().filter(|delivery| delivery.body["event"] == event).collect()
    }

    async fn answer(&self, request: hyper::Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
        let (head, body) = request.into_parts();
        let bytes = body.collect().await?.to_bytes().to_vec();
        let headers = head.headers.iter();
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()));
        let (path, body) = (head.uri.to_string(), serde_json::from_slice(&bytes).unwrap_or_default());
        let manner = {
            let mut state = self.state.lock().unwrap();
            state.1.push(Delivery { path, headers: headers.collect(), bytes, body });
            state.0.clone()
        };
        let response = Response::builder();
        Ok(match manner {
            Manner::Status(status) => response.status(status).body(Full::default()),
            Manner::Redirect(to) => response.status(307).header("location", to).body(Full::default()),
            Manner::Late(pause) => {
                tokio::time::sleep(pause).await;
                response.status(204).body(Full::default())
            }
            Manner::Large(size) => response.status(200).body(Full::new(vec![b'x'; size].into())),
        }
        .unwrap())
    }
}
