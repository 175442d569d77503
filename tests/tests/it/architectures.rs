//! The architecture filter: indexes stay as they are, other architectures' content stays away.

use moorage_domain::Digest;
use moorage_tests::{
    bucket,
    image::{self, Image, layer},
    proxy::{Proxy, count},
    registry::Registry,
    skopeo,
    world::{World, outcome},
};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn an_index_keeps_its_bytes_and_loses_other_architectures() {
    let world = World::new("sparse").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let single = |architecture: &str, seed| Image::oci(architecture, &[layer(seed, 5_000)]);
    let index = Image::index(vec![single("amd64", 1), single("arm64", 2), single("s390x", 3)]);
    let foreign = Image::index(vec![single("s390x", 4)]);
    for (tag, image) in [
        ("index", &index),
        ("foreign", &foreign),
        ("amd64", &single("amd64", 5)),
        ("arm64", &single("arm64", 6)),
        ("artifact", &Image::artifact(layer(7, 50))),
    ] {
        image.push(&upstream, &world.path, tag).await;
    }
    let proxy = Proxy::start(&upstream).await;
    world.create_mirror(&proxy.address, json!({"architecture_filter": ["amd64"]})).await;
    assert_eq!(world.mirror().await["architecture_filter"], json!(["amd64"]));
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_copied"], &run["tags_skipped"]), (&json!("FAIL"), &json!(3), &json!(1)));
    assert_eq!(outcome(&run, "arm64")["outcome"], "skipped", "a success, as in Quay");
    let failure = &outcome(&run, "foreign")["failure"];
    assert_eq!(failure["message"], "No matching architectures. Requested: ['amd64'], Available: ['s390x']");
    let left_out: Vec<Digest> = index.children[1..].iter().map(Image::digest).collect();
    let held = bucket::check_sparse(&world.stack, &world.repository, &left_out).await;
    assert_eq!(held.tags.keys().collect::<Vec<_>>(), ["amd64", "artifact", "index"]);
    assert_eq!(held.tags["index"], index.digest(), "the registry's own digest");
    let requests = count(&proxy.take_seen());
    // Five manifests of tags and the index's child; configs and layers of three images, and the config of arm64.
    assert_eq!((requests["GET manifests"], requests["GET blobs"]), (6, 7), "{requests:?}");

    let stock = Registry::over_bucket(&world.stack);
    let repository = world.repository.as_str();
    assert_eq!(skopeo::inspect_raw(&stock.address, repository, "index"), index.manifest);
    let amd64 = &index.children[0];
    assert_eq!(image::get_manifest(&stock.url, repository, &amd64.digest().to_string()).await.2, amd64.manifest);
    assert_eq!(image::get_manifest(&stock.url, repository, &left_out[0].to_string()).await.0, 404);

    let (_, tags) = world.call(Method::GET, &format!("repository/{repository}/tag/?specificTag=index"), None).await;
    let listed = &tags["tags"][0];
    let mut presence = json!({amd64.digest().to_string(): true});
    for digest in &left_out {
        presence[digest.to_string()] = false.into();
    }
    assert_eq!((&listed["is_sparse"], &listed["child_manifests_presence"]), (&json!(true), &presence));
    assert_eq!((&listed["child_manifest_count"], &listed["present_child_count"]), (&json!(3), &json!(1)));

    // What is as it should be costs one HEAD, skipped or not.
    let run = world.sync().await;
    assert_eq!((&run["tags_unchanged"], &run["tags_skipped"]), (&json!(3), &json!(1)), "{run}");
    let requests = count(&proxy.take_seen());
    assert_eq!((requests["HEAD manifests"], requests["GET manifests"]), (5, 1), "only what failed: {requests:?}");

    // A wider filter brings what was left out; none brings everything.
    world.change_mirror(json!({"architecture_filter": ["amd64", "arm64"]})).await;
    let run = world.sync().await;
    assert_eq!((&run["tags_copied"], &run["tags_unchanged"]), (&json!(2), &json!(2)), "{run}");
    bucket::check_sparse(&world.stack, &world.repository, &left_out[1..]).await;
    world.change_mirror(json!({"architecture_filter": null})).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_copied"]), (&json!("SUCCESS"), &json!(2)), "{run}");
    assert_eq!(bucket::check(&world.stack, &world.repository).await.tags.len(), 5);
}

#[tokio::test]
async fn a_skipped_tag_leaves_what_it_was() {
    let world = World::new("skipped").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let ours = Image::oci("amd64", &[layer(10, 100)]);
    ours.push(&upstream, &world.path, "v1").await;
    world.create_mirror(&world.stack.upstream, json!({"architecture_filter": ["amd64"]})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    Image::oci("arm64", &[layer(11, 100)]).push(&upstream, &world.path, "v1").await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_skipped"], &run["tags_pruned"]), (&json!("SUCCESS"), &json!(1), &json!(0)));
    assert_eq!(bucket::check(&world.stack, &world.repository).await.tags["v1"], ours.digest());
}
