//! What a run has changed, and the link of a message to it.

use moorage_tests::{
    browser::Browser,
    image::{Image, layer},
    world::World,
};
use serde_json::{Value, json};

use super::pages::{axe, check};

const RUN: &str = "section[aria-label=Run]";
const CHANGES: &str = "table[aria-label='What it changed']";

async fn push(world: &World, tag: &str) -> String {
    let image = Image::oci("amd64", &[layer(rand::random(), 300)]);
    image.push(&format!("http://{}", world.stack.upstream), &world.path, tag).await;
    image.digest().to_string()["sha256:".len()..][..12].to_owned()
}

#[tokio::test]
async fn a_run_says_what_it_has_changed_by_itself_and_since_an_earlier_one() {
    let world = World::new("console-changes").await;
    let (one, gone) = (push(&world, "a").await, push(&world, "b").await);
    let rule = |tags: Value| json!({"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": tags}});
    world.create_mirror(&world.stack.upstream.clone(), rule(json!(["a", "b", "c"]))).await;
    let first = world.sync().await;
    let two = push(&world, "a").await;
    let second = world.sync().await;
    world.change_mirror(rule(json!(["a", "c"]))).await;
    let new = push(&world, "c").await;
    let third = world.sync().await;
    world.sync().await;

    let browser = Browser::signed_in(&world.stack, &world.token(Some(&world.namespace), "admin").await).await;
    browser.go(&format!("repository/{}/mirroring", world.repository)).await;
    browser.see("[aria-label=Runs]", "1 deleted").await;
    // Its title is there before the run is, and hidden: a browser tells all texts of what it does not show.
    browser.see(RUN, "Began").await;
    browser.see(RUN, "Latest run").await;
    assert!(!browser.text(RUN).await.contains("What it changed"), "it came to nothing");

    // As the message of a notification leads to it.
    let id = |run: &Value| run["run_id"].as_str().unwrap().to_owned();
    browser.go(&format!("repository/{}/mirroring?run={}", world.repository, id(&second))).await;
    browser.see(RUN, "The chosen run").await;
    browser.see(CHANGES, "Moved").await;
    let shown = browser.text(CHANGES).await;
    assert!(shown.contains(&one) && shown.contains(&two), "{shown}");

    browser.go(&format!("repository/{}/mirroring?run={}", world.repository, id(&third))).await;
    browser.see(CHANGES, "Deleted").await;
    let shown = browser.text(CHANGES).await;
    assert!(shown.contains(&gone) && shown.contains(&new) && !shown.contains("Moved"), "{shown}");
    browser.find(&format!("{RUN} option[value='{}']", id(&first))).await.click().await.unwrap();
    browser.see(CHANGES, "Moved").await;
    let shown = browser.text(CHANGES).await;
    assert!([&one, &two, &gone, &new].iter().all(|it| shown.contains(it.as_str())), "{shown}");
    let found = check(&browser, &axe(), "what a run has changed").await;
    assert!(found.is_empty(), "{found:#?}");
    browser.close().await;
}

#[tokio::test]
async fn what_waits_is_among_what_a_run_changed() {
    let world = World::new("console-waits").await;
    push(&world, "b").await;
    world.create_mirror(&world.stack.upstream.clone(), json!({})).await;
    world.sync().await;
    let hold = json!({"on_move": {"mode": "enforce", "rules": [{"tags": ["b"], "action": "hold"}]}});
    world.change_mirror(hold).await;
    let waits = push(&world, "b").await;
    world.sync().await;
    let browser = Browser::signed_in(&world.stack, &world.token(Some(&world.namespace), "admin").await).await;
    browser.go(&format!("repository/{}/mirroring", world.repository)).await;
    browser.see(CHANGES, "Held back").await;
    browser.see(CHANGES, &waits).await;
    browser.close().await;
}
