//! Verifications that take longer than an invocation does, while each request to S3 takes as long as it does on AWS.

use std::{collections::BTreeSet, time::Duration};

use futures_util::{StreamExt as _, stream};
use moorage_tests::{
    aws::{
        Plan,
        fault::{Fault, Refusal},
        request::{Request, Service},
    },
    bucket,
    function::Outcome,
    hostile::Hostile,
    image::{Image, layer},
    lab::Lab,
    seed, table,
    world::{World, outcome},
};
use reqwest::Method;
use serde_json::{Value, json};

/// Tags of one image: each takes two requests of its own, so that the emulator can bear it.
const TAGS: usize = 1_200;
/// Of these, the last are not in the table.
const FORGOTTEN: usize = 40;
/// What S3 takes for a request.
const LATENCY: Duration = Duration::from_millis(15);
/// What an invocation may take: one alone is not enough here.
const WITHIN: Duration = Duration::from_secs(4);
/// The most invocations, for which the test waits at most.
const MOST_INVOCATIONS: usize = 40;
/// Tags that are put into the bucket at once.
const WRITERS: usize = 16;

/// An S3 that takes so long for each request.
fn slow(by: Duration) -> Plan {
    Box::new(move |request| if request.service == Service::S3 { Fault::Delay(by) } else { Fault::None })
}

fn image() -> Image {
    Image::oci("amd64", &[layer(rand::random(), 300)])
}

/// A mirror of one tag, and many more of the same image that its registry and its bucket have, and, but for the last, its
/// table.
async fn many_tags(world: &World, registry: &Hostile, tags: usize, forgotten: usize) {
    let image = image();
    registry.hold(&world.path, "v0", &image);
    world.create_mirror(&registry.address, json!({})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    let names: Vec<String> = (0..tags).map(|number| format!("n{number:05}")).collect();
    let digest = image.digest();
    let put = async |name: &String| {
        registry.hold(&world.path, name, &image);
        seed::tag(&world.stack, &world.repository, name, &digest).await;
    };
    stream::iter(&names).for_each_concurrent(WRITERS, put).await;
    seed::tags(&world.stack, &world.repository, "v0", 0..tags - forgotten).await;
}

/// Has the mirror start every `interval` seconds, from a moment.
async fn set_schedule(world: &World, interval: i64, start: i64) {
    let attributes = [("sync_interval", table::number(interval)), ("sync_start_date", table::number(start))];
    table::set(&world.stack, &table::Key::mirror(&world.repository), attributes).await;
}

/// Whether a tag is there.
async fn has(world: &World, tag: &str) -> bool {
    let link = format!("{}/repositories/{}/_manifests/tags/{tag}/current/link", bucket::ROOT, world.repository);
    bucket::get(&world.stack, &link).await.is_some()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verify_goes_on_over_invocations_and_what_is_new_comes_meanwhile() {
    let (original, registry) = (World::new("long-verify").await, Hostile::start().await);
    many_tags(&original, &registry, TAGS, FORGOTTEN).await;
    let lab = Lab::new(&original.stack, &[("CLAIM_SECONDS", "120")]).await;
    let world = World { stack: lab.stack.clone(), ..original.clone() };
    registry.hold(&world.path, "new", &image());
    let (status, asked) = world.call(Method::POST, &world.mirror_path("/verify"), None).await;
    assert_eq!(status, 202, "{asked}");

    let (mut invocations, mut requests, mut newer_than) = (0, Vec::<Request>::new(), None);
    while let Some((function, event)) = lab.take_event() {
        let ended = Box::pin(lab.invoke_within(&function, &event, slow(LATENCY), WITHIN)).await;
        assert!(matches!(ended.outcome, Outcome::Answer(_)), "{:?} {}", ended.outcome, ended.log);
        requests.extend(ended.asked);
        invocations += 1;
        assert!(invocations <= MOST_INVOCATIONS, "it never ends");
        let run = world.runs().await.remove(0);
        println!("{invocations}: {} of {} {}", run["tags_done"], run["tags_total"], run["status"]);
        let done = run["tags_done"].as_u64().unwrap();
        if done > 0 && newer_than.is_none() {
            assert_eq!(run["status"], "SYNCING", "one invocation is not enough: {run}");
            assert!(has(&world, "new").await, "what any sync would copy comes before what is only looked at: {run}");
            // The mirror's next start comes, and something is new again.
            registry.hold(&world.path, "newer", &image());
            set_schedule(&world, 1, 1).await;
            newer_than = Some(done);
        } else if newer_than.is_some_and(|before| done > before) {
            assert!(
                has(&world, "newer").await,
                "the tags are listed anew when the mirror would have been synced: {run}"
            );
            set_schedule(&world, 86_400, 9_000_000_000).await;
        }
    }

    let run = world.last_run().await;
    assert_eq!((&run["status"], &run["run_id"], &run["verifies"]), (&json!("SUCCESS"), &asked["run_id"], &json!(true)));
    let counts = ["tags_copied", "tags_repaired", "tags_unchanged", "tags_done"].map(|name| run[name].clone());
    assert_eq!(counts, [2, FORGOTTEN, TAGS - FORGOTTEN + 1, TAGS + 3].map(Value::from), "{run}");
    for (number, expected) in [(0, "unchanged"), (TAGS - FORGOTTEN, "repaired"), (TAGS - 1, "repaired")] {
        assert_eq!(outcome(&run, &format!("n{number:05}"))["outcome"], expected);
    }
    let names: BTreeSet<&str> = run["tags"].as_array().unwrap().iter().map(|it| it["tag"].as_str().unwrap()).collect();
    assert_eq!(names.len(), TAGS + 3, "each has one outcome");

    // Each link is read once for being verified, and once more if the table lacks it; but for what was under way at the end
    // of an invocation.
    let is_of_tag = |request: &&Request| request.target.ends_with("/current/link") && request.operation == "GET";
    let (read, most) = (requests.iter().filter(is_of_tag).count(), TAGS + FORGOTTEN + 32 * invocations);
    assert!(read <= most, "{read} links were read, and {most} are enough");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verify_leaves_its_place_to_other_repositories() {
    let (original, registry) = (World::new("long-slot").await, Hostile::start().await);
    many_tags(&original, &registry, 300, 0).await;
    let repository = seed::repository(&original, "other", "private").await;
    let other = World { path: format!("{}/other", original.namespace), repository, ..original.clone() };
    registry.hold(&other.path, "v1", &image());
    other.create_mirror(&registry.address, json!({})).await;
    let lab = Lab::new(&original.stack, &[("CLAIM_SECONDS", "120"), ("NAMESPACE_SYNCS", "1")]).await;
    let [world, other] = [&original, &other].map(|world| World { stack: lab.stack.clone(), ..world.clone() });

    assert_eq!(world.call(Method::POST, &world.mirror_path("/verify"), None).await.0, 202);
    let (function, event) = lab.take_event().unwrap();
    let (by, within) = (Duration::from_millis(300), Duration::from_secs(4));
    let ended = Box::pin(lab.invoke_within(&function, &event, slow(by), within)).await;
    assert!(matches!(ended.outcome, Outcome::Answer(_)), "{:?} {}", ended.outcome, ended.log);
    assert!(lab.take_event().is_none(), "it does not go on at once");
    other.sync_now().await;
    let (function, event) = lab.take_event().unwrap();
    lab.run(&function, &event).await;
    let statuses = [other.mirror().await["sync_status"].clone(), world.mirror().await["sync_status"].clone()];
    assert_eq!(statuses, ["SUCCESS", "SYNCING"]);

    lab.settle().await;
    let run = world.last_run().await;
    assert_eq!((&run["status"], &run["tags_unchanged"]), (&json!("SUCCESS"), &json!(301)), "{run}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_that_only_the_bucket_knows_outlives_a_moment_in_which_it_cannot_be_read() {
    let (original, registry) = (World::new("long-orphan").await, Hostile::start().await);
    many_tags(&original, &registry, 1, 1).await;
    let lab = Lab::new(&original.stack, &[("CLAIM_SECONDS", "120")]).await;
    let world = World { stack: lab.stack.clone(), ..original.clone() };
    let verify = async || {
        assert_eq!(world.call(Method::POST, &world.mirror_path("/verify"), None).await.0, 202);
        lab.take_event().unwrap()
    };
    let (function, event) = verify().await;
    let fails = |request: &Request| request.service == Service::S3 && request.target.ends_with("/data");
    let plan = move |request: &Request| if fails(request) { Fault::Refuse(Refusal::Internal) } else { Fault::None };
    let ended = Box::pin(lab.invoke(&function, &event, Box::new(plan))).await;
    assert!(matches!(ended.outcome, Outcome::Answer(_)), "{:?} {}", ended.outcome, ended.log);
    let run = world.last_run().await;
    assert_eq!((&run["status"], &run["tags_pruned"]), (&json!("FAIL"), &json!(0)), "{run}");
    assert!(has(&world, "n00000").await, "nobody knows whether it can be pulled");

    let (function, event) = verify().await;
    lab.run(&function, &event).await;
    let run = world.last_run().await;
    assert_eq!(outcome(&run, "n00000")["outcome"], "repaired", "{run}");
}
