//! Indexes that list so much that only one of them is copied at a time.

use std::time::Duration;

use moorage_domain::Digest;
use moorage_tests::{
    hostile::Hostile,
    image::{Image, OCI_INDEX, OCI_MANIFEST, layer},
    proxy::{Fault, Proxy},
    world::World,
};
use serde_json::{Value, json};

/// As many descriptors as there is room for.
const WIDTH: usize = 8_000;

/// An index that lists an image, and the same blob again and again.
fn wide(name: &str, child: &Image) -> Image {
    let blob = layer(rand::random(), 20);
    let image = json!({"mediaType": OCI_MANIFEST, "digest": child.digest(), "size": child.manifest.len()});
    let filler = json!({"mediaType": "application/x", "digest": Digest::sha256(&blob), "size": blob.len()});
    let entries: Vec<_> = std::iter::once(image).chain(std::iter::repeat_n(filler, WIDTH)).collect();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries, "annotations": {"org.example.name": name},
    });
    let manifest = manifest.to_string().into_bytes();
    Image { media_type: OCI_INDEX, manifest, blobs: vec![blob], children: vec![child.clone()] }
}

#[tokio::test]
async fn what_an_index_lists_does_not_wait_for_the_room_that_the_index_has() {
    let (world, registry) = (World::new("wide").await, Hostile::start().await);
    let image = || Image::oci("amd64", &[layer(rand::random(), 100)]);
    let (other, child) = (image(), image());
    let (first, second) = (wide("first", &other), wide("second", &child));
    for (tag, image) in [("first", &first), ("second", &second), ("child", &child)] {
        registry.hold(&world.path, tag, image);
    }
    let proxy = Proxy::start(&format!("http://{}", registry.address)).await;
    // The first has all room until its image comes; then the second, which waits for the child, which waits for room.
    for (image, late) in [(&second, 300), (&child, 600), (&other, 1_500)] {
        let path = format!("/manifests/{}", image.digest());
        proxy.fault("GET", &path, 1, Fault::Delay(Duration::from_millis(late)));
    }
    world.create_mirror(&proxy.address, json!({})).await;
    world.sync().await;
    let run = world.last_run().await;
    assert_eq!((&run["status"], &run["tags_copied"], &run["failure"]), (&json!("SUCCESS"), &json!(3), &Value::Null));
    assert_eq!(run["invocations"], json!(1), "they waited for each other until its time was up: {run}");
}
