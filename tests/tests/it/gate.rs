//! What stands between "the registry has it" and "we serve it": which tags are selected, old enough, and did not move that
//! should not.

use std::time::Duration;

use moorage_domain::{Digest, run::Trigger};
use moorage_tests::{
    eventually,
    gate::{holds, preview, previewed, served},
    image::{Image, delete, layer},
    proxy::{Fault, Proxy, count},
    table,
    world::{World, outcome},
};
use reqwest::Method;
use serde_json::{Value, json};

/// How long a sync may take that somebody else has begun.
const SYNC_LIMIT: Duration = Duration::from_secs(60);

fn image() -> Image {
    Image::oci("amd64", &[layer(rand::random(), 300)])
}

async fn push(world: &World, tags: &[&str]) -> Vec<Image> {
    let upstream = format!("http://{}", world.stack.upstream);
    let mut images = Vec::new();
    for tag in tags {
        let image = image();
        image.push(&upstream, &world.path, tag).await;
        images.push(image);
    }
    images
}

async fn release(world: &World, digest: &Digest, body: Value) -> (u16, Value) {
    world.call(Method::POST, &world.mirror_path(&format!("/holds/{digest}/release")), Some(body)).await
}

/// Lets all images of the repository have been seen longer ago.
async fn age(world: &World, seconds: i64) {
    for (sk, item) in table::all_of(&world.stack, &world.repository).await {
        if sk.starts_with("GATE#SEEN#") {
            let seen: i64 = item["first_seen"].as_n().unwrap().parse().unwrap();
            let key = table::Key(format!("REPO#{}", world.repository), sk);
            table::set(&world.stack, &key, [("first_seen", table::number(seen - seconds))]).await;
        }
    }
}

#[tokio::test]
async fn the_newest_versions_are_mirrored_and_what_falls_out_of_them_goes() {
    let world = World::new("selection").await;
    push(&world, &["1.0.0", "v1.1.0", "1.2.0", "1.3.0-rc.1", "latest", "edge"]).await;
    let proxy = Proxy::start(&format!("http://{}", world.stack.upstream)).await;
    let selection = json!({"version": {"ranges": [">=1.0 <2"]}, "newest": 2, "always": ["latest"]});
    world.create_mirror(&proxy.address, json!({"selection": selection})).await;
    assert_eq!(world.mirror().await["selection"], selection, "as it was sent");

    let told = preview(&world, json!({})).await;
    let seen = count(&proxy.take_seen());
    assert_eq!(seen.get("HEAD manifests"), Some(&3), "only what is selected is asked for: {seen:?}");
    let step = |name: &str| previewed(&told, name)["gate"]["step"].clone();
    assert_eq!(
        [step("1.0.0"), step("1.3.0-rc.1"), step("edge")],
        [json!("newest"), json!("version"), json!("version")]
    );
    let (older, newer) = (previewed(&told, "v1.1.0"), previewed(&told, "1.2.0"));
    assert_eq!((&newer["rank"], &older["rank"], &older["key"]), (&json!(1), &json!(2), &json!("1.1.0")));
    assert_eq!(previewed(&told, "latest")["spared_by_always"], "version");
    assert_eq!(
        (&told["counts"]["copy"], &told["counts"]["ignore"], &told["cost"]["pulls"]),
        (&json!(3), &json!(3), &json!(3))
    );

    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_copied"], &run["tags_total"]), (&json!("SUCCESS"), &json!(3), &json!(3)));
    for (tag, is_served) in
        [("1.0.0", false), ("v1.1.0", true), ("1.2.0", true), ("1.3.0-rc.1", false), ("latest", true)]
    {
        assert_eq!(served(&world, tag).await.is_some(), is_served, "{tag}");
    }

    // Nothing new costs what it costs without a selection.
    proxy.take_seen();
    let run = world.sync().await;
    let seen = count(&proxy.take_seen());
    assert_eq!(
        (&run["tags_unchanged"], seen.get("HEAD manifests"), seen.get("GET manifests")),
        (&json!(3), Some(&3), None)
    );

    push(&world, &["1.3.0"]).await;
    let told = preview(&world, json!({})).await;
    let falling = previewed(&told, "v1.1.0");
    assert_eq!(
        (&falling["action"], &falling["cause"], &falling["gate"]["step"]),
        (&json!("delete"), &json!("deselected"), &json!("newest"))
    );
    let run = world.sync().await;
    assert_eq!((&run["tags_copied"], &run["tags_pruned"]), (&json!(1), &json!(1)));
    let pruned = outcome(&run, "v1.1.0");
    assert_eq!((&pruned["outcome"], &pruned["gate"]["step"]), (&json!("pruned"), &json!("newest")));
    assert_eq!(served(&world, "v1.1.0").await, None);

    // Without the field all that the root rule selects is mirrored again.
    world.change_mirror(json!({"selection": null})).await;
    assert_eq!(world.mirror().await.get("selection"), None);
    assert_eq!(world.sync().await["tags_total"], 7);
}

#[tokio::test]
async fn images_are_looked_at_once_to_see_what_they_are_for_and_how_large_they_are() {
    let world = World::new("facts").await;
    let upstream = format!("http://{}", world.stack.upstream);
    Image::oci("amd64", &[layer(rand::random(), 300)]).push(&upstream, &world.path, "amd").await;
    Image::oci("arm64", &[layer(rand::random(), 300)]).push(&upstream, &world.path, "arm").await;
    Image::oci("amd64", &[layer(rand::random(), 9_000)]).push(&upstream, &world.path, "large").await;
    let both =
        vec![Image::oci("amd64", &[layer(rand::random(), 300)]), Image::oci("arm64", &[layer(rand::random(), 300)])];
    Image::index(both).push(&upstream, &world.path, "both").await;
    let proxy = Proxy::start(&upstream).await;
    let selection = json!({"platforms": ["linux/amd64"], "max_size": 8_000});
    world.create_mirror(&proxy.address, json!({"selection": selection})).await;
    let told = preview(&world, json!({})).await;
    let said = |name: &str| (previewed(&told, name)["action"].clone(), previewed(&told, name)["gate"]["step"].clone());
    assert_eq!(said("arm"), (json!("ignore"), json!("platforms")));
    assert_eq!(said("large"), (json!("ignore"), json!("max_size")));
    assert_eq!((said("amd").0, said("both").0), (json!("copy"), json!("copy")));
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_copied"]), (&json!("SUCCESS"), &json!(2)), "{run}");
    proxy.take_seen();
    assert_eq!(world.sync().await["tags_unchanged"], 2);
    let seen = count(&proxy.take_seen());
    assert_eq!((seen.get("GET manifests"), seen.get("GET blobs")), (None, None), "all of it is known: {seen:?}");
    // What is here is judged by a stricter rule, too, without asking the registry for it.
    world.change_mirror(json!({"selection": {"platforms": ["linux/arm64"]}})).await;
    let run = world.sync().await;
    assert_eq!(outcome(&run, "amd")["outcome"], "pruned");
    assert_eq!((served(&world, "amd").await, served(&world, "both").await.is_some()), (None, true));
    assert!(served(&world, "arm").await.is_some());
}

#[tokio::test]
async fn a_young_image_waits_until_it_is_old_enough_or_somebody_lets_it_in() {
    let world = World::new("quarantine").await;
    let first = push(&world, &["1.0", "1.1"]).await;
    let registry = world.stack.upstream.clone();
    // So that the schedule does not come first.
    let rarely = json!({"min_age": {"mode": "enforce", "seconds": 86_400}, "sync_interval": 3_000_000_000_u64});
    world.create_mirror(&registry, rarely).await;
    let run = world.sync().await;
    assert_eq!(
        (&run["status"], &run["tags_held"], &run["tags_done"]),
        (&json!("SUCCESS"), &json!(2), &json!(2)),
        "{run}"
    );
    let held = outcome(&run, "1.0");
    assert_eq!(
        (&held["outcome"], &held["gate"]["question"], &held["gate"]["reason"]),
        (&json!("held"), &json!("min_age"), &json!("too_young"))
    );
    assert_eq!(held["digest"], json!(first[0].digest()));
    let until = held["gate"]["until"].as_str().unwrap();
    assert_eq!(world.mirror().await["sync_warning"]["reason"], "tags_held");
    let waiting = holds(&world).await;
    assert_eq!(waiting.len(), 2);
    assert_eq!((&waiting[0]["tag"], &waiting[0]["served_digest"]), (&json!("1.0"), &Value::Null));
    assert!(waiting[1]["until"].as_str().unwrap() >= until && waiting[0]["can_be_released"] == true, "{waiting:?}");
    assert_eq!(served(&world, "1.0").await, None);
    let told = preview(&world, json!({})).await;
    assert_eq!((&previewed(&told, "1.0")["action"], &told["counts"]["gated"]), (&json!("wait"), &json!(2)));
    // The mirror wakes by itself when the first of them may be let in.
    let scheduler = aws_sdk_scheduler::Client::new(&world.stack.aws);
    let listed =
        scheduler.list_schedules().group_name(&world.stack.schedule_group).name_prefix("hold-").send().await.unwrap();
    let mut wakes = 0;
    for schedule in listed.schedules {
        let get = scheduler.get_schedule().group_name(&world.stack.schedule_group).name(schedule.name.unwrap());
        let schedule = get.send().await.unwrap();
        wakes += usize::from(schedule.target.unwrap().input.unwrap().contains(world.repository.as_str()));
    }
    assert_eq!(wakes, 1);

    // Somebody lets one in; nobody does without a reason.
    let digest = first[1].digest();
    assert_eq!(release(&world, &digest, json!({})).await.0, 400);
    assert_eq!(release(&world, &digest, json!({"reason": "  "})).await.0, 400);
    assert_eq!(release(&world, &image().digest(), json!({"reason": "?"})).await.0, 404);
    assert_eq!(release(&world, &digest, json!({"reason": "a fix for the outage"})).await, (204, json!("")));
    eventually("1.1 is served", SYNC_LIMIT, async || served(&world, "1.1").await).await;
    world.wait_for(&["SUCCESS"]).await;
    assert_eq!(holds(&world).await.len(), 1);
    let released = |entry: &&Value| entry["metadata"]["changed"] == "hold_released";
    let log = world.log().await;
    let entry = log.iter().find(released).expect("a release is logged");
    assert_eq!(entry["metadata"]["to"]["reason"], "a fix for the outage");

    // The other waits its time, and then the mirror's waking lets it in.
    age(&world, 86_401).await;
    world.invoke(Trigger::Hold).await;
    eventually("1.0 is served", SYNC_LIMIT, async || served(&world, "1.0").await).await;
    world.wait_for(&["SUCCESS"]).await;
    assert_eq!(holds(&world).await, Vec::<Value>::new());
    assert_eq!(world.last_run().await["trigger"], "hold");

    // A tag that moves begins anew, and serves what it was; a name of an image that is old enough does not wait.
    let upstream = format!("http://{}", world.stack.upstream);
    first[0].push(&upstream, &world.path, "stable").await;
    age(&world, 86_401).await;
    let second = push(&world, &["1.0"]).await;
    let run = world.sync().await;
    assert_eq!(
        (&outcome(&run, "1.0")["outcome"], &outcome(&run, "stable")["outcome"]),
        (&json!("held"), &json!("copied")),
        "{run}"
    );
    assert_eq!(served(&world, "1.0").await, Some(first[0].digest()));
    let waiting = holds(&world).await;
    assert_eq!(
        (&waiting[0]["digest"], &waiting[0]["served_digest"]),
        (&json!(second[0].digest()), &json!(first[0].digest()))
    );
    // It is never deleted for that, and what vanishes while it waits is forgotten.
    delete(&upstream, &world.path, &second[0].digest()).await;
    let run = world.sync().await;
    assert_eq!(holds(&world).await, Vec::<Value>::new(), "{run}");

    // Who only observes is told, and served.
    world.change_mirror(json!({"min_age": {"mode": "observe", "seconds": 86_400}})).await;
    push(&world, &["1.2"]).await;
    let run = world.sync().await;
    let observed = outcome(&run, "1.2");
    assert_eq!((&observed["outcome"], &observed["gate"]["mode"]), (&json!("copied"), &json!("observe")));
    world.change_mirror(json!({"min_age": null})).await;
    assert_eq!(world.mirror().await.get("min_age"), None);
    assert_eq!(holds(&world).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_young_newest_version_pushes_out_none_that_is_served() {
    let world = World::new("maturity").await;
    push(&world, &["1.0", "1.1"]).await;
    let registry = world.stack.upstream.clone();
    let gate = json!({"selection": {"newest": 1}, "min_age": {"mode": "enforce", "seconds": 86_400}});
    world.create_mirror(&registry, gate).await;
    world.sync().await;
    age(&world, 86_401).await;
    let run = world.sync().await;
    assert_eq!((&run["tags_copied"], served(&world, "1.1").await.is_some()), (&json!(1), true), "{run}");
    push(&world, &["1.2"]).await;
    let run = world.sync().await;
    assert_eq!((&outcome(&run, "1.2")["outcome"], &run["tags_pruned"]), (&json!("held"), &json!(0)), "{run}");
    assert!(served(&world, "1.1").await.is_some());
    age(&world, 86_401).await;
    let run = world.sync().await;
    assert_eq!(
        (&outcome(&run, "1.2")["outcome"], &outcome(&run, "1.1")["outcome"]),
        (&json!("copied"), &json!("pruned"))
    );
}

#[tokio::test]
async fn what_is_served_goes_only_for_what_is_here_and_never_for_what_did_not_come() {
    let world = World::new("served").await;
    let upstream = format!("http://{}", world.stack.upstream);
    push(&world, &["1.0"]).await;
    let proxy = Proxy::start(&upstream).await;
    world.create_mirror(&proxy.address, json!({"selection": {"newest": 1}})).await;
    assert_eq!(world.sync().await["tags_copied"], 1);
    // The newest cannot be copied: what it would push out stays.
    push(&world, &["1.1"]).await;
    proxy.fault("GET", "blobs", 100, Fault::Status(404, vec![]));
    let run = world.sync().await;
    assert_eq!((&outcome(&run, "1.1")["outcome"], &run["tags_pruned"]), (&json!("failed"), &json!(0)), "{run}");
    assert!(served(&world, "1.0").await.is_some());
    proxy.heal();
    let run = world.sync().await;
    assert_eq!((&run["tags_copied"], &run["tags_pruned"]), (&json!(1), &json!(1)), "{run}");
    // Nor does one that is for another platform take its place.
    world.change_mirror(json!({"selection": {"newest": 1, "platforms": ["linux/amd64"]}})).await;
    Image::oci("arm64", &[layer(rand::random(), 300)]).push(&upstream, &world.path, "1.2").await;
    let run = world.sync().await;
    assert_eq!((served(&world, "1.1").await.is_some(), &run["tags_pruned"]), (true, &json!(0)), "{run}");
    // A tag that moves to an image that does not fit stays what it was.
    world.change_mirror(json!({"selection": {"platforms": ["linux/amd64"]}})).await;
    let before = served(&world, "1.1").await;
    Image::oci("arm64", &[layer(rand::random(), 300)]).push(&upstream, &world.path, "1.1").await;
    let run = world.sync().await;
    let moved = outcome(&run, "1.1");
    assert_eq!((&moved["outcome"], &moved["gate"]["step"]), (&json!("held"), &json!("platforms")), "{run}");
    assert_eq!(served(&world, "1.1").await, before);
}

#[tokio::test]
async fn a_tag_that_must_not_move_stays_until_somebody_says_that_it_may() {
    let world = World::new("steady").await;
    let first = push(&world, &["v1", "nightly", "base", "watched"]).await;
    let rules = json!([
        {"tags": ["v*"], "action": "hold"}, {"tags": ["base"], "action": "keep"}, {"tags": ["nightly"], "action": "follow"},
    ]);
    let registry = world.stack.upstream.clone();
    world.create_mirror(&registry, json!({"on_move": {"mode": "enforce", "rules": rules}})).await;
    assert_eq!(world.sync().await["tags_copied"], 4);
    let second = push(&world, &["v1", "nightly", "base", "watched"]).await;
    let told = preview(&world, json!({})).await;
    let actions = ["v1", "nightly", "base", "watched"].map(|tag| previewed(&told, tag)["action"].clone());
    assert_eq!(actions, [json!("wait"), json!("copy"), json!("keep"), json!("copy")]);
    let run = world.sync().await;
    assert_eq!(
        (&run["status"], &run["tags_held"], &run["tags_copied"]),
        (&json!("SUCCESS"), &json!(1), &json!(2)),
        "{run}"
    );
    let said = |tag: &str| (outcome(&run, tag)["outcome"].clone(), outcome(&run, tag)["gate"]["reason"].clone());
    assert_eq!(said("v1"), (json!("held"), json!("moved")));
    assert_eq!(said("base"), (json!("unchanged"), json!("kept")));
    assert_eq!(said("nightly"), (json!("copied"), Value::Null));
    let expected = [&first[0], &second[1], &first[2], &second[3]].map(|image| Some(image.digest()));
    for (tag, expected) in ["v1", "nightly", "base", "watched"].into_iter().zip(expected) {
        assert_eq!(served(&world, tag).await, expected, "{tag}");
    }
    let run = world.sync().await;
    assert_eq!((outcome(&run, "v1")["outcome"].as_str(), holds(&world).await.len()), (Some("held"), 1), "and again");
    assert_eq!(release(&world, &second[0].digest(), json!({"reason": "rebuilt"})).await.0, 204);
    let moved = async || served(&world, "v1").await.filter(|digest| *digest == second[0].digest());
    eventually("v1 follows", SYNC_LIMIT, moved).await;
    world.wait_for(&["SUCCESS"]).await;
    assert_eq!(holds(&world).await, Vec::<Value>::new());
    // Observing tells, and follows.
    world.change_mirror(json!({"on_move": {"mode": "observe", "rules": rules}})).await;
    push(&world, &["v1"]).await;
    let run = world.sync().await;
    let observed = outcome(&run, "v1");
    assert_eq!((&observed["outcome"], &observed["gate"]["reason"]), (&json!("copied"), &json!("moved")));
}

#[tokio::test]
async fn a_field_that_is_wrong_is_named() {
    let world = World::new("wrong").await;
    let registry = world.stack.upstream.clone();
    world.create_mirror(&registry, json!({})).await;
    for (body, field) in [
        (json!({"selection": []}), "selection"),
        (json!({"selection": {"newest": 0}}), "selection.newest"),
        (json!({"selection": {"include_regex": "(?=x)"}}), "selection.include_regex"),
        (json!({"selection": {"version": {"ranges": [">=1", "=>"]}}}), "selection.version.ranges[1]"),
        (json!({"selection": {"surprise": 1}}), "selection"),
        (json!({"selection": {"include_regex": "x".repeat(20_000)}}), "selection"),
        (json!({"min_age": {"mode": "enforce"}}), "min_age"),
        (json!({"min_age": {"mode": "enforce", "seconds": -1}}), "min_age.seconds"),
        (
            json!({"on_move": {"mode": "enforce", "rules": [{"tags": ["*"], "action": "jump"}]}}),
            "on_move.rules[0].action",
        ),
    ] {
        for (method, path) in [(Method::PUT, ""), (Method::POST, "/preview")] {
            let (status, problem) = world.call(method, &world.mirror_path(path), Some(body.clone())).await;
            let detail = problem["detail"].as_str().unwrap_or_default();
            assert!(status == 400 && detail.starts_with(field), "{body}: {problem}");
        }
    }
    assert_eq!(holds(&world).await, Vec::<Value>::new());
}
