//! A mirror's webhook: made, copied, moved to another address, and ended.

use std::time::Duration;

use moorage_tests::{
    browser::Browser,
    eventually, http,
    image::{Image, layer},
    world::World,
};
use serde_json::json;

use super::pages::{axe, check};

const HOOK: &str = "section[aria-label=Webhook]";

/// The address that a dialog shows, as it is copied.
async fn copied(browser: &Browser) -> String {
    browser.see("dialog", "shown this once").await;
    let watch = "window.copied = null;
        const writeText = async (text) => { window.copied = text; };
        Object.defineProperty(navigator, 'clipboard', {value: {writeText}, configurable: true})";
    browser.script(watch, json!([])).await;
    browser.click("Copy the address").await;
    browser.see("dialog", "Copied").await;
    let copied = browser.script("return window.copied", json!([])).await.as_str().unwrap().to_owned();
    assert_eq!(browser.text("dialog m-copy[name='the address'] code").await, copied);
    copied
}

/// What a delivery is answered with.
async fn deliver(world: &World, url: &str) -> u16 {
    let (_, path) = url.split_once("/api/v1/").unwrap();
    let request = http().post(format!("{}/api/v1/{path}", world.stack.url)).json(&json!({"tags": ["v1"]}));
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_webhook_is_made_shown_once_moved_and_ended() {
    let world = World::new("console-webhook").await;
    let upstream = format!("http://{}", world.stack.upstream);
    Image::oci("amd64", &[layer(rand::random(), 1_000)]).push(&upstream, &world.path, "v1").await;
    world.create_mirror(&world.stack.upstream.clone(), json!({})).await;
    world.sync().await;
    let browser = Browser::signed_in(&world.stack, &world.token(Some(&world.namespace), "admin").await).await;
    browser.go(&format!("repository/{}/mirroring", world.repository)).await;
    browser.see(HOOK, "It is a hint").await;
    browser.click("Make a webhook…").await;
    browser.see("dialog", "Refuse what is not signed").await;
    let axe = axe();
    let mut found = check(&browser, &axe, "a webhook that is to be made").await;
    browser.click("Make it").await;
    let first = copied(&browser).await;
    assert!(!browser.text("dialog").await.contains("The address before"), "there was none");
    found.extend(check(&browser, &axe, "a webhook that was made").await);
    browser.click("Close").await;
    browser.see(HOOK, "checked if there are any").await;
    assert_eq!(deliver(&world, &first).await, 202);
    browser.see(HOOK, "the registry was asked").await;

    // Another address, by which senders have to sign; they are moved meanwhile.
    browser.click("Make another address…").await;
    browser.see("dialog", "The present one stays valid").await;
    browser.find("[data-field=require_signature]").await.click().await.unwrap();
    browser.click("Make it").await;
    let second = copied(&browser).await;
    assert_ne!(first, second);
    let both = "The address before is valid, too, until you end it or make another one.";
    browser.see("dialog", both).await;
    browser.click("Close").await;
    browser.see(HOOK, both).await;
    browser.see(HOOK, "asked for").await;
    assert_eq!([deliver(&world, &first).await, deliver(&world, &second).await], [202, 403]);
    browser.see(HOOK, "refused: not signed").await;
    found.extend(check(&browser, &axe, "a webhook with two addresses").await);
    assert!(found.is_empty(), "{found:#?}");

    browser.refresh().await;
    browser.see(HOOK, both).await;
    let page = browser.text("body").await;
    assert!(!page.contains(&first) && !page.contains(&second), "they were shown once");
    browser.click("End the address before…").await;
    browser.see("dialog", "End the address before?").await;
    browser.click("End").await;
    eventually("the address before has ended", Duration::from_secs(20), async || {
        (!browser.text(HOOK).await.contains(both)).then_some(())
    })
    .await;
    assert_eq!([deliver(&world, &first).await, deliver(&world, &second).await], [404, 403]);
    browser.click("End the webhook…").await;
    browser.click("End").await;
    browser.becomes("Make a webhook…", true).await;
    assert_eq!(deliver(&world, &second).await, 404);
    browser.close().await;
}
