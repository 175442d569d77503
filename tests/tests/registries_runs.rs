//! Runs at registries as people have them: what is deleted, what a limit costs, and what is counted.

use std::collections::BTreeSet;

use moorage_tests::{
    bucket,
    image::{Image, layer},
    proxy::{Fault, Proxy},
    world::{World, outcome},
};
use reqwest::Method;
use serde_json::{Value, json};

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
    proxy.fault("GET", "tags/list", ALWAYS, list(&world, &tags[2..]));
    for method in ["HEAD", "GET"] {
        proxy.fault(method, "manifests/gone", ALWAYS, Fault::Status(400, vec![]));
    }
    for _ in 0..3 {
        assert_eq!(world.sync().await["tags_pruned"], 0, "never");
    }
    world.change_mirror(json!({"deletion_grace": 1})).await;
    assert_eq!(world.sync().await["tags_pruned"], 1);
    world.change_mirror(json!({"deletion_grace": null})).await;
    assert!(world.mirror().await.get("deletion_grace").is_none(), "clients of Quay's see none of it");
}
