//! A mirror's tags are turned back to what a run left: what would change, a typed name, the run, and the pause after it.

use std::time::Duration;

use moorage_domain::Digest;
use moorage_tests::{
    browser::Browser,
    bucket, eventually,
    gate::served,
    image::{Image, layer},
    proxy::{Fault, Proxy},
    table,
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::pages::{axe, check};

const RUN: &str = "section[aria-label=Run]";
const STATE: &str = "section[aria-label=State]";
const PLAN: &str = "dialog table[aria-label='What would change']";

async fn push(world: &World, tag: &str) -> Image {
    let image = Image::oci("amd64", &[layer(rand::random(), 300)]);
    image.push(&format!("http://{}", world.stack.upstream), &world.path, tag).await;
    image
}

/// Moments are whole seconds: what comes next is not of this one.
async fn next_second() {
    tokio::time::sleep(Duration::from_millis(1_100)).await;
}

fn short(image: &Image) -> String {
    image.digest().hex()[..12].to_owned()
}

/// Signed in, at a run of the mirror.
async fn at_run(world: &World, run: &Value) -> Browser {
    let browser = Browser::signed_in(&world.stack, &world.token(Some(&world.namespace), "admin").await).await;
    let run = run["run_id"].as_str().unwrap();
    browser.go(&format!("repository/{}/mirroring?run={run}", world.repository)).await;
    browser.see(RUN, "The chosen run").await;
    browser
}

/// Fills in a time in the reader's zone.
async fn resume_at(browser: &Browser, time: &str) {
    let set = "const field = document.querySelector('[data-field=resume_at]');
        field.value = arguments[0];
        field.dispatchEvent(new Event('input', {bubbles: true}))";
    browser.script(set, json!([time])).await;
}

#[tokio::test]
async fn tags_are_turned_back_after_their_changes_were_seen_and_a_name_typed() {
    let world = World::new("console-rollback").await;
    let (old, gone) = (push(&world, "a").await, push(&world, "b").await);
    let rule = |tags: Value| json!({"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": tags}});
    world.create_mirror(&world.stack.upstream.clone(), rule(json!(["a", "b", "c"]))).await;
    let first = world.sync().await;
    next_second().await;
    let (new, made) = (push(&world, "a").await, push(&world, "c").await);
    world.change_mirror(rule(json!(["a", "c"]))).await;
    world.sync().await;
    next_second().await;

    let browser = at_run(&world, &first).await;
    browser.click("Turn back to this run…").await;
    browser.see("dialog", "Nothing is done yet").await;
    let axe = axe();
    let mut found = check(&browser, &axe, "to what tags are turned back").await;
    browser.fill("globs", "c, d*").await;
    browser.click("Show what would change").await;
    browser.see(PLAN, "Goes").await;
    assert!(!browser.text(PLAN).await.contains("Moves"), "only those that were named");
    browser.click("Cancel").await;
    browser.click("Turn back to this run…").await;
    browser.click("Show what would change").await;
    browser.see("dialog", "Turn 3 tags back?").await;
    let plan = browser.text(PLAN).await;
    for part in ["Moves", &short(&new), &short(&old), "Comes back", &short(&gone), "Goes", &short(&made)] {
        assert!(plan.contains(part), "{part}: {plan}");
    }
    found.extend(check(&browser, &axe, "what turning back would change").await);
    assert!(!browser.may("Turn back").await, "nothing was typed");
    browser.fill("typed", "app").await;
    assert!(!browser.may("Turn back").await, "it is not the name");
    assert_eq!(served(&world, "a").await, Some(new.digest()), "nothing was done");
    assert_eq!((world.runs().await.len(), &world.mirror().await["paused"]), (2, &Value::Null));
    browser.fill("typed", &world.repository.to_string()).await;
    browser.click("Turn back").await;

    browser.see(RUN, "Rollback").await;
    browser.see(RUN, "Latest run").await;
    browser.see(RUN, "Turned back to").await;
    browser.see(STATE, "Paused: its tags were turned back, and no sync begins until somebody resumes it.").await;
    let now = [served(&world, "a").await, served(&world, "b").await, served(&world, "c").await];
    assert_eq!(now, [Some(old.digest()), Some(gone.digest()), None]);
    found.extend(check(&browser, &axe, "a paused mirror").await);
    assert!(found.is_empty(), "{found:#?}");
    assert!(!browser.may("Sync Now").await && !browser.may("Verify").await);
    browser.refresh().await;
    browser.see(STATE, "Paused: ").await;
    browser.click("Resume").await;
    browser.becomes("Sync Now", true).await;
    browser.see(STATE, "In sync").await;
    assert_eq!(world.mirror().await["paused"], Value::Null);
    browser.click("Sync Now").await;
    eventually("it is synced again", Duration::from_secs(40), async || {
        (served(&world, "a").await == Some(new.digest())).then_some(())
    })
    .await;
    browser.close().await;
}

#[tokio::test]
async fn what_cannot_be_turned_back_says_why() {
    let world = World::new("console-rollback-gone").await;
    let proxy = Proxy::start(&format!("http://{}", world.stack.upstream)).await;
    let (lost, kept) = (push(&world, "a").await, push(&world, "b").await);
    world.create_mirror(&proxy.address, json!({})).await;
    let first = world.sync().await;
    next_second().await;
    push(&world, "a").await;
    push(&world, "b").await;
    world.sync().await;
    next_second().await;
    let blob = bucket::blob_key(&Digest::sha256(&lost.blobs[1]));
    world.stack.s3().delete_object().bucket(&world.stack.bucket).key(&blob).send().await.unwrap();

    let browser = at_run(&world, &first).await;
    browser.click("Turn back to this run…").await;
    browser.click("Show what would change").await;
    browser.see("dialog", "The content of 1 tag is not here any more").await;
    assert_eq!(browser.text("dialog .lost").await, "a");
    let found = check(&browser, &axe(), "tags that cannot be turned back").await;
    assert!(found.is_empty(), "{found:#?}");
    browser.click("Close").await;
    // The others can; but not into the past, and not while a sync runs.
    browser.fill("globs", "b").await;
    resume_at(&browser, "2020-01-01T00:00").await;
    browser.click("Show what would change").await;
    browser.see("dialog .wrong", "\"Paused until\" has to lie ahead").await;
    resume_at(&browser, "2099-01-01T00:00").await;
    browser.click("Show what would change").await;
    browser.see("dialog", "The mirror is paused then until 1 Jan 2099").await;
    proxy.fault("GET", "/tags/list", 1, Fault::Delay(Duration::from_secs(15)));
    world.sync_now().await;
    world.wait_for(&["SYNCING"]).await;
    browser.fill("typed", &world.repository.to_string()).await;
    browser.click("Turn back").await;
    browser.see("dialog .problem", "A sync of the repository runs").await;
    world.call(Method::POST, &world.mirror_path("/sync-cancel"), None).await;
    world.wait_for(&["CANCEL"]).await;
    browser.click("Turn back").await;
    browser.see(STATE, "Paused: its tags were turned back, and no sync begins before: ").await;
    browser.see(STATE, "1 Jan 2099").await;
    eventually("the tag is turned back", Duration::from_secs(40), async || {
        (served(&world, "b").await == Some(kept.digest())).then_some(())
    })
    .await;
    // Whoever does not ask first is told by the run.
    let body = json!({"run_id": first["run_id"]});
    let (status, answer) = world.call(Method::POST, &world.mirror_path("/rollback"), Some(body)).await;
    assert_eq!(status, 202, "{answer}");
    browser.see(RUN, "the content of 1 tags is not here any more (a); no tag was turned back").await;
    assert!(!browser.text(RUN).await.contains("What to do"), "the registry has nothing to do with it");
    browser.close().await;
}

#[tokio::test]
async fn what_a_run_left_is_pinned_and_unpinned() {
    let world = World::new("console-pin").await;
    let lost = push(&world, "a").await;
    world.create_mirror(&world.stack.upstream.clone(), json!({})).await;
    let first = world.sync().await;
    next_second().await;
    push(&world, "a").await;
    world.sync().await;
    let pinned = async || world.runs().await[1]["pinned"].clone();

    let browser = at_run(&world, &first).await;
    browser.click("Pin").await;
    browser.see(RUN, "Pinned").await;
    assert_eq!(pinned().await["tags"], 1);
    browser.becomes("Unpin", true).await;
    let found = check(&browser, &axe(), "a pinned run").await;
    assert!(found.is_empty(), "{found:#?}");
    browser.see("table[aria-label=Runs]", "Pinned").await;
    // Whoever ends the mirror is told that pins end with it, and which.
    browser.script("document.querySelectorAll('details').forEach((it) => (it.open = true))", json!([])).await;
    browser.click("Delete the mirror").await;
    browser.see("dialog .lost", "All pins").await;
    browser.see("dialog .lost", "Run of ").await;
    browser.click("Cancel").await;
    browser.refresh().await;
    browser.see(RUN, "Pinned").await;
    browser.click("Unpin").await;
    browser.see("dialog .lost", "Images that only it keeps").await;
    assert_eq!(pinned().await["tags"], 1, "nothing is done yet");
    browser.click("Let it go").await;
    browser.becomes("Pin", true).await;
    assert_eq!(pinned().await, Value::Null);
    // What somebody else has said of it, and that there was no time to look at all of it.
    let run = first["run_id"].as_str().unwrap();
    let path = world.mirror_path(&format!("/runs/{run}/pin"));
    assert_eq!(world.call(Method::PUT, &path, Some(json!({"reason": "release 7"}))).await.0, 200);
    let of_pin = table::Key(format!("REPO#{}", world.repository), format!("PIN#{run}"));
    table::set(&world.stack, &of_pin, [("unverified", table::number(2))]).await;
    browser.refresh().await;
    browser.see(RUN, "release 7").await;
    browser.see(RUN, "2 images not verified").await;
    assert_eq!(world.call(Method::DELETE, &path, None).await.0, 204);
    browser.refresh().await;
    browser.see(RUN, "Sync Now").await;
    browser.becomes("Pin", true).await;
    // What cannot be kept says why.
    let blob = bucket::blob_key(&Digest::sha256(&lost.blobs[1]));
    world.stack.s3().delete_object().bucket(&world.stack.bucket).key(&blob).send().await.unwrap();
    browser.click("Pin").await;
    browser.see(RUN, "The content of 1 tags is not here any more (a)").await;
    browser.close().await;
}
