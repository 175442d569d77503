//! Runs at registries as people have them: what is deleted, what a limit costs, and what is counted.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use moorage_domain::Timestamp;
use moorage_tests::{
    bucket, eventually,
    hostile::{Answer, Asked, Hostile},
    image::{Image, layer},
    proxy::{Fault, Proxy},
    world::{SYNC_LIMIT, World, outcome},
};
use reqwest::Method;
use serde_json::{Value, json};

/// The media type of a list of referrers.
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// So often that no number of retries gets through.
const ALWAYS: usize = 1_000_000;

fn rule(patterns: &[&str]) -> Value {
    json!({"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": patterns}})
}

/// A list of these tags.
fn list(world: &World, tags: &[String]) -> Fault {
    Fault::Body(json!({"name": world.path, "tags": tags}).to_string().into_bytes().into())
}

async fn held(world: &World) -> BTreeSet<String> {
    bucket::check(&world.stack, &world.repository).await.tags.into_keys().collect()
}

/// The tags that the usage log says were deleted.
async fn logged_deletions(world: &World) -> BTreeSet<String> {
    let log = world.log().await;
    let deleted = log.iter().filter(|entry| entry["kind"] == "delete_tag");
    deleted.map(|entry| entry["metadata"]["tag"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_narrower_rule_deletes_all_it_leaves_out_though_as_many_vanished_are_held() {
    let world = World::new("narrow").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let image = Image::oci("amd64", &[layer(1, 99)]);
    let numbered = |name: &str, count: usize| (0..count).map(|n| format!("{name}{n:02}")).collect::<Vec<_>>();
    let (dev, lost, stays) = (numbered("dev", 12), numbered("v0.", 11), numbered("v1.", 2));
    for tag in dev.iter().chain(&lost).chain(&stays) {
        image.push(&upstream, &world.path, tag).await;
    }
    let proxy = Proxy::start(&upstream).await;
    world.create_mirror(&proxy.address, json!({})).await;
    assert_eq!(world.sync().await["tags_copied"], 25);

    let listed: Vec<_> = dev.iter().chain(&stays).cloned().collect();
    proxy.fault("GET", "tags/list", ALWAYS, list(&world, &listed));
    let (status, preview) = world.call(Method::POST, &world.mirror_path("/preview"), Some(rule(&["v*"]))).await;
    assert_eq!(status, 200, "{preview}");
    let counts = ["delete", "hold", "deselected", "vanished", "keep"].map(|key| preview["counts"][key].clone());
    assert_eq!(counts, [12, 11, 12, 11, 2].map(|count| json!(count)), "{preview}");
    assert_eq!(held(&world).await.len(), 25, "nothing was done");

    world.change_mirror(rule(&["v*"])).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_pruned"]), (&json!("SUCCESS"), &json!(12)), "{run}");
    let warning = ["reason", "tags", "limit"].map(|key| run["warning"][key].clone());
    assert_eq!(warning, [json!("deletions_held"), json!(11), json!(10)], "{run}");
    for (tag, expected) in [(&dev[0], ("pruned", "deselected")), (&lost[0], ("held", "vanished"))] {
        let outcome = outcome(&run, tag);
        assert_eq!((&outcome["outcome"], &outcome["cause"]), (&json!(expected.0), &json!(expected.1)), "{outcome}");
    }
    assert_eq!(held(&world).await, lost.iter().chain(&stays).cloned().collect());
    assert_eq!(logged_deletions(&world).await, dev.iter().cloned().collect());
    // The user may say that what vanished is not to stay either.
    world.change_mirror(rule(&["v1.*"])).await;
    let run = world.sync().await;
    assert_eq!((&run["tags_pruned"], run.get("warning")), (&json!(11), None), "{run}");
    assert_eq!(held(&world).await, stays.iter().cloned().collect());
}

#[tokio::test]
async fn a_deleted_tag_that_is_only_refused_goes_after_some_complete_lists_without_it() {
    let world = World::new("forbidden").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let tags = ["gone", "lags", "stays"].map(str::to_owned);
    for tag in &tags {
        Image::oci("amd64", &[layer(rand::random(), 99)]).push(&upstream, &world.path, tag).await;
    }
    let proxy = Proxy::start(&upstream).await;
    world.create_mirror(&proxy.address, json!({})).await;
    assert_eq!(world.sync().await["tags_copied"], 3);

    // One answers 403 for ever; the other one is there, and the list lags.
    proxy.fault("GET", "tags/list", ALWAYS, list(&world, &tags[2..]));
    for method in ["HEAD", "GET"] {
        proxy.fault(method, "manifests/gone", ALWAYS, Fault::Status(403, vec![]));
    }
    for round in 1..=2 {
        let run = world.sync().await;
        assert_eq!((&run["status"], &run["tags_pruned"]), (&json!("SUCCESS"), &json!(0)), "{round}: {run}");
        assert_eq!((&run["warning"]["reason"], &run["warning"]["tags"]), (&json!("list_incomplete"), &json!(2)));
    }
    let run = world.sync().await;
    assert_eq!((&run["tags_pruned"], &run["warning"]["tags"]), (&json!(1), &json!(1)), "the third list: {run}");
    assert_eq!(outcome(&run, "gone")["outcome"], "pruned");
    assert_eq!(held(&world).await, BTreeSet::from(["lags".to_owned(), "stays".to_owned()]));
    assert_eq!(logged_deletions(&world).await, BTreeSet::from(["gone".to_owned()]));

    // A list that has it again begins anew, and the mirror may say how often.
    proxy.heal();
    assert_eq!(world.sync().await["tags_copied"], 1);
    world.change_mirror(json!({"deletion_grace": 0})).await;
    assert_eq!(world.mirror().await["deletion_grace"], 0);
    // One that sends us to log in does not say that the tag is gone, whatever is missing there.
    for fault in [Fault::Status(400, vec![]), Fault::Status(302, vec![("location", "/login".to_owned())])] {
        proxy.heal();
        proxy.fault("GET", "tags/list", ALWAYS, list(&world, &tags[2..]));
        for method in ["HEAD", "GET"] {
            proxy.fault(method, "manifests/gone", ALWAYS, fault.clone());
        }
        for _ in 0..2 {
            let run = world.sync().await;
            assert_eq!((&run["tags_pruned"], &outcome(&run, "gone")["outcome"]), (&json!(0), &json!("held")), "never");
        }
    }
    world.change_mirror(json!({"deletion_grace": 1})).await;
    assert_eq!(world.sync().await["tags_pruned"], 1);
    world.change_mirror(json!({"deletion_grace": null})).await;
    assert!(world.mirror().await.get("deletion_grace").is_none(), "clients of Quay's see none of it");
}

/// A registry that counts what it answers and refuses.
struct Limited {
    registry: Hostile,
    images: Vec<Image>,
    answered: Arc<Mutex<BTreeMap<String, usize>>>,
    refused: Arc<AtomicUsize>,
}

impl Limited {
    /// With so many tags, and a list of one referrer for each of the first two. `limits` tells how long whoever asks for
    /// this is to wait, if at all.
    async fn start(world: &World, tags: usize, limits: impl Fn(&Asked) -> Option<u64> + Send + Sync + 'static) -> Self {
        let registry = Hostile::start().await;
        let images: Vec<_> = (0..tags).map(|_| Image::oci("amd64", &[layer(rand::random(), 99)])).collect();
        for (number, image) in images.iter().enumerate() {
            registry.hold(&world.path, &format!("t{number:02}"), image);
        }
        registry.plan("GET", "/referrers/", |_| {
            Some(Answer::json(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []})))
        });
        for image in &images[..2] {
            let referrer = Image::referrer(image, layer(rand::random(), 50));
            registry.hold_by_digest(&world.path, &referrer);
            let list = json!({
                "schemaVersion": 2, "mediaType": INDEX, "manifests": [referrer.referrer_descriptor()],
            });
            registry.always("GET", &format!("/referrers/{}", image.digest()), move || Answer::json(&list));
        }
        let (answered, refused) = (Arc::<Mutex<BTreeMap<_, _>>>::default(), Arc::<AtomicUsize>::default());
        let (answers, refusals) = (answered.clone(), refused.clone());
        registry.plan("", "/v2/", move |asked| {
            let Some(seconds) = limits(asked) else {
                *answers.lock().unwrap().entry(format!("{} {}", asked.method, asked.path)).or_default() += 1;
                return None;
            };
            refusals.fetch_add(1, Ordering::Relaxed);
            Some(Answer::new(429).header("retry-after", &seconds.to_string()))
        });
        Self { registry, images, answered, refused }
    }
}

/// Watches the run's counters until the sync has ended.
async fn watched(world: &World) -> Value {
    eventually("the sync ends", SYNC_LIMIT, async || {
        let status = world.mirror().await["sync_status"].clone();
        if let Some(run) = world.runs().await.first() {
            let count = |key: &str| run[key].as_u64().unwrap();
            assert!(count("tags_done") <= count("tags_total") && count("bytes_done") <= count("bytes_total"), "{run}");
        }
        ["SUCCESS", "FAIL"].contains(&status.as_str().unwrap()).then_some(())
    })
    .await;
    world.last_run().await
}

#[tokio::test]
async fn a_registry_of_few_requests_a_second_is_asked_hardly_more_than_it_answers() {
    let world = World::new("fewasecond").await;
    let window = Mutex::new((Instant::now(), 0));
    let registry = Limited::start(&world, 15, move |_| {
        let mut window = window.lock().unwrap();
        if window.0.elapsed() >= Duration::from_secs(1) {
            *window = (Instant::now(), 0);
        }
        window.1 += 1;
        (window.1 > 3).then_some(1)
    })
    .await;
    world.create_mirror(&registry.registry.address, json!({})).await;
    world.sync_now().await;
    let run = watched(&world).await;
    let tags = ["status", "tags_total", "tags_done", "tags_copied", "waits"].map(|key| run[key].clone());
    assert_eq!(tags, [json!("SUCCESS"), json!(17), json!(17), json!(17), json!(0)], "{run}");
    let (answered, refused) = (registry.answered.lock().unwrap().clone(), registry.refused.load(Ordering::Relaxed));
    let (distinct, all) = (answered.len(), answered.values().sum::<usize>());
    // Where an invocation ends, a few images are under way, whose manifests, or a blob, the next one fetches again.
    let handovers = usize::try_from(run["invocations"].as_u64().unwrap() - 1).unwrap();
    let twice: Vec<_> = answered.iter().filter(|(_, times)| **times > 1).map(|(asked, _)| asked).collect();
    let is_content = |asked: &&String| asked.contains("/manifests/sha256:") || asked.contains("/blobs/");
    assert!(twice.iter().all(is_content), "{twice:?}");
    assert!(all - distinct <= 8 * handovers, "{twice:?} are answered again: {run}");
    assert!(refused <= distinct, "{refused} refused, {distinct} answered");
    let seconds = |key: &str| Timestamp::parse_iso(run[key].as_str().unwrap()).unwrap().unix();
    let took = u64::try_from(seconds("ended_at") - seconds("started_at")).unwrap();
    let upstream = |key: &str| run["upstream"][key].as_u64().unwrap();
    assert!(upstream("waited_ms") <= took * 1_000, "{run}");
    assert!(upstream("waited_ms") >= took * 500, "mostly it waits: {run}");
    // And the question whether it speaks https, which it does not.
    let seen = u64::try_from(all + refused).unwrap();
    assert_eq!(upstream("requests") + upstream("retries"), seen + 1, "{run}");
    assert_eq!(held(&world).await.len(), 17);
}

#[tokio::test]
async fn what_was_learnt_before_a_wait_is_not_asked_again() {
    let world = World::new("learnt").await;
    // Longer than a function waits. First only one digest is told, then lists of referrers, but no referrer.
    let phase = Arc::new(AtomicUsize::new(0));
    let (now, told) = (phase.clone(), Mutex::new((0, false)));
    let registry = Limited::start(&world, 4, move |asked| {
        let (mut told, is_list) = (told.lock().unwrap(), asked.path.contains("/referrers/"));
        told.1 |= is_list;
        let is_limited = match now.load(Ordering::Relaxed) {
            0 if asked.method == "HEAD" => {
                told.0 += 1;
                told.0 > 1
            }
            1 => told.1 && !is_list,
            _ => false,
        };
        is_limited.then_some(11)
    })
    .await;
    world.create_mirror(&registry.registry.address, json!({})).await;
    world.sync_now().await;
    for next in 1..=2 {
        let waits = async || {
            let run = world.runs().await.first().cloned()?;
            (run["waits"] == next && run.get("waiting_until").is_some()).then_some(run)
        };
        let run = eventually("the sync waits", Duration::from_secs(60), waits).await;
        assert!(run["tags_done"].as_u64() <= run["tags_total"].as_u64(), "{run}");
        phase.store(next, Ordering::Relaxed);
    }
    let run = watched(&world).await;
    let tags = ["status", "tags_total", "tags_done", "waits"].map(|key| run[key].clone());
    assert_eq!(tags, [json!("SUCCESS"), json!(6), json!(6), json!(2)], "{run}");
    let answered = registry.answered.lock().unwrap().clone();
    assert!(answered.values().all(|times| *times == 1), "nothing is answered twice: {answered:?}");
    assert_eq!(held(&world).await.len(), registry.images.len() + 2);
}
