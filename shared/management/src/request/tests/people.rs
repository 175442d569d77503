//! People's tokens, where the provider is not there: what is refused without it, and whom its absence concerns.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use moorage_state::now;
use serde_json::Value;

use super::*;
use crate::{Provider, ProviderSettings, sign_in::sources::MOST};

/// An address at which nobody answers.
const ISSUER: &str = "http://127.0.0.1:9";
/// What people are told then.
const NO_PROVIDER: &str = "The identity provider did not answer as it should. Try again in some seconds.";

fn api_with_provider(aws: &Aws) -> Api {
    let guard = Guard::new("127.0.0.1").unwrap();
    let settings = ProviderSettings {
        issuer: ISSUER.into(),
        client_id: "moorage".into(),
        client_secret: None,
        user_claim: "preferred_username".into(),
        groups_claim: "groups".into(),
        superuser_group: "platform".into(),
        scopes: "openid".into(),
    };
    let provider = Provider::new(settings, &guard).unwrap();
    Api { provider: Some(provider), ..api(aws) }
}

/// A token that nobody has signed.
fn token(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64.encode(value.to_string());
    format!("{}.{}.{}", part(header), part(claims), BASE64.encode("signature"))
}

fn claims(changes: &Value) -> Value {
    let now = now().unix();
    let mut claims = json!({
        "iss": ISSUER, "sub": "s", "aud": "moorage", "iat": now, "exp": now + 300, "preferred_username": "ada",
        "groups": ["platform"],
    });
    claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    claims
}

async fn ask(api: &Api, path: &str, token: &str) -> (u16, Value, bool) {
    let mut request = Request::new(Vec::new());
    request.headers_mut().insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    let answer = answer(api, &to(path), request).await;
    let later = answer.headers().contains_key("retry-after");
    (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or_default(), later)
}

#[tokio::test]
async fn what_no_provider_has_given_is_refused_without_asking_one() {
    let aws = Aws::default();
    let api = api_with_provider(&aws);
    let signed = json!({"alg": "ES256", "kid": "1"});
    let past = now().unix() - 7_200;
    for (header, changes, why, kind) in [
        (json!({"alg": "none"}), json!({}), "algorithm", "invalid_token"),
        (json!({"alg": "HS256"}), json!({}), "algorithm", "invalid_token"),
        (json!({"alg": "ES256", "typ": "dpop+jwt"}), json!({}), "type", "invalid_token"),
        (json!({"alg": "ES256", "crit": ["b64"]}), json!({}), "critical", "invalid_token"),
        (signed.clone(), json!({"iat": past, "exp": past + 300}), "expired", "expired_token"),
        (signed.clone(), json!({"exp": null}), "exp", "invalid_token"),
    ] {
        let (status, body, _) = ask(&api, "/api/v1/user/", &token(&header, &claims(&changes))).await;
        assert_eq!((status, body["error_type"].as_str()), (401, Some(kind)), "{header} {changes} {body}");
        assert!(body["message"].as_str().unwrap().contains(why), "{body}");
    }
    assert!(aws.take_asked().iter().all(|asked| asked.starts_with("secretsmanager")), "no read of the table");
    let (status, body, _) = ask(&api, "/api/v1/user/", "a.b.c").await;
    assert_eq!((status, body["message"].as_str()), (401, Some("the token is no JSON Web Token")));
    let (status, ..) = ask(&api, "/api/v1/registry/capabilities", "a.b.c").await;
    assert_eq!(status, 200, "whoever shows a bad token is anybody");
    let api = Api { provider: None, ..api };
    let (status, body, _) = ask(&api, "/api/v1/user/", &token(&signed, &claims(&json!({})))).await;
    assert_eq!((status, body.get("message")), (401, None), "where nobody signs in it is an unknown token");
}

#[tokio::test]
async fn a_provider_that_does_not_answer_concerns_people_alone() {
    let aws = Aws::default();
    let api = api_with_provider(&aws);
    let token = token(&json!({"alg": "ES256", "kid": "1"}), &claims(&json!({})));
    let (status, body, later) = ask(&api, "/api/v1/user/", &token).await;
    assert_eq!((status, later), (503, true), "{body}");
    aws.take_asked();
    let (status, ..) = ask(&api, "/api/v1/repository/a/b/mirror", "secret").await;
    assert_eq!((status, aws.take_asked()), (200, vec!["DynamoDB_20120810.GetItem".to_owned()]));
    let (status, body, _) = ask(&api, "/api/v1/signin", "secret").await;
    let oidc = json!({"issuer": ISSUER, "client_id": "moorage", "scopes": "openid", "unreachable": true});
    assert_eq!((status, body), (200, json!({ "oidc": oidc })));
    assert_eq!(exchange(&api, "192.0.2.1").await, (503, NO_PROVIDER.into()));
}

/// Shows a refresh token from an address.
async fn exchange(api: &Api, ip: &str) -> (u16, String) {
    let mut request = Request::new(json!({"refresh_token": "r"}).to_string().into_bytes());
    *request.method_mut() = "POST".parse().unwrap();
    let context = RequestContext { source_ip: Some(ip.to_owned()), ..to("/api/v1/signin/oidc") };
    let answer = answer(api, &context, request).await;
    let body: Value = serde_json::from_slice(answer.body()).unwrap();
    (answer.status().as_u16(), body["message"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn one_address_does_not_use_up_what_all_may_have_exchanged() {
    let api = api_with_provider(&Aws::default());
    for _ in 0..MOST {
        assert_eq!(exchange(&api, "192.0.2.1").await, (503, NO_PROVIDER.into()));
    }
    let (status, message) = exchange(&api, "192.0.2.1").await;
    assert!(status == 503 && message.starts_with("Too many sign in"), "{message}");
    assert_eq!(exchange(&api, "192.0.2.2").await, (503, NO_PROVIDER.into()));
}
