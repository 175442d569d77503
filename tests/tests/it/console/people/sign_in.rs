//! How people come, and how they go.

use std::time::Duration;

use moorage_tests::{
    browser::{Browser, DESKTOP},
    eventually,
    people::{By, People, claims},
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{host, judged, sign_in, signed_in};

/// What a sign-in is called in the tab, until it has ended.
const BEGUN: &str = "moorage-sign-in";

/// What is kept in the tab.
async fn kept(browser: &Browser) -> Value {
    browser.script("return {...sessionStorage}", json!([])).await
}

#[tokio::test]
async fn people_sign_in_at_their_provider_and_come_back_to_where_they_were() {
    let (world, people) = (World::new("console-person").await, People::of_stack());
    let person = people.person("ada", &[]).await;
    let browser = Browser::new(&world.stack, DESKTOP).await;
    browser.go("organizations").await;
    browser.see(".sign-in", &format!("Sign in with {}", host(&people))).await;
    let mut found = judged(&browser, "the sign-in page").await;
    sign_in(&browser, &people, &person).await;
    browser.see("#bar", &person.name).await;
    browser.see("h1", "Organizations").await;

    // What they are known by is in the tab, and nowhere else.
    let seen = "return [location.href, document.cookie, JSON.stringify(localStorage), performance.getEntriesByType('navigation')[0].type]";
    let seen = browser.script(seen, json!([])).await;
    assert_eq!(seen[0], json!(format!("{}#/organizations", people.redirect_uri)));
    let tab = kept(&browser).await;
    let token = tab["moorage-token"].as_str().unwrap();
    assert!(tab.get(BEGUN).is_none() && !seen.to_string().contains(token), "{seen}");
    let said = claims(token);
    assert_eq!((&said["sub"], &said["aud"]), (&json!(person.subject), &json!("moorage")));

    // Who they are; with the tokens for their clients.
    browser.click(&person.name).await;
    browser.see("h1", &person.name).await;
    browser.click("Create an app token").await;
    browser.fill("title", "my laptop").await;
    browser.click("Create").await;
    browser.see("dialog", &format!("docker login -u {}", person.name)).await;
    found.extend(judged(&browser, "an app token").await);
    browser.click("Close").await;
    browser.see("tbody", "my laptop").await;
    found.extend(judged(&browser, "one's own page").await);
    browser.click("Revoke my laptop").await;
    browser.click("Revoke").await;
    browser.see("main .empty", "There are none.").await;

    browser.click("Sign out").await;
    browser.see("h1", "Moorage").await;
    assert_eq!(kept(&browser).await, json!({}));
    // Whoever sits here next is asked who they are: at the provider the one before is still signed in.
    sign_in(&browser, &people, &person).await;
    browser.see("#bar", &person.name).await;
    assert_eq!(browser.script("return localStorage.length", json!([])).await, json!(0));
    assert!(found.is_empty(), "{found:#?}");
    browser.close().await;
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_signs_nobody_in() {
    let (world, people) = (World::new("console-state").await, People::of_stack());
    let person = people.person("eve", &[]).await;
    let code = person.code().await;
    let browser = Browser::new(&world.stack, DESKTOP).await;
    let asked =
        "return performance.getEntriesByType('resource').filter((it) => it.name.endsWith('/signin/oidc')).length";
    // Somebody else's code, with a state of theirs; as an attacker sends it, to have others work in his name.
    browser.back(&format!("code={}&state=theirs", code.code)).await;
    browser.see(".problem", "was not begun in this tab").await;
    assert_eq!(browser.script("return location.search", json!([])).await, json!(""));
    assert_eq!(browser.script(asked, json!([])).await, json!(0), "nothing is exchanged");

    // Also while one is under way, which goes on.
    browser.click(&format!("Sign in with {}", host(&people))).await;
    browser.find("input[name=login]").await;
    browser.back(&format!("code={}&state=theirs", code.code)).await;
    browser.see(".problem", "was not begun in this tab").await;
    let begun: Value = serde_json::from_str(kept(&browser).await[BEGUN].as_str().unwrap()).unwrap();
    let state = begun["state"].as_str().unwrap();
    browser.back(&format!("code={}&state={state}&iss=https%3A%2F%2Fother.example", code.code)).await;
    browser.see(".problem", "Another provider has answered").await;
    browser.back(&format!("error=access_denied&error_description=%3Cb%3Eno&state={state}")).await;
    browser.see(".problem", "The provider refused: access_denied").await;
    assert_eq!(browser.script(asked, json!([])).await, json!(0), "nothing is exchanged");
    // The right state with a code of another sign-in: the provider refuses it, as the verifier is not that one's.
    browser.back(&format!("code={}&state={state}", code.code)).await;
    browser.see(".problem", "invalid_grant").await;
    assert!(kept(&browser).await.get("moorage-token").is_none());

    // Whoever is signed in stays so.
    sign_in(&browser, &people, &person).await;
    browser.see("#bar", &person.name).await;
    browser.back(&format!("code={}&state=theirs", code.code)).await;
    browser.see("#bar", &person.name).await;
    browser.close().await;
}

#[tokio::test]
async fn a_token_of_another_sign_in_is_not_kept() {
    let (world, people) = (World::new("console-nonce").await, People::of_stack());
    let person = people.person("ada", &[]).await;
    let browser = Browser::new(&world.stack, DESKTOP).await;
    browser.see(".sign-in", &format!("Sign in with {}", host(&people))).await;
    let other = "const real = Storage.prototype.setItem;
        Storage.prototype.setItem = function (key, text) {
          real.call(this, key, text.replace(/\"nonce\":\"[^\"]+\"/, '\"nonce\":\"another\"'));
        }";
    browser.script(other, json!([])).await;
    sign_in(&browser, &people, &person).await;
    browser.see(".problem", "has answered another sign-in").await;
    assert_eq!(kept(&browser).await, json!({}));
    browser.close().await;
}

#[tokio::test]
async fn a_tabs_copy_does_not_renew_what_the_tab_renews() {
    let (world, people) = (World::new("console-copy").await, People::of_stack());
    let person = people.person("ada", &[]).await;
    let browser = signed_in(&world, &people, &person).await;
    let before = kept(&browser).await;
    assert!(before["moorage-renewal"].is_string(), "{before}");
    browser.refresh().await;
    browser.see("#bar", &person.name).await;
    browser.script("window.copy = window.open(location.href)", json!([])).await;
    let copied = "return {...copy.sessionStorage}";
    eventually("the copy has dropped it", Duration::from_secs(20), async || {
        let copied = browser.script(copied, json!([])).await;
        (copied.get("moorage-renewal").is_none() && copied["moorage-token"] == before["moorage-token"]).then_some(())
    })
    .await;
    assert_eq!(kept(&browser).await, before, "the tab itself keeps it, loaded again or not");
    browser.script("copy.close()", json!([])).await;
    browser.close().await;
}

#[tokio::test]
async fn a_sign_in_ends_unless_it_can_be_renewed() {
    let (world, people) = (World::new("console-ended").await, People::of_stack());
    let person = people.person("ada", &[]).await;
    let tokens = person.tokens().await;
    let past = json!({"sub": person.subject, "preferred_username": person.name, "iat": 1_000, "exp": 2_000});
    let ended = people.forged(past, By::Own).await;
    let browser = Browser::new(&world.stack, DESKTOP).await;
    let keep = "sessionStorage.setItem('moorage-token', arguments[0]);
        if (arguments[1]) sessionStorage.setItem('moorage-renewal', JSON.stringify({at: 0, refresh_token: arguments[1]}))";
    browser.script(keep, json!([ended, null])).await;
    browser.go("health").await;
    browser.see(".problem", "Your sign-in has ended").await;
    assert_eq!(kept(&browser).await, json!({}));

    browser.script(keep, json!([ended, tokens.refresh])).await;
    browser.refresh().await;
    browser.see("#bar", &person.name).await;
    assert_ne!(kept(&browser).await["moorage-token"], json!(ended));
    // Whoever runs the deployment ends it, too.
    let user = format!("superuser/users/{}", person.name);
    let disabled = world.call(Method::PUT, &user, Some(json!({"enabled": false}))).await;
    assert_eq!(disabled.0, 200, "{}", disabled.1);
    browser.go("organizations").await;
    browser.see(".problem", "Your sign-in has ended").await;
    browser.close().await;
}
