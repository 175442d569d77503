//! Syncs, and what comes of them.

use std::time::Duration;

use moorage_tests::{
    cli::Moorage,
    gate::served,
    image::{Image, layer},
    proxy::{Fault, Proxy},
    world::World,
};
use serde_json::json;

async fn push(world: &World, tag: &str) -> Image {
    let image = Image::oci("amd64", &[layer(rand::random(), 300)]);
    image.push(&format!("http://{}", world.stack.upstream), &world.path, tag).await;
    image
}

#[tokio::test]
async fn a_sync_is_waited_for_and_turned_back() {
    let world = World::new("cli-sync").await;
    let (moorage, name) = (Moorage::new(&world.stack), world.repository.as_str());
    let first = push(&world, "v1").await;
    world.create_mirror(&world.stack.upstream, json!({})).await;
    let none = moorage.run(&["runs", name]).await.ends(0);
    assert!(none.out.replace('\n', " ").contains("has not been synced yet"), "{none:?}");

    let ran = moorage.run(&["sync", name, "--wait"]).await.ends(0);
    assert!(ran.out.contains("succeeded: 1 copied"), "{}", ran.out);
    let runs = moorage.json(&["runs", name]).await;
    let id = runs["runs"][0]["run_id"].as_str().unwrap().to_owned();
    assert_eq!(runs["runs"].as_array().unwrap().len(), 1);
    let listed = moorage.run(&["runs", name]).await.ends(0);
    assert!(listed.out.contains(&id), "an id is never cut: {}", listed.out);
    let shown = moorage.run(&["runs", name, "last"]).await.ends(0);
    assert!(shown.out.contains("copied"), "{}", shown.out);
    assert_eq!(moorage.json(&["runs", name, &id]).await["tags"][0]["tag"], "v1");

    push(&world, "v1").await;
    let preview = moorage.json(&["preview", name, "--action", "copy"]).await;
    assert_eq!(preview["tags"].as_array().unwrap().len(), 1, "{preview}");
    let _ = moorage.run(&["preview", name]).await.ends(0);
    // Moments are whole seconds: what comes next is not of this one.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(moorage.json(&["sync", name, "--wait"]).await["run"]["tags_copied"], 1);
    let changes = moorage.json(&["changes", name]).await;
    assert_eq!((&changes["changes"][0]["tag"], &changes["changes"][0]["change"]), (&json!("v1"), &json!("moved")));
    let since = moorage.run(&["changes", name, "--since", &id]).await.ends(0);
    assert!(since.out.contains("moved") && since.out.contains("By 1 run."), "{}", since.out);

    let dry = moorage.run(&["rollback", name, "--run", &id, "--dry-run"]).await.ends(0);
    assert!(dry.out.contains("v1") && dry.out.contains("moved"), "{}", dry.out);
    let unasked = moorage.run(&["rollback", name, "--run", &id]).await.ends(1);
    assert!(unasked.err.contains("nothing was done"), "{unasked:?}");
    let _ = moorage.run(&["rollback", name, "--run", &id, "--yes", "--wait"]).await.ends(0);
    assert_eq!(served(&world, "v1").await.unwrap(), first.digest());
    let paused = moorage.run(&["sync", name]).await.ends(1);
    assert!(paused.err.contains("409"), "{paused:?}");
    let again = moorage.run(&["rollback", name, "--run", &id, "--yes", "--wait", "--no-pause"]).await.ends(0);
    assert!(again.err.replace('\n', " ").contains("is paused already, and stays so"), "{again:?}");
    let resumed = moorage.run(&["resume", name]).await.ends(0);
    assert!(resumed.out.contains("is synced again"), "{resumed:?}");
    assert!(world.mirror().await["paused"].is_null());
    let idle = moorage.run(&["resume", name]).await.ends(0);
    assert!(idle.out.contains("was not paused"), "{idle:?}");
    let wrong = moorage.run(&["rollback", name, "--at", "yesterday"]).await.ends(64);
    assert!(wrong.err.contains("2026-01-31T23:59:59Z"), "{wrong:?}");
}

#[tokio::test]
async fn what_a_sync_holds_and_why_it_fails_is_told_by_its_exit() {
    let world = World::new("cli-held").await;
    let (moorage, name) = (Moorage::new(&world.stack), world.repository.as_str());
    let image = push(&world, "v1").await;
    world.create_mirror(&world.stack.upstream, json!({"min_age": {"mode": "enforce", "seconds": 86_400}})).await;
    let held = moorage.run(&["sync", name, "--wait"]).await.ends(2);
    assert!(held.out.contains("1 held"), "{}", held.out);
    let holds = moorage.run(&["holds", "list", name]).await.ends(0);
    assert!(holds.out.contains(&image.digest().to_string()), "a digest is never cut: {}", holds.out);
    assert_eq!(moorage.json(&["holds", "list", name]).await["holds"][0]["tag"], "v1");
    let digest = image.digest().to_string();
    let _ = moorage.run(&["holds", "release", name, &digest, "--reason", "a test"]).await.ends(0);
    world.wait_for(&["SUCCESS"]).await;
    let overview = moorage.run(&["runs", "--limit", "100000"]).await.ends(0);
    assert!(overview.out.contains("REPOSITORY"), "{}", overview.out);

    world.change_mirror(json!({"external_reference": "127.0.0.1:1/x"})).await;
    let failed = moorage.run(&["sync", name, "--wait", "--output", "json"]).await.ends(1);
    assert_eq!(failed.json()["run"]["status"], "FAIL");
    // Those that fail come first, and say why in words.
    let overview = moorage.run(&["runs", "--limit", "100000"]).await.ends(0).out;
    let ours = overview.lines().skip_while(|line| !line.starts_with(name)).collect::<Vec<_>>();
    assert!(ours[1].starts_with("    the connection to "), "{overview}");
    let first_fine = overview.lines().position(|line| line.contains(" succeeded "));
    let at = overview.lines().position(|line| line.starts_with(name));
    assert!(first_fine.is_none_or(|fine| at.unwrap() < fine), "{overview}");
    // The first try has failed; another one follows by itself, or has followed.
    let cancelled = moorage.run(&["cancel", name]).await.ends(0);
    assert!(cancelled.out.contains(name), "{cancelled:?}");
    let missing = moorage.run(&["sync", &format!("{}/none", world.namespace), "--wait"]).await.ends(1);
    assert!(missing.err.contains("has no mirror"), "{missing:?}");
}

#[tokio::test]
async fn who_has_waited_long_enough_is_told_that_it_goes_on() {
    let world = World::new("cli-slow").await;
    let (moorage, name) = (Moorage::new(&world.stack), world.repository.as_str());
    push(&world, "v1").await;
    let proxy = Proxy::start(&format!("http://{}", world.stack.upstream)).await;
    proxy.fault("GET", "tags/list", 1_000, Fault::Delay(Duration::from_secs(20)));
    world.create_mirror(&proxy.address, json!({})).await;
    let ran = moorage.run(&["sync", name, "--wait", "--timeout", "2"]).await.ends(75);
    assert!(ran.err.replace('\n', " ").contains("goes on"), "{ran:?}");
    let _ = moorage.run(&["cancel", name]).await.ends(0);
}

#[tokio::test]
async fn a_log_is_followed_until_somebody_has_seen_enough() {
    let world = World::new("cli-logs").await;
    let (moorage, name) = (Moorage::new(&world.stack), world.repository.as_str());
    push(&world, "v1").await;
    world.create_mirror(&world.stack.upstream, json!({})).await;
    let log = moorage.run(&["logs", name]).await.ends(0);
    assert!(log.out.contains("create_repo"), "{}", log.out);
    let following = moorage.start(&["logs", name, "--follow"]);
    following.line_with("create_repo", Duration::from_secs(20)).await;
    world.sync().await;
    let line = following.line_with("repo_mirror_sync_success", Duration::from_secs(20)).await;
    assert!(line.chars().count() <= 80);
    assert_eq!(following.interrupt(), 0);
    let entries = moorage.run(&["logs", name, "--output", "json"]).await.ends(0).out;
    let kinds = entries.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["kind"].clone());
    let kinds: Vec<_> = kinds.collect();
    assert_eq!(kinds.first(), Some(&json!("create_repo")), "the oldest first");
    assert!(kinds.contains(&json!("repo_mirror_sync_success")), "{kinds:?}");
    let wrong = moorage.run(&["logs", name, "--since", "yesterday"]).await.ends(64);
    assert!(wrong.err.contains("is no day"), "{wrong:?}");
}
