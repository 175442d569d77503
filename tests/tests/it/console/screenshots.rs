//! The pictures of the README: `make screenshots`.

use std::{fs, path::Path, time::Duration};

use moorage_domain::Digest;
use moorage_tests::{
    browser::Browser,
    eventually,
    image::{Image, layer},
    proxy::{Fault, Proxy},
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../functions/console/pictures");

/// A repository that mirrors `path`, and has been synced.
async fn mirror(world: &World, name: &str, registry: &str, changes: Value) {
    let body = json!({"namespace": world.namespace, "repository": name, "visibility": "private", "description": ""});
    assert_eq!(world.call(Method::POST, "repository", Some(body)).await.0, 201);
    let world = World { repository: format!("{}/{name}", world.namespace).parse().unwrap(), ..world.clone() };
    world.create_mirror(registry, changes).await;
    for _ in 0..3 {
        world.sync().await;
    }
}

#[tokio::test]
#[ignore = "writes files: make screenshots"]
async fn pictures() {
    fs::create_dir_all(FOLDER).unwrap();
    let world = World::new("acme").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let proxy = Proxy::start(&upstream).await;
    for number in 1..=6_u64 {
        let image = Image::oci("amd64", &[layer(rand::random(), 3_000_000)]);
        image.push(&upstream, &world.path, &format!("v1.{number}")).await;
        let blob = Digest::sha256(image.blobs.last().unwrap()).to_string();
        proxy.fault("GET", &blob, 1, Fault::Delay(Duration::from_secs(2 * number)));
    }
    let direct = world.stack.upstream.clone();
    // Of content of their own: what the namespace has is not fetched again.
    let base = format!("{}/base", world.namespace);
    for tag in ["1.0", "1.1", "latest"] {
        Image::oci("amd64", &[layer(rand::random(), 100_000)]).push(&upstream, &base, tag).await;
    }
    for name in ["billing", "gateway", "search", "worker"] {
        mirror(&world, name, &direct, json!({"external_reference": format!("{direct}/{base}")})).await;
    }
    mirror(&world, "reports", &direct, json!({"external_reference": format!("{direct}/{}/moved", world.namespace)}))
        .await;
    world.create_mirror(&proxy.address, json!({})).await;
    let browser = Browser::signed_in(&world.stack, &world.token(Some(&world.namespace), "admin").await).await;
    browser.see("tr.why", "What to do").await;
    browser.picture(&Path::new(FOLDER).join("front.png")).await;
    browser.go(&format!("repository/{}/mirroring", world.repository)).await;
    browser.see("section[aria-label=Preview]", "to copy").await;
    browser.click("Sync Now").await;
    eventually("it is half-way", Duration::from_secs(30), async || {
        let text = browser.text(".progress").await;
        ["2 of 6", "3 of 6", "4 of 6", "5 of 6"].iter().any(|some| text.contains(some)).then_some(())
    })
    .await;
    browser
        .script("document.querySelector('section[aria-label=Run]').scrollIntoView({block: 'center'})", json!([]))
        .await;
    browser.picture(&Path::new(FOLDER).join("sync.png")).await;
    world.wait_for(&["SUCCESS", "FAIL"]).await;
    browser.close().await;
}
