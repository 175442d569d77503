//! What webhooks have brought for a mirror of which no sync begins: it is given up, and nothing besides.

use moorage_tests::{
    aws::{self, fault::Fault, request::Request, request::Service},
    bucket,
    image::{Image, layer},
    world::World,
};
use reqwest::Method;
use serde_json::json;

use super::scene::{MINUTES, PATIENT, Scene};

fn gives_up(request: &Request) -> bool {
    request.service == Service::DynamoDb && request.operation == "PutItem"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_to_a_mirror_that_was_let_go_on_is_not_given_up_with_what_came_before() {
    let world = World::new("given-up").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let push = async || {
        let image = Image::oci("amd64", &[layer(rand::random(), 300)]);
        image.push(&upstream, &world.path, "v1").await;
        image
    };
    push().await;
    world.create_mirror(&world.stack.upstream, json!({})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    let scene = Scene::of(&world, PATIENT).await;
    let (status, made) = scene.world.call(Method::POST, &scene.world.mirror_path("/webhook"), Some(json!({}))).await;
    assert_eq!(status, 201, "{made}");
    let path = made["url"].as_str().unwrap().split_once("/api/v1/").unwrap().1.to_owned();
    let deliver = async || {
        let answer = scene.world.call(Method::POST, &path, Some(json!({"tags": ["v1"]}))).await;
        assert_eq!(answer, (202, json!({"tags": 1})));
    };

    deliver().await;
    let (function, event) = scene.lab.take_event().unwrap();
    scene.world.change_mirror(json!({"is_enabled": false})).await;
    let frozen = scene.lab.begin(&function, &event, aws::first(Fault::FreezeBefore, gives_up), MINUTES).await;
    assert!(frozen.is_frozen().await, "what came is given up");
    scene.world.change_mirror(json!({"is_enabled": true})).await;
    let image = push().await;
    deliver().await;
    frozen.thaw();
    frozen.answer().await;
    scene.lab.settle().await;
    let held = bucket::check(scene.stack(), &scene.world.repository).await;
    assert_eq!(held.tags.get("v1"), Some(&image.digest()), "{:?}", scene.world.runs().await);
}
