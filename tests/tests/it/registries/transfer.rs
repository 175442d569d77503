//! Registries as people have them: what they refuse of what only saves time, and how they answer in their own way. What
//! skopeo copies from them, a mirror copies.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::Digest;
use moorage_tests::{
    bucket,
    hostile::{Answer, Asked, Hostile},
    image::{Image, layer},
    proxy::{Fault, Proxy},
    skopeo, table,
    world::{World, outcome},
};
use serde_json::{Value, json};

const ALWAYS: usize = 100_000;
/// A layer of a part and a little.
const LARGE: usize = 9 * 1024 * 1024;

fn image(size: usize) -> Image {
    Image::oci("amd64", &[layer(rand::random(), size)])
}

fn fallbacks(run: &Value) -> &Value {
    &run["upstream"]["fallbacks"]
}

/// That a run has copied everything, and what it says that the registry refused.
fn assert_copied(run: &Value, what: &str, expected: &[&str]) {
    assert_eq!(run["status"], "SUCCESS", "{what}: {run}");
    assert_eq!(fallbacks(run), &json!(expected), "{what}");
}

/// The range that was asked for.
fn range(asked: &Asked) -> Option<(usize, usize)> {
    let (first, last) = asked.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
    Some((first.parse().unwrap(), last.parse().expect("both ends are named")))
}

/// An answer with a part, and with what it says of it.
fn part(bytes: &[u8], said: &str) -> Answer {
    Answer::new(206).header("content-range", said).body(bytes.to_vec())
}

type Ranged = fn(&[u8], usize, usize) -> Answer;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_large_blob_is_copied_whatever_is_said_to_a_range() {
    let kinds: [(&str, Ranged); 7] = [
        ("403", |_, _, _| Answer::new(403)),
        ("416", |_, _, _| Answer::new(416)),
        ("500", |_, _, _| Answer::new(500)),
        ("206 without a range", |all, first, last| Answer::new(206).body(all[first..=last].to_vec())),
        ("206 with a malformed range", |all, first, last| part(&all[first..=last], "bytes what/ever")),
        ("206 with all of it", |all, _, _| part(all, &format!("bytes 0-{}/{}", all.len() - 1, all.len()))),
        ("206 in pieces", |all, first, last| {
            let body = [b"--x\r\n\r\n", &all[first..=last], b"\r\n--x--\r\n"].concat();
            Answer::new(206).header("content-type", "multipart/byteranges; boundary=x").body(body)
        }),
    ];
    let (world, registry) = (World::new("ranges").await, Hostile::start().await);
    world.create_mirror(&registry.address, json!({})).await;
    for (number, (what, ranged)) in kinds.into_iter().enumerate() {
        // Half of them say it where the registry redirects to.
        let is_elsewhere = number % 2 == 1;
        let image = image(LARGE);
        registry.hold(&world.path, "v1", &image);
        let (layer, path) = (image.blobs[1].clone(), format!("/blobs/{}", Digest::sha256(&image.blobs[1])));
        let all = layer.clone();
        let answer = move |asked: &Asked| range(asked).map(|(first, last)| ranged(&all, first, last));
        if is_elsewhere {
            let storage = Hostile::start().await;
            storage.plan("GET", "/storage", move |asked| {
                Some(answer(asked).unwrap_or_else(|| Answer::new(200).body(layer.clone())))
            });
            let place = format!("{}/storage?sig=1", storage.url);
            registry.always("GET", &path, move || Answer::redirect(302, &place));
        } else {
            registry.plan("GET", &path, answer);
        }
        assert_eq!(skopeo::copies(&registry.address, &world.path, "v1", &[]), Ok(()), "{what}");
        registry.take_asked();
        assert_copied(&world.sync().await, what, &["range"]);
        let asked = registry.take_asked();
        let ranges = asked.iter().filter(|asked| asked.header("range").is_some()).count();
        assert!((1..=2).contains(&ranges), "{what}: {ranges} requests with a range");
        let whole = asked.iter().filter(|asked| asked.path.contains(&path) && asked.header("range").is_none()).count();
        assert_eq!(whole, 1, "{what}");
        assert_eq!(bucket::check(&world.stack, &world.repository).await.tags["v1"], image.digest());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_blob_without_parts_is_gone_on_with_in_the_next_invocation() {
    let world = World::new("noparts").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let image = image(2 * LARGE);
    image.push(&upstream, &world.path, "v1").await;
    let (proxy, blob) = (Proxy::start(&upstream).await, Digest::sha256(&image.blobs[1]));
    proxy.fault("GET", &format!("blobs/{blob} bytes="), ALWAYS, Fault::Status(416, vec![]));
    // The first invocation gets half of it.
    proxy.fault("GET", &format!("blobs/{blob} "), 1, Fault::Stall);
    world.create_mirror(&proxy.address, json!({})).await;
    let run = world.sync().await;
    assert_copied(&run, "parts are refused", &["range"]);
    assert_eq!(run["invocations"], 2, "{run}");
    let seen = proxy.take_seen();
    let ranges = seen.iter().filter(|seen| seen.range.is_some()).count();
    assert!(ranges <= 2, "the next invocation knows it: {ranges}");
    assert_eq!(bucket::check(&world.stack, &world.repository).await.tags["v1"], image.digest());
    assert_eq!(bucket::uploads(&world.stack, &blob).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn get_decides_where_head_does_not_and_before_anything_is_pruned() {
    let (world, registry) = (World::new("heads").await, Hostile::start().await);
    world.create_mirror(&registry.address, json!({})).await;
    for status in [400, 403, 404, 405, 500, 200] {
        let images = [image(500), image(600)];
        for (tag, image) in ["v1", "v2"].into_iter().zip(&images) {
            registry.hold(&world.path, tag, image);
        }
        registry.always("HEAD", "/manifests/", move || Answer::new(status));
        assert_eq!(skopeo::copies(&registry.address, &world.path, "v1", &[]), Ok(()), "{status}");
        registry.take_asked();
        let run = world.sync().await;
        assert_copied(&run, &status.to_string(), &["head"]);
        assert_eq!(run["tags_copied"], 2, "{status}: {run}");
        let asked = registry.take_asked();
        let gets = asked.iter().filter(|asked| asked.method == "GET" && asked.path.contains("/manifests/")).count();
        assert_eq!(gets, 2, "{status}: what was fetched to learn its digest is not fetched again");
        let held = bucket::check(&world.stack, &world.repository).await.tags;
        assert_eq!((&held["v1"], &held["v2"]), (&images[0].digest(), &images[1].digest()));
    }
    // A list that lacks a tag, and a HEAD that does not know it either.
    registry.always("GET", "/tags/list", || Answer::json(&json!({"name": "x", "tags": ["v1"]})));
    registry.always("HEAD", "/manifests/v2", || Answer::new(404));
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_pruned"]), (&json!("SUCCESS"), &json!(0)), "{run}");
    assert_eq!(bucket::check(&world.stack, &world.repository).await.tags.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_comes_wrong_once_is_fetched_once_more() {
    let world = World::new("once").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let proxy = Proxy::start(&upstream).await;
    world.create_mirror(&proxy.address, json!({})).await;
    for size in [5_000, LARGE] {
        for fault in [Fault::Corrupt, Fault::Shorten] {
            let image = image(size);
            image.push(&upstream, &world.path, "v1").await;
            let blob = Digest::sha256(&image.blobs[1]);
            proxy.fault("GET", &format!("blobs/{blob}"), 1, fault.clone());
            let run = world.sync().await;
            assert_eq!(run["status"], "SUCCESS", "{size}, {fault:?}: {run}");
            assert_eq!(run["bytes_done"], run["bytes_total"], "{size}, {fault:?}: {run}");
            assert_eq!(bucket::check(&world.stack, &world.repository).await.tags["v1"], image.digest());
            assert_eq!(bucket::uploads(&world.stack, &blob).await, 0);
        }
    }
    for fault in [Fault::Corrupt, Fault::Shorten] {
        let image = image(100);
        image.push(&upstream, &world.path, "v1").await;
        proxy.fault("GET", &format!("manifests/{}", image.digest()), 1, fault.clone());
        assert_copied(&world.sync().await, &format!("a manifest, {fault:?}"), &[]);
        assert_eq!(bucket::check(&world.stack, &world.repository).await.tags["v1"], image.digest());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nine_redirects_are_followed() {
    let (world, registry) = (World::new("redirects").await, Hostile::start().await);
    let image = image(1_000);
    registry.hold(&world.path, "v1", &image);
    let (blob, path) = (image.blobs[1].clone(), format!("/blobs/{}", Digest::sha256(&image.blobs[1])));
    registry.plan("GET", "/hop/", move |asked| {
        let hop: usize = asked.path.trim_start_matches("/hop/").parse().unwrap();
        Some(match hop {
            9 => Answer::new(200).body(blob.clone()),
            _ => Answer::redirect(307, &format!("/hop/{}", hop + 1)),
        })
    });
    registry.always("GET", &path, || Answer::redirect(307, "/hop/1"));
    assert_eq!(skopeo::copies(&registry.address, &world.path, "v1", &[]), Ok(()));
    world.create_mirror(&registry.address, json!({})).await;
    assert_copied(&world.sync().await, "nine redirects", &[]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_tag_is_served_by_its_name_although_its_digest_is_not_known() {
    let (world, registry) = (World::new("names").await, Hostile::start().await);
    let (old, new) = (image(100), image(200));
    let only_by_name =
        |image: &Image| registry.always("GET", &format!("/manifests/{}", image.digest()), || Answer::new(404));
    registry.hold(&world.path, "v1", &new);
    registry.hold(&world.path, "v2", &new);
    only_by_name(&new);
    assert_eq!(skopeo::copies(&registry.address, &world.path, "v1", &[]), Ok(()));
    world.create_mirror(&registry.address, json!({})).await;
    assert_copied(&world.sync().await, "by its name", &["manifest_by_digest"]);
    assert_eq!(bucket::check(&world.stack, &world.repository).await.tags["v2"], new.digest());

    // A cache that still names what was there before.
    let newer = image(300);
    registry.hold(&world.path, "v1", &newer);
    only_by_name(&old);
    let stale = old.digest().to_string();
    registry.always("HEAD", "/manifests/v1", move || Answer::new(200).header("docker-content-digest", &stale));
    assert_eq!(skopeo::copies(&registry.address, &world.path, "v1", &[]), Ok(()));
    let run = world.sync().await;
    assert_eq!((&run["status"], &outcome(&run, "v1")["outcome"]), (&json!("SUCCESS"), &json!("copied")), "{run}");
    assert_eq!(bucket::check(&world.stack, &world.repository).await.tags["v1"], newer.digest());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_mirrors_timeout_is_what_an_answer_may_take() {
    let world = World::new("patience").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let image = image(1_000);
    image.push(&upstream, &world.path, "v1").await;
    let proxy = Proxy::start(&upstream).await;
    world.create_mirror(&proxy.address, json!({})).await;
    // Less than the API takes.
    let seconds = ("skopeo_timeout_interval", AttributeValue::N("1".to_owned()));
    table::set(&world.stack, &table::Key::mirror(&world.repository), [seconds]).await;
    let blob = format!("blobs/{}", Digest::sha256(&image.blobs[1]));
    proxy.fault("GET", &blob, ALWAYS, Fault::Delay(Duration::from_secs(3)));
    let run = world.sync().await;
    let failure = &outcome(&run, "v1")["failure"];
    assert_eq!((&run["status"], &failure["reason"]), (&json!("FAIL"), &json!("network_timeout")), "{run}");
    let asked = proxy.take_seen().iter().filter(|seen| seen.path.contains(&blob)).count();
    assert!(asked <= 4, "it was waited for twice, on a kept connection and a new one: {asked}");
    proxy.heal();
    for path in ["tags/list", "manifests/", "blobs/"] {
        for method in ["GET", "HEAD"] {
            proxy.fault(method, path, ALWAYS, Fault::Delay(Duration::from_millis(700)));
        }
    }
    assert_eq!(world.sync().await["status"], "SUCCESS", "each answer is in time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_first_byte_is_waited_for_longer_than_any_pause_of_ours() {
    let world = World::new("firstbyte").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let image = image(1_000);
    image.push(&upstream, &world.path, "v1").await;
    let proxy = Proxy::start(&upstream).await;
    // Longer than a connection may be silent before another is tried, and about as long as an invocation here can wait.
    let blob = format!("blobs/{}", Digest::sha256(&image.blobs[1]));
    proxy.fault("GET", &blob, ALWAYS, Fault::Delay(Duration::from_secs(12)));
    world.create_mirror(&proxy.address, json!({})).await;
    let run = world.sync().await;
    assert_copied(&run, "after twelve seconds", &[]);
    assert_eq!(run["invocations"], 1, "{run}");
    let asked = proxy.take_seen().iter().filter(|seen| seen.path.contains(&blob)).count();
    assert!(asked <= 2, "on a kept connection and a new one: {asked}");
    assert_eq!(bucket::check(&world.stack, &world.repository).await.tags["v1"], image.digest());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_registry_that_bears_one_request_at_a_time_is_copied() {
    let (world, registry) = (World::new("single").await, Hostile::start().await);
    for tag in 0..12 {
        registry.hold(&world.path, &format!("t{tag}"), &image(1_000 + tag));
    }
    // Whoever comes while another is answered is turned away. An answer takes its time, so that also where little runs at
    // once, as on a busy machine, several come meanwhile.
    let under_way = Arc::new(AtomicUsize::new(0));
    registry.plan("", "/v2/", move |_| {
        let is_alone = under_way.fetch_add(1, SeqCst) == 0;
        std::thread::sleep(Duration::from_millis(40));
        under_way.fetch_sub(1, SeqCst);
        (!is_alone).then(|| Answer::new(503))
    });
    world.create_mirror(&registry.address, json!({})).await;
    assert_copied(&world.sync().await, "one at a time", &["parallel_requests"]);
    assert_eq!(bucket::check(&world.stack, &world.repository).await.tags.len(), 12);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_missing_is_said() {
    let (world, registry) = (World::new("missing").await, Hostile::start().await);
    let (whole, child) = (image(100), image(200));
    let index = Image::index(vec![child.clone(), image(300)]);
    registry.hold(&world.path, "blob", &whole);
    registry.hold(&world.path, "child", &index);
    registry.always("GET", &format!("/blobs/{}", Digest::sha256(&whole.blobs[1])), || Answer::new(404));
    registry.always("GET", &format!("/manifests/{}", child.digest()), || Answer::new(404));
    world.create_mirror(&registry.address, json!({})).await;
    let run = world.sync().await;
    for (tag, what) in [("blob", "the blob "), ("child", "the manifest ")] {
        let failure = &outcome(&run, tag)["failure"];
        let message = failure["message"].as_str().unwrap();
        assert!(failure["reason"] == "not_found" && message.starts_with(what), "{failure}");
    }
}
