//! A repository has one lock: who changes what it holds has it to themselves.
//!
//! The stack of these tests has a grace of two seconds: whatever no tag needs is taken out of a repository at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use aws_sdk_lambda::primitives::Blob;
use moorage_domain::{Digest, RepositoryName};
use moorage_tests::{
    bucket::{self, ROOT},
    eventually,
    image::{Image, layer},
    seed,
    stack::Stack,
    table::{self, Key, ahead, text},
    world::World,
};
use reqwest::Method;
use serde_json::json;

async fn collect(stack: &Stack) {
    let invoke = aws_sdk_lambda::Client::new(&stack.aws).invoke().function_name(&stack.gc_function);
    let answer = invoke.payload(Blob::new("{}")).send().await.unwrap();
    assert_eq!(answer.function_error, None);
}

/// Collects again and again until it is told to stop.
fn collecting(stack: &Stack) -> (Arc<AtomicBool>, tokio::task::JoinHandle<()>) {
    let (stop, stack) = (Arc::new(AtomicBool::new(false)), stack.clone());
    let flag = Arc::clone(&stop);
    let collecting = tokio::spawn(async move {
        while !flag.load(Ordering::Relaxed) {
            collect(&stack).await;
        }
    });
    (stop, collecting)
}

fn small() -> Image {
    Image::oci("amd64", &[layer(rand::random(), 300)])
}

/// Makes an image part of a repository without a tag.
async fn put(world: &World, repository: &RepositoryName, image: &Image) {
    for bytes in &image.blobs {
        seed::blob(&world.stack, repository, bytes.clone()).await;
    }
    seed::manifest(&world.stack, repository, image.manifest.clone()).await;
}

fn tag(repository: &RepositoryName, tag: &str) -> String {
    format!("repository/{repository}/tag/{tag}")
}

/// Before, a repository without a mirror was pruned without a lock: tags that were set meanwhile reported success, and
/// lost their content.
#[tokio::test]
async fn tags_that_are_set_during_collections_keep_what_they_need() {
    let world = World::new("locks-tags").await;
    let (stop, collecting) = collecting(&world.stack);
    let mut held = 0;
    for round in 0..12 {
        let images: Vec<_> = (0..5).map(|_| small()).collect();
        let set = images.iter().enumerate().map(|(number, image)| {
            let (world, image, path) =
                (world.clone(), image.clone(), tag(&world.repository, &format!("t{round}-{number}")));
            tokio::spawn(async move {
                put(&world, &world.repository, &image).await;
                let body = json!({"manifest_digest": Digest::sha256(&image.manifest).to_string()});
                world.call(Method::PUT, &path, Some(body)).await.0
            })
        });
        for set in set.collect::<Vec<_>>() {
            match set.await.unwrap() {
                201 => held += 1,
                // Taken out before, or kept out all the time: it says so.
                404 | 503 => {}
                status => panic!("{status}"),
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    collecting.await.unwrap();
    collect(&world.stack).await;
    let left = bucket::check(&world.stack, &world.repository).await;
    assert!(held > 0 && left.tags.len() == held, "{held} tags were set, {} are there", left.tags.len());
}

#[tokio::test]
async fn who_has_the_lock_keeps_everybody_else_out_for_a_while() {
    let world = World::new("locks-held").await;
    let image = small();
    let body = json!({"manifest_digest": image.digest().to_string()});
    // A tag keeps the image from the collections of tests beside this one, which may have taken it before.
    for attempt in 1.. {
        put(&world, &world.repository, &image).await;
        match world.call(Method::PUT, &tag(&world.repository, "kept"), Some(body.clone())).await.0 {
            201 => break,
            404 | 503 if attempt < 10 => {}
            status => panic!("{status}"),
        }
    }
    let (item, lock) = (Key::repository(&world.repository), text("00000000-0000-4000-8000-000000000001"));
    let held = |by| [("lock_by", lock.clone()), ("lock_kind", text("prune")), ("lock_until", ahead(by))];
    table::set(&world.stack, &item, held(Duration::from_secs(120))).await;
    let busy = (503, json!({"message": "The repository is in use. Try again in some seconds."}));
    let path = tag(&world.repository, "v1");
    let mirror = world.mirror_body(&world.stack.upstream);
    let mirror_path = world.mirror_path("");
    let state = format!("repository/{}/changestate", world.repository);
    let (set, made, changed) = tokio::join!(
        world.call(Method::PUT, &path, Some(body.clone())),
        world.call(Method::POST, &mirror_path, Some(mirror)),
        world.call(Method::PUT, &state, Some(json!({"state": "READ_ONLY"}))),
    );
    assert_eq!((set, made, changed), (busy.clone(), busy.clone(), busy), "all three wait, and are told to come again");
    // One who was killed keeps nobody out for ever.
    table::set(&world.stack, &item, held(Duration::from_secs(2))).await;
    assert_eq!(world.call(Method::PUT, &path, Some(body)).await.0, 201);
    let held = bucket::check(&world.stack, &world.repository).await;
    assert_eq!(held.tags.len(), 2);
}

#[tokio::test]
async fn mirrors_that_are_made_and_ended_during_collections_lose_nothing() {
    let world = World::new("locks-mirrors").await;
    let upstream = format!("http://{}", world.stack.upstream);
    for number in 0..6 {
        small().push(&upstream, &world.path, &format!("v{number}")).await;
    }
    let (stop, collecting) = collecting(&world.stack);
    for _ in 0..3 {
        world.create_mirror(&world.stack.upstream, json!({})).await;
        assert_eq!(world.sync().await["status"], "SUCCESS");
        assert_eq!(bucket::check(&world.stack, &world.repository).await.tags.len(), 6);
        assert_eq!(world.call(Method::DELETE, &world.mirror_path(""), None).await.0, 204);
    }
    stop.store(true, Ordering::Relaxed);
    collecting.await.unwrap();
    collect(&world.stack).await;
    assert_eq!(bucket::check(&world.stack, &world.repository).await.tags.len(), 6);
}

/// Before, a purge waited four seconds at most, and what a run published later was left under the name.
#[tokio::test]
async fn a_name_is_free_when_no_run_can_write_under_it_any_more() {
    let world = World::new("locks-purge").await;
    world.create_mirror(&world.stack.upstream, json!({})).await;
    let claimed = [
        ("sync_status", text("SYNCING")),
        ("sync_transaction_id", text("00000000-0000-4000-8000-000000000002")),
        ("sync_expiration_date", ahead(Duration::from_secs(10))),
    ];
    table::set(&world.stack, &Key::mirror(&world.repository), claimed).await;
    let started = Instant::now();
    let path = format!("repository/{}", world.repository);
    let deleting = tokio::spawn({
        let (world, path) = (world.clone(), path.clone());
        async move { world.call(Method::DELETE, &path, None).await.0 }
    });
    tokio::time::sleep(Duration::from_secs(6)).await;
    // What a run does that has not noticed.
    let late = format!("{ROOT}/repositories/{}/_manifests/tags/late/current/link", world.repository);
    seed::put(&world.stack, &late, small().digest().to_string().into_bytes()).await;
    assert!(!deleting.is_finished(), "the run may still write");
    assert_eq!(deleting.await.unwrap(), 204);
    assert!(started.elapsed() >= Duration::from_secs(8), "{:?}", started.elapsed());
    eventually("nothing is left", Duration::from_secs(60), async || {
        (!table::is_there(&world.stack, &Key::repository(&world.repository)).await).then_some(())
    })
    .await;
    assert_eq!(bucket::get(&world.stack, &late).await, None);
    assert_eq!(seed::repository(&world, "app", "private").await, world.repository);
}
