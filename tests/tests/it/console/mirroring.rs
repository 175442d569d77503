//! The Mirroring tab: what Quay's own tests of it do, progress, and two people at once.

use std::time::Duration;

use moorage_tests::{
    browser::Browser,
    eventually,
    image::{Image, layer},
    organization_mirror,
    proxy::{Fault, Proxy},
    world::World,
};
use reqwest::Method;
use serde_json::json;

/// A world with some tags at its registry, and a proxy in front of it.
async fn tagged(name: &str, tags: &[&str]) -> (World, Proxy) {
    let world = World::new(name).await;
    let upstream = format!("http://{}", world.stack.upstream);
    for tag in tags {
        Image::oci("amd64", &[layer(rand::random(), 20_000)]).push(&upstream, &world.path, tag).await;
    }
    let proxy = Proxy::start(&upstream).await;
    (world, proxy)
}

async fn browser(world: &World) -> Browser {
    let token = world.token(Some(&world.namespace), "admin").await;
    let browser = Browser::signed_in(&world.stack, &token).await;
    browser.go(&format!("repository/{}/mirroring", world.repository)).await;
    browser
}

const STATE: &str = "section[aria-label=State]";
const SUBMIT: &str = "Enable Mirror";

#[tokio::test]
async fn a_mirror_is_set_up_shown_again_synced_and_cancelled() {
    let (world, proxy) = tagged("console-flow", &["v1", "v2", "nightly"]).await;
    let browser = browser(&world).await;
    browser.see("section[aria-label='Mirror settings']", "Registry Location").await;
    // As in Quay: not before all of them are there. Start and interval have defaults.
    for (field, text) in
        [("external_reference", format!("{}/{}", proxy.address, world.path)), ("root_rule", "v1, v*".to_owned())]
    {
        assert!(!browser.may(SUBMIT).await, "{field} is not there yet");
        browser.fill(field, &text).await;
    }
    assert!(!browser.may(SUBMIT).await, "nobody has been chosen to write it");
    browser.choose("robot_username", &format!("{}+bot", world.namespace)).await;
    browser.becomes(SUBMIT, true).await;
    browser.fill("sync_interval", "").await;
    browser.becomes(SUBMIT, false).await;
    browser.fill("sync_interval", "2").await;
    browser.becomes(SUBMIT, true).await;
    browser.script("document.querySelector('details.group').open = true", json!([])).await;
    browser.find("[data-field=verify_tls]").await.click().await.unwrap();
    // Else its schedule starts it at once, on a slow machine before Sync Now does.
    let later = "const start = document.querySelector('[data-field=sync_start_date]');
        start.value = '2099-01-01T00:00'; start.dispatchEvent(new Event('input', {bubbles: true}))";
    browser.script(later, json!([])).await;
    // What it would do is seen before there is one.
    browser.see("section[aria-label=Preview]", "2 of 3 tags").await;
    browser.click(SUBMIT).await;
    browser.see(STATE, "Never ran").await;
    let mirror = world.mirror().await;
    assert_eq!(mirror["root_rule"]["rule_value"], json!(["v1", "v*"]));
    assert_eq!(
        (&mirror["sync_interval"], &mirror["external_registry_config"]["verify_tls"]),
        (&json!(172_800), &json!(false))
    );

    browser.refresh().await;
    browser.see("section[aria-label='Mirror settings']", "Next Sync Date").await;
    assert_eq!(browser.value("root_rule").await, "v1, v*");
    assert_eq!(browser.value("sync_interval").await, "2");
    assert_eq!(browser.value("robot_username").await, format!("{}+bot", world.namespace));
    browser.see("section[aria-label=Preview]", "2 of 3 tags").await;
    browser.fill("root_rule", "nightly").await;
    browser.see("section[aria-label=Preview]", "1 of 3 tags").await;
    browser.fill("root_rule", "v1, v*").await;

    assert!(!browser.may("Cancel").await, "there is nothing to cancel");
    browser.click("Sync Now").await;
    browser.see(STATE, "In sync").await;
    browser.see("section[aria-label=Run]", "2 copied").await;
    // What it cost, and a month of it, by the prices of which day.
    browser.see("section[aria-label=Run]", "Cost of AWS").await;
    let (_, cost) = world.call(Method::GET, &world.mirror_path("/cost"), None).await;
    browser.see("main", "A month like this: $0.").await;
    browser.see("main", &format!("prices of {} in us-east-1", cost["prices"]["date"].as_str().unwrap())).await;

    proxy.fault("GET", "/tags/list", 1, Fault::Delay(Duration::from_secs(15)));
    browser.click("Sync Now").await;
    browser.click("Cancel").await;
    browser.see(STATE, "Cancelled").await;
    browser.becomes("Cancel", false).await;

    // What the API refuses is said beside the field.
    browser.fill("sync_interval", "5").await;
    browser.script("const unit = document.querySelector('[data-field=sync_interval]').nextElementSibling; unit.value = 'seconds'; unit.dispatchEvent(new Event('change', {bubbles: true}))", json!([])).await;
    browser.click("Update Mirror").await;
    browser.see(".field.duration .wrong", "less than the minimum of 60").await;
    browser.close().await;
}

#[tokio::test]
async fn progress_is_seen_to_move() {
    let (world, proxy) = tagged("console-progress", &[]).await;
    let upstream = format!("http://{}", world.stack.upstream);
    for number in 1..=4_u64 {
        let image = Image::oci("amd64", &[layer(rand::random(), 30_000)]);
        image.push(&upstream, &world.path, &format!("v{number}")).await;
        let blob = moorage_domain::Digest::sha256(image.blobs.last().unwrap()).to_string();
        proxy.fault("GET", &blob, 1, Fault::Delay(Duration::from_secs(2 * number)));
    }
    world.create_mirror(&proxy.address, json!({})).await;
    let browser = browser(&world).await;
    browser.script("window.sameDocument = true", json!([])).await;
    browser.click("Sync Now").await;
    let mut seen = Vec::new();
    eventually("the sync ends", Duration::from_secs(60), async || {
        let text = browser.text(".progress").await.replace('\n', " ");
        if !text.is_empty() && seen.last() != Some(&text) {
            seen.push(text);
        }
        browser.text(STATE).await.contains("In sync").then_some(())
    })
    .await;
    assert!(seen.len() >= 2, "{seen:?}");
    assert!(seen.iter().any(|it| it.contains("of 4")), "{seen:?}");
    assert_eq!(browser.script("return window.sameDocument", json!([])).await, json!(true));
    browser.close().await;
}

#[tokio::test]
async fn a_failed_tag_says_why_and_what_to_do() {
    let (world, proxy) = tagged("console-failed", &["good", "bad"]).await;
    proxy.fault("GET", "/manifests/bad", usize::MAX, Fault::Status(404, Vec::new()));
    proxy.fault("HEAD", "/manifests/bad", usize::MAX, Fault::Status(404, Vec::new()));
    world.create_mirror(&proxy.address, json!({})).await;
    world.sync().await;
    let browser = browser(&world).await;
    browser.see("[aria-label='Tags of the run']", "What to do: the registry lacks the tag").await;
    browser.close().await;
}

#[tokio::test]
async fn a_tag_that_is_refused_says_what_the_registry_says_and_what_fits_one_tag() {
    let (world, proxy) = tagged("console-refused", &["good", "bad"]).await;
    let said = json!({"errors": [{"code": "DENIED", "message": "a scan found something"}]}).to_string();
    proxy.fault("HEAD", "/manifests/bad", usize::MAX, Fault::Status(403, Vec::new()));
    proxy.fault("GET", "/manifests/bad", usize::MAX, Fault::Answer(403, Vec::new(), said.into_bytes().into()));
    world.create_mirror(&proxy.address, json!({})).await;
    world.sync().await;
    let browser = browser(&world).await;
    let tags = "[aria-label='Tags of the run']";
    browser.see(tags, "denied access: a scan found something").await;
    browser.see(tags, "What to do: the registry lists the tag and refuses its image").await;
    browser.see(tags, "check \"Username\" and \"Password\"").await;
    browser.close().await;
}

#[tokio::test]
async fn deletions_that_are_held_are_named_and_made_after_a_typed_number() {
    let (world, proxy) = tagged("console-held", &["v1", "v2"]).await;
    let old: Vec<_> = (0..12).map(|number| format!("old-{number}")).collect();
    let image = Image::oci("amd64", &[layer(rand::random(), 100)]);
    for tag in &old {
        image.push(&format!("http://{}", world.stack.upstream), &world.path, tag).await;
    }
    world.create_mirror(&proxy.address, json!({})).await;
    world.sync().await;
    let vanish = || {
        let list = json!({"name": world.path, "tags": ["v1", "v2"]}).to_string();
        proxy.fault("GET", "tags/list", usize::MAX, Fault::Body(list.into_bytes().into()));
        for method in ["GET", "HEAD"] {
            proxy.fault(method, "/manifests/old-", usize::MAX, Fault::Status(404, Vec::new()));
        }
    };
    vanish();
    assert_eq!(world.sync().await["warning"]["reason"], "deletions_held");
    // The latest run names none of them: it came to nothing.
    proxy.heal();
    proxy.fault("GET", "tags/list", usize::MAX, Fault::Status(404, Vec::new()));
    assert_eq!(world.sync().await["status"], "FAIL");
    proxy.heal();
    vanish();
    let browser = browser(&world).await;
    browser.see(STATE, "Deletions held back").await;
    browser.click("Look at them, and delete them…").await;
    browser.see("dialog", "old-11").await;
    assert!(!browser.may("Delete and sync now").await, "their number was not typed");
    browser.fill("typed", "12").await;
    browser.click("Delete and sync now").await;
    eventually("the tags are deleted", Duration::from_secs(30), async || {
        (world.last_run().await["tags_pruned"] == 12).then_some(())
    })
    .await;
    browser.see("section[aria-label=Run]", "12 deleted").await;
    browser.close().await;
}

#[tokio::test]
async fn deletions_that_an_organizations_mirror_holds_are_decided_there() {
    let world = World::empty("console-discovered").await;
    let tags: Vec<_> = (0..12).map(|number| format!("old-{number}")).chain(["v1".to_owned()]).collect();
    organization_mirror::push(&world, "app", &tags.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let proxy = Proxy::start(&format!("http://{}", world.stack.upstream)).await;
    organization_mirror::create(&world, "distribution", &proxy.address, json!({})).await;
    organization_mirror::sync_now(&world).await;
    organization_mirror::wait_for(&world, json!({"SUCCESS": 1})).await;
    let list = json!({"name": world.path, "tags": ["v1"]}).to_string();
    proxy.fault("GET", "tags/list", usize::MAX, Fault::Body(list.into_bytes().into()));
    for method in ["GET", "HEAD"] {
        proxy.fault(method, "/manifests/old-", usize::MAX, Fault::Status(404, Vec::new()));
    }
    assert_eq!(world.sync().await["warning"]["reason"], "deletions_held");
    let browser = browser(&world).await;
    browser.see(STATE, "Deletions held back").await;
    assert!(!browser.may("Look at them, and delete them…").await);
    assert_eq!(browser.text("section[aria-label=Webhook]").await, "", "it has none of its own");
    let leads = format!("Mirroring of {}", world.namespace);
    browser.see(&format!("{STATE} .notice"), &leads).await;
    browser.see("main > .view .notice", &leads).await;
    browser.click(&leads).await;
    browser.see("[aria-label='Organization mirror'] details", "Deletions").await;
    browser.close().await;
}

#[tokio::test]
async fn two_people_change_one_mirror() {
    let (world, proxy) = tagged("console-two", &["v1"]).await;
    world.create_mirror(&proxy.address, json!({})).await;
    let (one, two) = (browser(&world).await, browser(&world).await);
    for browser in [&one, &two] {
        browser.see("section[aria-label=Preview]", "1 of 1").await;
    }
    two.fill("external_registry_username", "two").await;
    one.fill("root_rule", "v1").await;
    one.click("Update Mirror").await;
    one.see("[aria-label='Mirror settings'] [role=status]", "Saved").await;
    // Whoever is typing is told, and what they save leaves the other's change.
    two.see("[aria-label='Mirror settings'] [role=status]", "Somebody else has changed: Tags").await;
    two.click("Update Mirror").await;
    two.see("[aria-label='Mirror settings'] [role=status]", "Saved").await;
    let mirror = world.mirror().await;
    assert_eq!(
        (&mirror["root_rule"]["rule_value"], &mirror["external_registry_username"]),
        (&json!(["v1"]), &json!("two"))
    );
    // Whoever only looks sees it by itself.
    eventually("the other sees it", Duration::from_secs(20), async || {
        (one.value("external_registry_username").await == "two").then_some(())
    })
    .await;
    // Both change the same: the second is asked.
    two.fill("root_rule", "v2").await;
    world.change_mirror(json!({"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["v3"]}})).await;
    two.click("Update Mirror").await;
    two.see("dialog", "Replace somebody else's changes?").await;
    two.click("Save mine").await;
    eventually("it is saved", Duration::from_secs(20), async || {
        (world.mirror().await["root_rule"]["rule_value"] == json!(["v2"])).then_some(())
    })
    .await;
    one.close().await;
    two.close().await;
}
