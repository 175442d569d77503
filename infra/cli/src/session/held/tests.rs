//! Sign-ins that end, and a provider that gives each refresh token once.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use moorage_client::ExposeSecret as _;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;

fn token(seconds: i64) -> String {
    token_of("ann", 0, seconds)
}

/// A token of somebody, where the provider's clock is so many seconds ahead.
fn token_of(subject: &str, ahead: i64, seconds: i64) -> String {
    let issued = now().unix() + ahead;
    let payload = json!({"sub": subject, "iat": issued, "exp": issued + seconds}).to_string();
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload))
}

/// A provider that takes the last refresh token that it has given and no other, as those do that notice theft.
async fn provider() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    let given = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&given);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 16 * 1024];
            let length = stream.read(&mut request).await.unwrap();
            let number = count.load(Ordering::SeqCst);
            let is_last = String::from_utf8_lossy(&request[..length]).contains(&format!("refresh_token=r{number}&"));
            let (status, body) = if is_last {
                count.fetch_add(1, Ordering::SeqCst);
                (200, json!({"id_token": token(600), "refresh_token": format!("r{}", number + 1)}))
            } else {
                (400, json!({"error": "invalid_grant"}))
            };
            answer(&mut stream, status, &body).await;
        }
    });
    (url, given)
}

async fn answer(stream: &mut tokio::net::TcpStream, status: u16, body: &Value) {
    let body = body.to_string();
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
}

fn stored(token_endpoint: &str, seconds: i64, refresh_token: Option<&str>) -> Stored {
    Stored {
        url: "https://h".into(),
        issuer: "https://login.example.com".into(),
        client_id: "moorage".into(),
        token_endpoint: token_endpoint.into(),
        id_token: token(seconds).into(),
        refresh_token: refresh_token.map(Into::into),
        received: now(),
    }
}

struct Kept {
    _root: tempfile::TempDir,
    folder: Folder,
    address: Address,
}

impl Kept {
    /// Somebody signs in.
    async fn keep(&self, stored: &Stored) {
        let lock = self.folder.lock(&self.address).await.unwrap();
        self.folder.write(&self.address, stored, &lock).unwrap();
    }

    async fn new(first: &Stored) -> Self {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::at(root.path().join("sign-ins"));
        let address = Address::parse("https://h", false).unwrap();
        let kept = Self { _root: root, folder, address };
        kept.keep(first).await;
        kept
    }

    /// What a command holds that begins now.
    fn held(&self) -> Held {
        let stored = self.folder.read(&self.address).unwrap().unwrap();
        Held::new(self.folder.clone(), self.address.clone(), stored)
    }
}

#[tokio::test]
async fn several_commands_renew_a_sign_in_once() {
    let (url, given) = provider().await;
    let kept = Kept::new(&stored(&url, 20, Some("r0"))).await;
    let commands: Vec<_> = (0..8).map(|_| kept.held()).collect();
    let tokens = futures_util::future::join_all(commands.iter().map(Credentials::token)).await;
    let tokens: Vec<_> = tokens.into_iter().map(|token| token.unwrap().expose_secret().to_owned()).collect();
    assert_eq!(given.load(Ordering::SeqCst), 1, "one has renewed it");
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(kept.held().token().await.unwrap().expose_secret(), tokens[0], "and it is kept");
    assert_eq!(given.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_sign_in_that_is_not_renewed_has_ended() {
    let (url, _) = provider().await;
    for (first, says) in [
        (stored(&url, -1, Some("stolen")), "the provider does not renew it"),
        (stored(&url, -1, None), "nothing to renew it by"),
        (stored("http://login.example.com/token", -1, Some("r0")), "nothing to renew it by"),
    ] {
        let kept = Kept::new(&first).await;
        let error = kept.held().token().await.unwrap_err();
        assert!(matches!(&error, ClientError::SignInEnded { why } if why.contains(says)), "{error}");
        assert!(kept.folder.read(&kept.address).unwrap().is_some(), "what is kept is left as it is");
    }
}

#[tokio::test]
async fn a_provider_that_is_away_ends_nothing_before_its_time() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let gone = format!("http://127.0.0.1:{port}/token");
    let soon = Kept::new(&stored(&gone, 20, Some("r0"))).await;
    assert!(soon.held().token().await.is_ok());
    let over = Kept::new(&stored(&gone, -1, Some("r0"))).await;
    let error = over.held().token().await.unwrap_err();
    assert!(matches!(error, ClientError::SignIn(ProviderError::Unreachable { .. })), "{error}");
}

#[tokio::test]
async fn who_has_signed_out_is_signed_out_everywhere() {
    let (url, given) = provider().await;
    let kept = Kept::new(&stored(&url, 20, Some("r0"))).await;
    let held = kept.held();
    let lock = kept.folder.lock(&kept.address).await.unwrap();
    kept.folder.remove(&kept.address, &lock).unwrap();
    drop(lock);
    assert!(matches!(held.token().await.unwrap_err(), ClientError::SignInEnded { .. }));
    assert_eq!(given.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_one_person_has_begun_another_does_not_end() {
    let (url, given) = provider().await;
    let first = stored(&url, 20, Some("r0"));
    for other in [
        Stored { id_token: token_of("eve", 0, 600).into(), ..first.clone() },
        Stored { issuer: "https://other.example.com".into(), id_token: token(600).into(), ..first.clone() },
        Stored { id_token: "e30.e30.c2ln".into(), ..first.clone() },
    ] {
        let kept = Kept::new(&first).await;
        let held = kept.held();
        kept.keep(&other).await;
        let error = held.token().await.unwrap_err();
        assert!(matches!(&error, ClientError::SignInEnded { why } if why.contains("somebody else")), "{error}");
    }
    let kept = Kept::new(&first).await;
    let held = kept.held();
    let again = Stored { id_token: token(600).into(), ..first.clone() };
    kept.keep(&again).await;
    assert_eq!(held.token().await.unwrap().expose_secret(), again.id_token.expose_secret(), "who comes again goes on");
    // The provider gives one of ann's.
    let eve = Kept::new(&Stored { id_token: token_of("eve", 0, -1).into(), ..first }).await;
    let error = eve.held().token().await.unwrap_err();
    assert!(matches!(&error, ClientError::SignInEnded { why } if why.contains("somebody else's")), "{error}");
    assert_eq!(given.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_clock_that_is_wrong_ends_no_sign_in_and_keeps_none() {
    let (url, given) = provider().await;
    for ahead in [-7_200, 7_200] {
        let first = |seconds| Stored { id_token: token_of("ann", ahead, seconds).into(), ..stored(&url, 0, None) };
        assert!(Kept::new(&first(600)).await.held().token().await.is_ok(), "{ahead}");
        let error = Kept::new(&first(-1)).await.held().token().await.unwrap_err();
        assert!(matches!(error, ClientError::SignInEnded { .. }), "{ahead}: {error}");
    }
    assert_eq!(given.load(Ordering::SeqCst), 0);
}
