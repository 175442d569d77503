//! What whoever runs the deployment is told of its mirrors. `alarms.py` has the metrics of it, and what they set off.

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_tests::{
    organization_mirror::{change, create, named, push, sync_now, wait_for},
    table::{self, Key},
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

/// The facts; a fifth of the mirrors of all tests may have failed.
async fn facts(world: &World) -> Value {
    let (status, health) = world.call(Method::GET, "superuser/mirror/health", None).await;
    assert!(matches!(status, 200 | 503), "{health}");
    health["facts"].clone()
}

#[tokio::test]
async fn a_mirror_is_late_only_if_somebody_should_have_synced_it() {
    // Only the first few are named, and the first ones are these.
    let world = World::empty("0late").await;
    for name in ["kept", "left"] {
        push(&world, name, &["v1"]).await;
    }
    create(&world, "distribution", &world.stack.upstream, json!({})).await;
    sync_now(&world).await;
    wait_for(&world, json!({"SUCCESS": 2})).await;
    let is_late =
        |facts: &Value, name: &str| facts["late"].as_array().unwrap().contains(&json!(named(&world, name).to_string()));
    let seen = facts(&world).await;
    assert!(seen["mirrors"].as_u64().unwrap() >= 2 && !is_late(&seen, "kept"), "{seen}");

    change(&world, json!({"repository_filters": ["kept"]})).await;
    sync_now(&world).await;
    wait_for(&world, json!({"SUCCESS": 1, "SKIP": 1})).await;
    let long_ago = || AttributeValue::N("1000000000".to_owned());
    for name in ["kept", "left"] {
        let key = Key::mirror(&named(&world, name));
        table::set(&world.stack, &key, [("created", long_ago()), ("last_success", long_ago())]).await;
    }
    let seen = facts(&world).await;
    assert!(is_late(&seen, "kept") && seen["mirrors_late"].as_u64().unwrap() >= 1, "{seen}");
    assert!(!is_late(&seen, "left"), "its organization's mirror leaves it out: {seen}");
    change(&world, json!({"is_enabled": false})).await;
    assert!(!is_late(&facts(&world).await, "kept"), "its organization's mirror is off");
}

#[tokio::test]
async fn an_organization_is_late_whose_registry_lists_nothing() {
    let world = World::empty("0silent").await;
    create(&world, "distribution", &world.stack.upstream, json!({})).await;
    push(&world, "app", &["v1"]).await;
    sync_now(&world).await;
    wait_for(&world, json!({"SUCCESS": 1})).await;
    let key = Key::within(&world.namespace, "ORGANIZATIONMIRROR");
    table::set(&world.stack, &key, [("created", AttributeValue::N("1000000000".to_owned()))]).await;
    let is_late = |facts: &Value| facts["late"].as_array().unwrap().contains(&json!(world.namespace));
    assert!(!is_late(&facts(&world).await), "it was asked for its repositories just now");
    table::set(&world.stack, &key, [("last_success", AttributeValue::N("1000000000".to_owned()))]).await;
    assert!(is_late(&facts(&world).await));
}
