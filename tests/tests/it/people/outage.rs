//! A provider that fails, and comes back with other keys, keeps out nobody but those whom it alone knows.

use std::time::Duration;

use moorage_tests::{alone::Alone, eventually, people::People, provider::Provider, stack::Stack, world::World};
use reqwest::Method;
use serde_json::json;

use super::{Visitor, admin};

/// A provider is asked once a minute; and some for a slow machine.
const ASKED_AGAIN: Duration = Duration::from_secs(90);

#[tokio::test]
async fn a_provider_that_is_down_locks_out_nobody_who_holds_a_token() {
    let (stack, provider) = (Stack::from_env().await, Provider::start());
    let person = People::of(&provider).person("waits", &[]).await;
    let (token, code) = (person.token().await, person.code().await);
    let settings = [("OIDC_ISSUER", provider.issuer.as_str()), ("PUBLIC_URL", "http://localhost")];
    let api = Alone::with(&stack, &settings).await;
    let world = World::new("outage").await;
    let robot_maker = world.token(Some(&world.namespace), "admin").await;
    let world = world.at(&api.stack);
    let issuer = provider.issuer.clone();
    drop(provider);
    let later = "The identity provider did not answer as it should. Try again in some seconds.";
    let waits = (503, json!({"message": later}));
    assert_eq!(Visitor::with(&world, &token).get("user/").await, waits);
    let shown = json!({"code": code.code, "code_verifier": code.verifier, "redirect_uri": code.redirect_uri});
    let body = Some(shown.to_string().into_bytes());
    assert_eq!(world.send(Method::POST, "signin/oidc", None, body).await, waits);
    for holder in [admin(&world), Visitor::with(&world, robot_maker)] {
        assert_eq!(holder.get(&format!("repository/{}", world.repository)).await.0, 200);
    }
    let about = json!({"oidc": {
        "issuer": issuer, "client_id": "moorage", "scopes": "openid profile email", "unreachable": true,
    }});
    assert_eq!(world.send(Method::GET, "signin", None, None).await, (200, about));
}

#[tokio::test]
async fn keys_that_are_known_hold_until_the_provider_has_others() {
    let (stack, provider) = (Stack::from_env().await, Provider::start());
    let people = People::of(&provider);
    let person = people.person("stays", &[]).await;
    let api = Alone::with(&stack, &[("OIDC_ISSUER", &provider.issuer)]).await;
    let world = World::empty("rotated").await.at(&api.stack);
    let visitor = Visitor::of(&world, &person).await;
    let port = provider.port();
    drop(provider);
    assert_eq!(visitor.get("user/").await.0, 200, "its keys are known");
    let again = Provider::at(port, "k2");
    // It has forgotten everybody, and is told of them once more.
    let mut person = person;
    person.has(json!({})).await;
    let newer = Visitor::with(&world, person.token().await);
    let taken = async || (newer.get("user/").await.0 == 200).then_some(());
    eventually("the new keys are read", ASKED_AGAIN, taken).await;
    let why = "the token is signed by a key that its issuer does not publish";
    let (status, answer) = visitor.get("user/").await;
    assert_eq!((status, &answer["message"]), (401, &json!(why)), "a key that was taken back");
    drop(again);
}
