//! What would be lost by leaving: answers that are waited for, and what was filled in.

use std::time::Duration;

use moorage_tests::{
    browser::{Browser, ESCAPE},
    eventually,
    world::World,
};
use reqwest::Method;
use serde_json::json;

/// How many tokens there are for something.
async fn tokens(world: &World, description: &str) -> usize {
    let (status, page) = world.call(Method::GET, "tokens?limit=100", None).await;
    assert_eq!(status, 200, "{page}");
    page["tokens"].as_array().unwrap().iter().filter(|it| it["description"] == description).count()
}

#[tokio::test]
async fn a_token_that_is_made_is_shown_whatever_is_pressed_meanwhile() {
    let world = World::new("console-token").await;
    let browser = Browser::signed_in(&world.stack, &world.token(Some(&world.namespace), "admin").await).await;
    browser.go("tokens").await;
    browser.click("Create a token").await;
    browser.fill("description", &world.namespace).await;
    browser.hold("POST", "/tokens", 1).await;
    browser.click("Create").await;
    browser.holds(1).await;
    // What is typed meanwhile does not have it made twice.
    browser.find("[data-field=description]").await.send_keys("!").await.unwrap();
    assert!(!browser.may("Create").await && !browser.may("Cancel").await);
    for _ in 0..3 {
        browser.press(ESCAPE).await;
    }
    browser.go("health").await;
    browser.see("dialog", "What it is for").await;
    browser.release().await;
    browser.see("dialog", "It is shown this once").await;
    browser.see("h1", "Tokens").await;
    assert_eq!(tokens(&world, &world.namespace).await, 1);
    browser.click("Close").await;
    browser.go("health").await;
    browser.see("h1", "Health").await;
    browser.close().await;
}

#[tokio::test]
async fn unsaved_settings_are_not_left_unasked() {
    let world = World::new("console-unsaved").await;
    world.create_mirror(&world.stack.upstream.clone(), json!({})).await;
    let browser = Browser::signed_in(&world.stack, &world.token(Some(&world.namespace), "admin").await).await;
    let screen = format!("repository/{}/mirroring", world.repository);
    browser.go(&screen).await;
    browser.fill("root_rule", "v7").await;
    let unloads = "const event = new Event('beforeunload', {cancelable: true});
        dispatchEvent(event);
        return event.defaultPrevented";
    assert_eq!(browser.script(unloads, json!([])).await, json!(true));
    browser.click("Organizations").await;
    browser.see("dialog", "Leave without saving?").await;
    browser.click("Cancel").await;
    eventually("the question is gone", Duration::from_secs(10), async || {
        (browser.text("dialog").await.is_empty()).then_some(())
    })
    .await;
    assert_eq!(browser.value("root_rule").await, "v7");
    assert_eq!(browser.script("return location.hash", json!([])).await, json!(format!("#/{screen}")));
    browser.click("Organizations").await;
    browser.click("Leave").await;
    browser.see("h1", "Organizations").await;
    assert_eq!(browser.script(unloads, json!([])).await, json!(false));
    // Nothing is asked where nothing was filled in.
    browser.go(&screen).await;
    browser.find("[data-field=root_rule]").await;
    browser.click("Organizations").await;
    browser.see("h1", "Organizations").await;
    browser.close().await;
}
