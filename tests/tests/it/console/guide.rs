//! From an empty organization to a pulled image, on one page.

use std::time::Duration;

use moorage_tests::{
    browser::Browser,
    eventually,
    image::{Image, layer},
    skopeo,
    world::World,
};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn a_newcomer_gets_to_a_pulled_image() {
    let world = World::empty("console-guide").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let image = Image::oci("amd64", &[layer(rand::random(), 1_000)]);
    image.push(&upstream, &world.path, "latest").await;
    let organization = format!("{}-new", world.namespace);
    let browser = Browser::signed_in(&world.stack, &world.stack.token).await;
    browser.click("New mirror").await;
    assert!(!browser.may("Create and sync").await);
    browser.fill("external_reference", &format!("{}/{}", world.stack.upstream, world.path)).await;
    browser.find("[data-field=verify_tls]").await.click().await.unwrap();
    browser.choose("organization", "+").await;
    assert!(!browser.may("Create and sync").await, "the new organization has no name");
    browser.fill("organization_name", &organization).await;
    assert_eq!(browser.value("repository").await, "app", "as it is called there");
    browser.click("Create and sync").await;
    browser.see("section[aria-label=Progress]", "docker pull").await;
    let shown = browser.text("section[aria-label=Progress]").await;
    assert!(shown.find("Log in first").unwrap() < shown.find("docker pull").unwrap(), "{shown}");
    assert_eq!(shown.matches("Good").count(), 1, "{shown}");
    let pull = browser.text("section[aria-label=Progress] m-copy code").await;
    let host = world.stack.url.trim_start_matches("http://");
    assert!(pull.contains(&format!("docker pull {host}/{organization}/app:latest")), "{pull}");

    // With the credentials that the page leads to.
    browser.click(&format!("{organization}+mirror")).await;
    browser.see("dialog", "docker login").await;
    let token = browser.script("return document.querySelector('dialog m-copy').content", json!([])).await;
    let login = format!("{organization}+mirror:{}", token.as_str().unwrap());
    skopeo::copies(host, &format!("{organization}/app"), &image.digest().to_string(), &["--src-creds", &login])
        .unwrap();
    browser.close().await;
    assert_eq!(world.call(Method::DELETE, &format!("organization/{organization}"), None).await.0, 204);
}

#[tokio::test]
async fn a_first_sync_that_failed_is_made_again() {
    let world = World::empty("console-again").await;
    let upstream = format!("http://{}", world.stack.upstream);
    Image::oci("amd64", &[layer(rand::random(), 1_000)]).push(&upstream, &world.path, "latest").await;
    let browser = Browser::signed_in(&world.stack, &world.token(Some(&world.namespace), "admin").await).await;
    browser.go("guide").await;
    browser.fill("external_reference", &format!("{}/nothing/app", world.stack.upstream)).await;
    browser.find("[data-field=verify_tls]").await.click().await.unwrap();
    browser.click("Create and sync").await;
    browser.see("section[aria-label=Progress]", "Failed").await;
    browser.becomes("Create and sync", true).await;
    eventually("nothing is tried again any more", Duration::from_secs(60), async || {
        let mirror = world.mirror().await;
        // Then the next failure has its retries again.
        let is_over = mirror["sync_status"] == "FAIL" && mirror["sync_retries_remaining"] == 3;
        (is_over && world.runs().await.len() == 3).then_some(())
    })
    .await;
    browser.fill("external_reference", &format!("{}/{}", world.stack.upstream, world.path)).await;
    browser.click("Create and sync").await;
    browser.see("section[aria-label=Progress]", "docker pull").await;
    let log = world.log().await;
    let changed = log.iter().map(|it| it["metadata"]["changed"].as_str().unwrap_or_default());
    let changed: Vec<_> = changed.filter(|it| !["", "sync_status"].contains(it)).collect();
    assert_eq!(changed, ["external_reference"; 2], "made, and then only what was filled in anew");
    browser.close().await;
}

#[tokio::test]
async fn what_is_refused_is_refused_before_anything_is_made() {
    let world = World::empty("console-refused").await;
    let organization = format!("{}-new", world.namespace);
    let browser = Browser::signed_in(&world.stack, &world.stack.token).await;
    browser.go("guide").await;
    browser.choose("organization", "+").await;
    let right =
        [("external_reference", "registry.example/a/app"), ("organization_name", &organization), ("robot", "mirror")];
    for (field, text, wrong) in [
        ("external_reference", "registry.example/a/app:v1", "reference"),
        ("external_reference", "https://registry.example/a/app", "URL scheme"),
        ("external_reference", "nohost", "repository path"),
        ("external_reference", "10.0.0.1/a/app", "not allowed"),
        ("organization_name", "ACME", "Lower case"),
        ("organization_name", "admin", "already exists"),
        ("repository", "App", "Lower case"),
        ("robot", "Robot", "lower case"),
        ("sync_interval", "0", "less than the minimum"),
    ] {
        for (field, text) in right {
            browser.fill(field, text).await;
        }
        browser.fill("repository", "app").await;
        browser.fill("sync_interval", "1").await;
        browser.fill(field, text).await;
        browser.click("Create and sync").await;
        let beside = format!(".field:has([data-field={field}]) .wrong");
        browser.see(&beside, wrong).await;
        let focused = browser.script("return document.activeElement.dataset.field", json!([])).await;
        assert_eq!(focused, json!(field), "{text}");
        let found = world.call(Method::GET, &format!("organization/{organization}"), None).await;
        assert_eq!(found.0, 404, "{field}: {text}");
    }
    browser.close().await;
}
