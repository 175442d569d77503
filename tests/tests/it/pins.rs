//! What a run has left is kept until it is unpinned.

mod trouble;

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{Digest, pin::MAX_PINS};
use moorage_tests::{
    bucket, eventually,
    gate::served,
    image::{Image, layer},
    proxy::{Fault, Proxy},
    table::{self, Key},
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

/// What the table's own cleaning up takes for never.
const NEVER: i64 = 253_402_300_799;

fn new_image() -> Image {
    Image::oci("amd64", &[layer(rand::random(), 300)])
}

async fn push(world: &World, tag: &str) -> Image {
    let image = new_image();
    image.push(&format!("http://{}", world.stack.upstream), &world.path, tag).await;
    image
}

fn path(world: &World, run: &Value) -> String {
    world.mirror_path(&format!("/runs/{}/pin", run["run_id"].as_str().unwrap()))
}

async fn pin(world: &World, run: &Value, reason: &str) -> (u16, Value) {
    world.call(Method::PUT, &path(world, run), Some(json!({"reason": reason}))).await
}

async fn unpin(world: &World, run: &Value) -> u16 {
    world.call(Method::DELETE, &path(world, run), None).await.0
}

/// What the runs say of their pins, newest first.
async fn shown(world: &World) -> Vec<Value> {
    world.runs().await.into_iter().map(|run| run["pinned"].clone()).collect()
}

/// The sort keys of the items that a pin has besides its run's, and when those of the run expire.
async fn stored(world: &World, run: &Value) -> (Vec<String>, Vec<i64>) {
    let items = table::all_of(&world.stack, &world.repository).await;
    let kinds = ["PIN#", "PINNEDTAGS#", "LOOSEPIN#"];
    let of_pins = items.keys().filter(|sk| kinds.iter().any(|kind| sk.starts_with(kind))).cloned().collect();
    let id = run["run_id"].as_str().unwrap();
    let mut expires = Vec::new();
    for sk in [format!("RUN#{id}"), format!("OUTCOMES#{id}#{0:010}#{0:010}", 0)] {
        let item = table::get(&world.stack, &Key(format!("REPO#{}", world.repository), sk)).await.unwrap();
        expires.push(item["expires_at"].as_n().unwrap().parse().unwrap());
    }
    (of_pins, expires)
}

/// A mirror with two runs: between them `a` was moved, and `b` deleted.
async fn moved(name: &str) -> (World, [Image; 2], [Value; 2]) {
    let world = World::new(name).await;
    let old = [push(&world, "a").await, push(&world, "b").await];
    let rule = |tags: Value| json!({"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": tags}});
    world.create_mirror(&world.stack.upstream.clone(), rule(json!(["a", "b"]))).await;
    let first = world.sync().await;
    assert_eq!(first["status"], "SUCCESS", "{first}");
    // Moments are whole seconds.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    push(&world, "a").await;
    world.change_mirror(rule(json!(["a"]))).await;
    let second = world.sync().await;
    assert_eq!((&second["status"], &second["tags_pruned"]), (&json!("SUCCESS"), &json!(1)), "{second}");
    (world, old, [first, second])
}

#[tokio::test]
async fn a_run_is_pinned_once_and_shown_so_until_it_is_unpinned() {
    let (world, _, [first, second]) = moved("pins").await;
    let (_, before) = stored(&world, &first).await;
    assert!(before.len() == 2 && before.iter().all(|at| *at < NEVER), "{before:?}");
    let (status, pinned) = pin(&world, &first, "release 7").await;
    assert_eq!(status, 200, "{pinned}");
    let expected = json!({"since": pinned["since"], "reason": "release 7", "tags": 2, "unverified": 0});
    assert_eq!(pinned, expected);
    assert_eq!(pin(&world, &first, "another").await, (200, expected.clone()), "the first one stays");
    assert_eq!(world.call(Method::PUT, &path(&world, &first), None).await, (200, expected.clone()));
    let (of_pins, kept) = stored(&world, &first).await;
    assert_eq!(of_pins.len(), 2, "the pin and its tags: {of_pins:?}");
    assert_eq!(kept, [NEVER, NEVER], "neither the run nor what it tells of tags expires");
    assert_eq!(shown(&world).await, [Value::Null, expected.clone()]);
    let one = world.mirror_path(&format!("/runs/{}", first["run_id"].as_str().unwrap()));
    assert_eq!(world.call(Method::GET, &one, None).await.1["pinned"], expected);

    // Another one beside it, without a word.
    assert_eq!(world.call(Method::PUT, &path(&world, &second), Some(json!({}))).await.0, 200);
    assert_eq!(shown(&world).await[0]["reason"], Value::Null);
    assert_eq!([unpin(&world, &first).await, unpin(&world, &first).await], [204, 204]);
    assert_eq!(shown(&world).await[1], Value::Null);
    let (of_pins, released) = stored(&world, &first).await;
    assert_eq!((of_pins.len(), released), (2, before), "only the other one's are left: {of_pins:?}");
    let log = world.log().await;
    let of_kind = |kind: &str| log.iter().filter(|it| it["kind"] == kind).collect::<Vec<_>>();
    let (pins, unpins) = (of_kind("pin_repo_mirror_run"), of_kind("unpin_repo_mirror_run"));
    assert_eq!((pins.len(), unpins.len()), (2, 1), "{log:?}");
    let said = &pins.iter().find(|it| it["metadata"]["run_id"] == first["run_id"]).unwrap()["metadata"];
    assert_eq!(said["reason"], "release 7");
    assert_eq!(unpins[0]["metadata"]["run_id"], first["run_id"]);
    // It may be pinned again.
    assert_eq!(pin(&world, &first, "once more").await.1["reason"], "once more");
}

#[tokio::test]
async fn what_cannot_be_pinned_says_why() {
    let (world, [old, _], [first, second]) = moved("pins-refused").await;
    for (body, status) in [
        (json!({"reason": 1}), 400),
        (json!({"reason": "é".repeat(501)}), 400),
        (json!({"why": "x"}), 400),
        (json!([]), 400),
    ] {
        let (answered, said) = world.call(Method::PUT, &path(&world, &first), Some(body.clone())).await;
        assert_eq!(answered, status, "{body}: {said}");
    }
    for unknown in ["00000000-0000-4000-8000-000000000000", "x"] {
        let path = world.mirror_path(&format!("/runs/{unknown}/pin"));
        for method in [Method::PUT, Method::DELETE] {
            assert_eq!(world.call(method, &path, None).await.0, 404, "{unknown}");
        }
    }
    let token = world.token(Some(world.repository.namespace().as_str()), "write").await;
    for method in [Method::PUT, Method::DELETE] {
        assert_eq!(world.send(method, &path(&world, &first), Some(&token), None).await.0, 403);
    }

    // Something of it is gone already.
    let lost = bucket::blob_key(&Digest::sha256(&old.blobs[1]));
    world.stack.s3().delete_object().bucket(&world.stack.bucket).key(&lost).send().await.unwrap();
    let (status, said) = pin(&world, &first, "x").await;
    assert_eq!(status, 400, "{said}");
    let detail = "The content of 1 tags is not here any more (a), so the run is not pinned.";
    assert_eq!(said, json!({"detail": detail}));
    let (of_pins, kept) = stored(&world, &first).await;
    assert!(of_pins.is_empty() && kept.iter().all(|at| *at < NEVER), "nothing is left of it: {of_pins:?} {kept:?}");

    // As many as may be are pinned.
    let ids = (1..=MAX_PINS).map(|number| format!("{number:08}-0000-4000-8000-000000000000")).collect();
    let home = Key::repository(&world.repository);
    table::set(&world.stack, &home, [("pins", AttributeValue::Ss(ids))]).await;
    let (status, said) = pin(&world, &second, "x").await;
    assert!(status == 400 && said["detail"].as_str().unwrap().contains("20 runs are pinned"), "{said}");
    let none = AttributeValue::Ss(vec!["00000000-0000-4000-8000-000000000000".to_owned()]);
    table::set(&world.stack, &home, [("pins", none)]).await;

    // What tags were then is not remembered.
    let run = Key(format!("REPO#{}", world.repository), format!("RUN#{}", second["run_id"].as_str().unwrap()));
    let ended = table::get(&world.stack, &run).await.unwrap()["ended_at"].clone();
    table::set(&world.stack, &run, [("ended_at", table::number(1_000_000_000))]).await;
    let (status, said) = pin(&world, &second, "x").await;
    assert!(status == 400 && said["detail"].as_str().unwrap().contains("not remembered any more"), "{said}");
    table::set(&world.stack, &run, [("ended_at", ended)]).await;
    assert_eq!(pin(&world, &second, "x").await.0, 200);
}

#[tokio::test]
async fn a_run_that_goes_on_is_pinned_when_it_has_ended() {
    let world = World::new("pins-running").await;
    let proxy = Proxy::start(&format!("http://{}", world.stack.upstream)).await;
    push(&world, "a").await;
    world.create_mirror(&proxy.address, json!({})).await;
    proxy.fault("GET", "/tags/list", 1, Fault::Delay(Duration::from_secs(6)));
    world.sync_now().await;
    world.wait_for(&["SYNCING"]).await;
    let run =
        eventually("the run has begun", Duration::from_secs(10), async || world.runs().await.first().cloned()).await;
    let (status, said) = pin(&world, &run, "x").await;
    assert_eq!((status, &said["detail"]), (409, &json!("The run has not come to an end. Pin it when it has.")));
    assert_eq!(unpin(&world, &run).await, 204);
    world.wait_for(&["SUCCESS"]).await;
    // A sync that runs is in nobody's way.
    proxy.fault("GET", "/tags/list", 1, Fault::Delay(Duration::from_secs(6)));
    world.sync_now().await;
    world.wait_for(&["SYNCING"]).await;
    assert_eq!(pin(&world, &run, "x").await.0, 200);
    world.wait_for(&["SUCCESS"]).await;
    assert_eq!(shown(&world).await.len(), 2);
}

#[tokio::test]
async fn of_several_at_once_one_pins_it() {
    let (world, _, [first, second]) = moved("pins-at-once").await;
    let reasons = ["one", "two", "three", "four"];
    let all = futures_util::future::join_all(reasons.map(|reason| pin(&world, &first, reason))).await;
    let (_, pinned) = all[0].clone();
    assert!(reasons.contains(&pinned["reason"].as_str().unwrap()), "{pinned}");
    for one in &all {
        assert_eq!((one.0, &one.1["since"], &one.1["reason"]), (200, &pinned["since"], &pinned["reason"]), "{all:?}");
    }
    let (of_pins, kept) = stored(&world, &first).await;
    assert_eq!((of_pins.len(), kept), (2, vec![NEVER, NEVER]), "the others have left nothing: {of_pins:?}");
    let log = world.log().await;
    assert_eq!(log.iter().filter(|it| it["kind"] == "pin_repo_mirror_run").count(), 1, "{log:?}");
    assert_eq!(unpin(&world, &first).await, 204);

    // And of the last that may be pinned, one.
    let ids = (1..MAX_PINS).map(|number| format!("{number:08}-0000-4000-8000-000000000000")).collect();
    table::set(&world.stack, &Key::repository(&world.repository), [("pins", AttributeValue::Ss(ids))]).await;
    let (one, other) = tokio::join!(pin(&world, &first, "x"), pin(&world, &second, "x"));
    let mut statuses = [one.0, other.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400], "{one:?} {other:?}");
}

#[tokio::test]
async fn whoever_has_the_repository_is_waited_for() {
    let (world, _, [first, _]) = moved("pins-locked").await;
    let lock = [
        ("lock_by", table::text("00000001-0000-4000-8000-000000000000")),
        ("lock_kind", table::text("prune")),
        ("lock_until", table::ahead(Duration::from_secs(5))),
    ];
    table::set(&world.stack, &Key::repository(&world.repository), lock).await;
    let begun = std::time::Instant::now();
    assert_eq!(pin(&world, &first, "x").await.0, 200);
    assert!(begun.elapsed() >= Duration::from_secs(3), "a collector may be taking it out: {:?}", begun.elapsed());
}

#[tokio::test]
async fn pins_end_with_their_mirror() {
    let (world, [old, _], [first, second]) = moved("pins-end").await;
    let (_, before) = stored(&world, &first).await;
    for run in [&first, &second] {
        assert_eq!(pin(&world, run, "x").await.0, 200);
    }
    assert_eq!(world.call(Method::DELETE, &world.mirror_path(""), None).await.0, 204);
    assert_eq!(shown(&world).await, [Value::Null, Value::Null]);
    assert_eq!(stored(&world, &first).await, (vec![], before), "and everything of them");
    assert_eq!(pin(&world, &first, "x").await.0, 404, "there is no mirror");
    assert_eq!(unpin(&world, &first).await, 204);
    // The images stay, as long as what any tag was.
    assert!(bucket::check(&world.stack, &world.repository).await.revisions.contains(&old.digest()));

    // Whatever its state is, a mirror has its pins: these tags may be turned back to later.
    world.create_mirror(&world.stack.upstream.clone(), json!({})).await;
    assert_eq!(pin(&world, &first, "x").await.0, 200);
    let state = format!("repository/{}/changestate", world.repository);
    for name in ["NORMAL", "MIRROR"] {
        assert_eq!(world.call(Method::PUT, &state, Some(json!({"state": name}))).await.0, 200);
    }
    assert_eq!(shown(&world).await[1]["tags"], 2);
    let rollback = json!({"run_id": first["run_id"]});
    let (status, said) = world.call(Method::POST, &world.mirror_path("/rollback"), Some(rollback)).await;
    assert_eq!(status, 202, "{said}");
    world.wait_for(&["SUCCESS"]).await;
    assert_eq!(served(&world, "a").await, Some(old.digest()));
}
