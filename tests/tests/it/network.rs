//! The way to the registry: proxies, and addresses that nobody may be led to.

use moorage_tests::{
    bucket,
    image::{Image, layer},
    process::free_port,
    proxy::{Fault, Proxy, count},
    world::{World, outcome},
};
use serde_json::json;

#[tokio::test]
async fn a_mirrors_proxy_is_used() {
    let world = World::new("proxied").await;
    let upstream = format!("http://{}", world.stack.upstream);
    Image::oci("amd64", &[layer(1, 100)]).push(&upstream, &world.path, "v1").await;
    let proxy = Proxy::start(&upstream).await;
    // Nothing listens there; only through the proxy there is a registry.
    let nowhere = format!("127.0.0.1:{}", free_port());
    let through = json!({"http_proxy": format!("http://{}", proxy.address), "https_proxy": null, "no_proxy": null});
    let config = json!({"external_registry_config": {"verify_tls": false, "proxy": through}});
    world.create_mirror(&nowhere, config).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_copied"]), (&json!("SUCCESS"), &json!(1)), "{run}");
    assert_eq!(count(&proxy.take_seen())["GET tags"], 1);

    world.change_mirror(json!({"external_registry_config": {"proxy": {"no_proxy": "127.0.0.1"}}})).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["failure"]["reason"]), (&json!("FAIL"), &json!("connection_error")), "{run}");
    assert!(proxy.take_seen().is_empty());
}

#[tokio::test]
async fn redirects_lead_neither_inside_nor_in_circles() {
    let world = World::new("inside").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let images: Vec<_> = (0..3).map(|_| Image::oci("amd64", &[layer(rand::random(), 1_000)])).collect();
    for (tag, image) in images.iter().enumerate() {
        image.push(&upstream, &world.path, &format!("t{tag}")).await;
    }
    let proxy = Proxy::start(&upstream).await;
    let blob =
        |index: usize| format!("/v2/{}/blobs/{}", world.path, moorage_domain::Digest::sha256(&images[index].blobs[1]));
    let redirect = |index: usize, location: String| {
        let fault = Fault::Status(307, vec![("location", location)]);
        // The blob's own path is redirected for ever, so the second of them goes round in a circle.
        proxy.fault("GET", Box::leak(blob(index).into_boxed_str()), 1_000, fault);
    };
    redirect(0, "http://169.254.169.254/latest/meta-data/".into());
    redirect(1, format!("http://{}{}", proxy.address, blob(1)));
    world.create_mirror(&proxy.address, json!({})).await;
    let run = world.sync().await;
    assert_eq!(run["status"], "FAIL");
    assert_eq!(outcome(&run, "t0")["failure"]["reason"], "invalid_source_registry");
    assert_eq!(outcome(&run, "t1")["failure"]["reason"], "registry_error");
    assert_eq!(outcome(&run, "t2")["outcome"], "copied");
    let held = bucket::check(&world.stack, &world.repository).await;
    assert_eq!(held.tags.into_keys().collect::<Vec<_>>(), ["t2"]);
}
