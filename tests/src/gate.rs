//! What users see of the gate: what is served, what is held, and what a preview says.

use moorage_domain::Digest;
use reqwest::Method;
use serde_json::Value;

use crate::world::World;

/// What the mirror serves under a tag.
pub async fn served(world: &World, tag: &str) -> Option<Digest> {
    let reply = world.robot().await.head(&format!("/v2/{}/manifests/{tag}", world.repository)).await;
    (reply.status == 200).then(|| reply.header("docker-content-digest").parse().unwrap())
}

/// What waits, or was refused.
pub async fn holds(world: &World) -> Vec<Value> {
    let (status, holds) = world.call(Method::GET, &world.mirror_path("/holds"), None).await;
    assert_eq!(status, 200, "{holds}");
    holds["holds"].as_array().unwrap().clone()
}

/// What a sync by these fields would do.
pub async fn preview(world: &World, body: Value) -> Value {
    let (status, preview) = world.call(Method::POST, &world.mirror_path("/preview"), Some(body)).await;
    assert_eq!((status, &preview["failure"]), (200, &Value::Null), "{preview}");
    preview
}

/// What a preview says of a tag.
pub fn previewed<'a>(preview: &'a Value, name: &str) -> &'a Value {
    let tags = preview["tags"].as_array().unwrap();
    tags.iter().find(|tag| tag["name"] == name).unwrap_or_else(|| panic!("no {name} in {preview}"))
}
