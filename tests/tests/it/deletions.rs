//! Deleting tags: how many at once.

use std::time::Duration;

use moorage_tests::{
    bucket, eventually,
    image::{self, Image, layer},
    proxy::{Fault, Proxy},
    world::{World, outcome},
};
use reqwest::Method;
use serde_json::{Value, json};

fn rule(patterns: &[&str]) -> Value {
    json!({"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": patterns}})
}

/// A tag as the repository shows it.
async fn tag(world: &World, name: &str) -> Value {
    let (status, repository) = world.call(Method::GET, &format!("repository/{}", world.repository), None).await;
    assert_eq!(status, 200, "{repository}");
    repository["tags"][name].clone()
}

async fn warnings(world: &World) -> Vec<Value> {
    let log = world.log().await;
    log.into_iter().filter(|entry| entry["kind"] == "repo_mirror_sync_warning").collect()
}

#[tokio::test]
async fn more_that_vanished_than_one_sync_may_delete_is_held_back() {
    let world = World::new("cap").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let image = Image::oci("amd64", &[layer(1, 99)]);
    let old: Vec<_> = (0..12).map(|n| format!("old-{n}")).collect();
    for name in old.iter().map(String::as_str).chain(["v1", "v2"]) {
        image.push(&upstream, &world.path, name).await;
    }
    let proxy = Proxy::start(&upstream).await;
    world.create_mirror(&proxy.address, json!({})).await;
    assert!(world.mirror().await.get("deletion_limit").is_none(), "clients of Quay's see none of it");
    let first = world.sync().await;
    assert_eq!(first["tags_copied"], 14);

    // A registry that shows a part of its tags: 12 of 14 would go, and 10 may.
    let list = json!({"name": world.path, "tags": ["v1", "v2"]}).to_string();
    proxy.fault("GET", "tags/list", usize::MAX, Fault::Body(list.into_bytes().into()));
    let run = world.sync().await;
    let tags = ["status", "tags_total", "tags_done", "tags_pruned"].map(|key| run[key].clone());
    assert_eq!(tags, [json!("SUCCESS"), json!(2), json!(2), json!(0)], "{run}");
    assert_eq!((&run["warning"]["reason"], &run["warning"]["tags"]), (&json!("deletions_held"), &json!(12)), "{run}");
    assert_eq!((&run["warning"]["limit"], &run["warning"]["settings"]), (&json!(10), &json!(["deletion_limit"])));
    let message = run["warning"]["message"].as_str().unwrap();
    assert!(message.contains("deletion_limit") && !message.contains("root_rule"), "no rule would help: {message}");
    for name in &old {
        let outcome = outcome(&run, name);
        assert_eq!((&outcome["outcome"], &outcome["cause"]), (&json!("held"), &json!("vanished")));
    }
    let mirror = world.mirror().await;
    assert_eq!((&mirror["sync_status"], &mirror["sync_warning"]), (&json!("SUCCESS"), &run["warning"]));
    assert_eq!(bucket::check(&world.stack, &world.repository).await.tags.len(), 14);
    let logged = warnings(&world).await;
    assert_eq!(logged.len(), 1);
    assert_eq!(logged[0]["metadata"]["stderr"], run["warning"]["message"]);

    // It stands while nobody does anything about it. What the rule leaves out goes all the same, and what remains is
    // little enough to ask the registry, which still has it.
    assert_eq!(world.sync().await["warning"], run["warning"]);
    world.change_mirror(rule(&["v*", "old-1*", "old-2"])).await;
    let run = world.sync().await;
    assert_eq!((&run["tags_pruned"], &run["warning"]["tags"]), (&json!(8), &json!(4)), "{run}");
    assert_eq!(
        (&run["warning"]["reason"], &run["warning"]["settings"]),
        (&json!("list_incomplete"), &json!(["deletion_grace"]))
    );
    proxy.heal();
    assert_eq!(world.sync().await.get("warning"), None, "it is gone with its cause");
    assert!(world.mirror().await.get("sync_warning").is_none());

    // The mirror's own limit is for both together, and none is none.
    world.change_mirror(rule(&["v1"])).await;
    world.change_mirror(json!({"deletion_limit": 4})).await;
    assert_eq!(world.mirror().await["deletion_limit"], 4);
    let run = world.sync().await;
    assert_eq!((&run["warning"]["tags"], &run["warning"]["limit"]), (&json!(5), &json!(4)), "{run}");
    assert!(run["warning"]["message"].as_str().unwrap().contains("look at root_rule"), "{run}");
    assert_eq!(outcome(&run, "v2")["cause"], "deselected");
    world.change_mirror(json!({"deletion_limit": 0})).await;
    assert_eq!(world.sync().await["tags_pruned"], 5);
    let held = bucket::check(&world.stack, &world.repository).await;
    assert_eq!(held.tags.into_keys().collect::<Vec<_>>(), ["v1"]);
    world.change_mirror(json!({"deletion_limit": null})).await;
    assert!(world.mirror().await.get("deletion_limit").is_none());
}

#[tokio::test]
async fn a_registry_that_lists_nothing_any_more_deletes_nothing_and_the_mirror_says_so() {
    let world = World::new("listsnone").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let proxy = Proxy::start(&upstream).await;
    let list = |tags: Value| {
        let list = json!({"name": world.path, "tags": tags}).to_string();
        proxy.fault("GET", "tags/list", usize::MAX, Fault::Body(list.into_bytes().into()));
    };
    list(json!([]));
    world.create_mirror(&proxy.address, json!({})).await;
    assert_eq!(world.sync().await.get("warning"), None, "there is nothing that would go");
    proxy.heal();
    let image = Image::oci("amd64", &[layer(1, 99)]);
    for name in ["v1", "v2"] {
        image.push(&upstream, &world.path, name).await;
    }
    assert_eq!(world.sync().await["tags_copied"], 2);
    for tags in [json!([]), json!(null)] {
        proxy.heal();
        list(tags);
        let run = world.sync().await;
        assert_eq!((&run["status"], &run["tags_pruned"]), (&json!("SUCCESS"), &json!(0)), "{run}");
        assert_eq!((&run["warning"]["reason"], &run["warning"]["tags"]), (&json!("list_empty"), &json!(2)), "{run}");
        let message = run["warning"]["message"].as_str().unwrap();
        assert!(message.contains("external_reference") && message.contains("delete the mirror"), "{message}");
        assert_eq!(world.mirror().await["sync_warning"], run["warning"]);
        assert_eq!(bucket::check(&world.stack, &world.repository).await.tags.len(), 2);
    }
    proxy.heal();
    assert_eq!(world.sync().await.get("warning"), None);
    assert!(world.mirror().await.get("sync_warning").is_none(), "it is gone with its cause");
}

#[tokio::test]
async fn tags_tell_when_they_were_seen() {
    let world = World::new("seen").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let (one, two) = (Image::oci("amd64", &[layer(1, 99)]), Image::oci("amd64", &[layer(2, 99)]));
    one.push(&upstream, &world.path, "stays").await;
    two.push(&upstream, &world.path, "leaves").await;
    // Nothing is deleted: the limit holds one of two back.
    world.create_mirror(&world.stack.upstream, json!({"deletion_limit": 1})).await;
    two.push(&upstream, &world.path, "leaves-too").await;
    assert_eq!(world.sync().await["tags_copied"], 3);
    let (stays, leaves) = (tag(&world, "stays").await, tag(&world, "leaves").await);
    assert_eq!(stays["first_seen"], stays["last_seen"]);

    // Times are whole seconds: a later sync is one that begins in another.
    let started = |run: &Value| run["started_at"].as_str().unwrap().to_owned();
    let first = stays["last_seen"].as_str().unwrap().to_owned();
    let later = async |than: &str| {
        eventually("a sync begins in a later second", Duration::from_secs(30), async || {
            let run = world.sync().await;
            (started(&run).as_str() > than).then_some(run)
        })
        .await
    };
    let second = started(&later(&first).await);
    let seen = tag(&world, "stays").await;
    assert_eq!((&seen["first_seen"], &seen["last_seen"]), (&stays["first_seen"], &json!(second)));
    assert_eq!(tag(&world, "leaves").await["last_seen"], json!(second));

    image::delete(&upstream, &world.path, &two.digest()).await;
    let third = started(&later(&second).await);
    assert_eq!(tag(&world, "stays").await["last_seen"], json!(third));
    let missed = tag(&world, "leaves").await;
    assert_eq!((&missed["first_seen"], &missed["last_seen"]), (&leaves["first_seen"], &json!(second)));

    // What comes back has been there from the start.
    two.push(&upstream, &world.path, "leaves").await;
    two.push(&upstream, &world.path, "leaves-too").await;
    let fourth = started(&later(&third).await);
    let back = tag(&world, "leaves").await;
    assert_eq!((&back["first_seen"], &back["last_seen"]), (&leaves["first_seen"], &json!(fourth)));
}
