//! Turning an organization's mirror back, with all of its repositories, to what they were.

use std::time::Duration;

use moorage_domain::{
    Digest,
    run::Trigger,
    task::{Task, TaskAnswer},
};
use moorage_tests::{
    bucket,
    gate::served,
    image::Image,
    organization_mirror::{create, log, mirror, named, path, push, repositories, sync_now, wait_for},
    table::{self, Key, number},
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

/// The world with one of the organization's repositories for its own.
fn of(world: &World, name: &str) -> World {
    World { repository: named(world, name), path: format!("{}/{name}", world.namespace), ..world.clone() }
}

/// Moments are whole seconds: what comes next is not of this one.
async fn next_second() {
    tokio::time::sleep(Duration::from_millis(1_100)).await;
}

async fn ask(world: &World, query: &str, body: Value) -> (u16, Value) {
    world.call(Method::POST, &path(world, &format!("/rollback{query}")), Some(body)).await
}

/// A round, until so many repositories are synced; the moment when the last of them was.
async fn round(world: &World, count: u64) -> Value {
    sync_now(world).await;
    wait_for(world, json!({"SUCCESS": count})).await;
    let found = repositories(world, "").await;
    let ended = found["repositories"].as_array().unwrap().iter().map(|it| it["last_sync_date"].as_str().unwrap());
    let at = json!(ended.max().unwrap());
    next_second().await;
    at
}

/// Turns back, and returns the run that each repository has, when all have ended so.
async fn roll_back(world: &World, at: &Value, counts: Value) -> Value {
    let (status, started) = ask(world, "", json!({ "at": at })).await;
    assert_eq!(status, 202, "{started}");
    wait_for(world, counts).await;
    next_second().await;
    started["run_id"].clone()
}

/// What the tags of this test point to.
async fn all_served(world: &World) -> [Option<Digest>; 5] {
    [
        served(&of(world, "app"), "a").await,
        served(&of(world, "app"), "c").await,
        served(&of(world, "gone"), "v1").await,
        served(&of(world, "new"), "v1").await,
        served(&of(world, "tools/x"), "v1").await,
    ]
}

fn digests(images: [Option<&Image>; 5]) -> [Option<Digest>; 5] {
    images.map(|image| image.map(Image::digest))
}

#[tokio::test]
async fn all_repositories_become_what_they_were_but_those_whose_content_is_gone() {
    let world = World::empty("org-rollback").await;
    let before = world.stack.clone();
    let [app, gone, tool] = [
        push(&world, "app", &["a"]).await,
        push(&world, "gone", &["v1"]).await,
        push(&world, "tools/x", &["v1"]).await,
    ];
    create(&world, "distribution", &before.upstream, json!({})).await;
    let first = round(&world, 3).await;
    let (app2, extra) = (push(&world, "app", &["a"]).await, push(&world, "app", &["c"]).await);
    let (gone2, tool2) = (push(&world, "gone", &["v1"]).await, push(&world, "tools/x", &["v1"]).await);
    let new = push(&world, "new", &["v1"]).await;
    let second = round(&world, 4).await;
    let as_second = digests([Some(&app2), Some(&extra), Some(&gone2), Some(&new), Some(&tool2)]);
    assert_eq!(all_served(&world).await, as_second);
    let lost = bucket::blob_key(&Digest::sha256(&gone.blobs[1]));
    world.stack.s3().delete_object().bucket(&world.stack.bucket).key(&lost).send().await.unwrap();

    // What would come of it, repository by repository.
    let plan = |name: &str, [created, moved, deleted]: [u64; 3], missing: &[&str]| {
        json!({
            "name": name, "created": created, "moved": moved, "deleted": deleted, "missing": missing.len(),
            "missing_tags": missing, "unverified": 0, "refused": null,
        })
    };
    let expected = [
        plan("app", [0, 1, 1], &[]),
        plan("gone", [0, 1, 0], &["v1"]),
        plan("new", [0, 0, 1], &[]),
        plan("tools/x", [0, 1, 0], &[]),
    ];
    let (status, all) = ask(&world, "", json!({"at": first, "dry_run": true})).await;
    assert_eq!((status, &all["repositories"], &all["next_page"]), (200, &json!(expected), &Value::Null), "{all}");
    let (_, page) = ask(&world, "?limit=1", json!({"at": first, "dry_run": true})).await;
    assert_eq!((&page["repositories"], &page["next_page"]), (&json!(expected[..1]), &json!("app")), "{page}");
    let (_, page) = ask(&world, "?limit=2&next_page=app", json!({"at": first, "dry_run": true})).await;
    assert_eq!((&page["repositories"], &page["next_page"]), (&json!(expected[1..3]), &json!("new")), "{page}");
    let (_, some) = ask(&world, "?limit=1", json!({"at": first, "dry_run": true, "tags": ["c"]})).await;
    assert_eq!(some["repositories"], json!([plan("app", [0, 0, 1], &[])]), "{some}");
    assert_eq!(all_served(&world).await, as_second, "nothing was done");
    assert_eq!(mirror(&world).await["paused"], Value::Null);

    let some = json!({"SUCCESS": 3, "FAIL": 1});
    let run = roll_back(&world, &first, some.clone()).await;
    let as_first = digests([Some(&app), None, Some(&gone2), None, Some(&tool)]);
    assert_eq!(all_served(&world).await, as_first);
    assert_eq!(bucket::check(&world.stack, &named(&world, "new")).await.tags.len(), 0, "it is there, and empty");
    for name in ["app", "gone", "new", "tools/x"] {
        let newest = of(&world, name).last_run().await;
        assert_eq!((&newest["run_id"], &newest["trigger"]), (&run, &json!("rollback")), "{newest}");
        assert_eq!(newest["rollback"], json!({"at": first, "by_organization": true}), "{newest}");
        assert!(of(&world, name).mirror().await["paused"]["since"].is_string(), "{name}");
    }
    let failed = repositories(&world, "?status=FAIL").await;
    assert_eq!((&failed["total"], &failed["repositories"][0]["name"]), (&json!(1), &json!("gone")), "{failed}");
    let message = failed["repositories"][0]["status_message"].as_str().unwrap();
    assert!(message.contains("(v1)") && message.contains("no tag was turned back"), "{message}");
    let entries = log(&world).await;
    let asked = entries.iter().find(|entry| entry["kind"] == "org_mirror_config_changed").unwrap();
    assert_eq!(asked["metadata"]["rollback"]["at"], first, "{asked}");

    // Nothing undoes it by the way: neither Sync Now nor the schedule.
    let shown = mirror(&world).await;
    assert!(shown["paused"]["since"].is_string() && shown["sync_status"] == "SUCCESS", "{shown}");
    let (status, refused) = world.call(Method::POST, &path(&world, "/sync-now"), None).await;
    assert!(status == 409 && refused.to_string().contains("paused"), "{status} {refused}");
    let starts = Key::within(&world.namespace, "ORGANIZATIONMIRROR");
    assert!(table::is_there(&world.stack, &starts).await);
    table::set(&world.stack, &starts, [("sync_start_date", number(1_000))]).await;
    let discover = Task::Discover { organization: world.namespace.parse().unwrap(), trigger: Trigger::Schedule };
    assert_eq!(world.task(&discover).await, TaskAnswer::NotFound);
    assert_eq!(all_served(&world).await, as_first);

    // It can be undone, and done again.
    roll_back(&world, &second, json!({"SUCCESS": 4})).await;
    assert_eq!(all_served(&world).await, as_second);
    roll_back(&world, &first, some).await;
    assert_eq!(all_served(&world).await, as_first);
    for _ in 0..2 {
        assert_eq!(world.call(Method::POST, &path(&world, "/resume"), None).await, (204, json!("")));
    }
    assert_eq!(mirror(&world).await["paused"], Value::Null);
    for name in ["app", "gone", "new", "tools/x"] {
        assert_eq!(of(&world, name).mirror().await["paused"], Value::Null, "{name}");
    }
    round(&world, 4).await;
    assert_eq!(all_served(&world).await, as_second, "the next round goes forward");
}

#[tokio::test]
async fn repositories_wait_for_their_turns_and_nobody_turns_them_back_meanwhile() {
    let world = World::empty("org-rollback-turns").await;
    // More than run at once.
    let names: Vec<String> = (0..9).map(|number| format!("r{number}")).collect();
    for name in &names {
        push(&world, name, &["v1"]).await;
    }
    create(&world, "distribution", &world.stack.upstream, json!({})).await;
    let first = round(&world, 9).await;
    let mut before = Vec::new();
    for name in &names {
        before.push(served(&of(&world, name), "v1").await);
        push(&world, name, &["v1"]).await;
    }
    round(&world, 9).await;
    assert_eq!(ask(&world, "", json!({"at": first, "pause": false})).await.0, 202);
    let (status, refused) = ask(&world, "", json!({ "at": first })).await;
    assert!(status == 409 && refused.to_string().contains("runs"), "{status} {refused}");
    wait_for(&world, json!({"SUCCESS": 9})).await;
    for (name, was) in names.iter().zip(before) {
        assert_eq!(served(&of(&world, name), "v1").await, was, "{name}");
        assert_eq!(of(&world, name).runs().await.len(), 3, "{name}: once");
    }
    assert_eq!(mirror(&world).await["paused"], Value::Null, "as it was asked for");
}

#[tokio::test]
async fn what_is_wrong_is_refused_of_an_organization_too() {
    let world = World::empty("org-rollback-wrong").await;
    push(&world, "app", &["v1"]).await;
    create(&world, "distribution", &world.stack.upstream, json!({})).await;
    let at = round(&world, 1).await;
    for body in [
        json!({}),
        json!({"run_id": "00000000-0000-4000-8000-000000000000"}),
        json!({"at": "yesterday"}),
        json!({"at": "2099-01-01T00:00:00Z"}),
        json!({"at": "2026-01-01T00:00:00Z"}),
        json!({"at": at, "tags": []}),
        json!({"at": at, "tag": "a"}),
        json!({"at": at, "resume_at": "2099-01-01T00:00:00Z", "pause": false}),
    ] {
        let (status, said) = ask(&world, "", body.clone()).await;
        assert_eq!(status, 400, "{body}: {said}");
    }
    let (status, said) = ask(&world, "?next_page=a%20b", json!({"at": at, "dry_run": true})).await;
    assert_eq!(status, 400, "{said}");
    for role in ["read", "write"] {
        let token = world.token(Some(&world.namespace), role).await;
        for (what, body) in [("/rollback", json!({ "at": at })), ("/resume", json!({}))] {
            let body = Some(body.to_string().into_bytes());
            assert_eq!(world.send(Method::POST, &path(&world, what), Some(&token), body).await.0, 403, "{role} {what}");
        }
    }
    let other = World::empty("org-rollback-none").await;
    assert_eq!(ask(&other, "", json!({ "at": at })).await.0, 404);
    assert_eq!(other.call(Method::POST, &path(&other, "/resume"), None).await.0, 404);
    assert_eq!(of(&world, "app").runs().await.len(), 1);
}
