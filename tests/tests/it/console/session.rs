//! Tokens that are none, that end, and where they are kept.

use std::time::{Duration, SystemTime};

use moorage_domain::Timestamp;
use moorage_tests::{browser::Browser, browser::DESKTOP, world::World};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn a_session_ends_with_its_token() {
    let world = World::new("console-session").await;
    let browser = Browser::new(&world.stack, DESKTOP).await;
    browser.sign_in("no-token-at-all").await;
    browser.see(".problem", "not known").await;

    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let ends = Timestamp::from_unix(i64::try_from(now).unwrap()).plus(Duration::from_secs(25));
    let body = json!({"description": "short", "namespace": world.namespace, "role": "admin", "expires": ends.iso()});
    let (status, token) = world.call(Method::POST, "tokens", Some(body)).await;
    assert_eq!(status, 201, "{token}");
    let token = token["token"].as_str().unwrap();
    browser.find("#token").await.clear().await.unwrap();
    browser.sign_in(token).await;
    browser.see("h1", "There are no mirrors yet").await;
    browser.go(&format!("repository/{}/information", world.repository)).await;
    browser.see("h1", "app").await;

    // It is in this tab alone.
    let kept = browser
        .script(
            "return [location.href, document.cookie, JSON.stringify(localStorage), sessionStorage.length]",
            json!([]),
        )
        .await;
    assert!(!kept.to_string().contains(token), "{kept}");
    assert_eq!(kept[3], json!(1));

    browser.go("").await;
    browser.see("h1", "Moorage").await;
    browser.see(".problem", "The session has ended").await;
    assert_eq!(browser.script("return sessionStorage.length", json!([])).await, json!(0));
    browser.close().await;
}
