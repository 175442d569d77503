//! Hints of what a repository has, which the table does not take.

use moorage_tests::{
    aws::{
        Plan,
        fault::{Fault, Refusal},
        request::Request,
    },
    bucket,
    function::Outcome,
    image::{Image, layer},
    registry::Registry,
    world::World,
};
use serde_json::json;

use super::scene::{PATIENT, Scene};

/// More than are kept for the end of a sync.
const LAYERS: usize = 30;

fn is_hints(request: &Request) -> bool {
    request.operation == "BatchWriteItem" && request.target.starts_with("CONTENT#")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_is_published_whether_others_learn_of_its_content_or_not() {
    let (world, upstream) = (World::new("hints").await, Registry::plain());
    let layers: Vec<_> = (0..LAYERS).map(|_| layer(rand::random(), 100)).collect();
    let image = Image::oci("amd64", &layers);
    image.push(&upstream.url, &world.path, "v1").await;
    world.create_mirror(&upstream.address, json!({})).await;
    let scene = Scene::of(&world, PATIENT).await;
    scene.world.sync_now().await;
    let (function, event) = scene.lab.take_event().expect("Sync Now starts a sync");
    let refuses: Plan =
        Box::new(|request| if is_hints(request) { Fault::Refuse(Refusal::Internal) } else { Fault::None });
    let outcome = scene.lab.invoke(&function, &event, refuses).await.outcome;
    assert!(matches!(outcome, Outcome::Answer(_)), "{outcome:?}");
    assert!(scene.lab.asked().iter().any(is_hints), "there were hints");
    let run = scene.world.last_run().await;
    assert_eq!((&run["status"], &run["tags_copied"]), (&json!("SUCCESS"), &json!(1)), "{run}");
    assert!(bucket::check(scene.stack(), &world.repository).await.tags.contains_key("v1"));
}
