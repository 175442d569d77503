//! What is pinned stays, whatever tags were is remembered for; and goes when it is unpinned.

use moorage_tests::gate::served;

use super::*;

async fn set_pin(world: &World, method: Method, run: &Value) -> (u16, Value) {
    let path = world.mirror_path(&format!("/runs/{}/pin", run["run_id"].as_str().unwrap()));
    world.call(method, &path, None).await
}

/// Whether an image can be pulled whole, by its digest.
async fn is_whole(world: &World, registry: &Registry, image: &Image) -> bool {
    let digest = image.digest().to_string();
    let (status, _, body) = image::get_manifest(&registry.url, world.repository.as_str(), &digest).await;
    let mut is_whole = status == 200 && body == image.manifest;
    for blob in image.all().iter().flat_map(|image| &image.blobs) {
        is_whole &= is_there(&world.stack, blob).await;
    }
    is_whole
}

async fn roll_back(world: &World, run: &Value) -> Value {
    let body = json!({"run_id": run["run_id"]});
    let (status, said) = world.call(Method::POST, &world.mirror_path("/rollback"), Some(body)).await;
    assert_eq!(status, 202, "{said}");
    world.wait_for(&["SUCCESS", "FAIL"]).await;
    world.last_run().await
}

#[tokio::test]
async fn what_a_pinned_run_left_outlasts_retention_and_is_turned_back_to() {
    let world = World::new("pinned").await;
    let stack = &world.stack;
    let upstream = format!("http://{}", stack.upstream);
    let (old, passing, new) = (Image::index(vec![small(), small()]), small(), small());
    let referrer = Image::referrer(&old, layer(rand::random(), 60));
    let list = Image::referrers(vec![referrer.clone()]);
    old.push(&upstream, &world.path, "moves").await;
    list.push(&upstream, &world.path, &old.referrers_tag()).await;
    world.create_mirror(&stack.upstream, json!({"deletion_limit": 0, "deletion_grace": 1})).await;
    let first = world.sync().await;
    assert_eq!(first["status"], "SUCCESS", "{first}");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    passing.push(&upstream, &world.path, "moves").await;
    image::delete(&upstream, &world.path, &list.digest()).await;
    let second = world.sync().await;
    assert_eq!(second["status"], "SUCCESS", "{second}");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    new.push(&upstream, &world.path, "moves").await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    let (status, pinned) = set_pin(&world, Method::PUT, &first).await;
    assert_eq!((status, &pinned["tags"], &pinned["unverified"]), (200, &json!(2), &json!(0)), "{pinned}");

    collect_all(stack).await;
    let registry = Registry::over_bucket(stack);
    assert!(!is_there(stack, &passing.blobs[1]).await, "nobody has pinned that");
    assert!(is_whole(&world, &registry, &old).await && is_whole(&world, &registry, &referrer).await);
    let (status, said) = set_pin(&world, Method::PUT, &second).await;
    assert!(status == 400 && said["detail"].as_str().unwrap().contains("not remembered"), "{said}");
    let at = json!({"at": first["ended_at"]});
    let (status, said) = world.call(Method::POST, &world.mirror_path("/rollback"), Some(at)).await;
    assert!(status == 400 && said["detail"].as_str().unwrap().contains("not remembered"), "{said}");

    let run = roll_back(&world, &first).await;
    assert_eq!((&run["status"], &run["tags_copied"]), (&json!("SUCCESS"), &json!(2)), "{run}");
    assert_eq!(served(&world, "moves").await, Some(old.digest()));
    assert_eq!(world.referrers(&old).await, [referrer.digest().to_string()]);
    bucket::check(stack, &world.repository).await;
    assert_eq!(world.call(Method::POST, &world.mirror_path("/resume"), None).await.0, 204);
    assert_eq!(world.sync().await["status"], "SUCCESS");
    assert_eq!(served(&world, "moves").await, Some(new.digest()));
    // It is what the tag was, now, and pinned as before.
    collect_all(stack).await;
    assert!(is_whole(&world, &registry, &old).await && is_whole(&world, &registry, &referrer).await);

    assert_eq!(set_pin(&world, Method::DELETE, &first).await.0, 204);
    for _ in 0..2 {
        collect(stack, json!({})).await;
        tokio::time::sleep(GRACE).await;
    }
    collect(stack, json!({})).await;
    for image in old.all().into_iter().chain([&referrer]) {
        assert!(!is_there(stack, &image.manifest).await, "it goes as anything else does");
    }
    let left = bucket::check(stack, &world.repository).await.revisions;
    assert_eq!(left, BTreeSet::from([new.digest()]));
}

#[tokio::test]
async fn pins_that_are_made_while_collectors_collect_are_kept() {
    let world = World::new("pinned-busy").await;
    let stack = world.stack.clone();
    let upstream = format!("http://{}", stack.upstream);
    world.create_mirror(&stack.upstream, json!({"deletion_limit": 0})).await;
    let collecting = Arc::new(AtomicBool::new(true));
    let collectors: Vec<_> = (0..2)
        .map(|_| {
            let (stack, collecting) = (stack.clone(), Arc::clone(&collecting));
            tokio::spawn(async move {
                while collecting.load(Ordering::Relaxed) {
                    collect_once(&stack, &json!({})).await;
                }
            })
        })
        .collect();
    // What was the tag's for a while, and is about to be forgotten: some of it is pinned in time, and some is not.
    let mut left: Vec<(Image, Value, bool)> = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < RETENTION * 3 {
        let image = small();
        image.push(&upstream, &world.path, "moves").await;
        let run = world.sync().await;
        assert_eq!(run["status"], "SUCCESS", "{run}");
        left.push((image, run, false));
        let (_, run, is_pinned) = left.iter_mut().choose(&mut rand::rng()).unwrap();
        let (status, said) = set_pin(&world, Method::PUT, run).await;
        match (status, *is_pinned) {
            (200, _) => *is_pinned = true,
            (400, false) => {}
            _ => panic!("{status} {said}"),
        }
        tokio::time::sleep(Duration::from_millis(rand::rng().random_range(1_100..3_000))).await;
    }
    // One of them is unpinned meanwhile.
    let unpinned = left.iter_mut().find(|(_, _, is_pinned)| *is_pinned).expect("some were pinned");
    assert_eq!(set_pin(&world, Method::DELETE, &unpinned.1).await.0, 204);
    unpinned.2 = false;
    collecting.store(false, Ordering::Relaxed);
    for collector in collectors {
        collector.await.unwrap();
    }
    collect_all(&stack).await;
    collect(&stack, json!({})).await;
    let registry = Registry::over_bucket(&stack);
    let (current, _, _) = left.last().unwrap();
    for (image, run, is_pinned) in &left {
        let is_kept = *is_pinned || image.digest() == current.digest();
        assert_eq!(is_whole(&world, &registry, image).await, is_kept, "pinned: {is_pinned}; {run}");
        assert_eq!(is_there(&stack, &image.manifest).await, is_kept);
    }
    bucket::check(&stack, &world.repository).await;
}
