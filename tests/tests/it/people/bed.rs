//! The provider that the other tests go by is one: it gives tokens for what people do, and for nothing else.

use moorage_tests::{
    http,
    people::{People, claims, header},
    provider::Provider,
};
use serde_json::Value;

#[tokio::test]
async fn the_provider_signs_in_whoever_comes_by_a_browser_or_a_device() {
    let provider = Provider::start();
    let people = People::of(&provider);
    let mut person = people.person("ada", &["developers"]).await;
    let code = person.code().await;
    let exchange = async |verifier: &str| {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.code.as_str()),
            ("code_verifier", verifier),
            ("redirect_uri", &code.redirect_uri),
        ];
        people.ask_for_tokens(&form).await
    };
    assert_eq!(exchange(&code.nonce).await.unwrap_err()["error"], "invalid_grant", "another verifier");
    let tokens = exchange(&code.verifier).await.unwrap();
    let said = claims(&tokens.id);
    assert_eq!(
        (&said["preferred_username"], &said["sub"], &said["nonce"], &said["aud"], &said["groups"][0]),
        (
            &person.name.as_str().into(),
            &person.subject.as_str().into(),
            &code.nonce.as_str().into(),
            &"moorage".into(),
            &"developers".into()
        )
    );
    person.is_in(&["operators"]).await;
    let newer = people.refresh(&tokens.refresh).await.unwrap();
    assert_eq!(claims(&newer.id)["groups"][0], "operators");
    assert_eq!(people.refresh("made up").await.unwrap_err()["error"], "invalid_grant");
    people.rotate("k2").await;
    let of_key = |token: &str| header(token)["kid"].clone();
    assert_eq!((of_key(&newer.id), of_key(&person.token().await)), ("k1-RS256".into(), "k2-RS256".into()));

    let device = async || {
        let request =
            http().post(format!("{}/device/auth", people.issuer)).body("client_id=moorage&scope=openid profile");
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.send().await.unwrap().json::<Value>().await.unwrap()
    };
    let poll = async |device: &Value| {
        let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
        people.ask_for_tokens(&[grant, ("device_code", device["device_code"].as_str().unwrap())]).await
    };
    let approved = device().await;
    assert_eq!(poll(&approved).await.unwrap_err()["error"], "authorization_pending");
    person.approve(approved["user_code"].as_str().unwrap()).await;
    assert_eq!(claims(&poll(&approved).await.unwrap().id)["preferred_username"], person.name.as_str());
    let denied = device().await;
    person.deny(denied["user_code"].as_str().unwrap()).await;
    assert_eq!(poll(&denied).await.unwrap_err()["error"], "access_denied");
}
