//! Calls of a server that answers as it is told.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use moorage_client::{Address, Client, ClientError, Limits, Method, Request, SecretString};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

/// A server, and the requests that it has seen.
struct Server {
    url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers with these, one connection each, and then not at all.
    async fn start(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, mut answers) = (Arc::clone(&seen), VecDeque::from(answers));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let Some(answer) = answers.pop_front() else { break };
                let mut request = vec![0; 16 * 1024];
                let length = stream.read(&mut request).await.unwrap_or(0);
                log.lock().unwrap().push(String::from_utf8_lossy(&request[..length]).into_owned());
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { url, seen }
    }

    fn client(&self, limits: Limits) -> Client {
        let token = SecretString::from("t0ken");
        Client::new(Address::parse(&self.url, false).unwrap(), Some(&token), "tests", limits).unwrap()
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn answer(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}")
}

fn json_answer(status: u16, body: &Value) -> String {
    answer(status, "content-type: application/json\r\n", &body.to_string())
}

#[tokio::test]
async fn a_call_has_the_token_and_the_tag() {
    let headers = "content-type: application/json\r\netag: \"1-2\"\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    let server = Server::start(vec![answer(200, headers, "{\"a\":1}")]).await;
    let client = server.client(Limits::default());
    assert!(!format!("{client:?}").contains("t0ken"));
    let put = Request::new(Method::Put, "repository/a/b/mirror").body(json!({"x": 1}));
    let answered = client.call(&put.if_match(Some("\"1-1\"".into()))).await.unwrap();
    assert_eq!((answered.status, &answered.body, answered.etag.as_deref()), (200, &json!({"a": 1}), Some("\"1-2\"")));
    assert_eq!(answered.date.unwrap().iso(), "1994-11-06T08:49:37Z");
    let seen = server.seen().remove(0).to_lowercase();
    for part in
        ["put /api/v1/repository/a/b/mirror http/1.1", "authorization: bearer t0ken", "if-match: \"1-1\"", "{\"x\":1}"]
    {
        assert!(seen.contains(part), "{part}: {seen}");
    }
}

#[tokio::test]
async fn what_is_for_later_is_called_again_as_told() {
    let busy = answer(503, "retry-after: 1\r\ncontent-type: application/json\r\n", "{\"message\":\"busy\"}");
    let server = Server::start(vec![busy.clone(), json_answer(201, &json!(""))]).await;
    let (client, begun) = (server.client(Limits::default()), Instant::now());
    client.call(&Request::new(Method::Post, "repository").body(json!({}))).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(server.seen().len(), 2);

    let server = Server::start(vec![busy; 3]).await;
    let client = server.client(Limits { tries: 2, ..Limits::default() });
    let error = client.get("user/").await.unwrap_err();
    assert!(matches!(&error, ClientError::Unavailable { status: 503, message } if message == "busy"), "{error}");
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn failures_are_told_apart() {
    let detail = |text: &str| json!({"detail": text});
    for (answered, expected) in [
        (json_answer(401, &detail("x")), "the token is not known, or has expired"),
        (json_answer(403, &detail("insufficient")), "the token does not go so far: insufficient"),
        (json_answer(404, &detail("Not Found")), "x/y does not exist"),
        (json_answer(404, &detail("Nothing waits for this image.")), "Nothing waits for this image"),
        (json_answer(400, &json!({"message": "bad"})), "bad (400)"),
        (json_answer(409, &detail("it runs")), "it runs (409)"),
        (json_answer(500, &json!({"message": "fault"})), "the API cannot do it now: fault (500)"),
        (
            answer(404, "content-type: text/html\r\n", "<html>t0ken"),
            "127.0.0.1 answers what is not understood: 404 without the API's own words",
        ),
        (
            answer(302, "location: https://evil.example.com/\r\n", ""),
            "127.0.0.1 answers what is not understood: a redirect (302), and the token goes nowhere else",
        ),
    ] {
        let server = Server::start(vec![answered]).await;
        let error = server.client(Limits::default()).get("x/y").await.unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test]
async fn answers_and_times_are_bounded() {
    let server = Server::start(vec![json_answer(200, &json!("x".repeat(2_000)))]).await;
    let error = server.client(Limits { answer: 1_000, ..Limits::default() }).get("x").await.unwrap_err();
    assert!(matches!(error, ClientError::TooLarge { limit: 1_000, .. }), "{error}");

    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Address::parse(&format!("http://{}", silent.local_addr().unwrap()), false).unwrap();
    let limits = Limits { attempt: Duration::from_millis(200), tries: 1, ..Limits::default() };
    let client = Client::new(address, None, "tests", limits).unwrap();
    let error = client.get("x").await.unwrap_err();
    assert_eq!(error.to_string(), "127.0.0.1 cannot be reached: it does not answer in time");
}

#[tokio::test]
async fn who_is_not_there_is_unreachable() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let address = Address::parse(&format!("http://127.0.0.1:{port}"), false).unwrap();
    let client = Client::new(address, None, "tests", Limits { tries: 2, ..Limits::default() }).unwrap();
    let error = client.call(&Request::new(Method::Post, "x")).await.unwrap_err();
    assert!(matches!(&error, ClientError::Unreachable { is_unsent: true, .. }), "{error:?}");
    let wrong = Client::new(client.address().clone(), Some(&SecretString::from("a\nb")), "tests", Limits::default());
    assert!(matches!(wrong.unwrap_err(), ClientError::Token));
}

#[tokio::test]
async fn lists_are_followed_as_far_as_is_asked() {
    let page = |names: &[&str], next: Option<&str>| {
        let mut page = json!({"runs": names});
        if let Some(next) = next {
            page["next_page"] = next.into();
        }
        json_answer(200, &page)
    };
    let pages = || vec![page(&["a", "b"], Some("x/y")), page(&["c"], None)];
    let server = Server::start(pages()).await;
    let found = server.client(Limits::default()).pages("runs?limit=2", "runs", 10).await.unwrap();
    assert_eq!((found.entries, found.is_more), (vec![json!("a"), json!("b"), json!("c")], false));
    assert!(server.seen()[1].starts_with("GET /api/v1/runs?limit=2&next_page=x%2Fy "));

    let server = Server::start(pages()).await;
    let found = server.client(Limits::default()).pages("runs", "runs", 1).await.unwrap();
    assert_eq!((found.entries, found.is_more), (vec![json!("a")], true));
    let server = Server::start(vec![json_answer(200, &json!({}))]).await;
    assert!(server.client(Limits::default()).pages("runs", "runs", 1).await.is_err());
}
