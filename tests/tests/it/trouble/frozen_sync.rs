//! A sync that is frozen until its claim has ended, while a successor does its work, and then goes on: it changes nothing
//! any more.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use moorage_tests::{
    aws::{self, Plan, fault::Fault, request::Request, request::Service},
    bucket,
    function::Outcome,
    image::{Image, layer},
    registry::Registry,
    world::World,
};
use serde_json::{Value, json};

use super::scene::Scene;

/// Short: it has to end by the wall clock, which nobody can move, while the sync is frozen.
const SETTINGS: &[(&str, &str)] = &[("CLAIM_SECONDS", "6")];
/// Longer than a claim.
const FROZEN: Duration = Duration::from_secs(7);
/// How long an invocation may take, with the time that it is frozen for.
const WITHIN: Duration = Duration::from_secs(90);
/// Cases at once: they mostly wait.
const CASES_AT_ONCE: usize = 6;
/// Has every write of a sync tried.
const ALL: &str = "FROZEN";

/// Where the sync is frozen.
#[derive(Clone, Copy)]
enum At {
    /// At the first request of this kind.
    First(&'static str, fn(&Request) -> bool),
    /// At the first request of this kind after it took a tag away, which is the last that it does to the repository.
    Ending(&'static str, fn(&Request) -> bool),
    /// At the request with this number.
    Request(usize),
}

fn is_put(request: &Request, part: &str) -> bool {
    request.service == Service::S3 && request.operation.starts_with("PUT") && request.target.contains(part)
}

fn is_pruning(request: &Request) -> bool {
    request.operation == "DELETE" && request.target.contains("/tags/left-out/")
}

const CASES: &[(At, Fault)] = &[
    (At::First("claim", |it| it.operation == "TransactWriteItems"), Fault::FreezeAfter),
    (At::First("link of a blob", |it| is_put(it, "/_layers/")), Fault::FreezeAfter),
    (At::First("tag", |it| is_put(it, "/tags/new/current/")), Fault::FreezeBefore),
    (At::First("tag that moves", |it| is_put(it, "/tags/moves/current/")), Fault::FreezeBefore),
    (At::First("pruning", is_pruning), Fault::FreezeBefore),
    (At::Ending("record of the pruned tag", |it| it.operation == "TransactWriteItems"), Fault::FreezeBefore),
    (At::Ending("last item", |it| it.operation == "UpdateItem"), Fault::FreezeBefore),
];

fn rule(tags: &[&str]) -> Value {
    json!({"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": tags}})
}

/// A mirror with a new image, one whose tag moved, and one that the rule leaves out by now.
async fn mirror() -> (World, Registry) {
    let (world, upstream) = (World::new("frozen-sync").await, Registry::plain());
    let image = || Image::oci("amd64", &[layer(rand::random(), 900)]);
    for tag in ["moves", "left-out"] {
        image().push(&upstream.url, &world.path, tag).await;
    }
    world.create_mirror(&upstream.address, json!({})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    image().push(&upstream.url, &world.path, "moves").await;
    Image::index(vec![image(), image()]).push(&upstream.url, &world.path, "new").await;
    world.change_mirror(rule(&["moves", "new"])).await;
    (world, upstream)
}

async fn begun(world: &World) -> (Scene, String, Value) {
    let scene = Scene::of(world, SETTINGS).await;
    scene.world.sync_now().await;
    let (function, event) = scene.lab.take_event().expect("Sync Now starts a sync");
    (scene, function, event)
}

/// One case; nothing if the sync never came to where it was to be frozen.
async fn try_one(world: &World, at: At, fault: Fault) -> Option<()> {
    let (scene, function, event) = begun(world).await;
    let plan: Plan = match at {
        At::First(_, is_it) => aws::first(fault, is_it),
        At::Ending(_, is_it) => {
            let is_pruned = AtomicBool::new(false);
            aws::first(fault, move |request| {
                is_pruned.fetch_or(is_pruning(request), Ordering::SeqCst) && is_it(request)
            })
        }
        At::Request(number) => aws::first(fault, move |request| request.number == number),
    };
    let frozen = scene.lab.begin(&function, &event, plan, WITHIN).await;
    if !frozen.is_frozen().await {
        return None;
    }
    // Meanwhile somebody wants again what it was about to take away.
    scene.world.change_mirror(rule(&["*"])).await;
    tokio::time::sleep(FROZEN).await;
    // The run goes on where it was, and the next one sees what is wanted now.
    scene.watch().await;
    scene.settled().await;
    scene.sync().await;
    let held = bucket::check(scene.stack(), &scene.world.repository).await;
    assert_eq!(held.tags.keys().collect::<Vec<_>>(), ["left-out", "moves", "new"]);
    let before = scene.picture().await;
    frozen.thaw();
    let ended = frozen.end().await;
    assert!(matches!(ended.outcome, Outcome::Answer(_)), "{:?}\n{}", ended.outcome, ended.log);
    let after = scene.picture().await;
    assert_eq!(before.difference(&after), Vec::<String>::new(), "{}", ended.log);
    bucket::check(scene.stack(), &scene.world.repository).await;
    Some(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_that_was_frozen_changes_nothing_once_another_one_has_its_work() {
    let (world, _upstream) = mirror().await;
    let (scene, function, event) = begun(&world).await;
    let ended = scene.lab.invoke(&function, &event, Box::new(|_| Fault::None)).await;
    let writes: Vec<usize> = ended.asked.iter().filter(|it| it.writes).map(|it| it.number).collect();
    drop(scene);
    let all = || {
        writes.iter().flat_map(|write| [Fault::FreezeBefore, Fault::FreezeAfter].map(|it| (At::Request(*write), it)))
    };
    let cases = if std::env::var(ALL).is_ok() { all().collect() } else { CASES.to_vec() };
    let one = async |(at, fault): (At, Fault)| {
        let name = match at {
            At::First(name, _) | At::Ending(name, _) => name.to_owned(),
            At::Request(number) => format!("{}", ended.asked[number - 1]),
        };
        let tried = std::panic::AssertUnwindSafe(try_one(&world, at, fault));
        match futures_util::FutureExt::catch_unwind(tried).await {
            Ok(Some(())) => None,
            // By chance another request is the one with the number.
            Ok(None) if matches!(at, At::Request(_)) => None,
            Ok(None) => Some(format!("{fault:?} {name}: it never came there")),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map_or("a panic", String::as_str);
                Some(format!("{fault:?} {name}: {text}"))
            }
        }
    };
    let tried = stream::iter(cases).map(one).buffer_unordered(CASES_AT_ONCE);
    let failed: Vec<String> = tried.filter_map(async |failed| failed).collect().await;
    assert!(failed.is_empty(), "{}:\n{}", failed.len(), failed.join("\n"));
}
