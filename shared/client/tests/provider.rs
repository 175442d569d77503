//! A provider that answers as it is told.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use moorage_client::{
    Address, Client, ClientError, Credentials, Endpoint, ExposeSecret, Limits, Provider, ProviderError, Refusal,
    TokenFuture,
};
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

    fn endpoint(&self, path: &str) -> Endpoint {
        Endpoint::parse(&format!("{}{path}", self.url)).unwrap()
    }

    fn provider(&self) -> Provider {
        Provider::new(self.endpoint("/token"), "moorage", "tests").unwrap()
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

fn id_token() -> String {
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(r#"{"exp": 1767225600}"#))
}

fn error(code: &str) -> Value {
    json!({"error": code, "error_description": "hunter2 \u{1b}[2J"})
}

#[tokio::test]
async fn a_code_is_shown_and_waited_for() {
    let code = json!({
        "device_code": "hunter2", "user_code": "ABCD-EFGH", "verification_uri": "https://login.example.com/device",
        "expires_in": 600, "interval": 1,
    });
    let tokens = json!({"id_token": id_token(), "refresh_token": "r1", "token_type": "Bearer"});
    let server = Server::start(vec![
        json_answer(200, &code),
        json_answer(400, &error("authorization_pending")),
        json_answer(200, &tokens),
    ]);
    let server = server.await;
    let provider = server.provider();
    let authorization = provider.authorize(&server.endpoint("/device"), "openid profile").await.unwrap();
    assert_eq!((authorization.user_code.as_str(), authorization.expires_in.as_secs()), ("ABCD-EFGH", 600));
    let tokens = provider.wait(&authorization).await.unwrap();
    assert_eq!(tokens.id_token.expose_secret(), id_token());
    assert_eq!(tokens.refresh_token.as_ref().map(ExposeSecret::expose_secret), Some("r1"));
    assert!(!format!("{tokens:?} {authorization:?}").contains("hunter2"));
    let seen = server.seen();
    assert!(seen[0].starts_with("POST /device ") && seen[0].ends_with("scope=openid+profile&client_id=moorage"));
    let form =
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=hunter2&client_id=moorage";
    assert!(seen[1].starts_with("POST /token ") && seen[2].ends_with(form), "{}", seen[2]);
}

#[tokio::test]
async fn who_says_no_is_not_asked_again() {
    let code = json!({
        "device_code": "d", "user_code": "A", "verification_uri": "https://h/device", "expires_in": 600, "interval": 1,
    });
    let server = Server::start(vec![json_answer(200, &code), json_answer(403, &error("access_denied"))]).await;
    let provider = server.provider();
    let authorization = provider.authorize(&server.endpoint("/device"), "openid").await.unwrap();
    let denied = provider.wait(&authorization).await.unwrap_err();
    assert!(matches!(denied, ProviderError::Refused(Refusal::AccessDenied)), "{denied}");

    let short = json!({
        "device_code": "d", "user_code": "A", "verification_uri": "https://h/device", "expires_in": 1, "interval": 2,
    });
    let server = Server::start(vec![json_answer(200, &short)]).await;
    let provider = server.provider();
    let authorization = provider.authorize(&server.endpoint("/device"), "openid").await.unwrap();
    let late = provider.wait(&authorization).await.unwrap_err();
    assert!(matches!(late, ProviderError::Refused(Refusal::ExpiredToken)), "{late}");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_refresh_token_goes_on_or_is_replaced() {
    let same = json!({"id_token": id_token()});
    let other = json!({"id_token": id_token(), "refresh_token": "r2"});
    let server = Server::start(vec![json_answer(200, &same), json_answer(200, &other)]).await;
    for expected in ["r1", "r2"] {
        let tokens = server.provider().refresh(&"r1".into()).await.unwrap();
        assert_eq!(tokens.refresh_token.unwrap().expose_secret(), expected);
    }
    assert!(server.seen()[0].ends_with("grant_type=refresh_token&refresh_token=r1&client_id=moorage"));
}

#[tokio::test]
async fn failures_are_told_apart_and_say_nothing_of_the_providers() {
    let large = json!({"id_token": "x".repeat(300 << 10)});
    for (answered, expected) in [
        (json_answer(400, &error("invalid_grant")), "the provider refuses it: invalid_grant"),
        (json_answer(401, &error("invalid_client")), "the provider refuses it: invalid_client"),
        (json_answer(400, &error("hunter2")), "the provider refuses it: for another reason"),
        (json_answer(503, &error("x")), "the provider HOST cannot do it now (503)"),
        (json_answer(429, &error("slow_down")), "the provider HOST cannot do it now (429)"),
        (json_answer(200, &json!({})), "the provider HOST answers what is not understood: no id token"),
        (json_answer(200, &large), "the provider HOST answers what is not understood: more than tokens have"),
        (answer(200, "", "<html>"), "the provider HOST answers what is not understood: no JSON"),
        (answer(404, "", "<html>"), "the provider HOST answers what is not understood: a status without a reason"),
        (
            answer(302, "location: https://evil.example.com/\r\n", ""),
            "the provider HOST answers what is not understood: a redirect, which is not followed",
        ),
    ] {
        let server = Server::start(vec![answered]).await;
        let host = server.url.trim_start_matches("http://").to_owned();
        let error = server.provider().refresh(&"r1".into()).await.unwrap_err();
        assert_eq!(error.to_string(), expected.replace("HOST", &host));
    }
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let gone = Endpoint::parse(&format!("http://127.0.0.1:{port}/token")).unwrap();
    let error = Provider::new(gone, "moorage", "tests").unwrap().refresh(&"r1".into()).await.unwrap_err();
    assert!(matches!(error, ProviderError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn an_issuer_is_who_its_document_says() {
    for (issuer, is_it) in [("HERE/realm", true), ("https://evil.example.com", false)] {
        let server = Server::start(Vec::new()).await;
        let url = server.url.clone();
        drop(server);
        let issuer = issuer.replace("HERE", &url);
        let listener = TcpListener::bind(url.trim_start_matches("http://")).await;
        // Somebody else may have taken the port.
        let Ok(listener) = listener else { continue };
        let body = json_answer(200, &json!({"issuer": issuer}));
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 16 * 1024];
            let length = stream.read(&mut request).await.unwrap();
            stream.write_all(body.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let endpoint = |path: &str| Endpoint::parse(&format!("{url}{path}")).unwrap();
        let provider = Provider::new(endpoint("/token"), "moorage", "tests").unwrap();
        assert_eq!(provider.look(&endpoint("/realm")).await.is_ok(), is_it, "{issuer}");
        assert!(asked.await.unwrap().starts_with("GET /realm/.well-known/openid-configuration "));
    }
}

/// Another token each time.
#[derive(Debug)]
struct Counting(Mutex<u32>);

impl Credentials for Counting {
    fn token(&self) -> TokenFuture<'_> {
        Box::pin(async {
            let mut count = self.0.lock().unwrap();
            *count += 1;
            if *count > 2 { Err(ClientError::SignInEnded { why: "x".into() }) } else { Ok(format!("t{count}").into()) }
        })
    }
}

#[tokio::test]
async fn a_token_is_asked_for_before_each_try() {
    let busy = answer(503, "retry-after: 0\r\ncontent-type: application/json\r\n", "{\"message\":\"busy\"}");
    let server = Server::start(vec![busy, json_answer(200, &json!({}))]).await;
    let address = Address::parse(&server.url, false).unwrap();
    let client = Client::new(address, None, "tests", Limits::default()).unwrap();
    let client = client.with(Arc::new(Counting(Mutex::new(0))));
    client.get("user/").await.unwrap();
    let seen = server.seen();
    assert!(seen[0].contains("authorization: Bearer t1") && seen[1].contains("authorization: Bearer t2"), "{seen:?}");
    let error = client.get("user/").await.unwrap_err();
    assert!(matches!(error, ClientError::SignInEnded { .. }), "{error}");
}

#[tokio::test]
async fn why_a_sign_in_is_refused_is_said() {
    let server = Server::start(vec![json_answer(401, &json!({"message": "alice is disabled."}))]).await;
    let address = Address::parse(&server.url, false).unwrap();
    let error = Client::new(address, None, "tests", Limits::default()).unwrap().get("user/").await.unwrap_err();
    assert_eq!(error.to_string(), "alice is disabled");
}

/// Tests of both clients, as they are in a process that the system gives a proxy that nobody is at.
#[test]
fn what_goes_to_this_machine_goes_by_no_proxy() {
    let tests = ["a_refresh_token_goes_on_or_is_replaced", "why_a_sign_in_is_refused_is_said"];
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    for name in ["HTTP_PROXY", "ALL_PROXY", "NO_PROXY"] {
        again.env_remove(name).env_remove(name.to_lowercase());
    }
    again.env("http_proxy", format!("http://127.0.0.1:{port}")).arg("--exact").args(tests);
    let output = again.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("2 passed"), "{said}");
}
