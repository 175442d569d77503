//! Signatures, SBOMs and attestations follow their images, whichever way the registry offers them.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use moorage_domain::Digest;
use moorage_tests::{
    bucket,
    hostile::{Answer, Asked, Hostile},
    image::{self, Image, layer},
    proxy::{Fault, Proxy, count},
    registry::Registry,
    skopeo,
    world::{World, outcome},
};
use reqwest::Method;
use serde_json::{Value, json};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

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

/// An artifact's manifest with other keys. Null takes one away.
fn changed(artifact: &Image, changes: &Value) -> Image {
    let mut manifest: Value = serde_json::from_slice(&artifact.manifest).unwrap();
    for (key, value) in changes.as_object().unwrap() {
        manifest[key] = value.clone();
    }
    manifest.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    Image { manifest: manifest.to_string().into_bytes(), ..artifact.clone() }
}

#[tokio::test]
async fn a_referrer_names_its_image_itself_and_says_itself_what_it_is() {
    let (world, registry) = (World::new("ownwords").await, Hostile::start().await);
    let (by_api, by_tag) = (small(40), small(41));
    // What each image's list holds: two true ones, of which the list lies; and what does not refer to the image at all.
    let mut lists = Vec::new();
    for (number, image) in [(0, &by_api), (100, &by_tag)] {
        let plain = changed(&Image::referrer(image, layer(number + 42, 60)), &json!({"artifactType": null}));
        let noted = Image::referrer(image, layer(number + 43, 60));
        let circle = Image::referrer(&noted, layer(number + 44, 60));
        let strangers = [
            image.clone(),
            Image::artifact(layer(number + 45, 60)),
            Image::referrer(&small(46), layer(47, 60)),
            circle,
        ];
        let lie = |image: &Image| {
            let mut lie = image.referrer_descriptor();
            lie["artifactType"] = json!("application/vnd.example.signature");
            lie["annotations"] = json!({"org.example.signed-by": "somebody"});
            lie
        };
        let entries: Vec<_> = [&plain, &noted].into_iter().chain(&strangers).map(lie).collect();
        let mut expected = [plain.referrer_descriptor(), noted.referrer_descriptor()];
        expected[0]["artifactType"] = json!("application/vnd.oci.empty.v1+json");
        expected.sort_by_key(|entry| entry["digest"].to_string());
        for image in [&plain, &noted].into_iter().chain(&strangers) {
            registry.hold_by_digest(&world.path, image);
        }
        lists.push((image, entries, expected, strangers));
    }
    registry.refer_to_nothing();
    registry.refer(&by_api, lists[0].1.clone());
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": lists[1].1});
    let index = Image { manifest: index.to_string().into_bytes(), ..Image::referrers(Vec::new()) };
    registry.hold(&world.path, "v1", &by_api);
    registry.hold(&world.path, "v2", &by_tag);
    registry.hold(&world.path, &attached(&by_tag, ""), &index);
    registry.hold(&world.path, &attached(&by_tag, ".sig"), &small(48));
    // The rule selects the list's tag, too: it is what it is nevertheless.
    world.create_mirror(&registry.address, json!({})).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_failed"]), (&json!("SUCCESS"), &json!(0)), "{run}");
    assert_eq!((&run["warning"]["reason"], &run["warning"]["tags"]), (&json!("attachments_incomplete"), &json!(8)));
    let held = bucket::check(&world.stack, &world.repository).await;
    let stock = Registry::over_bucket(&world.stack);
    for (image, _, expected, strangers) in &lists {
        for stranger in &strangers[1..] {
            assert!(!held.revisions.contains(&stranger.digest()), "it is not copied");
        }
        // By the stock registry's clients, and by ours.
        let (_, _, bytes) = image::get_manifest(&stock.url, world.repository.as_str(), &attached(image, "")).await;
        let kept: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(kept["manifests"], json!(expected), "as the manifests say it");
        let path = format!("/v2/{}/referrers/{}", world.repository, image.digest());
        assert_eq!(world.robot().await.get(&path).await.json()["manifests"], json!(expected));
    }
    let signature = skopeo::inspect_raw(&stock.address, world.repository.as_str(), &attached(&by_tag, ".sig"));
    assert_eq!(signature, small(48).manifest, "cosign's own tags name no subject");
    let again = world.sync().await;
    assert_eq!((&again["status"], &again["tags_copied"]), (&json!("SUCCESS"), &json!(0)), "{again}");
}

#[tokio::test]
async fn who_may_not_ask_what_refers_to_images_has_the_images_and_asks_the_next_time() {
    let (world, registry) = (World::new("limitedrefs").await, Hostile::start().await);
    let images = [small(60), small(61), small(62)];
    registry.refer_to_nothing();
    for (number, image) in images.iter().enumerate() {
        let signature = Image::referrer(image, layer(63, 60));
        registry.hold(&world.path, &format!("v{number}"), image);
        registry.hold_by_digest(&world.path, &signature);
        registry.refer(image, vec![signature.referrer_descriptor()]);
    }
    let lists = |asked: Vec<Asked>| asked.iter().filter(|asked| asked.path.contains("/referrers/")).count();
    // One list is answered, then for some hours none is.
    let answered = Arc::new(AtomicUsize::new(1));
    let left = answered.clone();
    registry.plan("GET", "/referrers/", move |_| {
        let is_answered = left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok();
        (!is_answered).then(|| Answer::new(429).header("retry-after", "7200"))
    });
    world.create_mirror(&registry.address, json!({})).await;
    // Unchanged images' are asked for again, as long as it takes, and nothing else is held up by it.
    for tags_copied in [4, 0] {
        let run = world.sync().await;
        let ended = ["status", "tags_copied", "tags_failed", "waits"].map(|key| run[key].clone());
        assert_eq!(ended, [json!("SUCCESS"), json!(tags_copied), json!(0), json!(0)], "{run}");
        // Two images, and what refers to the third: its list, and the artifact in it.
        assert_eq!((&run["warning"]["reason"], &run["warning"]["tags"]), (&json!("attachments_incomplete"), &json!(4)));
        let asked = lists(registry.take_asked());
        assert!(asked <= 3, "{asked}: nobody insists");
    }
    answered.store(usize::MAX, Relaxed);
    let run = world.sync().await;
    assert_eq!(
        (&run["status"], run.get("warning"), &run["tags_copied"]),
        (&json!("SUCCESS"), None, &json!(2)),
        "{run}"
    );
    assert_eq!(lists(registry.take_asked()), 8, "those that were not answered, and as many of what is new");
    for image in &images {
        assert_eq!(world.referrers(image).await, [Image::referrer(image, layer(63, 60)).digest().to_string()]);
    }
}
