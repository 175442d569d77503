//! Blobs that are larger than what one invocation can copy.

use std::time::Duration;

use moorage_domain::Digest;
use moorage_tests::{
    bucket, eventually,
    image::{Image, layer},
    process::kill_functions_connected_to,
    proxy::{Fault, Proxy},
    world::World,
};
use serde_json::json;

/// The length of the parts in which blobs of this size are fetched.
const PART: usize = 8 * 1024 * 1024;

/// Begins the `n`th part's request line, as the proxy matches it.
fn part(blob: &Digest, n: usize) -> String {
    format!("blobs/{blob} bytes={}-", n * PART)
}

/// How often each part was asked for.
fn requests(proxy: &Proxy, blob: &Digest, parts: usize) -> Vec<usize> {
    let seen = proxy.take_seen();
    let line = |seen: &moorage_tests::proxy::Seen| format!("{} {}", seen.path, seen.range.clone().unwrap_or_default());
    (0..parts).map(|n| seen.iter().filter(|seen| line(seen).contains(&part(blob, n))).count()).collect()
}

#[tokio::test]
async fn a_blob_larger_than_an_invocation_arrives_and_no_stored_byte_is_fetched_twice() {
    let world = World::new("huge").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let image = Image::oci("amd64", &[layer(rand::random(), 7 * PART + 1_234)]);
    image.push(&upstream, &world.path, "v1").await;
    let blob = Digest::sha256(&image.blobs[1]);
    let proxy = Proxy::start(&upstream).await;
    // The first invocation gets three parts, the second two more, the third the rest.
    for (n, times) in [(3, 1), (4, 1), (5, 2), (6, 2), (7, 2)] {
        proxy.fault("GET", &part(&blob, n), times, Fault::Stall);
    }
    world.create_mirror(&proxy.address, json!({})).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["invocations"]), (&json!("SUCCESS"), &json!(3)), "{run}");
    assert_eq!(requests(&proxy, &blob, 8), [1, 1, 1, 2, 2, 3, 3, 3], "what was stored is not fetched again");
    assert_eq!(run["bytes_done"], run["bytes_total"], "{run}");
    let copied = run["bytes_copied"].as_u64().unwrap();
    assert!(copied >= image.blobs[1].len() as u64 && copied <= run["bytes_total"].as_u64().unwrap(), "{run}");
    assert_eq!(bucket::check(&world.stack, &world.repository).await.tags["v1"], image.digest());
    assert_eq!(bucket::uploads(&world.stack, &blob).await, 0);
}

#[tokio::test]
async fn a_repository_many_times_larger_than_an_invocation_arrives_each_byte_once() {
    let world = World::new("many").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let huge = Image::oci("amd64", &[layer(rand::random(), 6 * PART)]);
    huge.push(&upstream, &world.path, "huge").await;
    for tag in 0..160 {
        let image = Image::oci("amd64", &[layer(rand::random(), 5_000)]);
        image.push(&upstream, &world.path, &format!("t{tag:03}")).await;
    }
    let proxy = Proxy::start(&upstream).await;
    let blob = Digest::sha256(&huge.blobs[1]);
    // The huge blob's parts come over two invocations, and the blobs of the small images 32 at a time, four seconds each.
    for n in 3..6 {
        proxy.fault("GET", &part(&blob, n), 1, Fault::Stall);
    }
    proxy.fault("GET", &format!("{}/blobs/", world.path), 1_000, Fault::Delay(Duration::from_secs(4)));
    world.create_mirror(&proxy.address, json!({})).await;
    world.sync_now().await;
    eventually("the sync ends", Duration::from_secs(240), async || {
        (world.mirror().await["sync_status"] == "SUCCESS").then_some(())
    })
    .await;
    let run = world.last_run().await;
    assert_eq!((&run["status"], &run["tags_copied"]), (&json!("SUCCESS"), &json!(161)), "{run}");
    assert!(run["invocations"].as_u64().unwrap() >= 4, "{run}");
    assert_eq!(run["bytes_done"], run["bytes_total"], "{run}");
    let seen = proxy.take_seen();
    let small = seen.iter().filter(|seen| seen.path.contains("/blobs/") && !seen.path.contains(&blob.to_string()));
    // Layers and configs, each once; and what was on its way to 24 tags when an invocation ended.
    let (small, handovers) = (small.count(), usize::try_from(run["invocations"].as_u64().unwrap() - 1).unwrap());
    assert!((321..=321 + 48 * handovers).contains(&small), "{small} requests, {handovers} handovers");
    let parts = seen.iter().filter(|seen| seen.path.contains(&blob.to_string())).count();
    assert_eq!(parts, 6 + 3, "only the parts that were not stored came again");
    let manifests = seen.iter().filter(|seen| seen.method == "GET" && seen.path.contains("/manifests/"));
    // One is stored as soon as it has come; but sixteen at most are on their way when an invocation ends.
    let manifests = manifests.count();
    assert!((161..=161 + 16 * handovers).contains(&manifests), "{manifests} manifests, {handovers} handovers");
    assert_eq!(bucket::check(&world.stack, &world.repository).await.tags.len(), 161);
}

#[tokio::test]
async fn a_killed_upload_is_taken_up_and_one_that_nobody_wants_is_given_up() {
    let world = World::new("midway").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let image = Image::oci("amd64", &[layer(rand::random(), 4 * PART)]);
    image.push(&upstream, &world.path, "v1").await;
    let blob = Digest::sha256(&image.blobs[1]);
    let proxy = Proxy::start(&upstream).await;
    proxy.fault("GET", &part(&blob, 2), 1, Fault::Stall);
    world.create_mirror(&proxy.address, json!({})).await;
    world.sync_now().await;
    eventually("two parts are recorded", Duration::from_secs(30), async || {
        (bucket::uploaded_parts(&world.stack, &blob).await >= 2).then_some(())
    })
    .await;
    // The table learns it a second later at most.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(kill_functions_connected_to(proxy.port), 1);
    assert_eq!(requests(&proxy, &blob, 4), [1, 1, 1, 1]);
    // The registry breaks down before the last part, for good, and has nothing as a whole either.
    proxy.fault("GET", &part(&blob, 2), 1_000, Fault::Delay(Duration::ZERO));
    proxy.fault("GET", &part(&blob, 3), 1_000, Fault::Status(500, vec![]));
    proxy.fault("GET", &format!("blobs/{blob} "), 1_000, Fault::Status(500, vec![]));
    eventually("the claim expires", Duration::from_secs(60), async || {
        (world.call(reqwest::Method::POST, &world.mirror_path("/sync-now"), None).await.0 == 204).then_some(())
    })
    .await;
    world.wait_for(&["FAIL"]).await;
    let asked = requests(&proxy, &blob, 4);
    assert_eq!(&asked[..3], [0, 0, 1], "{asked:?}");
    assert_eq!(bucket::uploads(&world.stack, &blob).await, 1, "the next attempt goes on from it");

    let other = Image::oci("amd64", &[layer(rand::random(), 1_000)]);
    other.push(&upstream, &world.path, "v1").await;
    eventually("a sync that succeeds", Duration::from_secs(60), async || {
        // A retry may be running, and may be the one that succeeds.
        world.call(reqwest::Method::POST, &world.mirror_path("/sync-now"), None).await;
        (world.wait_for(&["SUCCESS", "FAIL"]).await == "SUCCESS").then_some(())
    })
    .await;
    assert_eq!(bucket::uploads(&world.stack, &blob).await, 0, "no tag wants it any more");
    assert_eq!(bucket::check(&world.stack, &world.repository).await.tags["v1"], other.digest());
}
