//! Tags that are asked for while the list of them is on its way, of registries that answer HEAD without a login.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use moorage_tests::{
    hostile::{Answer, Asked, Hostile, basic},
    image::{Image, layer},
    registry::{PASSWORD, USER},
    world::{World, outcome},
};
use serde_json::json;

/// So many that it is found out whether there is a listing that says digests, and that not all are asked for ahead.
const TAGS: usize = 150;
/// Tags that are asked for before the list comes.
const AHEAD: usize = 100;
/// Requests that suffice where the list says digests.
const TOLD: usize = 110;
/// For how long it is waited that they are asked for.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a registry takes for HEAD that is slow: longer than is waited for before the list is gone on with.
const SLOW: Duration = Duration::from_millis(600);

fn tag(number: usize) -> String {
    format!("t{number:03}")
}

fn image() -> Image {
    Image::oci("amd64", &[layer(rand::random(), 100)])
}

/// Waits until something is so, and tells whether it came to that.
fn waited(is_so: impl Fn() -> bool) -> bool {
    let began = Instant::now();
    // What else this thread has to do goes on in another.
    tokio::task::block_in_place(|| {
        while !is_so() && began.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    is_so()
}

/// Has the list wait until those tags were asked for. Returns how many that were when it came.
fn list_late(registry: &Hostile) -> Arc<AtomicUsize> {
    let (asked, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, told) = (Arc::clone(&asked), Arc::clone(&seen));
    registry.plan("HEAD", "/manifests/", move |_| {
        count.fetch_add(1, SeqCst);
        None
    });
    registry.plan("GET", "/tags/list", move |_| {
        waited(|| asked.load(SeqCst) >= AHEAD);
        told.store(asked.load(SeqCst), SeqCst);
        None
    });
    seen
}

fn of_manifests(asked: &[Asked]) -> Vec<&Asked> {
    asked.iter().filter(|asked| asked.path.contains("/manifests/")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_the_list_will_most_likely_have_is_asked_for_meanwhile() {
    let (world, registry) = (World::new("ahead").await, Hostile::start().await);
    let first = image();
    (0..TAGS).for_each(|number| registry.hold(&world.path, &tag(number), &first));
    let login = json!({"external_registry_username": USER, "external_registry_password": PASSWORD});
    world.create_mirror(&registry.address, login).await;
    assert_eq!(world.sync().await["tags_copied"], TAGS);
    assert_eq!(world.sync().await["tags_unchanged"], TAGS);

    registry.take_asked();
    let seen = list_late(&registry);
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_unchanged"]), (&json!("SUCCESS"), &json!(TAGS)), "{run}");
    assert_eq!(seen.load(SeqCst), AHEAD, "so many were asked for before the list came");
    let asked = registry.take_asked();
    let mut paths: Vec<_> = of_manifests(&asked).iter().map(|asked| asked.path.clone()).collect();
    paths.sort_unstable();
    paths.dedup();
    assert_eq!((paths.len(), of_manifests(&asked).len()), (TAGS, TAGS), "each once");
    assert_eq!(run["upstream"]["manifest_gets"], 0, "{run}");

    // What is on its way when the list has come is not asked for again, however long it takes.
    registry.repent();
    registry.plan("HEAD", "/manifests/", |_| {
        tokio::task::block_in_place(|| std::thread::sleep(SLOW));
        None
    });
    registry.take_asked();
    assert_eq!(world.sync().await["tags_unchanged"], TAGS);
    assert_eq!(of_manifests(&registry.take_asked()).len(), TAGS, "each once");
    registry.repent();

    // What never answers keeps nothing waiting that is to be copied.
    let new = image();
    registry.hold(&world.path, "new", &new);
    let comes = Arc::new(AtomicUsize::new(0));
    let (asked, was_late) = (Arc::clone(&comes), Arc::new(AtomicUsize::new(0)));
    registry.plan("GET", &format!("/manifests/{}", new.digest()), move |_| {
        asked.fetch_add(1, SeqCst);
        None
    });
    let (waits, late) = (Arc::clone(&comes), Arc::clone(&was_late));
    registry.plan("HEAD", &format!("/manifests/{}", tag(0)), move |_| {
        if !waited(|| waits.load(SeqCst) > 0) {
            late.fetch_add(1, SeqCst);
        }
        None
    });
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_copied"]), (&json!("SUCCESS"), &json!(1)), "{run}");
    assert_eq!(was_late.load(SeqCst), 0, "a tag was copied while another did not answer");
    registry.repent();
    world.change_mirror(json!({"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["t*"]}})).await;

    // What has moved, or HEAD does not tell, is as it would be otherwise.
    let moved = image();
    registry.hold(&world.path, &tag(0), &moved);
    registry.plan("HEAD", &format!("/manifests/{}", tag(1)), |_| Some(Answer::new(404)));
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_unchanged"]), (&json!("SUCCESS"), &json!(TAGS - 1)), "{run}");
    assert_eq!(outcome(&run, &tag(0))["outcome"], "copied", "{run}");

    // Once its list says digests, nothing else is asked for.
    let (told, path) = (json!({"tag": (1..TAGS).map(tag).collect::<Vec<_>>()}), world.path.clone());
    let digests = json!({first.digest().to_string(): told, moved.digest().to_string(): {"tag": [tag(0)]}});
    let tags: Vec<_> = (0..TAGS).map(tag).collect();
    registry.repent();
    registry.always("GET", "/tags/list", move || {
        Answer::json(&json!({"child": [], "manifest": digests, "name": path, "tags": tags}))
    });
    registry.take_asked();
    assert_eq!(world.sync().await["tags_unchanged"], TAGS);
    let asked = registry.take_asked().len();
    assert!(asked <= TOLD, "{asked} requests, when it has just begun to say digests");
    assert_eq!(world.sync().await["tags_unchanged"], TAGS);
    assert_eq!(of_manifests(&registry.take_asked()).len(), 0);
    registry.repent();
    assert_eq!(world.sync().await["tags_unchanged"], TAGS);

    // Once it wants to know who asks, it is asked for the list alone before there is a login.
    let refused = || {
        registry.repent();
        registry.refuse_without(&world.path, &basic(USER, PASSWORD), "Basic realm=\"x\"");
    };
    refused();
    assert_eq!(world.sync().await["tags_unchanged"], TAGS);
    registry.take_asked();
    refused();
    assert_eq!(world.sync().await["tags_unchanged"], TAGS);
    let asked = registry.take_asked();
    let without: Vec<_> = asked.iter().filter(|asked| asked.header("authorization").is_none()).collect();
    assert!(of_manifests(&asked).len() == TAGS && without.len() <= 2, "{without:?}");
}
