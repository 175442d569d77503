//! The settings of a mirror: what is sent of them, and what becomes of others' changes.

use std::time::Duration;

use moorage_tests::{browser::Browser, eventually, organization_mirror, sigstore::authority::Authority, world::World};
use serde_json::{Value, json};

const PASSWORD: &str = "external_registry_password";
const SAID: &str = "[aria-label='Mirror settings'] [role=status]";
/// Longer than the console's polls are apart.
const POLLS: Duration = Duration::from_secs(12);

async fn mirrored(name: &str, changes: Value) -> (World, Browser) {
    let world = World::new(name).await;
    world.create_mirror(&world.stack.upstream.clone(), changes).await;
    let browser = Browser::signed_in(&world.stack, &world.token(Some(&world.namespace), "admin").await).await;
    browser.go(&format!("repository/{}/mirroring", world.repository)).await;
    (world, browser)
}

/// How often the usage log says that a setting was changed.
async fn changes(world: &World, setting: &str) -> usize {
    world.log().await.iter().filter(|it| it["metadata"]["changed"] == setting).count()
}

/// Saves, and waits until the usage log says so often that a setting was changed.
async fn saved(world: &World, browser: &Browser, setting: &str, times: usize) {
    // What an earlier one was told may still be there.
    browser.script("document.querySelector(arguments[0]).textContent = ''", json!([SAID])).await;
    browser.click("Update Mirror").await;
    eventually(&format!("{setting} was changed {times} times"), POLLS, async || {
        (changes(world, setting).await == times).then_some(())
    })
    .await;
    browser.see(SAID, "Saved").await;
}

#[tokio::test]
async fn a_password_is_sent_when_it_was_typed_or_removed_and_only_then() {
    let login = json!({"external_registry_username": "me", "external_registry_password": "first"});
    let (world, browser) = mirrored("console-password", login).await;
    browser.fill("root_rule", "v2").await;
    saved(&world, &browser, "mirror_rule", 1).await;
    browser.fill("external_registry_password", "second").await;
    saved(&world, &browser, PASSWORD, 1).await;
    browser.find("[data-field=forget_password]").await.click().await.unwrap();
    saved(&world, &browser, PASSWORD, 2).await;
    browser.fill("root_rule", "v3").await;
    saved(&world, &browser, "mirror_rule", 2).await;
    assert_eq!(changes(&world, PASSWORD).await, 2);
    assert_eq!(world.mirror().await["external_registry_username"], "me");
    browser.close().await;
}

#[tokio::test]
async fn authorities_are_sent_and_then_told_of() {
    let (world, browser) = mirrored("console-tls", json!({})).await;
    let unfold = "for (const group of document.querySelectorAll('details.group')) group.open = true";
    let set = "const field = document.querySelector('[data-field=ca_bundle]'); field.value = arguments[0];
        field.dispatchEvent(new Event('input', {bubbles: true}))";
    browser.find("[data-field=root_rule]").await;
    browser.script(unfold, json!([])).await;
    browser.script(set, json!([Authority::new("a company").pem()])).await;
    saved(&world, &browser, "ca_bundle", 1).await;
    assert_eq!(world.mirror().await["external_registry_config"]["tls"]["ca_subjects"], json!(["CN=a company"]));
    browser.script(unfold, json!([])).await;
    browser.see("[aria-label='Mirror settings']", "CN=a company").await;
    assert_eq!(browser.value("ca_bundle").await, "", "it is not shown");
    browser.fill("root_rule", "v2").await;
    saved(&world, &browser, "mirror_rule", 1).await;
    assert_eq!(changes(&world, "ca_bundle").await, 1);
    browser.script(unfold, json!([])).await;
    // The page's head may be over it.
    browser.script("document.querySelector('[data-field=forget_tls]').click()", json!([])).await;
    saved(&world, &browser, "ca_bundle", 2).await;
    assert_eq!(world.mirror().await["external_registry_config"].get("tls"), None);
    browser.close().await;
}

#[tokio::test]
async fn an_organizations_settings_are_sent_as_far_as_they_were_changed() {
    let world = World::empty("console-org").await;
    organization_mirror::create(&world, "distribution", &world.stack.upstream, json!({})).await;
    let browser = Browser::signed_in(&world.stack, &world.token(Some(&world.namespace), "admin").await).await;
    browser.go(&format!("organization/{}/mirroring", world.namespace)).await;
    browser.fill("repository_filters", "app").await;
    // As a round moves it.
    organization_mirror::change(&world, json!({"sync_start_date": "2098-01-01T00:00:00Z", "visibility": "public"}))
        .await;
    browser.see("[aria-label='Organization mirror'] [role=status]", "Somebody else has changed: Visibility").await;
    browser.click("Update Mirror").await;
    browser.see("[aria-label='Organization mirror'] [role=status]", "Saved").await;
    let mirror = organization_mirror::mirror(&world).await;
    assert_eq!(
        (&mirror["repository_filters"], &mirror["visibility"], &mirror["sync_start_date"]),
        (&json!(["app"]), &json!("public"), &json!("2098-01-01T00:00:00Z"))
    );
    let log = organization_mirror::log(&world).await;
    let changed = log.iter().find(|it| it["kind"] == "org_mirror_config_changed").unwrap();
    assert_eq!(changed["metadata"]["updated_fields"], json!(["repository_filters"]));
    browser.close().await;
}

#[tokio::test]
async fn a_poll_that_is_answered_late_restores_nothing() {
    let (world, browser) = mirrored("console-late", json!({})).await;
    browser.fill("root_rule", "v2").await;
    browser.hold("GET", "/app/mirror", 1).await;
    browser.holds(1).await;
    browser.click("Update Mirror").await;
    browser.see(SAID, "Saved").await;
    browser.release().await;
    let seen = "const done = arguments[arguments.length - 1], seen = [];
        const look = setInterval(() => seen.push(document.querySelector('[data-field=root_rule]').value), 100);
        setTimeout(() => { clearInterval(look); done([...new Set(seen)]); }, arguments[0])";
    let seen = browser.script_until_done(seen, json!([POLLS.as_millis()])).await;
    assert_eq!(seen, json!(["v2"]));
    browser.see(SAID, "Saved").await;
    assert_eq!(world.mirror().await["root_rule"]["rule_value"], json!(["v2"]));
    browser.close().await;
}

#[tokio::test]
async fn what_is_wrong_in_a_folded_group_is_shown() {
    let (_world, browser) = mirrored("console-folded", json!({})).await;
    browser.find("[data-field=root_rule]").await;
    let fold = "document.querySelector('details.group').open = arguments[0]";
    browser.script(fold, json!([true])).await;
    browser.fill("https_proxy", "ftp://proxy").await;
    browser.script(fold, json!([false])).await;
    browser.click("Update Mirror").await;
    browser.see("details[open] .wrong", "\"HTTPS Proxy\" must be").await;
    let focused = browser.script("return document.activeElement.dataset.field", json!([])).await;
    assert_eq!(focused, json!("https_proxy"));
    browser.close().await;
}
