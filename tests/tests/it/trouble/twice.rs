//! Invocations that arrive twice, one after the other or both at once, and late: everything is as if they had come once.

use std::time::Duration;

use futures_util::future::join;
use moorage_domain::{
    RepositoryName,
    run::{SyncRequest, Trigger},
    task::Task,
};
use moorage_tests::{
    aws::{self, fault::Fault, request::Request},
    bucket,
    function::Outcome,
    image::{Image, layer},
    organization_mirror as organization, seed,
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::scene::{PATIENT, Scene};

/// How an invocation arrives.
#[derive(Debug, Clone, Copy)]
enum Arrives {
    Once,
    /// Twice, one after the other; and once more, minutes after all is over.
    AndLate,
    /// Twice at once.
    AtOnce,
}

/// How long an invocation has that is to go on in another one.
const SHORT: Duration = Duration::from_secs(12);
/// Longer than that.
const TOO_LONG: Duration = Duration::from_secs(30);
/// Past the grace of content, by the bucket's clock.
const GRACE: Duration = Duration::from_millis(2_100);

/// What an invocation is for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum What {
    SyncNow,
    Schedule,
    Continuation,
    Purge,
    Collection,
    Round,
}

impl What {
    /// Not a turn in an organization's queue: one that arrives again when it was served is another sync.
    const ALL: [Self; 6] =
        [Self::SyncNow, Self::Schedule, Self::Continuation, Self::Purge, Self::Collection, Self::Round];

    /// Has it asked for, and returns the invocation: the function, and what it is told.
    async fn begin(self, scene: &Scene) -> (String, Value) {
        let Scene { lab, world } = scene;
        let (sync, repository) = (lab.stack.sync_function.clone(), world.repository.clone());
        match self {
            Self::SyncNow => {
                world.create_mirror(&world.stack.upstream.clone(), json!({})).await;
                world.sync_now().await;
                lab.take_event().unwrap()
            }
            Self::Schedule => {
                let start = json!({"sync_start_date": "2026-01-01T00:00:00Z"});
                world.create_mirror(&world.stack.upstream.clone(), start).await;
                lab.deliver_events().await;
                (sync, sync_of(&repository, Trigger::Schedule))
            }
            Self::Continuation => {
                world.create_mirror(&world.stack.upstream.clone(), json!({})).await;
                world.sync_now().await;
                let (function, event) = lab.take_event().unwrap();
                // One of its blobs takes longer than there is time.
                let is_blob = |it: &Request| it.operation == "PUT" && it.target.contains("/blobs/");
                let slow = aws::first(Fault::Delay(TOO_LONG), is_blob);
                let ended = lab.invoke_within(&function, &event, slow, SHORT).await;
                lab.take_event().unwrap_or_else(|| panic!("it does not go on: {ended:?}"))
            }
            Self::Purge => {
                world.create_mirror(&world.stack.upstream.clone(), json!({})).await;
                scene.sync().await;
                lab.trouble_next(Box::new(|_| Fault::KillBefore));
                world.call(Method::DELETE, &format!("repository/{repository}"), None).await;
                (sync, order(&Task::Purge { repository }))
            }
            Self::Collection => {
                seed::blob(&world.stack, &repository, b"nobody needs it".to_vec()).await;
                tokio::time::sleep(GRACE).await;
                (lab.stack.gc_function.clone(), json!({"force": true}))
            }
            Self::Round => {
                create_organization(world).await;
                organization::sync_now(world).await;
                lab.take_event().unwrap()
            }
        }
    }

    /// All that is to be the same, however often it arrives.
    async fn observe(self, scene: &Scene) -> Vec<String> {
        let world = &scene.world;
        let mut seen =
            bucket::keys(scene.stack(), &format!("{}/repositories/{}/", bucket::ROOT, world.namespace)).await;
        for name in ["app", "one", "two", "three"] {
            let world = World { repository: organization::named(world, name), ..world.clone() };
            for path in ["", "/mirror", "/mirror/runs", "/logs"] {
                let path = format!("repository/{}{path}", world.repository);
                let (status, found) = world.call(Method::GET, &path, None).await;
                seen.push(format!("{path} {status}"));
                seen.extend(told(&found));
            }
        }
        let (status, mirror) = world.call(Method::GET, &organization::path(world, ""), None).await;
        seen.push(format!("{status} {}", mirror["sync_status"]));
        let counts = mirror["repo_sync_status_counts"].as_object().into_iter().flatten();
        seen.extend(counts.map(|(status, count)| format!("{status}: {count}")));
        let kinds = organization::log(world).await;
        let mut kinds: Vec<_> = kinds.iter().map(|entry| format!("{}", entry["kind"])).collect();
        kinds.sort();
        seen.extend(kinds);
        seen
    }
}

/// What the API tells of a repository, without the moments and the names that are never the same.
fn told(found: &Value) -> Vec<String> {
    let mut told = Vec::new();
    for field in ["state", "sync_status", "sync_retries_remaining", "sync_warning"] {
        told.extend(found.get(field).map(|value| format!("{field} {value}")));
    }
    for run in found["runs"].as_array().into_iter().flatten() {
        let counts = ["status", "trigger", "tags_total", "tags_done", "tags_copied", "tags_failed", "bytes_copied"];
        told.push(counts.map(|field| format!("{field} {}", run[field])).join(" "));
    }
    let mut log: Vec<_> = found["logs"].as_array().into_iter().flatten().map(logged).collect();
    log.sort();
    told.extend(log);
    told
}

fn logged(entry: &Value) -> String {
    format!("{} {}", entry["kind"], entry["metadata"]["tag"])
}

fn sync_of(repository: &RepositoryName, trigger: Trigger) -> Value {
    serde_json::to_value(SyncRequest { repository: repository.clone(), trigger }).unwrap()
}

fn order(task: &Task) -> Value {
    serde_json::to_value(task).unwrap()
}

/// What there are more of than among the others.
fn without(these: &[String], others: &[String]) -> Vec<String> {
    let (mut these, mut others) = (these.to_vec(), others.to_vec());
    these.retain(|line| match others.iter().position(|other| other == line) {
        Some(at) => others.swap_remove(at).is_empty(),
        None => true,
    });
    these
}

/// A mirror of an organization, of which the registry has some repositories.
async fn create_organization(world: &World) {
    organization::create(world, "distribution", &world.stack.upstream.clone(), json!({})).await;
}

/// One invocation, as it arrives, and all that comes of it. Returns what there is then.
async fn arrive(world: &World, what: What, arrives: Arrives) -> Vec<String> {
    let scene = Scene::of(world, PATIENT).await;
    let (function, event) = what.begin(&scene).await;
    let run = async || {
        let outcome = scene.lab.run(&function, &event).await;
        assert!(matches!(outcome, Outcome::Answer(_)), "{what:?} {arrives:?}: {outcome:?}");
    };
    match arrives {
        Arrives::Once => run().await,
        Arrives::AndLate => {
            run().await;
            run().await;
            scene.lab.settle().await;
            scene.minutes_pass().await;
            run().await;
        }
        Arrives::AtOnce => drop(join(run(), run()).await),
    }
    scene.lab.settle().await;
    bucket::check(scene.stack(), &world.repository).await;
    what.observe(&scene).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invocation_that_arrives_twice_does_what_it_is_for_once() {
    let world = World::new("twice").await;
    let upstream = format!("http://{}", world.stack.upstream);
    for tag in ["a", "b", "c", "d", "e", "f"] {
        Image::oci("amd64", &[layer(rand::random(), 900)]).push(&upstream, &world.path, tag).await;
    }
    // An organization's mirror wants one without repositories.
    let empty = World::empty("twice-round").await;
    for name in ["one", "two", "three"] {
        organization::push(&empty, name, &["v1"]).await;
    }
    let only = std::env::var("TWICE").ok();
    let mut failed = Vec::new();
    for what in What::ALL.into_iter().filter(|what| only.as_ref().is_none_or(|only| format!("{what:?}") == *only)) {
        let world = if what == What::Round { &empty } else { &world };
        let all = [Arrives::Once, Arrives::AndLate, Arrives::AtOnce];
        let ends = futures_util::future::join_all(all.map(|arrives| arrive(world, what, arrives))).await;
        for (arrives, end) in all.iter().zip(&ends).skip(1) {
            if *end != ends[0] {
                failed.push(format!(
                    "{what:?} {arrives:?}: {:?} -> {:?}",
                    without(&ends[0], end),
                    without(end, &ends[0])
                ));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invocation_that_comes_when_what_it_was_for_is_over_changes_nothing() {
    let world = World::new("late").await;
    Image::oci("amd64", &[layer(rand::random(), 900)])
        .push(&format!("http://{}", world.stack.upstream), &world.path, "v1")
        .await;
    world.create_mirror(&world.stack.upstream.clone(), json!({})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    let scene = Scene::of(&world, PATIENT).await;
    let world = &scene.world;
    for stage in ["served", "disabled", "cancelled", "ended", "deleted"] {
        match stage {
            "disabled" => world.change_mirror(json!({"is_enabled": false})).await,
            "cancelled" => {
                world.sync_now().await;
                assert!(scene.lab.take_event().is_some());
                assert_eq!(world.call(Method::POST, &world.mirror_path("/sync-cancel"), None).await.0, 204);
            }
            "ended" => assert_eq!(world.call(Method::DELETE, &world.mirror_path(""), None).await.0, 204),
            "deleted" => {
                let path = format!("repository/{}", world.repository);
                assert_eq!(world.call(Method::DELETE, &path, None).await.0, 204);
            }
            _ => {}
        }
        scene.minutes_pass().await;
        scene.lab.settle().await;
        let before = scene.picture().await;
        let repository = &world.repository;
        let syncs = [Trigger::Schedule, Trigger::SyncNow, Trigger::Verify, Trigger::Retry, Trigger::Continuation]
            .map(|trigger| sync_of(repository, trigger));
        let organization = || world.namespace.parse().unwrap();
        let tasks = [
            Task::Purge { repository: repository.clone() },
            Task::Discover { organization: organization(), trigger: Trigger::Schedule },
            Task::CancelDiscovered { organization: organization() },
            Task::ReleaseDiscovered { organization: organization() },
            Task::EndOrganization { organization: organization(), invocation: 1 },
        ];
        for event in syncs.into_iter().chain(tasks.iter().map(order)) {
            let outcome = scene.lab.run(&scene.stack().sync_function, &event).await;
            assert!(matches!(outcome, Outcome::Answer(_)), "{stage} {event}: {outcome:?}");
            let after = scene.picture().await;
            assert_eq!(before.difference(&after), Vec::<String>::new(), "{stage}: {event}");
        }
        assert_eq!(scene.lab.settle().await, 0, "{stage}");
    }
}
