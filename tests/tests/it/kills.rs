//! A sync that is killed again and again, at any moment, comes to the same end.

use std::{collections::BTreeMap, time::Duration};

use moorage_domain::Digest;
use moorage_tests::{
    bucket, eventually,
    image::{Image, layer},
    process::kill_functions_connected_to,
    proxy::{Fault, Proxy},
    world::World,
};
use rand::Rng;
use serde_json::json;

const MIB: usize = 1024 * 1024;
/// How often the sync is killed; each time its claim has to expire first.
const KILLS: usize = 6;

/// Everything in a repository, by key and content.
async fn content(world: &World) -> BTreeMap<String, Vec<u8>> {
    let prefix = format!("docker/registry/v2/repositories/{}/", world.repository);
    let mut content = BTreeMap::new();
    for key in bucket::keys(&world.stack, &prefix).await {
        let bytes = bucket::get(&world.stack, &key).await.unwrap();
        content.insert(key[prefix.len()..].to_owned(), bytes);
    }
    content
}

#[tokio::test]
async fn killed_at_any_moment_it_ends_as_if_nothing_had_happened() {
    let (world, control) = (World::new("kills").await, World::new("kills-not").await);
    let upstream = format!("http://{}", world.stack.upstream);
    let random = |size| layer(rand::random(), size);
    let large = random(6 * 8 * MIB + 99);
    let mut images = BTreeMap::from([("large".to_owned(), Image::oci("amd64", &[random(999), large.clone()]))]);
    for n in 0..12 {
        let image = |architecture| Image::oci(architecture, &[random(20_000)]);
        images.insert(format!("t{n:02}"), Image::index(vec![image("amd64"), image("arm64")]));
    }
    for (tag, image) in &images {
        image.push(&upstream, &world.path, tag).await;
    }
    let proxy = Proxy::start(&upstream).await;
    // Slow enough that kills hit something.
    proxy.fault("GET", "/blobs/", 1_000, Fault::Delay(Duration::from_millis(400)));
    world.create_mirror(&proxy.address, json!({})).await;
    let mut killed = 0;
    while killed < KILLS {
        let sync_now = async || {
            let answer = world.call(reqwest::Method::POST, &world.mirror_path("/sync-now"), None).await;
            (answer.0 == 204).then_some(())
        };
        eventually("the claim expires", Duration::from_secs(60), sync_now).await;
        proxy.take_seen();
        eventually("the sync begins", Duration::from_secs(30), async || (!proxy.take_seen().is_empty()).then_some(()))
            .await;
        let moment = rand::rng().random_range(0..1_500);
        tokio::time::sleep(Duration::from_millis(moment)).await;
        let hit = kill_functions_connected_to(proxy.port);
        killed += hit;
        // What a killed sync has shown is whole.
        bucket::check(&world.stack, &world.repository).await;
        if hit == 0 && world.mirror().await["sync_status"] == "SUCCESS" {
            break;
        }
    }
    assert!(killed >= 2, "the sync was over too soon: {killed}");
    eventually("the last claim expires", Duration::from_secs(60), async || {
        let answer = world.call(reqwest::Method::POST, &world.mirror_path("/sync-now"), None).await;
        (answer.0 == 204).then_some(())
    })
    .await;
    world.wait_for(&["SUCCESS"]).await;

    let reference = json!({"external_reference": format!("{}/{}", world.stack.upstream, world.path)});
    control.create_mirror(&world.stack.upstream, reference).await;
    assert_eq!(control.sync().await["status"], "SUCCESS");
    assert_eq!(content(&world).await, content(&control).await);
    let held = bucket::check(&world.stack, &world.repository).await;
    let expected: BTreeMap<_, _> = images.iter().map(|(tag, image)| (tag.clone(), image.digest())).collect();
    assert_eq!(held.tags, expected);
    assert_eq!(bucket::uploads(&world.stack, &Digest::sha256(&large)).await, 0, "no upload is left");
}
