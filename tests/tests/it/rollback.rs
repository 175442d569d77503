//! Turning a mirror's tags back to what they were.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{Digest, Timestamp, run::Trigger};
use moorage_tests::{
    bucket, eventually,
    gate::served,
    image::{self, Image, layer},
    table,
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

fn new_image() -> Image {
    Image::oci("amd64", &[layer(rand::random(), 300)])
}

async fn push(world: &World, tag: &str, image: &Image) {
    image.push(&format!("http://{}", world.stack.upstream), &world.path, tag).await;
}

/// An image that something refers to.
async fn push_signed(world: &World, tag: &str) -> (Image, Image) {
    let image = new_image();
    let referrer = Image::referrer(&image, layer(rand::random(), 50));
    push(world, tag, &image).await;
    push(world, &image.referrers_tag(), &Image::referrers(vec![referrer.clone()])).await;
    (image, referrer)
}

/// Moments are whole seconds: what comes next is not of this one.
async fn next_second() {
    tokio::time::sleep(Duration::from_millis(1_100)).await;
}

async fn ask(world: &World, body: Value) -> (u16, Value) {
    world.call(Method::POST, &world.mirror_path("/rollback"), Some(body)).await
}

/// Turns back, and returns the run.
async fn roll_back(world: &World, body: Value) -> Value {
    let (status, started) = ask(world, body).await;
    assert_eq!(status, 202, "{started}");
    world.wait_for(&["SUCCESS", "FAIL"]).await;
    let run = world.last_run().await;
    assert_eq!((&run["run_id"], &run["trigger"]), (&started["run_id"], &json!("rollback")), "{run}");
    next_second().await;
    run
}

async fn changes(world: &World, run: &Value) -> Value {
    let path = format!("/runs/{}/changes", run["run_id"].as_str().unwrap());
    world.call(Method::GET, &world.mirror_path(&path), None).await.1["changes"].clone()
}

async fn resume(world: &World) -> u16 {
    world.call(Method::POST, &world.mirror_path("/resume"), None).await.0
}

#[tokio::test]
async fn tags_become_what_they_were_and_that_can_be_undone() {
    let world = World::new("rollback").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let (old, signature) = push_signed(&world, "a").await;
    let (gone, same) = (new_image(), new_image());
    push(&world, "b", &gone).await;
    push(&world, "same", &same).await;
    world.create_mirror(&world.stack.upstream, json!({"deletion_grace": 1})).await;
    let first = world.sync().await;
    assert_eq!(first["status"], "SUCCESS", "{first}");
    next_second().await;
    let (new, other) = push_signed(&world, "a").await;
    let made = new_image();
    push(&world, "c", &made).await;
    for lost in [&gone, &Image::referrers(vec![signature.clone()])] {
        image::delete(&upstream, &world.path, &lost.digest()).await;
    }
    let second = world.sync().await;
    assert_eq!([served(&world, "b").await, served(&world, "c").await], [None, Some(made.digest())], "{second}");
    assert_eq!(world.referrers(&new).await, [other.digest().to_string()]);
    assert_eq!(served(&world, &old.referrers_tag()).await, None);
    next_second().await;

    let expected = json!([
        {"tag": "a", "change": "moved", "from": new.digest(), "to": old.digest()},
        {"tag": "b", "change": "created", "to": gone.digest()},
        {"tag": "c", "change": "deleted", "from": made.digest()},
    ]);
    let of_images = |changes: &Value| {
        let all = changes.as_array().unwrap().iter();
        all.filter(|it| !it["tag"].as_str().unwrap().starts_with("sha256-")).cloned().collect::<Value>()
    };
    let (status, plan) = ask(&world, json!({"run_id": first["run_id"], "dry_run": true})).await;
    assert_eq!((status, of_images(&plan["changes"])), (200, expected.clone()), "{plan}");
    assert_eq!((&plan["missing"], &plan["unverified"]), (&json!([]), &json!(0)), "{plan}");
    assert_eq!(plan["total"], 5, "and what is attached to what goes and comes: {plan}");
    assert_eq!(served(&world, "a").await, Some(new.digest()), "nothing was done");
    assert_eq!(world.mirror().await["paused"], Value::Null);

    let run = roll_back(&world, json!({"run_id": first["run_id"]})).await;
    assert_eq!((&run["status"], &run["rollback"]["run_id"]), (&json!("SUCCESS"), &first["run_id"]), "{run}");
    assert_eq!(of_images(&changes(&world, &run).await), expected);
    let now = [served(&world, "a").await, served(&world, "b").await, served(&world, "c").await];
    assert_eq!(now, [Some(old.digest()), Some(gone.digest()), None]);
    assert_eq!(world.referrers(&old).await, [signature.digest().to_string()], "what is attached came with it");
    assert_eq!(served(&world, &new.referrers_tag()).await, None, "and went with it");
    bucket::check(&world.stack, &world.repository).await;
    let log = world.log().await;
    assert!(log.iter().any(|it| it["kind"] == "revert_tag" && it["metadata"]["tag"] == "a"), "{log:?}");

    // Nothing undoes it by the way.
    assert!(world.mirror().await["paused"]["since"].is_string());
    let (status, answer) = world.call(Method::POST, &world.mirror_path("/sync-now"), Some(json!({}))).await;
    assert!(status == 409 && answer.to_string().contains("paused"), "{status} {answer}");
    assert_eq!(world.call(Method::POST, &world.mirror_path("/verify"), None).await.0, 409);
    let (_, webhook) = world.call(Method::POST, &world.mirror_path("/webhook"), Some(json!({}))).await;
    let address = format!("webhooks/{}", webhook["url"].as_str().unwrap().rsplit('/').next().unwrap());
    let (status, said) = world.call(Method::POST, &address, Some(json!({"tags": ["a"]}))).await;
    assert!(status == 202 && said["ignored"].as_str().unwrap().contains("paused"), "{said}");
    let due = AttributeValue::N("1000".to_owned());
    table::set(&world.stack, &table::Key::mirror(&world.repository), [("sync_start_date", due)]).await;
    for trigger in [Trigger::Schedule, Trigger::Retry, Trigger::Hold] {
        world.invoke(trigger).await;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(world.runs().await.len(), 3);

    let undone = roll_back(&world, json!({"run_id": second["run_id"]})).await;
    assert_eq!(undone["status"], "SUCCESS", "{undone}");
    let now = [served(&world, "a").await, served(&world, "b").await, served(&world, "c").await];
    assert_eq!(now, [Some(new.digest()), None, Some(made.digest())]);
    assert_eq!(world.referrers(&new).await, [other.digest().to_string()]);

    // Of some tags, and in time.
    let at = first["ended_at"].as_str().unwrap();
    let run = roll_back(&world, json!({"at": at, "tags": ["b*"]})).await;
    assert_eq!(changes(&world, &run).await, json!([expected[1]]));
    let nothing = roll_back(&world, json!({"at": at, "tags": ["b*"]})).await;
    assert_eq!((&nothing["status"], changes(&world, &nothing).await), (&json!("SUCCESS"), json!([])));

    assert_eq!([resume(&world).await, resume(&world).await], [204, 204]);
    assert_eq!(world.mirror().await["paused"], Value::Null);
    let synced = world.sync().await;
    assert_eq!((&synced["status"], served(&world, "b").await), (&json!("SUCCESS"), None), "{synced}");
    bucket::check(&world.stack, &world.repository).await;
}

#[tokio::test]
async fn nothing_moves_unless_everything_is_there() {
    let world = World::new("rollback-gone").await;
    let (old, kept) = (new_image(), new_image());
    push(&world, "a", &old).await;
    push(&world, "b", &kept).await;
    world.create_mirror(&world.stack.upstream, json!({})).await;
    let first = world.sync().await;
    next_second().await;
    let (new, newer) = (new_image(), new_image());
    push(&world, "a", &new).await;
    push(&world, "b", &newer).await;
    world.sync().await;
    next_second().await;
    let lost = bucket::blob_key(&Digest::sha256(&old.blobs[1]));
    let delete = world.stack.s3().delete_object().bucket(&world.stack.bucket).key(&lost);
    delete.send().await.unwrap();
    let (_, plan) = ask(&world, json!({"run_id": first["run_id"], "dry_run": true})).await;
    assert_eq!(plan["missing"], json!(["a"]), "{plan}");
    let run = roll_back(&world, json!({"run_id": first["run_id"]})).await;
    let message = run["failure"]["message"].as_str().unwrap();
    assert!(run["status"] == "FAIL" && message.contains("(a)"), "{run}");
    assert_eq!([served(&world, "a").await, served(&world, "b").await], [Some(new.digest()), Some(newer.digest())]);
    // What is there may be had.
    let run = roll_back(&world, json!({"run_id": first["run_id"], "tags": ["b"], "pause": false})).await;
    assert_eq!((&run["status"], served(&world, "b").await), (&json!("SUCCESS"), Some(kept.digest())), "{run}");
    assert!(world.mirror().await["paused"]["since"].is_string(), "it is paused since the first");
}

#[tokio::test]
async fn what_is_wrong_is_refused() {
    let world = World::new("rollback-wrong").await;
    push(&world, "a", &new_image()).await;
    world.create_mirror(&world.stack.upstream, json!({})).await;
    let run = world.sync().await;
    let began = Timestamp::parse_iso(run["started_at"].as_str().unwrap()).unwrap();
    let before_all = Timestamp::from_unix(began.unix() - 60).iso();
    let (id, at) = (&run["run_id"], &run["ended_at"]);
    for (body, status) in [
        (json!({}), 400),
        (json!({"run_id": id, "at": at}), 400),
        (json!({"run_id": "00000000-0000-4000-8000-000000000000"}), 404),
        (json!({"run_id": "x"}), 404),
        (json!({"at": "yesterday"}), 400),
        (json!({"at": "2099-01-01T00:00:00Z"}), 400),
        (json!({"at": "2020-01-01T00:00:00Z"}), 400),
        (json!({"at": before_all, "dry_run": true}), 400),
        (json!({"run_id": id, "tags": []}), 400),
        (json!({"run_id": id, "tags": "a"}), 400),
        (json!({"run_id": id, "tag": "a"}), 400),
        (json!({"run_id": id, "resume_at": "2020-01-01T00:00:00Z"}), 400),
        (json!({"run_id": id, "resume_at": "2099-01-01T00:00:00Z", "pause": false}), 400),
    ] {
        let (answered, said) = ask(&world, body.clone()).await;
        assert_eq!(answered, status, "{body}: {said}");
    }
    let token = world.token(Some(world.repository.namespace().as_str()), "write").await;
    let body = json!({"run_id": id}).to_string().into_bytes();
    assert_eq!(world.send(Method::POST, &world.mirror_path("/rollback"), Some(&token), Some(body)).await.0, 403);
    assert_eq!(world.runs().await.len(), 1);
}

#[tokio::test]
async fn who_pulls_meanwhile_never_sees_a_tag_without_its_content() {
    let world = World::new("rollback-pulls").await;
    let tags: Vec<String> = (0..24).map(|number| format!("t{number}")).collect();
    let pushed = async || {
        for tag in &tags {
            push(&world, tag, &new_image()).await;
        }
    };
    pushed().await;
    world.create_mirror(&world.stack.upstream, json!({})).await;
    let first = world.sync().await;
    next_second().await;
    pushed().await;
    let second = world.sync().await;
    next_second().await;
    let stop = Arc::new(AtomicBool::new(false));
    let pullers: Vec<_> = (0..3)
        .map(|puller| {
            let (world, tags, stop) = (world.clone(), tags.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let client = world.robot().await;
                let (mut pulled, mut number) = (0, puller * 8);
                while !stop.load(Ordering::Relaxed) {
                    let tag = &tags[number % tags.len()];
                    let path = format!("/v2/{}", world.repository);
                    let reply = client.get(&format!("{path}/manifests/{tag}")).await;
                    assert_eq!(reply.status, 200, "{tag}");
                    for blob in reply.json()["layers"].as_array().unwrap() {
                        let digest = blob["digest"].as_str().unwrap();
                        let blob = client.fetch(&format!("{path}/blobs/{digest}"), &[]).await;
                        assert_eq!(Digest::sha256(&blob.body).to_string(), digest, "{tag}");
                    }
                    (pulled, number) = (pulled + 1, number + 1);
                }
                pulled
            })
        })
        .collect();
    for run in [&first, &second, &first] {
        let run = roll_back(&world, json!({"run_id": run["run_id"]})).await;
        assert_eq!((&run["status"], &run["tags_copied"]), (&json!("SUCCESS"), &json!(tags.len())), "{run}");
    }
    stop.store(true, Ordering::Relaxed);
    for puller in pullers {
        assert!(puller.await.unwrap() > 0);
    }
    eventually("the record is that of the bucket", Duration::from_secs(5), async || {
        bucket::check(&world.stack, &world.repository).await;
        Some(())
    })
    .await;
}

/// Before, the bucket had what the table did not know of, and no sync asked.
#[tokio::test]
async fn what_is_cancelled_halfway_is_mended() {
    let world = World::new("rollback-cancel").await;
    let tags: Vec<String> = (0..48).map(|number| format!("t{number}")).collect();
    let pushed = async || {
        let mut digests = Vec::new();
        for tag in &tags {
            let image = new_image();
            push(&world, tag, &image).await;
            digests.push(Some(image.digest()));
        }
        digests
    };
    let all_served = async || {
        let mut digests = Vec::new();
        for tag in &tags {
            digests.push(served(&world, tag).await);
        }
        digests
    };
    pushed().await;
    world.create_mirror(&world.stack.upstream, json!({})).await;
    let first = world.sync().await;
    next_second().await;
    let new = pushed().await;
    let second = world.sync().await;
    next_second().await;
    let mut cancelled = 0;
    for delay in [400, 700, 1_000, 1_400] {
        let (status, started) = ask(&world, json!({"run_id": first["run_id"]})).await;
        assert_eq!(status, 202, "{started}");
        tokio::time::sleep(Duration::from_millis(delay)).await;
        let (status, _) = world.call(Method::POST, &world.mirror_path("/sync-cancel"), Some(json!({}))).await;
        cancelled += usize::from(status == 204);
        world.wait_for(&["CANCEL", "SUCCESS"]).await;
        // Until it has noticed, nobody else begins.
        let undone = eventually("it is undone", Duration::from_secs(40), async || {
            next_second().await;
            let (status, _) = ask(&world, json!({"run_id": second["run_id"]})).await;
            (status == 202).then_some(())
        });
        undone.await;
        world.wait_for(&["SUCCESS", "FAIL"]).await;
        assert_eq!(world.mirror().await["sync_status"], "SUCCESS", "{:?}", world.last_run().await);
        assert!(all_served().await == new, "undone, after {delay} ms");
        next_second().await;
        assert_eq!(resume(&world).await, 204);
    }
    assert!(cancelled > 0, "all of them were too fast");
    let (status, _) = ask(&world, json!({"run_id": first["run_id"]})).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(status, 202);
    world.call(Method::POST, &world.mirror_path("/sync-cancel"), Some(json!({}))).await;
    assert_eq!(resume(&world).await, 204);
    let synced = world.sync().await;
    assert_eq!((&synced["status"], all_served().await == new), (&json!("SUCCESS"), true), "{synced}");
    bucket::check(&world.stack, &world.repository).await;
}

/// Before, it had its tags since that sync, and turning back to an earlier moment took them away.
#[tokio::test]
async fn what_is_copied_again_is_there_since_it_came() {
    let world = World::new("rollback-sparse").await;
    let platforms: Vec<Image> =
        ["amd64", "arm64"].map(|it| Image::oci(it, &[layer(rand::random(), 300)])).into_iter().collect();
    let index = Image::index(platforms);
    push(&world, "a", &index).await;
    world.create_mirror(&world.stack.upstream, json!({"architecture_filter": ["amd64"]})).await;
    let first = world.sync().await;
    next_second().await;
    let (status, said) =
        world.call(Method::PUT, &world.mirror_path(""), Some(json!({"architecture_filter": ["amd64", "arm64"]}))).await;
    assert_eq!(status, 201, "{said}");
    assert_eq!(world.sync().await["tags_copied"], 1);
    next_second().await;
    let (_, plan) = ask(&world, json!({"run_id": first["run_id"], "dry_run": true})).await;
    assert_eq!((&plan["total"], &plan["changes"]), (&json!(0), &json!([])), "{plan}");
}
