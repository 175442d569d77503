//! Signatures, SBOMs and attestations follow their images, whichever way the registry offers them.

use std::collections::BTreeSet;

use moorage_domain::Digest;
use moorage_tests::{
    bucket,
    image::{self, Image, layer},
    proxy::{Fault, Proxy, count},
    registry::Registry,
    skopeo,
    world::{World, outcome},
};
use reqwest::Method;
use serde_json::{Value, json};

fn attached(subject: &Image, suffix: &str) -> String {
    format!("{}{suffix}", subject.referrers_tag())
}

fn small(seed: u64) -> Image {
    Image::oci("amd64", &[layer(seed, 500)])
}

/// Makes the registry's API answer what refers to `subject`.
fn referrers(proxy: &Proxy, subject: &Digest, referrers: &[&Image]) {
    let manifests: Vec<Value> = referrers.iter().map(|referrer| referrer.referrer_descriptor()).collect();
    let index = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests,
    });
    proxy.fault("GET", &format!("referrers/{subject}"), 1_000, Fault::Body(index.to_string().into_bytes().into()));
}

#[tokio::test]
async fn attachments_that_are_tags_come_and_go_with_their_images() {
    let world = World::new("attached").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let v1 = Image::index(vec![small(1), small(2)]);
    let other = small(3);
    let sbom = Image::referrer(&v1, layer(4, 70));
    let index = Image::referrers(vec![sbom.clone()]);
    for (tag, image) in [
        ("v1".to_owned(), &v1),
        ("other".to_owned(), &other),
        (attached(&v1, ".sig"), &small(10)),
        (attached(&v1.children[1], ".att"), &small(11)),
        (attached(&v1, ""), &index),
        (attached(&sbom, ".sig"), &small(12)),
        (attached(&other, ".sig"), &small(13)),
    ] {
        image.push(&upstream, &world.path, &tag).await;
    }
    let proxy = Proxy::start(&upstream).await;
    let rule = json!({"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["v*"]}});
    world.create_mirror(&proxy.address, rule).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_copied"], &run["tags_total"]), (&json!("SUCCESS"), &json!(5), &json!(5)));
    let expected: BTreeSet<String> = [
        "v1".to_owned(),
        attached(&v1, ".sig"),
        attached(&v1.children[1], ".att"),
        attached(&v1, ""),
        attached(&sbom, ".sig"),
    ]
    .into();
    let held = bucket::check(&world.stack, &world.repository).await;
    assert_eq!(held.tags.keys().cloned().collect::<BTreeSet<_>>(), expected);
    let stock = Registry::over_bucket(&world.stack);
    let served = skopeo::inspect_raw(&stock.address, world.repository.as_str(), &attached(&v1, ""));
    assert_eq!(served, index.manifest, "the registry's own index, byte for byte");

    proxy.take_seen();
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_unchanged"]), (&json!("SUCCESS"), &json!(5)), "{run}");
    let requests = count(&proxy.take_seen());
    let expected = [("HEAD manifests".to_owned(), 5), ("GET tags".to_owned(), 1)];
    assert_eq!(requests, expected.into_iter().collect(), "attachments cost what tags cost");

    // What a list lacks is asked for, be it attached; what is gone goes, as a preview tells.
    let signature = attached(&v1, ".sig");
    let list = json!({"name": world.path, "tags": ["v1", attached(&v1.children[1], ".att"), attached(&v1, "")]});
    proxy.fault("GET", "tags/list", usize::MAX, Fault::Body(list.to_string().into_bytes().into()));
    let (_, preview) = world.call(Method::POST, &world.mirror_path("/preview"), Some(json!({}))).await;
    let told = preview["tags"].as_array().unwrap().iter().find(|tag| tag["name"] == signature.as_str()).unwrap();
    assert_eq!((&told["action"], &told["cause"]), (&json!("delete"), &json!("vanished")), "{preview}");
    let run = world.sync().await;
    assert_eq!((&run["tags_pruned"], &run["warning"]["reason"]), (&json!(0), &json!("list_incomplete")), "{run}");
    proxy.heal();

    // The image moves on: what was attached to the old one goes.
    small(5).push(&upstream, &world.path, "v1").await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_pruned"]), (&json!("SUCCESS"), &json!(4)), "{run}");
    assert_eq!(bucket::check(&world.stack, &world.repository).await.tags.len(), 1);
}

#[tokio::test]
async fn what_the_referrers_api_lists_becomes_the_index_that_clients_look_for() {
    let world = World::new("referrers").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let v1 = small(20);
    let (one, two) = (Image::referrer(&v1, layer(21, 70)), Image::referrer(&v1, layer(22, 70)));
    let signature = Image::referrer(&one, layer(23, 70));
    v1.push(&upstream, &world.path, "v1").await;
    for artifact in [&one, &two, &signature] {
        artifact.push(&upstream, &world.path, &artifact.digest().to_string()).await;
    }
    let proxy = Proxy::start(&upstream).await;
    referrers(&proxy, &v1.digest(), &[&one]);
    referrers(&proxy, &one.digest(), &[&signature]);
    // A registry that goes round in circles.
    referrers(&proxy, &signature.digest(), &[&one, &signature]);
    world.create_mirror(&proxy.address, json!({})).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_failed"]), (&json!("SUCCESS"), &json!(0)), "{run}");
    let held = bucket::check(&world.stack, &world.repository).await;
    assert!(held.revisions.contains(&one.digest()) && held.revisions.contains(&signature.digest()));
    let stock = Registry::over_bucket(&world.stack);
    let index = async |subject: &Image| {
        let (status, media_type, bytes) =
            image::get_manifest(&stock.url, world.repository.as_str(), &attached(subject, "")).await;
        assert_eq!((status, media_type.as_str()), (200, "application/vnd.oci.image.index.v1+json"));
        let index: Value = serde_json::from_slice(&bytes).unwrap();
        index["manifests"].as_array().unwrap().clone()
    };
    assert_eq!(index(&v1).await, [one.referrer_descriptor()], "with artifact type and annotations");
    assert_eq!(index(&one).await, [signature.referrer_descriptor()]);

    // Unchanged images are not asked about each time.
    proxy.take_seen();
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_pruned"]), (&json!("SUCCESS"), &json!(0)), "{run}");
    let requests = count(&proxy.take_seen());
    assert_eq!(requests, [("HEAD manifests".to_owned(), 1), ("GET tags".to_owned(), 1)].into_iter().collect());

    // Half a day later there is one more, and the registry cannot say what refers to the first.
    proxy.heal();
    referrers(&proxy, &v1.digest(), &[&two, &one]);
    proxy.fault("GET", &format!("referrers/{}", one.digest()), 1_000, Fault::Status(500, vec![]));
    proxy.fault("GET", &format!("referrers/{}", two.digest()), 1_000, Fault::Status(404, vec![]));
    world.forget_the_last_check().await;
    let run = world.sync().await;
    assert_eq!(run["status"], "SUCCESS", "{run}");
    assert_eq!((&run["warning"]["reason"], &run["warning"]["tags"]), (&json!("attachments_incomplete"), &json!(1)));
    assert_eq!(outcome(&run, &attached(&v1, ""))["outcome"], "copied");
    assert_eq!(index(&v1).await.len(), 2);
    assert_eq!(index(&one).await, [signature.referrer_descriptor()], "what is held stays");
    bucket::check(&world.stack, &world.repository).await;
}

#[tokio::test]
async fn a_registry_that_makes_referrers_up_spoils_only_those() {
    let world = World::new("madeup").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let (v1, v2) = (small(30), small(31));
    v1.push(&upstream, &world.path, "v1").await;
    v2.push(&upstream, &world.path, "v2").await;
    let proxy = Proxy::start(&upstream).await;
    let many: Vec<Image> = (0..1_001).map(|n| Image::artifact(layer(n, 10))).collect();
    referrers(&proxy, &v1.digest(), &many.iter().collect::<Vec<_>>());
    // One that is not there, and no other.
    let missing = Image::referrer(&v2, layer(32, 10));
    referrers(&proxy, &v2.digest(), &[&missing]);
    world.create_mirror(&proxy.address, json!({})).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_copied"], &run["tags_failed"]), (&json!("SUCCESS"), &json!(2), &json!(0)));
    assert_eq!((&run["warning"]["reason"], &run["warning"]["tags"]), (&json!("attachments_incomplete"), &json!(2)));
    assert_eq!(bucket::check(&world.stack, &world.repository).await.tags.len(), 2);
}
