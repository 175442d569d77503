//! An organization's mirror, through the API as a user would.

use std::time::Duration;

use moorage_domain::RepositoryName;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    image::{Image, layer},
    within,
    world::World,
};

/// How long a round with its syncs may take: generous, because many tests share two cores.
pub const LIMIT: Duration = Duration::from_secs(120);

/// The path of something below the organization's mirror.
pub fn path(world: &World, what: &str) -> String {
    format!("organization/{}/mirror{what}", world.namespace)
}

/// What such a mirror is made of; it starts far ahead, so that only Sync Now starts it.
pub fn body(world: &World, kind: &str, registry: &str) -> Value {
    json!({
        "external_registry_type": kind,
        "external_registry_url": format!("http://{registry}"),
        "external_namespace": world.namespace,
        "external_registry_config": {"verify_tls": false},
        "robot_username": world.robot_name(),
        "visibility": "private",
        "sync_interval": 86_400,
        "sync_start_date": "2099-01-01T00:00:00Z",
    })
}

/// Creates the mirror, with `changes` to [`body`].
pub async fn create(world: &World, kind: &str, registry: &str, changes: Value) {
    let mut body = body(world, kind, registry);
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    assert_eq!(world.call(Method::POST, &path(world, ""), Some(body)).await, (201, json!("")));
}

/// Changes the mirror.
pub async fn change(world: &World, changes: Value) {
    assert_eq!(world.call(Method::PUT, &path(world, ""), Some(changes)).await, (200, json!("")));
}

/// The mirror as the API shows it.
pub async fn mirror(world: &World) -> Value {
    let (status, mirror) = world.call(Method::GET, &path(world, ""), None).await;
    assert_eq!(status, 200, "{mirror}");
    mirror
}

/// Pushes an image to a repository of the namespace at the external registry.
pub async fn push(world: &World, name: &str, tags: &[&str]) -> Image {
    let image = Image::oci("amd64", &[layer(rand::random(), 10)]);
    for tag in tags {
        image.push(&format!("http://{}", world.stack.upstream), &format!("{}/{name}", world.namespace), tag).await;
    }
    image
}

/// Asks for a round.
pub async fn sync_now(world: &World) {
    let asked = world.call(Method::POST, &path(world, "/sync-now"), None).await;
    assert_eq!(asked.0, 204, "{asked:?}");
}

/// Waits until the counts are these; those that are not named are 0.
pub async fn wait_for(world: &World, counts: Value) -> Value {
    let there = within(LIMIT, async || {
        let mirror = mirror(world).await;
        let found = mirror["repo_sync_status_counts"].as_object().unwrap();
        let idle = matches!(mirror["sync_status"].as_str(), Some("SUCCESS" | "FAIL" | "CANCEL"));
        let as_wanted = found.iter().all(|(status, count)| counts.get(status).unwrap_or(&json!(0)) == count);
        (idle && as_wanted).then_some(mirror)
    })
    .await;
    if let Some(mirror) = there {
        return mirror;
    }
    // What it is instead says more of a failure than that it took too long.
    let (mirror, found, log) = (mirror(world).await, repositories(world, "").await, log(world).await);
    panic!("{} gets {counts}: not within {LIMIT:?}: {mirror}, {found}, {log:?}", world.namespace);
}

/// A page of what was found.
pub async fn repositories(world: &World, query: &str) -> Value {
    let (status, page) = world.call(Method::GET, &path(world, &format!("/repositories{query}")), None).await;
    assert_eq!(status, 200, "{page}");
    page
}

/// The organization's usage log: kinds and messages, newest first.
pub async fn log(world: &World) -> Vec<Value> {
    let (_, log) = world.call(Method::GET, &format!("organization/{}/logs", world.namespace), None).await;
    log["logs"].as_array().unwrap().clone()
}

/// A repository of the organization.
pub fn named(world: &World, name: &str) -> RepositoryName {
    RepositoryName::new(&world.namespace, name).unwrap()
}
