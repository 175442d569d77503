//! Garbage goes, and nothing else does: not what a tag needs, not what one of the retention time needs, not what a sync
//! wants again at the very moment.
//!
//! The stack of these tests has a grace of two seconds and keeps past tags for eighteen.

mod ended;
mod pin;
mod slow;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_lambda::primitives::Blob;
use moorage_domain::{Digest, RepositoryName, Timestamp};
use moorage_storage::{Storage, StorageRoot};
use moorage_tests::{
    bucket, eventually,
    image::{self, Image, layer},
    logs,
    registry::Registry,
    seed,
    stack::Stack,
    world::{SYNC_LIMIT, World},
};
use rand::{Rng, seq::IteratorRandom};
use reqwest::Method;
use serde_json::{Value, json};

/// Past the grace, or past the retention, with a second of rounding.
const GRACE: Duration = Duration::from_secs(4);
const RETENTION: Duration = Duration::from_secs(20);

/// Collects, and returns the collection; null if another collector is at work.
async fn collect_once(stack: &Stack, request: &Value) -> Value {
    let invoke = aws_sdk_lambda::Client::new(&stack.aws).invoke().function_name(&stack.gc_function);
    let answer = invoke.payload(Blob::new(request.to_string())).send().await.unwrap();
    let payload = String::from_utf8(answer.payload.unwrap().into_inner()).unwrap();
    assert_eq!(answer.function_error, None, "{payload}");
    serde_json::from_str(&payload).unwrap()
}

/// Collects, when no other collector is at work.
async fn collect(stack: &Stack, request: Value) -> Value {
    eventually("a collection of its own", Duration::from_secs(60), async || {
        let collection = collect_once(stack, &request).await;
        (!collection.is_null()).then_some(collection)
    })
    .await
}

/// Collects until nothing that is garbage now can be left.
async fn collect_all(stack: &Stack) {
    tokio::time::sleep(RETENTION.max(GRACE)).await;
    collect(stack, json!({})).await;
    tokio::time::sleep(GRACE).await;
    collect(stack, json!({})).await;
}

async fn bucket_delete(stack: &Stack, key: &str) {
    stack.s3().delete_object().bucket(&stack.bucket).key(key).send().await.unwrap();
}

async fn is_there(stack: &Stack, content: &[u8]) -> bool {
    bucket::blob(stack, &Digest::sha256(content)).await.is_some()
}

fn small() -> Image {
    Image::oci("amd64", &[layer(rand::random(), 3_000)])
}

#[tokio::test]
async fn what_nobody_needs_goes_after_retention_and_grace() {
    let (world, other) = (World::new("garbage").await, World::new("garbage-too").await);
    let stack = &world.stack;
    let upstream = format!("http://{}", stack.upstream);
    let base = layer(rand::random(), 10_000);
    let on_base = || Image::oci("amd64", &[base.clone(), layer(rand::random(), 2_000)]);
    let (deleted, shares, index) = (on_base(), on_base(), Image::index(vec![small(), small()]));
    let (before, after) = (Image::index(vec![small(), small()]), small());
    for (tag, image) in [("deleted", &deleted), ("index", &index), ("moves", &before)] {
        image.push(&upstream, &world.path, tag).await;
    }
    shares.push(&upstream, &other.path, "v1").await;
    for world in [&world, &other] {
        world.create_mirror(&stack.upstream, json!({})).await;
        assert_eq!(world.sync().await["status"], "SUCCESS");
    }
    image::delete(&upstream, &world.path, &deleted.digest()).await;
    after.push(&upstream, &world.path, "moves").await;
    assert_eq!(world.sync().await["tags_pruned"], 1);
    // As long as the past is kept, so is its content; it can be pulled by digest.
    collect(stack, json!({})).await;
    let over_bucket = Registry::over_bucket(stack);
    for image in [&deleted, &before] {
        let pulled =
            image::get_manifest(&over_bucket.url, world.repository.as_str(), &image.digest().to_string()).await;
        assert_eq!((pulled.0, pulled.2), (200, image.manifest.clone()));
    }

    tokio::time::sleep(RETENTION).await;
    let seen = bucket::versions(stack, &world.repository).await;
    let dry = collect(stack, json!({"dry_run": true})).await;
    assert!(dry["manifests_unlinked"].as_u64().unwrap() >= 4, "{dry}");
    assert_eq!(bucket::versions(stack, &world.repository).await, seen, "a dry run only tells");
    let first = collect(stack, json!({})).await;
    assert!(first["manifests_unlinked"].as_u64().unwrap() >= 4, "{first}");
    let held = bucket::check(stack, &world.repository).await;
    let left: BTreeSet<Digest> = index.all().into_iter().chain([&after]).map(Image::digest).collect();
    assert_eq!(held.revisions, left, "only what tags need is a part of the repository");
    assert!(is_there(stack, &deleted.blobs[2]).await, "condemned, but there");
    tokio::time::sleep(GRACE).await;
    let second = collect(stack, json!({})).await;
    assert!(second["deleted"].as_u64().unwrap() >= 4 && second["bytes_deleted"].as_u64().unwrap() > 0, "{second}");
    // Whichever collection condemned it, a third one is late enough.
    tokio::time::sleep(GRACE).await;
    collect(stack, json!({})).await;
    assert!(!is_there(stack, &deleted.blobs[2]).await && !is_there(stack, &deleted.manifest).await);
    for image in before.all() {
        assert!(!is_there(stack, &image.manifest).await, "an index and its children");
    }
    assert!(is_there(stack, &base).await, "another repository needs it");
    for world in [&world, &other] {
        bucket::check(stack, &world.repository).await;
    }
    // What was deleted comes again when it is wanted again.
    deleted.push(&upstream, &world.path, "again").await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    assert_eq!(bucket::check(stack, &world.repository).await.tags["again"], deleted.digest());
    collect_all(stack).await;
    bucket::check(stack, &world.repository).await;
}

#[tokio::test]
async fn syncs_and_collections_at_once_lose_nothing_and_leave_nothing() {
    let worlds = [World::new("both-a").await, World::new("both-b").await];
    let stack = worlds[0].stack.clone();
    let upstream = format!("http://{}", stack.upstream);
    // Few layers in many combinations, so that what one repository gives up another one wants.
    let layers: Vec<_> = (0..6).map(|_| layer(rand::random(), 2_000)).collect();
    let mut images = Vec::new();
    for first in 0..6 {
        for second in 0..first {
            images.push(Image::oci("amd64", &[layers[first].clone(), layers[second].clone()]));
        }
    }
    let collecting = Arc::new(AtomicBool::new(true));
    let collectors: Vec<_> = (0..2)
        .map(|_| {
            let (stack, collecting) = (stack.clone(), Arc::clone(&collecting));
            tokio::spawn(async move {
                let mut collections = 0;
                while collecting.load(Ordering::Relaxed) {
                    let collection = collect_once(&stack, &json!({})).await;
                    collections += usize::from(!collection.is_null());
                }
                collections
            })
        })
        .collect();
    let mut wanted: [BTreeMap<&str, &Image>; 2] = Default::default();
    for world in &worlds {
        // Every tag may go at once.
        world.create_mirror(&stack.upstream, json!({"deletion_limit": 0})).await;
    }
    for _ in 0..12 {
        for (world, wanted) in worlds.iter().zip(&mut wanted) {
            for tag in ["a", "b", "c"] {
                if rand::rng().random_bool(0.7) {
                    let image = images.iter().choose(&mut rand::rng()).unwrap();
                    image.push(&upstream, &world.path, tag).await;
                    wanted.insert(tag, image);
                }
            }
        }
        let [one, two] = &worlds;
        let (one, two) = tokio::join!(one.sync(), two.sync());
        for run in [one, two] {
            // Whatever a sync meets, a retry gets over it.
            assert!(matches!(run["status"].as_str(), Some("SUCCESS" | "FAIL")), "{run}");
        }
        for world in &worlds {
            bucket::check(&stack, &world.repository).await;
        }
        tokio::time::sleep(Duration::from_millis(rand::rng().random_range(0..2_000))).await;
    }
    collecting.store(false, Ordering::Relaxed);
    let mut collections = 0;
    for collector in collectors {
        collections += collector.await.unwrap();
    }
    assert!(collections > 10, "{collections}");
    for world in &worlds {
        assert_eq!(world.sync().await["status"], "SUCCESS");
    }
    collect_all(&stack).await;
    let mut needed = BTreeSet::new();
    for (world, wanted) in worlds.iter().zip(&wanted) {
        let held = bucket::check(&stack, &world.repository).await;
        let expected: BTreeMap<_, _> = wanted.iter().map(|(tag, image)| ((*tag).to_owned(), image.digest())).collect();
        assert_eq!(held.tags, expected);
        for image in wanted.values() {
            needed.extend(image.blobs.iter().chain([&image.manifest]).map(|content| Digest::sha256(content)));
        }
    }
    for content in images.iter().flat_map(|image| image.blobs.iter().chain([&image.manifest])) {
        let digest = Digest::sha256(content);
        assert_eq!(bucket::blob(&stack, &digest).await.is_some(), needed.contains(&digest), "{digest}");
    }
}

#[tokio::test]
async fn a_repository_that_is_deleted_while_it_syncs_frees_its_content() {
    let world = World::new("ends").await;
    let stack = &world.stack;
    let upstream = format!("http://{}", stack.upstream);
    let images: Vec<_> = (0..20).map(|_| small()).collect();
    for (tag, image) in images.iter().enumerate() {
        image.push(&upstream, &world.path, &format!("t{tag}")).await;
    }
    world.create_mirror(&stack.upstream, json!({})).await;
    world.sync_now().await;
    world.wait_for(&["SYNCING", "SUCCESS"]).await;
    let deleted = world.call(Method::DELETE, &format!("repository/{}", world.repository), None).await;
    assert_eq!(deleted.0, 204, "{deleted:?}");
    let prefix = format!("docker/registry/v2/repositories/{}/", world.repository);
    eventually("nothing of it is left", Duration::from_secs(60), async || {
        bucket::keys(stack, &prefix).await.is_empty().then_some(())
    })
    .await;
    collect_all(stack).await;
    for image in &images {
        assert!(!is_there(stack, &image.manifest).await && !is_there(stack, &image.blobs[1]).await);
    }
}

#[tokio::test]
async fn what_cannot_be_read_keeps_its_repository_whole() {
    let world = World::new("unread").await;
    let stack = &world.stack;
    let upstream = format!("http://{}", stack.upstream);
    let (stays, goes) = (small(), small());
    stays.push(&upstream, &world.path, "stays").await;
    goes.push(&upstream, &world.path, "goes").await;
    world.create_mirror(&stack.upstream, json!({})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    image::delete(&upstream, &world.path, &goes.digest()).await;
    assert_eq!(world.sync().await["tags_pruned"], 1);
    let put = stack.s3().put_object().bucket(&stack.bucket).key(bucket::blob_key(&stays.digest()));
    put.body(b"damaged".to_vec().into()).send().await.unwrap();
    // Nobody can read what another one's tag points to: that repository is left alone, and keeps no other one waiting.
    let other = World::new("malformed").await;
    let link = format!("docker/registry/v2/repositories/{}/_manifests/tags/v1/current/link", other.repository);
    seed::put(stack, &link, b"no digest".to_vec()).await;
    collect_all(stack).await;
    assert!(is_there(stack, &goes.blobs[1]).await, "nobody knows what the tag needs, so nothing goes");
    let collection = collect(stack, json!({})).await;
    let why = |repository: &RepositoryName| {
        let skipped = collection["skipped"].as_array().unwrap();
        skipped.iter().find(|it| it["repository"] == repository.as_str()).cloned()
    };
    let digest = stays.digest().to_string();
    let unreadable = json!({"repository": world.repository, "reason": "unreadable", "digest": digest});
    assert_eq!(why(&world.repository), Some(unreadable));
    assert_eq!(why(&other.repository), Some(json!({"repository": other.repository, "reason": "failed"})));
    let log = logs::lines(stack, &stack.gc_function, "garbage was collected").await;
    assert!(log.iter().any(|line| line.contains(world.repository.as_str())), "its line names them");
    bucket_delete(stack, &link).await;
    // Verify mends it, and then the garbage goes.
    assert_eq!(world.call(Method::POST, &world.mirror_path("/verify"), None).await.0, 202);
    world.wait_for(&["SUCCESS"]).await;
    collect_all(stack).await;
    assert!(!is_there(stack, &goes.blobs[1]).await);
    bucket::check(stack, &world.repository).await;
}

#[tokio::test]
async fn sentences_that_a_killed_collector_left_are_taken_up() {
    let world = World::new("left").await;
    let stack = &world.stack;
    let upstream = format!("http://{}", stack.upstream);
    let image = small();
    image.push(&upstream, &world.path, "v1").await;
    let blob = Digest::sha256(&image.blobs[1]);
    let dynamodb = aws_sdk_dynamodb::Client::new(&stack.aws);
    let text = |text: String| AttributeValue::S(text);
    let (pk, sk) = (format!("GARBAGE#{}", &blob.hex()[..2]), format!("SENTENCE#{blob}"));
    let sentence = async |minutes: i64| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let since = i64::try_from(now).unwrap() - minutes * 60;
        let put =
            dynamodb.put_item().table_name(&stack.table).item("pk", text(pk.clone())).item("sk", text(sk.clone()));
        let put = put.item("digest", text(blob.to_string())).item("deleting", AttributeValue::Bool(true));
        let put = put.item("generation", text("00000000-0000-4000-8000-000000000000".to_owned()));
        put.item("since", AttributeValue::N(since.to_string())).send().await.unwrap();
    };
    let is_sentenced = async || {
        let get = dynamodb.get_item().table_name(&stack.table).key("pk", text(pk.clone())).key("sk", text(sk.clone()));
        get.send().await.unwrap().item.is_some()
    };
    // Somebody is about to delete what the sync wants, and may have been killed: it waits until nobody can do that any more.
    sentence(0).await;
    world.create_mirror(&stack.upstream, json!({})).await;
    world.sync_now().await;
    let waits = async || world.mirror().await.get("sync_waiting_until").cloned();
    eventually("the sync waits", SYNC_LIMIT, waits).await;
    let (mirror, runs) = (world.mirror().await, world.runs().await);
    assert_eq!((&mirror["sync_status"], &runs[0]["status"]), (&json!("SYNCING"), &json!("SYNCING")), "{mirror}");
    assert!(is_sentenced().await, "it is not the sync's as long as its collector may be there");
    // Then it ends the deletion itself, and the run goes on.
    sentence(21).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    assert!(!is_sentenced().await);
    assert_eq!(world.runs().await.len(), 1);
    bucket::check(stack, &world.repository).await;
    // So does a collector, which sees the link.
    sentence(21).await;
    collect(stack, json!({})).await;
    assert!(!is_sentenced().await);
    bucket::check(stack, &world.repository).await;
}

#[tokio::test]
async fn uploads_that_nobody_finishes_are_given_up() {
    let stack = Stack::from_env().await;
    let digest = Digest::sha256(&rand::random::<[u8; 16]>());
    let create = stack.s3().create_multipart_upload().bucket(&stack.bucket).key(bucket::blob_key(&digest));
    create.send().await.unwrap();
    // A collection gives up what is a week old; the emulator's clock cannot be set, so the moment is given here.
    let storage = Storage::new(stack.s3(), &stack.bucket, StorageRoot::new(""), 0);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let at = |seconds: i64| Timestamp::from_unix(i64::try_from(now).unwrap() + seconds);
    let end = Instant::now() + Duration::from_secs(60);
    storage.abort_uploads_before(at(-60), end).await.unwrap();
    assert_eq!(bucket::uploads(&stack, &digest).await, 1);
    assert!(storage.abort_uploads_before(at(60), end).await.unwrap().0 >= 1);
    assert_eq!(bucket::uploads(&stack, &digest).await, 0);
}
