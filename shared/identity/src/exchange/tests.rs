//! What is sent, and what answers mean.

use std::sync::Arc;

use moorage_domain::Guard;
use serde_json::json;

use super::*;
use crate::{
    budget::MOST,
    signing::Signer,
    tests::{DISCOVERY, NOW, Provider},
};

#[test]
fn forms_are_those_of_the_standards() {
    let (code, verifier) = (SecretString::from("c/1+"), SecretString::from("v-._~"));
    let client = Client { id: "moor age", secret: None };
    let grant = Grant::Code { code: &code, verifier: &verifier, redirect_uri: "https://h/console/" };
    assert_eq!(
        form(client, grant).finish(),
        "client_id=moor+age&grant_type=authorization_code&code=c%2F1%2B&code_verifier=v-._%7E&\
         redirect_uri=https%3A%2F%2Fh%2Fconsole%2F"
    );
    assert_eq!(
        form(client, Grant::RefreshToken(&code)).finish(),
        "client_id=moor+age&grant_type=refresh_token&refresh_token=c%2F1%2B"
    );
    assert_eq!(basic("a:b", &SecretString::from("s:/ ")), "a%3Ab:s%3A%2F+");
}

#[test]
fn what_a_provider_says_is_not_handed_on() {
    let said = |body: &str| reason(body.as_bytes());
    assert_eq!(said(r#"{"error": "invalid_grant", "error_description": "x"}"#), Some("invalid_grant"));
    for body in ["", "<html>", r#"{"error": "<script>"}"#, r#"{"error": 7}"#] {
        assert_eq!(said(body), None, "{body}");
    }
}

#[test]
fn an_answer_has_an_id_token() {
    let read = |body: &str| given(body.as_bytes());
    let both = read(r#"{"access_token": "a", "token_type": "Bearer", "id_token": "i", "refresh_token": "r"}"#).unwrap();
    assert_eq!(both.id_token.expose_secret(), "i");
    assert_eq!(both.refresh_token.unwrap().expose_secret(), "r");
    assert!(read(r#"{"id_token": "i"}"#).unwrap().refresh_token.is_none());
    let long = format!(r#"{{"id_token": "i", "refresh_token": "{}"}}"#, "r".repeat(MAX_REFRESH_TOKEN + 1));
    assert!(read(&long).unwrap().refresh_token.is_none(), "it could not come back");
    for body in ["", "[]", r#"{"access_token": "a"}"#, r#"{"id_token": 1}"#] {
        assert!(matches!(read(body), Err(ExchangeError::Malformed)), "{body}");
    }
}

/// A provider with a token endpoint, and with these methods of sending a secret.
async fn provider(methods: &[&str]) -> (Arc<Provider>, Issuers) {
    let provider = Provider::start(&[&Signer::new("1", "ES256")]).await;
    let url = |path: &str| format!("{}{path}", provider.issuer);
    let discovery = json!({
        "issuer": provider.issuer, "jwks_uri": url("/jwks"), "token_endpoint": url("/token"),
        "token_endpoint_auth_methods_supported": methods,
    });
    provider.answer(DISCOVERY, 200, discovery.to_string());
    provider.answer("/token", 200, json!({"id_token": "i", "refresh_token": "r"}).to_string());
    (provider, Issuers::new(Guard::new("127.0.0.1").unwrap()))
}

async fn exchanged(
    issuers: &Issuers,
    provider: &Provider,
    secret: Option<&str>,
    now: i64,
) -> Result<Exchanged, ExchangeError> {
    let secret = secret.map(SecretString::from);
    let client = Client { id: "moorage", secret: secret.as_ref() };
    let (code, verifier) = (SecretString::from("c"), SecretString::from("v"));
    let grant = Grant::Code { code: &code, verifier: &verifier, redirect_uri: "https://h/" };
    issuers.exchange(&provider.issuer, client, grant, Timestamp::from_unix(now)).await
}

#[tokio::test]
async fn a_secret_goes_where_the_provider_wants_it() {
    for (methods, secret, header, body) in [
        (&["none"][..], None, false, false),
        (&[], Some("s"), true, false),
        (&["client_secret_basic", "client_secret_post"], Some("s"), true, false),
        (&["client_secret_post"], Some("s"), false, true),
    ] {
        let (provider, issuers) = provider(methods).await;
        assert_eq!(exchanged(&issuers, &provider, secret, NOW).await.unwrap().id_token.expose_secret(), "i");
        let request = provider.last.lock().unwrap().clone();
        let (head, form) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /token "), "{head}");
        assert!(head.to_lowercase().contains("content-type: application/x-www-form-urlencoded"), "{head}");
        assert!(form.contains("grant_type=authorization_code") && form.contains("code_verifier=v"), "{form}");
        let is_sent = (head.contains("Basic bW9vcmFnZTpz"), form.contains("client_secret=s"));
        assert_eq!(is_sent, (header, body), "{methods:?} {head}");
    }
}

#[tokio::test]
async fn what_a_provider_answers_is_sorted() {
    let (provider, issuers) = provider(&[]).await;
    let answer = async |status: u16, body: &str| {
        provider.answer("/token", status, body.to_owned());
        exchanged(&issuers, &provider, None, NOW).await.unwrap_err()
    };
    let refused = answer(400, r#"{"error": "invalid_grant", "error_description": "secret words"}"#).await;
    assert_eq!(refused.to_string(), "the provider refuses: invalid_grant");
    let unknown = answer(400, r#"{"error": "secret words"}"#).await;
    assert!(matches!(unknown, ExchangeError::Refused(None)) && !unknown.to_string().contains("secret"));
    assert!(matches!(answer(401, "").await, ExchangeError::Refused(None)));
    assert!(matches!(answer(200, "<html>").await, ExchangeError::Malformed));
    for (status, passing) in [(500, true), (429, true), (404, false), (302, false)] {
        let error = answer(status, "http://169.254.169.254/").await;
        let ExchangeError::Identity(IdentityError::Fetch(error)) = error else { panic!("{error}") };
        assert_eq!((&error, error.is_passing()), (&FetchError::Status(status), passing));
    }
    let long = format!(r#"{{"id_token": "{}"}}"#, "i".repeat(MAX_LENGTH));
    let error = answer(200, &long).await;
    assert!(matches!(error, ExchangeError::Identity(IdentityError::Fetch(FetchError::TooLong))), "{error}");
}

#[tokio::test]
async fn so_many_are_exchanged_in_a_minute_and_a_provider_without_an_endpoint_is_not_asked() {
    let (provider, issuers) = provider(&[]).await;
    for _ in 0..MOST {
        exchanged(&issuers, &provider, None, NOW).await.unwrap();
    }
    provider.asked();
    let error = exchanged(&issuers, &provider, None, NOW + 1).await.unwrap_err();
    assert!(matches!(error, ExchangeError::TooMany) && provider.asked() == 0, "{error}");
    exchanged(&issuers, &provider, None, NOW + 60).await.unwrap();
    let workloads = Provider::start(&[&Signer::new("1", "ES256")]).await;
    let error = exchanged(&issuers, &workloads, None, NOW + 60).await.unwrap_err();
    assert!(matches!(error, ExchangeError::NoEndpoint) && workloads.asked() == 2, "{error}");
}
