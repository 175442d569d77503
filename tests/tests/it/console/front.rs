//! The front page: what is wrong comes first, and nobody sees what is not theirs.

use moorage_tests::{
    browser::Browser,
    image::{Image, layer},
    organization_mirror,
    proxy::{Fault, Proxy},
    world::World,
};
use serde_json::json;

async fn mirrored(name: &str) -> (World, Proxy) {
    let world = World::new(name).await;
    let upstream = format!("http://{}", world.stack.upstream);
    Image::oci("amd64", &[layer(rand::random(), 1_000)]).push(&upstream, &world.path, "v1").await;
    let proxy = Proxy::start(&upstream).await;
    world.create_mirror(&proxy.address, json!({})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    (world, proxy)
}

#[tokio::test]
async fn a_registry_that_fails_is_seen_with_the_next_poll() {
    let (world, proxy) = mirrored("console-front").await;
    let browser = Browser::signed_in(&world.stack, &world.token(Some(&world.namespace), "admin").await).await;
    browser.see("h1", "The mirror is fine").await;
    browser.see("tbody", "In sync").await;
    browser.script("window.sameDocument = true", json!([])).await;
    proxy.fault("GET", "/tags/list", usize::MAX, Fault::Status(404, Vec::new()));
    assert_eq!(world.sync().await["status"], "FAIL");
    browser.see("h1", "1 failing of 1 mirror").await;
    browser.see("tbody tr.why", "Why: ").await;
    browser.see("tbody tr.why", "What to do: ").await;
    browser.see("#live", "Failing").await;
    assert_eq!(browser.script("return window.sameDocument", json!([])).await, json!(true));
    // Found by its state, and not by another one's name.
    browser.find("[data-state=FAIL]").await.click().await.unwrap();
    assert!(browser.text("tbody").await.contains(&world.namespace));
    browser.find("input[type=search]").await.send_keys("another").await.unwrap();
    browser.see(".filters", "0 of 1 shown").await;
    browser.close().await;
}

#[tokio::test]
async fn a_tenant_sees_its_namespace_alone() {
    let (mine, _mine) = mirrored("console-mine").await;
    let (theirs, _theirs) = mirrored("console-theirs").await;
    let browser = Browser::signed_in(&mine.stack, &mine.token(Some(&mine.namespace), "admin").await).await;
    for screen in ["", "organizations", "tokens", "logs"] {
        browser.go(screen).await;
        browser.see("main", if screen == "tokens" { "Tokens" } else { &mine.namespace }).await;
        assert!(!browser.text("body").await.contains(&theirs.namespace), "{screen}");
    }
    browser.go(&format!("repository/{}/mirroring", theirs.repository)).await;
    browser.see(".notice", &format!("Administrators of {} can", theirs.namespace)).await;
    browser.go(&format!("repository/{}/tags", theirs.repository)).await;
    browser.see(".problem", "Unauthorized: this token may not do that").await;
    browser.close().await;
}

#[tokio::test]
async fn an_organization_whose_registry_fails_comes_first_with_what_to_do() {
    let world = World::empty("console-org-fails").await;
    organization_mirror::push(&world, "app", &["v1"]).await;
    let proxy = Proxy::start(&format!("http://{}", world.stack.upstream)).await;
    organization_mirror::create(&world, "distribution", &proxy.address, json!({})).await;
    organization_mirror::sync_now(&world).await;
    organization_mirror::wait_for(&world, json!({"SUCCESS": 1})).await;
    let browser = Browser::signed_in(&world.stack, &world.token(Some(&world.namespace), "admin").await).await;
    browser.see("h1", "All 2 mirrors are fine").await;
    proxy.fault("GET", "/v2/_catalog", usize::MAX, Fault::Status(404, Vec::new()));
    organization_mirror::sync_now(&world).await;
    browser.see("h1", "1 failing of 2 mirrors").await;
    browser.see("tbody tr:first-child", "Organization").await;
    browser.see("tbody tr.why", "What to do: check \"Registry URL\" and \"Namespace\"").await;
    // Whoever may not do it is told who can.
    let reader = Browser::signed_in(&world.stack, &world.token(Some(&world.namespace), "read").await).await;
    reader.see("tbody tr.why", &format!("Administrators of {} can do that", world.namespace)).await;
    reader.close().await;
    browser.click(&world.namespace).await;
    browser.see("main", "What to do: check \"Registry URL\"").await;
    assert!(!browser.text("main").await.contains("None was found yet"));
    browser.close().await;
}
