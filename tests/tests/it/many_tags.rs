//! Repositories of many tags: what a run keeps of each of them is little, under a limit of memory that the kernel enforces.

use std::time::Duration;

use moorage_tests::{
    eventually,
    hostile::Hostile,
    image::{Image, layer},
    limited::limited,
    world::World,
};
use serde_json::{Value, json};

/// Tags that are new to us, each with an index of its own.
const TAGS: usize = 500;
/// The images that each of them lists: as much to remember as ten thousand tags of twenty images are.
const WIDTH: usize = 450;
/// What the sync function may write to. Without any tags it takes some 20 MiB; the digests, as text, would take 25 more.
const MEGABYTES: usize = 42;
/// How long the sync may take, in however many of the tests' short invocations: a slow machine needs two minutes.
const LIMIT: Duration = Duration::from_secs(300);

#[tokio::test]
async fn what_a_run_keeps_of_a_tag_is_little_whatever_the_tag_lists() {
    let (world, registry) = (World::new("many-tags").await, Hostile::start().await);
    let index = Image::index((0..WIDTH).map(|n| Image::oci("amd64", &[layer(n as u64, 10)])).collect());
    registry.hold_by_digest(&world.path, &index);
    let mut list: Value = serde_json::from_slice(&index.manifest).unwrap();
    let index = Image { children: Vec::new(), ..index };
    for tag in 0..TAGS {
        list["annotations"] = json!({"org.example.number": tag.to_string()});
        let index = Image { manifest: list.to_string().into_bytes(), ..index.clone() };
        registry.hold(&world.path, &format!("release-{tag:06}"), &index);
    }
    world.create_mirror(&registry.address, json!({})).await;
    let stack = world.stack.clone();
    let test = Box::pin(async move {
        world.sync_now().await;
        eventually("all tags are there", LIMIT, async || {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let status = world.mirror().await["sync_status"].clone();
            (status == "SUCCESS" || status == "FAIL").then_some(())
        })
        .await;
        let run = world.runs().await.remove(0);
        assert_eq!((&run["status"], &run["tags_copied"]), (&json!("SUCCESS"), &json!(TAGS)), "{run}");
    });
    limited(&stack, MEGABYTES, test).await;
}
