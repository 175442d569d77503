//! The main job: what the registry has arrives, byte for byte, and nothing is done twice.

use moorage_domain::{Algorithm, Digest};
use moorage_tests::{
    bucket,
    client::Client,
    image::{self, Image, layer},
    proxy::{Fault, Proxy, count},
    registry::Registry,
    seed, skopeo,
    world::{World, outcome},
};
use serde_json::{Value, json};

const MIB: usize = 1024 * 1024;

/// One image of each kind; they share layers, one of them larger than a part of a multipart upload.
fn images() -> Vec<(&'static str, Image)> {
    let (base, large) = (layer(1, 300_000), layer(2, 20 * MIB));
    let oci = |architecture, seed| Image::oci(architecture, &[base.clone(), layer(seed, 1_000)]);
    vec![
        ("v1", oci("amd64", 10)),
        ("v2", Image::index(vec![oci("amd64", 11), oci("arm64", 12)])),
        ("v3-docker", Image::docker("amd64", &[base.clone(), large])),
        (
            "v4-list",
            Image::list(vec![Image::docker("amd64", &[layer(20, 9)]), Image::docker("s390x", &[layer(21, 8)])]),
        ),
        ("v5-artifact", Image::artifact(layer(30, 50))),
        ("v6-empty", Image::oci("amd64", &[vec![], base.clone()])),
        ("v7-nested", Image::index(vec![Image::index(vec![oci("amd64", 13)]), Image::index(vec![])])),
        ("other", oci("amd64", 14)),
    ]
}

#[tokio::test]
async fn every_kind_of_image_arrives_byte_for_byte() {
    let world = World::new("kinds").await;
    let upstream = format!("http://{}", world.stack.upstream);
    for (tag, image) in images() {
        image.push(&upstream, &world.path, tag).await;
    }
    let rule = json!({"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["v[1-7]*"]}});
    world.create_mirror(&world.stack.upstream, rule).await;
    assert_eq!(world.mirror().await["sync_status"], "NEVER_RUN");

    let run = world.sync().await;
    assert_eq!(run["status"], "SUCCESS", "{run}");
    assert_eq!((&run["tags_total"], &run["tags_done"], &run["tags_copied"]), (&json!(7), &json!(7), &json!(7)));
    assert_eq!(run["bytes_total"], run["bytes_done"]);
    assert!(run["bytes_total"].as_u64().unwrap() > 20 * MIB as u64);
    let mirror = world.mirror().await;
    assert_eq!(mirror["sync_status"], "SUCCESS");
    assert_eq!(mirror["sync_expiration_date"], json!(null));
    let held = bucket::check(&world.stack, &world.repository).await;
    let stock = Registry::over_bucket(&world.stack);
    let repository = world.repository.as_str();
    let mut expected = Vec::new();
    for (tag, image) in images().into_iter().filter(|(tag, _)| *tag != "other") {
        assert_eq!(outcome(&run, tag)["outcome"], "copied");
        assert_eq!(held.tags[tag], image.digest());
        for part in image.all() {
            let served = image::get_manifest(&stock.url, repository, &part.digest().to_string()).await;
            assert_eq!(served, (200, part.media_type.to_owned(), part.manifest.clone()), "{tag}");
        }
        assert_eq!(skopeo::inspect_raw(&stock.address, repository, tag), image.manifest, "{tag}");
        // skopeo takes neither artifacts nor indexes of indexes for images.
        if !matches!(tag, "v5-artifact" | "v7-nested") {
            let folder = tempfile::tempdir().unwrap();
            skopeo::copy_all(&stock.address, repository, tag, folder.path());
            assert_eq!(std::fs::read(folder.path().join("manifest.json")).unwrap(), image.manifest, "{tag}");
        }
        expected.push(tag.to_owned());
    }
    assert_eq!(image::tags(&stock.url, repository).await, expected, "unselected tags stay away");

    let log = world.log().await;
    let kinds: Vec<_> = log.iter().rev().map(|entry| entry["kind"].as_str().unwrap()).collect();
    let sync: Vec<_> = kinds.iter().filter(|kind| kind.starts_with("repo_mirror_sync")).copied().collect();
    assert_eq!(sync.first(), Some(&"repo_mirror_sync_started"));
    assert_eq!(sync.iter().filter(|kind| **kind == "repo_mirror_sync_tag_success").count(), 7);
    assert_eq!(sync.last(), Some(&"repo_mirror_sync_success"));
    for entry in log.iter().filter(|entry| entry["kind"].as_str().unwrap().starts_with("repo_mirror_sync")) {
        for key in ["verb", "namespace", "repo", "message", "tag", "tags", "stdout", "stderr"] {
            assert!(entry["metadata"].as_object().unwrap().contains_key(key), "{entry}");
        }
    }
    let end = log.iter().find(|entry| entry["kind"] == "repo_mirror_sync_success").unwrap();
    assert_eq!(end["metadata"]["tags"], expected.join(", "));
}

#[tokio::test]
async fn an_unchanged_sync_costs_one_head_per_tag_and_touches_nothing() {
    let world = World::new("unchanged").await;
    let upstream = format!("http://{}", world.stack.upstream);
    for tag in 0..20 {
        Image::oci("amd64", &[layer(1, 10_000), layer(100 + tag, 100)])
            .push(&upstream, &world.path, &format!("t{tag}"))
            .await;
    }
    let proxy = Proxy::start(&upstream).await;
    world.create_mirror(&proxy.address, json!({})).await;
    let first = world.sync().await;
    assert_eq!((&first["status"], &first["tags_copied"]), (&json!("SUCCESS"), &json!(20)));
    let requests = count(&proxy.take_seen());
    assert_eq!(requests["GET manifests"], 20, "{requests:?}");
    // 20 layers, 20 configs, and the shared layer once.
    assert_eq!(requests["GET blobs"], 41, "{requests:?}");

    let before = bucket::versions(&world.stack, &world.repository).await;
    let second = world.sync().await;
    assert_eq!((&second["status"], &second["tags_unchanged"]), (&json!("SUCCESS"), &json!(20)));
    assert_eq!((&second["bytes_total"], &second["bytes_copied"]), (&json!(0), &json!(0)));
    let requests = count(&proxy.take_seen());
    let expected = [("HEAD manifests".to_owned(), 20), ("GET tags".to_owned(), 1)];
    assert_eq!(requests, expected.into_iter().collect());
    assert_eq!(bucket::versions(&world.stack, &world.repository).await, before, "the bucket is left alone");
}

#[tokio::test]
async fn large_blobs_come_in_parts_each_byte_once() {
    let world = World::new("parts").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let size = 30 * MIB + 12_345;
    let proxy = Proxy::start(&upstream).await;
    world.create_mirror(&proxy.address, json!({})).await;
    for ignored in [false, true] {
        let image = Image::oci("amd64", &[layer(rand::random(), size)]);
        image.push(&upstream, &world.path, "v1").await;
        let blob = Digest::sha256(&image.blobs[1]);
        if ignored {
            proxy.fault("GET", &format!("blobs/{blob}"), 1_000, Fault::IgnoreRange);
        }
        let run = world.sync().await;
        assert_eq!(run["status"], "SUCCESS", "{run}");
        assert_eq!(run["bytes_copied"], run["bytes_total"]);
        let seen = proxy.take_seen().into_iter().filter(|seen| seen.path.contains(&blob.to_string()));
        let ranges: Vec<_> = seen.filter_map(|seen| seen.range).collect();
        if ignored {
            assert_eq!(ranges.len(), 1, "one part shows that there are none: {ranges:?}");
        } else {
            assert_eq!(ranges.len(), 4, "{ranges:?}");
            let last = format!("bytes=25165824-{}", image.blobs[1].len() - 1);
            assert!(ranges.contains(&"bytes=0-8388607".to_owned()) && ranges.contains(&last), "{ranges:?}");
        }
        assert_eq!(bucket::check(&world.stack, &world.repository).await.tags["v1"], image.digest());
    }
}

#[tokio::test]
async fn blobs_named_by_sha512_arrive_as_such() {
    let world = World::new("sha512").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let (small, large) = (layer(rand::random(), 1_000), layer(rand::random(), 17 * MIB));
    let image = Image::oci("amd64", &[small.clone(), large.clone()]);
    let mut manifest: Value = serde_json::from_slice(&image.manifest).unwrap();
    image::push_blob(&upstream, &world.path, &image.blobs[0]).await;
    for (index, layer) in [&small, &large].into_iter().enumerate() {
        let digest = Digest::of(Algorithm::Sha512, layer);
        image::push_blob_as(&upstream, &world.path, layer, &digest).await;
        manifest["layers"][index]["digest"] = json!(digest);
    }
    let manifest = manifest.to_string().into_bytes();
    image::put_manifest(&upstream, &world.path, "v1", image.media_type, manifest.clone()).await;
    world.create_mirror(&world.stack.upstream, json!({})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    let held = bucket::check(&world.stack, &world.repository).await;
    assert_eq!(held.layers.iter().filter(|layer| layer.algorithm() == Algorithm::Sha512).count(), 2);
    let stock = Registry::over_bucket(&world.stack);
    assert_eq!(image::get_manifest(&stock.url, world.repository.as_str(), "v1").await.2, manifest);
    for layer in [small, large] {
        let digest = Digest::of(Algorithm::Sha512, &layer);
        let blob = format!("/v2/{}/blobs/{digest}", world.repository);
        for registry in [Client::new(&stock.url), world.robot().await] {
            assert!(registry.fetch(&blob, &[]).await.body == layer, "{digest} is served as it is");
        }
    }
}

#[tokio::test]
async fn blobs_that_the_namespace_has_are_not_fetched_again() {
    let one = World::new("reuse").await;
    let two = World { repository: seed::repository(&one, "two", "private").await, ..one.clone() };
    let upstream = format!("http://{}", one.stack.upstream);
    let image = Image::oci("amd64", &[layer(7_777, 100_000)]);
    image.push(&upstream, &one.path, "v1").await;
    one.create_mirror(&one.stack.upstream, json!({})).await;
    assert_eq!(one.sync().await["status"], "SUCCESS");

    let proxy = Proxy::start(&upstream).await;
    two.create_mirror(&proxy.address, json!({})).await;
    let run = two.sync().await;
    assert_eq!((&run["status"], &run["bytes_copied"]), (&json!("SUCCESS"), &json!(0)));
    assert!(run["bytes_total"].as_u64().unwrap() > 100_000);
    let requests = count(&proxy.take_seen());
    assert!(!requests.contains_key("GET blobs") && !requests.contains_key("GET manifests"), "{requests:?}");
    bucket::check(&two.stack, &two.repository).await;
}

#[tokio::test]
async fn tags_follow_the_registry_and_the_rule() {
    let world = World::new("follow").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let (old, new, gone) = (
        Image::oci("amd64", &[layer(1, 99)]),
        Image::oci("amd64", &[layer(2, 99)]),
        Image::oci("arm64", &[layer(3, 9)]),
    );
    old.push(&upstream, &world.path, "latest").await;
    old.push(&upstream, &world.path, "v1").await;
    gone.push(&upstream, &world.path, "gone").await;
    world.create_mirror(&world.stack.upstream, json!({})).await;
    assert_eq!(world.sync().await["tags_copied"], 3);

    // One tag moves, another disappears.
    new.push(&upstream, &world.path, "latest").await;
    image::delete(&upstream, &world.path, &gone.digest()).await;
    let run = world.sync().await;
    assert_eq!((&run["tags_copied"], &run["tags_unchanged"], &run["tags_pruned"]), (&json!(1), &json!(1), &json!(1)));
    assert_eq!(outcome(&run, "gone")["outcome"], "pruned");
    let held = bucket::check(&world.stack, &world.repository).await;
    let expected = [("latest".to_owned(), new.digest()), ("v1".to_owned(), old.digest())];
    assert_eq!(held.tags, expected.into_iter().collect());
    for content in std::iter::once(&gone.manifest).chain(&gone.blobs) {
        let digest = Digest::sha256(content);
        assert!(bucket::blob(&world.stack, &digest).await.is_some(), "a deleted tag's content can be restored");
    }

    // The rule no longer selects one of them; then none.
    world.change_mirror(json!({"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["v*"]}})).await;
    assert_eq!(world.sync().await["tags_pruned"], 1);
    world.change_mirror(json!({"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["nothing"]}})).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_total"], &run["tags_pruned"]), (&json!("SUCCESS"), &json!(0), &json!(1)));
    assert!(bucket::check(&world.stack, &world.repository).await.tags.is_empty());
    let stock = Registry::over_bucket(&world.stack);
    assert!(image::tags(&stock.url, world.repository.as_str()).await.is_empty());
}

#[tokio::test]
async fn a_registry_that_lists_nothing_or_fails_deletes_nothing() {
    let world = World::new("guard").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let image = Image::oci("amd64", &[layer(1, 99)]);
    for tag in ["a", "b", "c", "d", "e"] {
        image.push(&upstream, &world.path, tag).await;
    }
    let proxy = Proxy::start(&upstream).await;
    proxy.page_tags(2);
    world.create_mirror(&proxy.address, json!({})).await;
    assert_eq!(world.sync().await["tags_copied"], 5, "all pages are read");
    assert_eq!(count(&proxy.take_seen())["GET tags"], 3);

    // The second page fails for good: what the first one lists is not all.
    proxy.fault("GET", "last=b", 1_000, Fault::Status(403, vec![]));
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_pruned"]), (&json!("FAIL"), &json!(0)), "{run}");
    proxy.heal();
    assert_eq!(bucket::check(&world.stack, &world.repository).await.tags.len(), 5);

    image::delete(&upstream, &world.path, &image.digest()).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_total"], &run["tags_pruned"]), (&json!("SUCCESS"), &json!(0), &json!(0)));
    assert_eq!(bucket::check(&world.stack, &world.repository).await.tags.len(), 5);
}
