//! What a sync asks of AWS: no more than the layout, the garbage protocol and the mirror's record need, and not one after
//! the other what can be asked at once.

use std::{collections::BTreeMap, time::Duration};

use moorage_tests::{
    aws::{
        fault::Fault,
        request::{Request, Service},
    },
    function::Outcome,
    image::{Image, layer},
    lab::{Ended, Lab, gateway::event},
    world::World,
};
use serde_json::json;

/// Images of a sync.
const IMAGES: usize = 24;
/// The most requests to the table that their first sync takes: what is asked of it for each goes together with others, as
/// many as are under way, which depends on the machine; one by one they would be a hundred and thirty.
const MOST: usize = 80;
/// The same if nothing is new, which does not depend on the images.
const MOST_AGAIN: usize = 12;
/// How many of these wait for each other then: the mirror is read; claimed, while its login is read; the run begins, while is
/// read what is known; the tags are read, and the uploads that were begun; outcomes are written; the run's end, while the
/// mirror is read; its release.
const ROUNDS_AGAIN: usize = 7;
/// The same of Sync Now, from the call to the sync's start: the stack's token is read; the mirror; it is moved, while is read
/// what is known of the registry; and the sync is invoked.
const ROUNDS_OF_CALL: usize = 4;
/// How late AWS answers where rounds are counted: what is asked at once has come by then.
const LATE: Duration = Duration::from_millis(100);
/// How often they are counted. A busy machine makes more of them, and never fewer.
const COUNTS: usize = 3;

/// How often each operation was asked for.
fn counted(ended: &Ended, service: Service) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for request in ended.asked.iter().filter(|request| request.service == service) {
        *counts.entry(request.operation.clone()).or_default() += 1;
    }
    counts
}

/// Syncs once in an invocation of its own.
async fn sync(lab: &Lab, world: &World) -> Ended {
    world.sync_now().await;
    let (function, event) = lab.take_event().expect("Sync Now starts a sync");
    let ended = lab.invoke(&function, &event, Box::new(|_| Fault::None)).await;
    assert!(matches!(ended.outcome, Outcome::Answer(_)), "{}", ended.log);
    assert_eq!(world.mirror().await["sync_status"], "SUCCESS");
    ended
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_asks_for_little() {
    let world = World::new("frugal").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let base = rand::random();
    for image in 0..IMAGES {
        let layers = [base, rand::random(), rand::random()].map(|seed| layer(seed, 1_000));
        Image::oci("amd64", &layers).push(&upstream, &world.path, &format!("v{image}")).await;
    }
    world.create_mirror(&world.stack.upstream, json!({})).await;
    let lab = Lab::new(&world.stack, &[]).await;
    lab.only(&world.namespace);
    let world = world.at(&lab.stack);
    let first = sync(&lab, &world).await;
    let (s3, table) = (counted(&first, Service::S3), counted(&first, Service::DynamoDb));
    // Of each image three blobs and the manifest, with a link each, the tag and its history; and the layer that all have in
    // common, with its link.
    assert_eq!(s3.get("PUT"), Some(&(10 * IMAGES + 2)), "{s3:?}");
    // Whether a collector has taken the manifest before it was linked.
    assert_eq!(s3.get("HEAD"), Some(&IMAGES), "{s3:?}");
    assert_eq!(s3.values().sum::<usize>(), 11 * IMAGES + 3, "nothing but a list besides: {s3:?}");
    assert!(table.values().sum::<usize>() <= MOST, "{table:?}");

    let again = sync(&lab, &world).await;
    let (s3, table) = (counted(&again, Service::S3), counted(&again, Service::DynamoDb));
    assert_eq!(s3, BTreeMap::new());
    assert!(table.values().sum::<usize>() <= MOST_AGAIN, "{table:?}");
}

/// In how many rounds somebody came to the last request of a kind.
fn rounds(asked: &[Request], is_it: impl Fn(&Request) -> bool) -> usize {
    asked.iter().filter(|request| is_it(request)).map(|request| request.round).max().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_finds_nothing_new_waits_for_little() {
    let world = World::new("rounds").await;
    let upstream = format!("http://{}", world.stack.upstream);
    Image::oci("amd64", &[layer(rand::random(), 1_000)]).push(&upstream, &world.path, "v1").await;
    world.create_mirror(&world.stack.upstream, json!({})).await;
    let lab = Lab::new(&world.stack, &[]).await;
    lab.only(&world.namespace);
    let world = world.at(&lab.stack);
    sync(&lab, &world).await;
    let (path, token) = (world.mirror_path("/sync-now"), format!("Bearer {}", world.stack.token));
    let call = event("POST", &format!("/api/v1/{path}"), "", &[("authorization", &token)], "");
    let (mut calls, mut syncs) = (Vec::new(), Vec::new());
    for _ in 0..COUNTS {
        let late = || Box::new(|_: &Request| Fault::Delay(LATE));
        let called = lab.invoke(&lab.stack.api_function, &call, late()).await;
        assert!(matches!(&called.outcome, Outcome::Answer(it) if it["statusCode"] == 204), "{}", called.log);
        calls.push(rounds(&called.asked, |it| it.service == Service::Lambda));
        let (function, event) = lab.take_event().expect("Sync Now starts a sync");
        let ended = lab.invoke(&function, &event, late()).await;
        assert_eq!(world.mirror().await["sync_status"], "SUCCESS", "{}", ended.log);
        assert_eq!(world.last_run().await["tags_unchanged"], 1);
        syncs.push(rounds(&ended.asked, |it| it.service == Service::DynamoDb));
    }
    assert!(calls.iter().any(|rounds| *rounds <= ROUNDS_OF_CALL), "{calls:?}");
    assert!(syncs.iter().any(|rounds| *rounds <= ROUNDS_AGAIN), "{syncs:?}");
}
