//! Pins when AWS fails, when there is no time, and when somebody asks once more: whoever was told that a run is pinned has it
//! pinned, and whoever was not leaves nothing.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use moorage_domain::{
    run::RunId,
    task::{Task, TaskAnswer},
};
use moorage_tests::{
    aws::{
        self, Plan,
        fault::{Fault, Refusal},
        request::{Request, Service},
    },
    function::Outcome,
    lab::Lab,
    table::let_pass,
};

use super::*;

/// The transaction that makes a pin, behind the one that tells of what is written for it.
const COMMIT: usize = 2;
/// Longer than anybody who makes a pin needs.
const HOURS: Duration = Duration::from_secs(2 * 3_600);

/// What time it is, in Unix seconds.
fn seconds() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap()
}

fn task(world: &World, run: &Value) -> Task {
    let run_id: RunId = serde_json::from_value(run["run_id"].clone()).unwrap();
    let log =
        json!({"kind": "pin_repo_mirror_run", "datetime": seconds(), "metadata": {}, "performer": null, "ip": null});
    let log = Some(serde_json::from_value(log).unwrap());
    Task::PinRun { repository: world.repository.clone(), run_id, reason: None, log }
}

/// Pins a run while AWS goes by a plan.
async fn pin_by(lab: &Lab, world: &World, run: &Value, plan: Plan) -> TaskAnswer {
    let event = serde_json::to_value(task(world, run)).unwrap();
    let ended = lab.invoke(&lab.stack.sync_function, &event, plan).await;
    let Outcome::Answer(answer) = &ended.outcome else { panic!("{:?} {}", ended.outcome, ended.log) };
    serde_json::from_value(answer.clone()).unwrap()
}

/// Something for each of the requests of an operation, by their numbers.
fn each(operation: &'static str, fault: fn(usize) -> Fault) -> Plan {
    let count = AtomicUsize::new(0);
    Box::new(
        move |request: &Request| {
            if request.operation == operation { fault(count.fetch_add(1, Ordering::SeqCst) + 1) } else { Fault::None }
        },
    )
}

fn key(world: &World, run: &Value) -> Key {
    Key(format!("REPO#{}", world.repository), format!("PIN#{}", run["run_id"].as_str().unwrap()))
}

async fn logged(world: &World, kind: &str) -> usize {
    world.log().await.iter().filter(|it| it["kind"] == kind).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pin_whose_answer_is_lost_is_whole() {
    let (world, _, [first, _]) = moved("pins-lost").await;
    for fault in [
        // Another try finds it, or none is answered.
        (|number| if number == COMMIT { Fault::LoseAnswer } else { Fault::None }) as fn(usize) -> Fault,
        |number| match number {
            COMMIT => Fault::LoseAnswer,
            number if number > COMMIT => Fault::Refuse(Refusal::Internal),
            _ => Fault::None,
        },
    ] {
        let lab = Lab::new(&world.stack, &[]).await;
        let world = world.at(&lab.stack);
        let answer = pin_by(&lab, &world, &first, each("TransactWriteItems", fault)).await;
        assert!(matches!(&answer, TaskAnswer::Pinned { pin, is_new: true } if pin.unverified == 0), "{answer:?}");
        let (of_pins, kept) = stored(&world, &first).await;
        assert_eq!((of_pins.len(), kept), (2, vec![NEVER, NEVER]), "the pin and its tags: {of_pins:?}");
        assert_eq!(pin(&world, &first, "x").await.0, 200);
        assert_eq!(logged(&world, "pin_repo_mirror_run").await, 1, "it is told with it, and once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pin_that_counts_too_late_is_none() {
    let (world, _, [first, _]) = moved("pins-late").await;
    let lab = Lab::new(&world.stack, &[("RETENTION_SECONDS", "100")]).await;
    let world = world.at(&lab.stack);
    // What it has left is remembered for some seconds more, and it is pinned after them.
    let run = Key::run(&world.repository, first["run_id"].as_str().unwrap());
    table::set(&world.stack, &run, [("ended_at", table::number(seconds() - 94))]).await;
    let late = |number: usize| if number == COMMIT { Fault::Delay(Duration::from_secs(8)) } else { Fault::None };
    let answer = pin_by(&lab, &world, &first, each("TransactWriteItems", late)).await;
    assert!(matches!(&answer, TaskAnswer::Refused(why) if why.ends_with("not remembered any more.")), "{answer:?}");
    let (of_pins, kept) = stored(&world, &first).await;
    assert!(of_pins.is_empty() && kept.iter().all(|at| *at < NEVER), "{of_pins:?} {kept:?}");
    let told = [logged(&world, "pin_repo_mirror_run").await, logged(&world, "unpin_repo_mirror_run").await];
    assert_eq!(told, [1, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_tags_are_is_read_before_what_they_were() {
    let (world, [_, _], [_, second]) = moved("pins-moving").await;
    let lab = Lab::new(&world.stack, &[]).await;
    lab.only(&world.namespace);
    let upstream = world.clone();
    let world = world.at(&lab.stack);
    // The pins and the loose ones of the repository, its tags, and then their past: meanwhile the tag moves.
    let slow = |number: usize| if number == 4 { Fault::Delay(Duration::from_secs(12)) } else { Fault::None };
    let event = serde_json::to_value(task(&world, &second)).unwrap();
    let pinning = lab.begin(&lab.stack.sync_function, &event, each("Query", slow), Duration::from_secs(60)).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    push(&upstream, "a").await;
    world.sync_now().await;
    lab.deliver_events().await;
    assert_eq!(world.last_run().await["tags_copied"], 1);
    let ended = pinning.end().await;
    let Outcome::Answer(answer) = &ended.outcome else { panic!("{:?} {}", ended.outcome, ended.log) };
    assert_eq!((&answer["pinned"]["pin"]["tags"], &answer["pinned"]["is_new"]), (&json!(1), &json!(true)), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_looked_for_is_pinned_and_looked_for_later() {
    let (world, _, [first, _]) = moved("pins-blind").await;
    let lab = Lab::new(&world.stack, &[]).await;
    let world = world.at(&lab.stack);
    let blind: Plan = Box::new(|request| match request.service {
        Service::S3 => Fault::Refuse(Refusal::Internal),
        _ => Fault::None,
    });
    let answer = pin_by(&lab, &world, &first, blind).await;
    assert!(matches!(&answer, TaskAnswer::Pinned { pin, is_new: true } if pin.unverified == 2), "{answer:?}");
    assert_eq!(shown(&world).await[1]["unverified"], 2);
    // Somebody has looked at one of them, and had no time for the other.
    let home = Key(format!("REPO#{}", world.repository), stored(&world, &first).await.0[1].clone());
    let tags = table::get(&world.stack, &home).await.unwrap()["tags"].as_l().unwrap().clone();
    let digests = tags.iter().map(|tag| tag.as_m().unwrap()["digest"].as_s().unwrap().clone());
    let looked = [("unverified", table::number(1)), ("looked", table::text(&digests.min().unwrap()))];
    table::set(&world.stack, &key(&world, &first), looked).await;
    let (status, said) = pin(&world, &first, "x").await;
    assert_eq!((status, &said["unverified"]), (200, &json!(0)), "{said}");
    assert_eq!(stored(&world, &first).await.1, [NEVER, NEVER]);
}

#[tokio::test]
async fn a_run_that_is_pinned_stays_so_whatever_is_found_later() {
    let (world, [old, _], [first, _]) = moved("pins-stay").await;
    assert_eq!(pin(&world, &first, "release 7").await.0, 200);
    let of_pin = key(&world, &first);
    // It was long ago, and there was no time to look.
    let begun = [("at", table::number(1_000_000_000)), ("unverified", table::number(2))];
    table::set(&world.stack, &of_pin, begun.clone()).await;
    table::remove(&world.stack, &of_pin, "looked").await;
    let (status, said) = pin(&world, &first, "x").await;
    assert_eq!((status, &said["unverified"]), (200, &json!(0)), "{said}");
    // Something of it goes, which nobody does.
    table::set(&world.stack, &of_pin, begun).await;
    table::remove(&world.stack, &of_pin, "looked").await;
    let lost = bucket::blob_key(&Digest::sha256(&old.blobs[1]));
    world.stack.s3().delete_object().bucket(&world.stack.bucket).key(&lost).send().await.unwrap();
    let (status, said) = pin(&world, &first, "x").await;
    let detail = "The content of 1 tags is not here any more (a), and what else is pinned of the run is kept.";
    assert_eq!((status, said), (400, json!({"detail": detail})));
    // Somebody was killed before it was recorded that it was pinned in time.
    table::remove(&world.stack, &of_pin, "remembered").await;
    let (status, said) = pin(&world, &first, "x").await;
    assert!(status == 400 && said["detail"].as_str().unwrap().contains("kept until it is unpinned"), "{said}");
    assert_eq!(shown(&world).await[1]["reason"], "release 7");
    assert_eq!(stored(&world, &first).await.0.len(), 2);
    // Also one whose run is gone is unpinned.
    table::delete(&world.stack, &Key::run(&world.repository, first["run_id"].as_str().unwrap())).await;
    assert_eq!(unpin(&world, &first).await, 204);
    assert!(shown(&world).await.iter().all(Value::is_null));
    assert_eq!(logged(&world, "unpin_repo_mirror_run").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_of_pins_goes_although_nobody_pins_again() {
    let (world, _, [first, second]) = moved("pins-left").await;
    let lab = Lab::new(&world.stack, &[]).await;
    lab.only(&world.namespace);
    let world = world.at(&lab.stack);
    assert_eq!(pin(&world, &second, "x").await.0, 200);
    let event = serde_json::to_value(task(&world, &first)).unwrap();
    let killed = aws::first(Fault::KillAfter, |request| request.operation == "BatchWriteItem");
    lab.invoke(&lab.stack.sync_function, &event, killed).await;
    assert_eq!(stored(&world, &first).await.0.len(), 4, "what was written for it, and the other one");
    // Not all that the other one tells of its tags is kept, and some of it may be by now.
    table::remove(&world.stack, &key(&world, &second), "kept").await;
    let reconcile = Task::Reconcile { invocation: 0, after: None };
    lab.task(&reconcile).await;
    assert_eq!(stored(&world, &first).await.0.len(), 4, "somebody may be at work on it");
    let of_other = table::get(&world.stack, &key(&world, &second)).await.unwrap();
    assert_eq!(of_other["kept"], AttributeValue::Bool(true));
    let_pass(&world.stack, HOURS).await;
    lab.task(&reconcile).await;
    let (of_pins, _) = stored(&world, &first).await;
    assert_eq!(of_pins.len(), 2, "the other one's are left: {of_pins:?}");
}

#[tokio::test]
async fn a_run_of_an_earlier_mirror_that_never_ended_says_so() {
    let (world, _, [first, second]) = moved("pins-earlier").await;
    let of_run = Key::run(&world.repository, second["run_id"].as_str().unwrap());
    table::set(&world.stack, &of_run, [("status", table::text("SYNCING"))]).await;
    table::remove(&world.stack, &of_run, "ended_at").await;
    assert_eq!(world.call(Method::DELETE, &world.mirror_path(""), None).await.0, 204);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    world.create_mirror(&world.stack.upstream.clone(), json!({})).await;
    let (status, said) = pin(&world, &second, "x").await;
    assert!(status == 400 && said["detail"].as_str().unwrap().contains("ended with the mirror"), "{said}");
    assert_eq!(pin(&world, &first, "x").await.0, 200, "that one had ended");
}
