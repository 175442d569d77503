//! Two who change the same: whoever says what they have seen changes nothing else.

use moorage_tests::{organization_mirror as whole, world::World};
use reqwest::Method;
use serde_json::{Value, json};

/// Changes a mirror at `path` by what was seen of it, which another one has changed meanwhile. `done` is the answer to a
/// change.
async fn only_what_was_seen_is_changed(world: &World, path: &str, done: (u16, Value)) {
    let interval = async || world.call(Method::GET, path, None).await.1["sync_interval"].clone();
    let change = |seconds: u64| json!({ "sync_interval": seconds });
    let seen = world.entity_tag(path).await;
    assert_eq!(world.entity_tag(path).await, seen, "nothing has changed");
    assert_eq!(world.change_if(path, &seen, change(3_600)).await, done);
    let (status, refused) = world.change_if(path, &seen, change(7_200)).await;
    assert_eq!(status, 412, "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("changed meanwhile"), "{refused}");
    assert_eq!(interval().await, 3_600);
    let now = world.entity_tag(path).await;
    assert_ne!(now, seen);
    assert_eq!(world.change_if(path, &format!("{seen}, {now}"), change(10_800)).await, done);
    assert_eq!(world.change_if(path, "*", change(14_400)).await, done);
    assert_eq!(world.call(Method::PUT, path, Some(change(18_000))).await, done, "whatever it is");
    assert_eq!(interval().await, 18_000);
}

#[tokio::test]
async fn a_mirror_is_changed_only_as_it_was_seen() {
    let world = World::new("seen").await;
    world.create_mirror("127.0.0.1:1", json!({})).await;
    let path = world.mirror_path("");
    only_what_was_seen_is_changed(&world, &path, (201, json!(""))).await;
    // What is wrong with a change is said first; and a sync is no change.
    let seen = world.entity_tag(&path).await;
    assert_eq!(world.change_if(&path, "\"other\"", json!({"sync_interval": 1})).await.0, 400);
    world.sync_now().await;
    world.wait_for(&["FAIL"]).await;
    assert_eq!(world.entity_tag(&path).await, seen);
    // The next mirror of the repository is another one.
    assert_eq!(world.call(Method::DELETE, &path, None).await.0, 204);
    assert_eq!(world.change_if(&path, &seen, json!({})).await.0, 404);
}

#[tokio::test]
async fn an_organizations_mirror_is_changed_only_as_it_was_seen() {
    let world = World::empty("seen-whole").await;
    whole::create(&world, "distribution", &world.stack.upstream, json!({})).await;
    only_what_was_seen_is_changed(&world, &whole::path(&world, ""), (200, json!(""))).await;
}
