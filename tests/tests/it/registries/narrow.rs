//! A registry that is asked two things at a time: what is asked must not keep what is fetched from its place.

use std::time::Duration;

use moorage_tests::{
    aws::fault::Fault,
    bucket,
    function::Outcome,
    hostile::Hostile,
    image::{Image, layer},
    lab::Lab,
    world::World,
};
use serde_json::{Value, json};

/// Images, each with a signature: more than are asked for at once.
const IMAGES: usize = 24;
/// Much longer than it takes, and shorter than a mirror's timeout, which ends what waits in vain.
const WITHIN: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_refers_to_many_images_is_asked_for_and_kept_meanwhile() {
    let (world, registry) = (World::new("narrow").await, Hostile::start().await);
    let mut attached = Vec::new();
    for number in 0..IMAGES {
        let image = Image::oci("amd64", &[layer(rand::random(), 100)]);
        let signature = Image::referrer(&image, layer(rand::random(), 50));
        registry.hold(&world.path, &format!("v{number}"), &image);
        registry.hold_by_digest(&world.path, &signature);
        registry.refer(&image, vec![signature.referrer_descriptor()]);
        attached.push(image.referrers_tag());
    }
    world.create_mirror(&registry.address, json!({})).await;
    let lab = Lab::new(&world.stack, &[("REGISTRY_REQUESTS", "2")]).await;
    lab.only(&world.namespace);
    let world = world.at(&lab.stack);
    world.sync_now().await;
    let (function, event) = lab.take_event().expect("Sync Now starts a sync");
    let ended = lab.invoke_within(&function, &event, Box::new(|_| Fault::None), WITHIN).await;
    assert!(matches!(ended.outcome, Outcome::Answer(_)), "{}", ended.log);
    let run = world.last_run().await;
    assert_eq!((&run["status"], &run["warning"]), (&json!("SUCCESS"), &Value::Null), "{run}");
    let held = bucket::check(&world.stack, &world.repository).await;
    for tag in &attached {
        assert!(held.tags.contains_key(tag), "{tag}: {run}");
    }
}
