//! The gate in the console: what tags have to pass, what waits, who has signed.

use std::time::Duration;

use moorage_tests::{
    browser::Browser,
    eventually,
    image::{Image, layer},
    organization_mirror,
    signing::{self, SigningKey},
    world::World,
};
use serde_json::{Value, json};

use super::pages::{axe, check};

const SAID: &str = "[aria-label='Mirror settings'] [role=status]";
const PREVIEW: &str = "section[aria-label=Preview]";
const TAGS: &str = "[aria-label='Tags of the preview']";
/// Longer than the console's polls are apart.
const POLLS: Duration = Duration::from_secs(12);

async fn push(world: &World, tags: &[&str]) -> Vec<Image> {
    let mut images = Vec::new();
    for tag in tags {
        let image = Image::oci("amd64", &[layer(rand::random(), 300)]);
        image.push(&format!("http://{}", world.stack.upstream), &world.path, tag).await;
        images.push(image);
    }
    images
}

async fn browser(world: &World) -> Browser {
    let browser = Browser::signed_in(&world.stack, &world.token(Some(&world.namespace), "admin").await).await;
    browser.go(&format!("repository/{}/mirroring", world.repository)).await;
    browser
}

/// Whether the gate's part of the form is open; and opens it.
async fn open(browser: &Browser) -> bool {
    browser.find("[data-field=root_rule]").await;
    let open =
        "const it = [...document.querySelectorAll('details.group')].find((it) => it.innerText.startsWith('The gate'));
        const was = it.open; it.open = true; return was";
    browser.script(open, json!([])).await == json!(true)
}

/// Saves, and waits until the mirror has it so.
async fn saved(world: &World, browser: &Browser, field: &str, value: Value) {
    browser.script("document.querySelector(arguments[0]).textContent = ''", json!([SAID])).await;
    browser.click("Update Mirror").await;
    browser.see(SAID, "Saved").await;
    assert_eq!(world.mirror().await.get(field).unwrap_or(&Value::Null), &value);
}

async fn focused(browser: &Browser) -> Value {
    browser.script("return document.activeElement.dataset.field ?? null", json!([])).await
}

#[tokio::test]
async fn what_tags_have_to_pass_is_saved_and_shown_again() {
    let world = World::new("console-gate").await;
    push(&world, &["1.0.0", "1.1.0", "1.2.0", "latest"]).await;
    world.create_mirror(&world.stack.upstream.clone(), json!({})).await;
    let (browser, key) = (browser(&world).await, SigningKey::generate());
    browser.see(PREVIEW, "4 of 4 tags").await;
    assert!(!open(&browser).await, "none of them is set");
    browser.fill("selection-ranges", ">=1.0 <1.2\n>=1.2").await;
    browser.fill("selection-newest", "1").await;
    browser.fill("selection-always", "latest").await;
    browser.see(PREVIEW, "2 to copy").await;
    browser.see(PREVIEW, "It takes 2 pulls of the registry.").await;
    browser.see(TAGS, "\"The newest\" does not let it pass").await;
    browser.see(TAGS, "compared as 1.1.0, number 2").await;
    browser.see(TAGS, "kept by \"Always\", whatever \"Versions\" says").await;
    let selection = json!({"version": {"ranges": [">=1.0 <1.2", ">=1.2"]}, "newest": 1, "always": ["latest"]});
    saved(&world, &browser, "selection", selection).await;

    assert!(open(&browser).await, "one of them is set");
    browser.choose("min_age-mode", "enforce").await;
    browser.fill("min_age-seconds", "3").await;
    browser.see(PREVIEW, "waits at the gate").await;
    browser.see(TAGS, "\"Age\": its image is held until").await;
    saved(&world, &browser, "min_age", json!({"mode": "enforce", "seconds": 259_200})).await;

    browser.choose("on_move-mode", "observe").await;
    browser.click("Add a rule").await;
    browser.fill("on_move-rules-0-tags", "v*, 1.*").await;
    browser.choose("on_move-rules-0-action", "hold").await;
    let rules = json!([{"tags": ["v*", "1.*"], "action": "hold"}]);
    saved(&world, &browser, "on_move", json!({"mode": "observe", "rules": rules})).await;

    browser.choose("signature_policy-mode", "enforce").await;
    browser.click("Add an authority").await;
    browser.fill("signature_policy-authorities-0-name", "release").await;
    browser.fill("signature_policy-authorities-0-pem", &key.public_pem()).await;
    browser.choose("signature_policy-authorities-0-transparency_log", "optional").await;
    browser.click("Add an authority").await;
    browser.fill("signature_policy-authorities-1-name", "ci").await;
    browser.choose("signature_policy-authorities-1-by", "keyless").await;
    browser.fill("signature_policy-authorities-1-issuer", "https://issuer.example").await;
    browser.fill("signature_policy-authorities-1-subject", "https://ci.example/.*").await;
    browser.script("const how = document.querySelector('[data-field=signature_policy-authorities-1-subject]').previousElementSibling; how.value = '_regex'; how.dispatchEvent(new Event('change', {bubbles: true}))", json!([])).await;
    browser.find("[data-field=signature_policy-no_rollback]").await.click().await.unwrap();
    let authorities = json!([
        {"name": "release", "key": {"pem": key.public_pem().trim()}, "transparency_log": "optional"},
        {"name": "ci", "keyless": {"identities": [
            {"issuer": "https://issuer.example", "subject_regex": "https://ci.example/.*"},
        ]}},
    ]);
    let policy = json!({"mode": "enforce", "authorities": authorities, "no_rollback": true});
    saved(&world, &browser, "signature_policy", policy.clone()).await;

    browser.refresh().await;
    assert!(open(&browser).await);
    for (field, value) in [
        ("selection-ranges", ">=1.0 <1.2\n>=1.2"),
        ("selection-always", "latest"),
        ("min_age-seconds", "3"),
        ("on_move-rules-0-tags", "v*, 1.*"),
        ("signature_policy-authorities-0-pem", key.public_pem().trim()),
        ("signature_policy-authorities-1-by", "keyless"),
        ("signature_policy-authorities-1-subject", "https://ci.example/.*"),
    ] {
        assert_eq!(browser.value(field).await, value, "{field}");
    }
    // What was not touched is not sent; what is emptied goes.
    browser.fill("selection-ranges", "").await;
    browser.fill("selection-newest", "").await;
    browser.fill("selection-always", "").await;
    browser.choose("min_age-mode", "").await;
    saved(&world, &browser, "selection", Value::Null).await;
    let mirror = world.mirror().await;
    assert_eq!((mirror.get("min_age"), &mirror["signature_policy"]), (None, &policy));
    let found = check(&browser, &axe(), "the gate").await;
    assert!(found.is_empty(), "{found:#?}");
    browser.close().await;
}

#[tokio::test]
async fn what_the_form_cannot_show_is_kept_as_it_is() {
    let world = World::new("console-kept").await;
    let selection = json!({
        "include_regex": "v?(?<minor>\\d+\\.\\d+)\\.\\d+", "group_by": "minor", "newest": 3, "version": {"prereleases": false},
    });
    world.create_mirror(&world.stack.upstream.clone(), json!({"selection": selection})).await;
    let browser = browser(&world).await;
    assert!(open(&browser).await);
    let shown = browser.value("selection-json").await;
    assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), selection);
    browser.fill("root_rule", "v2").await;
    saved(&world, &browser, "selection", selection).await;
    browser.fill("selection-json", "{\"newest\": ").await;
    browser.click("Update Mirror").await;
    browser.see(".wrong", "This is no object of JSON.").await;
    assert_eq!(focused(&browser).await, "selection-json");
    browser.fill("selection-json", "{\"newest\": 2, \"group_by\": \"no\"}").await;
    browser.click("Update Mirror").await;
    browser.see(".wrong", "is no group of").await;
    browser.fill("selection-json", "{\"newest\": 2}").await;
    browser.click("Selection as a form").await;
    assert_eq!(browser.value("selection-newest").await, "2");
    saved(&world, &browser, "selection", json!({"newest": 2})).await;
    browser.click("Selection as JSON").await;
    browser.fill("selection-json", "").await;
    saved(&world, &browser, "selection", Value::Null).await;
    browser.close().await;
}

#[tokio::test]
async fn what_the_api_refuses_is_said_where_it_was_filled_in() {
    let world = World::new("console-refusals").await;
    world.create_mirror(&world.stack.upstream.clone(), json!({})).await;
    let browser = browser(&world).await;
    open(&browser).await;
    browser.fill("selection-ranges", ">=1\nnonsense").await;
    browser.click("Update Mirror").await;
    browser.see(".field.lines .wrong", "(number 2)").await;
    assert_eq!(focused(&browser).await, "selection-ranges");
    browser.fill("selection-ranges", ">=1").await;
    browser.choose("signature_policy-mode", "enforce").await;
    browser.click("Add an authority").await;
    browser.fill("signature_policy-authorities-0-name", "ci").await;
    browser.fill("signature_policy-authorities-0-pem", "x").await;
    browser.click("Update Mirror").await;
    eventually("the key is pointed at", POLLS, async || {
        (focused(&browser).await == "signature_policy-authorities-0-pem").then_some(())
    })
    .await;
    browser.choose("signature_policy-authorities-0-by", "keyless").await;
    browser.fill("signature_policy-authorities-0-subject", "me").await;
    browser.click("Update Mirror").await;
    browser.see(".wrong", "takes `issuer` or").await;
    browser.click("Remove Authority 1").await;
    browser.choose("signature_policy-mode", "").await;
    saved(&world, &browser, "selection", json!({"version": {"ranges": [">=1"]}})).await;
    browser.close().await;
}

#[tokio::test]
async fn what_waits_is_released_with_a_reason() {
    let world = World::new("console-holds").await;
    let images = push(&world, &["1.0", "1.1"]).await;
    images[0].push(&format!("http://{}", world.stack.upstream), &world.path, "stable").await;
    let age = json!({"min_age": {"mode": "enforce", "seconds": 86_400}, "sync_interval": 3_000_000_000_u64});
    world.create_mirror(&world.stack.upstream.clone(), age).await;
    world.sync().await;
    let browser = browser(&world).await;
    browser.see("section[aria-label=State] .notice", "Tags wait at the gate").await;
    browser.see("[aria-label='Tags of the run']", "\"Age\": its image is held until").await;
    browser.see("section[aria-label=Run]", "3 held back").await;
    let axe = axe();
    let mut found = check(&browser, &axe, "a run with what waits").await;
    browser.click("Look at what waits").await;
    browser.see("table", "stable").await;
    found.extend(check(&browser, &axe, "holds").await);
    browser.click("Release 1.0…").await;
    browser.see("dialog", "Its age is no longer asked for.").await;
    browser.see("dialog ul", "1.0\nstable").await;
    assert!(!browser.may("Release").await, "nobody has said why");
    found.extend(check(&browser, &axe, "a release").await);
    browser.fill("reason", "a fix for the outage").await;
    browser.click("Release").await;
    browser.see("main [role=status]", "Released 1.0, stable.").await;
    assert!(found.is_empty(), "{found:#?}");
    eventually("they are mirrored", Duration::from_secs(60), async || {
        (world.last_run().await["tags_copied"] == 2).then_some(())
    })
    .await;
    world.wait_for(&["SUCCESS"]).await;
    browser.refresh().await;
    browser.see("table", "1.1").await;
    assert!(!browser.text("table").await.contains("stable"));
    browser.go(&format!("repository/{}/logs", world.repository)).await;
    browser.see("table", "released for 1.0, stable: a fix for the outage").await;
    browser.close().await;
}

#[tokio::test]
async fn a_tag_that_is_not_to_move_moves_once_somebody_says_so() {
    let world = World::new("console-moved").await;
    push(&world, &["v1", "base"]).await;
    let rules = json!([{"tags": ["v1"], "action": "hold"}, {"tags": ["base"], "action": "keep"}]);
    let steady = json!({"on_move": {"mode": "enforce", "rules": rules}, "sync_interval": 3_000_000_000_u64});
    world.create_mirror(&world.stack.upstream.clone(), steady).await;
    world.sync().await;
    push(&world, &["v1", "base"]).await;
    world.sync().await;
    let browser = browser(&world).await;
    browser.see(TAGS, "\"Tags that move\": it points to another image at the registry, which is held").await;
    browser.click("Look at what waits").await;
    browser.see("table", "it is released").await;
    let digests =
        browser.script("return document.querySelectorAll('tbody tr:first-child m-copy').length", json!([])).await;
    assert_eq!(digests, json!(2), "what it waits for, and what it serves");
    browser.click("Release v1…").await;
    browser.see("dialog", "A sync begins now that lets in").await;
    assert!(!browser.text("dialog").await.contains("Its age"), "nobody has asked for its age");
    browser.fill("reason", "looked at").await;
    browser.click("Release").await;
    browser.see("main [role=status]", "Released v1.").await;
    browser.click("Watch the sync").await;
    browser.see("section[aria-label=Run]", "1 copied").await;
    browser.close().await;
}

#[tokio::test]
async fn holds_are_read_page_by_page_and_only_by_administrators() {
    let world = World::new("console-many-holds").await;
    let image = push(&world, &["t-000"]).await.remove(0);
    for number in 1..=100 {
        image.push(&format!("http://{}", world.stack.upstream), &world.path, &format!("t-{number:03}")).await;
    }
    let age = json!({"min_age": {"mode": "enforce", "seconds": 86_400}, "sync_interval": 3_000_000_000_u64});
    world.create_mirror(&world.stack.upstream.clone(), age).await;
    world.sync().await;
    let browser = browser(&world).await;
    let screen = format!("repository/{}/mirroring?holds=all", world.repository);
    browser.go(&screen).await;
    browser.see("table", "t-099").await;
    assert!(!browser.text("table").await.contains("t-100"));
    browser.click("Show more").await;
    browser.see("table", "t-100").await;
    browser.close().await;
    let reader = Browser::signed_in(&world.stack, &world.token(Some(&world.namespace), "read").await).await;
    reader.go(&screen).await;
    reader.see("main .notice", "Administrators of ").await;
    assert_eq!(reader.text("main button").await, "");
    reader.close().await;
}

#[tokio::test]
async fn who_has_signed_is_seen_before_and_after_a_sync() {
    let (world, key) = (World::new("console-signed").await, SigningKey::generate());
    let images = push(&world, &["signed", "plain"]).await;
    let list = signing::list(vec![key.signature(&images[0])]);
    list.push(&format!("http://{}", world.stack.upstream), &world.path, &images[0].referrers_tag()).await;
    let only = json!({"rule_kind": "tag_glob_csv", "rule_value": ["signed", "plain"]});
    let settings = json!({"signature_policy": key.policy("enforce"), "root_rule": only});
    world.create_mirror(&world.stack.upstream.clone(), settings).await;
    let browser = browser(&world).await;
    browser.see(PREVIEW, "1 would be refused").await;
    browser.see(TAGS, "Would be refused").await;
    browser.see(TAGS, "\"Signatures\": its image is refused").await;
    browser.see(TAGS, "Signed by release").await;
    world.sync().await;
    let run = "[aria-label='Tags of the run']";
    browser.see(run, "Not signed as asked").await;
    browser.see(run, "of \"Signatures\"").await;
    browser.see(run, "Signed by release").await;
    browser.close().await;
}

#[tokio::test]
async fn an_organizations_mirror_has_a_gate_too() {
    let world = World::empty("console-org-gate").await;
    organization_mirror::create(&world, "distribution", &world.stack.upstream, json!({})).await;
    let browser = Browser::signed_in(&world.stack, &world.token(Some(&world.namespace), "admin").await).await;
    browser.go(&format!("organization/{}/mirroring", world.namespace)).await;
    browser.find("[data-field=repository_filters]").await;
    let open = "[...document.querySelectorAll('details.group')].at(-1).open = true";
    browser.script(open, json!([])).await;
    browser.choose("min_age-mode", "observe").await;
    browser.fill("min_age-seconds", "2").await;
    browser.click("Update Mirror").await;
    browser.see("[aria-label='Organization mirror'] [role=status]", "Saved").await;
    let mirror = organization_mirror::mirror(&world).await;
    assert_eq!(mirror["min_age"], json!({"mode": "observe", "seconds": 172_800}));
    browser.close().await;
}
