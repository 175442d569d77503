//! A provider on loopback: what it is asked, and what its failures mean.

use serde_json::json;
use tokio::net::TcpListener;

use super::*;
use crate::{
    hosts::MOST,
    key::KeysError,
    signing::Signer,
    tests::{DISCOVERY, NOW, Provider},
};

/// A document, of an issuer.
type Body<'b> = &'b dyn Fn(&str) -> String;

fn issuers() -> Issuers {
    Issuers::new(Guard::new("127.0.0.1").unwrap())
}

/// What becomes of a token by this key at this time.
async fn verified(issuers: &Issuers, provider: &Provider, key: &Signer, now: i64) -> Result<String, IdentityError> {
    let token = key.token(&provider.claims(now));
    let token = Token::parse(&token)?;
    let expected = Expected { issuer: &provider.issuer, client: None };
    issuers.verify(&token, expected, Timestamp::from_unix(now)).await.map(|claims| claims.subject)
}

#[tokio::test]
async fn keys_are_kept_and_renewed() {
    let (first, second, forged) = (Signer::new("1", "ES256"), Signer::new("2", "ES256"), Signer::new("9", "ES256"));
    let (provider, issuers) = (Provider::start(&[&first]).await, issuers());
    assert_eq!(verified(&issuers, &provider, &first, NOW).await.unwrap(), "s");
    assert_eq!(provider.asked(), 2, "the issuer, and its keys");
    for now in [NOW, NOW + 59, NOW + FRESH - 1] {
        verified(&issuers, &provider, &first, now).await.unwrap();
    }
    assert_eq!(provider.asked(), 0);
    // A key that is not known is asked for, once a minute whatever comes.
    let now = NOW + FRESH - 10;
    for _ in 0..5 {
        let refused = verified(&issuers, &provider, &forged, now).await.unwrap_err();
        assert!(matches!(refused, IdentityError::Token(TokenError::UnknownKey)), "{refused}");
    }
    assert_eq!(provider.asked(), 2);
    provider.publish(&[&second]);
    let refused = verified(&issuers, &provider, &second, now + PAUSE - 1).await;
    assert!(refused.is_err() && provider.asked() == 0);
    assert_eq!(verified(&issuers, &provider, &second, now + PAUSE).await.unwrap(), "s");
    assert_eq!(provider.asked(), 2, "the key that it has turned to");
    let old = verified(&issuers, &provider, &first, now + PAUSE).await.unwrap_err();
    assert!(matches!(old, IdentityError::Token(TokenError::UnknownKey)), "a key that it took back works no more");
}

#[tokio::test]
async fn a_provider_that_fails_is_believed_for_a_day() {
    let (key, next) = (Signer::new("1", "ES256"), Signer::new("2", "ES256"));
    let (provider, issuers) = (Provider::start(&[&key]).await, issuers());
    verified(&issuers, &provider, &key, NOW).await.unwrap();
    provider.answer(DISCOVERY, 503, String::new());
    for now in [NOW + FRESH, NOW + KEPT - 1] {
        assert_eq!(verified(&issuers, &provider, &key, now).await.unwrap(), "s");
    }
    let unknown = verified(&issuers, &provider, &next, NOW + KEPT - 1).await.unwrap_err();
    assert!(matches!(unknown, IdentityError::Fetch(FetchError::Status(503))), "it may be good: {unknown}");
    let gone = verified(&issuers, &provider, &key, NOW + KEPT).await.unwrap_err();
    assert!(matches!(gone, IdentityError::Fetch(error) if error.is_passing()));
}

#[tokio::test]
async fn documents_that_are_none() {
    let key = Signer::new("1", "ES256");
    let other = json!({"issuer": "https://idp.example", "jwks_uri": "https://idp.example/jwks"}).to_string();
    let inside = |issuer: &str| json!({"issuer": issuer, "jwks_uri": "http://169.254.169.254/keys"}).to_string();
    let too_long = |_: &str| "x".repeat(600 * 1024);
    let cases: [(Body<'_>, u16, FetchError, bool); 8] = [
        (&|_| String::new(), 404, FetchError::Status(404), false),
        (&|_| String::new(), 500, FetchError::Status(500), true),
        (&|_| String::new(), 429, FetchError::Status(429), true),
        (&|issuer| format!("{issuer}/elsewhere"), 302, FetchError::Status(302), false),
        (&|_| "{}".into(), 200, FetchError::Malformed, false),
        (&|_| other.clone(), 200, FetchError::OtherIssuer, false),
        (&too_long, 200, FetchError::TooLong, false),
        (&inside, 200, FetchError::NotAllowed(IssuerError::NotAllowed), false),
    ];
    for (body, status, expected, is_passing) in cases {
        let (provider, issuers) = (Provider::start(&[&key]).await, issuers());
        provider.answer(DISCOVERY, status, body(&provider.issuer));
        let refused = verified(&issuers, &provider, &key, NOW).await.unwrap_err();
        let IdentityError::Fetch(error) = refused else { panic!("{refused}") };
        assert_eq!((error.is_passing(), &error), (is_passing, &expected));
        let asked = provider.asked();
        assert_eq!(asked, 1, "{expected}: nothing else is asked");
        let again = verified(&issuers, &provider, &key, NOW + 1).await.unwrap_err();
        assert!(matches!(again, IdentityError::Fetch(error) if error == expected), "it is not asked again at once");
        assert_eq!(provider.asked(), 0);
    }
    let (provider, issuers) = (Provider::start(&[]).await, issuers());
    let refused = verified(&issuers, &provider, &key, NOW).await.unwrap_err();
    assert!(matches!(refused, IdentityError::Fetch(FetchError::Keys(KeysError::None))));
}

#[tokio::test]
async fn issuers_that_are_made_up_do_not_have_a_host_asked_without_end() {
    let key = Signer::new("1", "ES256");
    let (provider, issuers) = (Provider::start(&[&key]).await, issuers());
    for number in 0..MOST + 40 {
        let issuer = format!("{}/{number}", provider.issuer);
        let token = key.token(&json!({"iss": issuer, "sub": "s", "iat": NOW, "exp": NOW + 300}));
        let expected = Expected { issuer: &issuer, client: None };
        let refused = issuers.verify(&Token::parse(&token).unwrap(), expected, Timestamp::from_unix(NOW)).await;
        let IdentityError::Fetch(error) = refused.unwrap_err() else { panic!("{issuer}") };
        let expected = if number < MOST { FetchError::Status(404) } else { FetchError::Paused };
        assert_eq!(error, expected, "{issuer}");
    }
    assert_eq!(provider.asked(), usize::try_from(MOST).unwrap());
    let later = verified(&issuers, &provider, &key, NOW + PAUSE).await;
    assert_eq!(later.unwrap(), "s");
}

#[tokio::test]
async fn nobody_is_asked_whom_the_guard_refuses() {
    let key = Signer::new("1", "ES256");
    let provider = Provider::start(&[&key]).await;
    let closed = Issuers::new(Guard::default());
    let refused = verified(&closed, &provider, &key, NOW).await.unwrap_err();
    assert!(matches!(refused, IdentityError::Issuer(IssuerError::NotAllowed)), "{refused}");
    // A public name that leads inside: the address is judged when it is connected to.
    let port = provider.issuer.rsplit(':').next().unwrap();
    let fetcher = Fetcher::new(Guard::default());
    let inside = Issuer::parse(&format!("https://ip6-localhost:{port}"), &Guard::default()).unwrap();
    let error = fetcher.published(&inside, Timestamp::from_unix(NOW)).await.unwrap_err();
    assert!(matches!(error, FetchError::Address | FetchError::Unreachable), "{error}");
    assert_eq!(provider.asked(), 0);
}

#[tokio::test]
async fn an_issuer_that_is_not_there_is_unreachable() {
    let key = Signer::new("1", "ES256");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
    drop(listener);
    let provider = Provider::absent(issuer);
    let refused = verified(&issuers(), &provider, &key, NOW).await.unwrap_err();
    assert!(matches!(refused, IdentityError::Fetch(FetchError::Unreachable)), "{refused}");
}

#[tokio::test]
async fn so_many_issuers_are_kept() {
    let issuers = issuers();
    for number in 0..CAPACITY.get() + 20 {
        issuers.known(&Issuer::parse(&format!("https://idp.example/{number}"), &Guard::default()).unwrap());
    }
    assert_eq!(issuers.known.lock().unwrap().len(), CAPACITY.get());
}
