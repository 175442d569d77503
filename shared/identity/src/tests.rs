//! A provider on loopback, for tests.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex as Lock,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::signing::{Signer, document};

pub(crate) const DISCOVERY: &str = "/.well-known/openid-configuration";
pub(crate) const NOW: i64 = 1_790_000_000;

/// A provider that answers what it is told.
pub(crate) struct Provider {
    pub(crate) issuer: String,
    asked: AtomicUsize,
    /// The last request.
    pub(crate) last: Lock<String>,
    /// Status and body of each path.
    answers: Lock<HashMap<&'static str, (u16, String)>>,
}

impl Provider {
    pub(crate) async fn start(keys: &[&Signer]) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let this = Arc::new(Self::absent(issuer));
        let discovery = json!({"issuer": this.issuer, "jwks_uri": format!("{}/jwks", this.issuer)});
        this.answer(DISCOVERY, 200, discovery.to_string());
        this.publish(keys);
        let provider = Arc::clone(&this);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read(&mut stream).await;
                provider.asked.fetch_add(1, SeqCst);
                provider.last.lock().unwrap().clone_from(&request);
                let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                let (status, body) =
                    provider.answers.lock().unwrap().get(path.as_str()).cloned().unwrap_or((404, String::new()));
                let location = if status == 302 { format!("location: {body}\r\n") } else { String::new() };
                let head = format!(
                    "HTTP/1.1 {status} X\r\nconnection: close\r\n{location}content-length: {}\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
            }
        });
        this
    }

    /// One that nobody starts.
    pub(crate) fn absent(issuer: String) -> Self {
        Self { issuer, asked: AtomicUsize::new(0), last: Lock::default(), answers: Lock::default() }
    }

    pub(crate) fn answer(&self, path: &'static str, status: u16, body: String) {
        self.answers.lock().unwrap().insert(path, (status, body));
    }

    pub(crate) fn publish(&self, keys: &[&Signer]) {
        self.answer("/jwks", 200, document(keys).to_string());
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.swap(0, SeqCst)
    }

    pub(crate) fn claims(&self, now: i64) -> Value {
        json!({"iss": self.issuer, "sub": "s", "iat": now, "exp": now + 300})
    }
}

/// A whole request: its head, and as much of a body as that says.
async fn read(stream: &mut TcpStream) -> String {
    let (mut request, mut buffer) = (Vec::new(), [0; 4_096]);
    loop {
        let length = stream.read(&mut buffer).await.unwrap();
        request.extend_from_slice(&buffer[..length]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let lower = head.to_lowercase();
        let announced = lower.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
        if length == 0 || body.len() >= announced.unwrap_or(0) {
            return text;
        }
    }
}
