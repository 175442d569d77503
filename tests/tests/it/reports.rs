//! What a sync reports besides its run: metrics, and one line of log.

use std::time::Duration;

use moorage_tests::{
    eventually,
    image::{Image, layer},
    logs,
    proxy::{Fault, Proxy},
    world::World,
};
use serde_json::{Value, json};

/// The JSON lines that the sync function has written about a repository, once there are as many.
async fn lines(world: &World, with: &str, count: usize) -> Vec<Value> {
    let name = world.repository.as_str();
    eventually(&format!("{count} lines with {with}"), Duration::from_secs(30), async || {
        let lines = logs::lines(&world.stack, &world.stack.sync_function, &world.namespace).await;
        let lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let about = |line: &Value| line["repository"] == name || line["namespace"] == world.namespace.as_str();
        let lines: Vec<_> = lines.filter(|line| about(line) && line.get(with).is_some()).collect();
        (lines.len() >= count).then_some(lines)
    })
    .await
}

#[tokio::test]
async fn metrics_have_quays_names_and_say_how_old_the_mirror_is() {
    let world = World::new("metrics").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let image = Image::oci("amd64", &[layer(rand::random(), 1_000)]);
    image.push(&upstream, &world.path, "v1").await;
    let proxy = Proxy::start(&upstream).await;
    world.create_mirror(&proxy.address, json!({})).await;
    let run = world.sync().await;
    // Whether there is https, tags, the tag's digest, its manifest, two blobs, referrers; and as it has no referrers,
    // whether that is only because nobody has logged in.
    let upstream = run["upstream"].clone();
    assert_eq!(
        (&upstream["requests"], &upstream["manifest_gets"], &upstream["retries"]),
        (&json!(8), &json!(1), &json!(0)),
        "{run}"
    );
    assert!(upstream["bytes_read"].as_u64().unwrap() > 1_000, "{run}");
    proxy.fault("GET", "tags/list", 100, Fault::Status(403, vec![]));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(world.sync().await["status"], "FAIL");

    let name = "quay_repository_mirror_last_sync_status";
    let metrics = eventually("metrics of both runs", Duration::from_secs(30), async || {
        let lines = logs::lines(&world.stack, &world.stack.sync_function, &world.namespace).await;
        let lines: Vec<Value> = lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
        (lines.iter().filter(|line| line.get(name).is_some()).count() == 2).then_some(lines)
    })
    .await;
    let of = |metric: &str| metrics.iter().filter_map(|line| line.get(metric)?.as_f64()).collect::<Vec<_>>();
    assert_eq!(of(name), [1.0, 0.0]);
    assert_eq!(of("quay_repository_mirror_sync_complete"), [1.0, 0.0]);
    for metric in ["last_sync_timestamp", "sync_duration_seconds", "pending_tags"] {
        assert_eq!(of(&format!("quay_repository_mirror_{metric}")).len(), 2, "{metric}");
    }
    let lag = of("mirror_lag_seconds");
    assert!(lag[0] < 30.0 && lag[1] >= 2.0 && lag[1] > lag[0], "{lag:?}");
    assert_eq!(of("upstream_manifest_gets"), [1.0, 0.0]);
    let failures =
        metrics.iter().find(|line| line.get("quay_repository_mirror_sync_failures_total").is_some()).unwrap();
    assert_eq!(failures["reason"], "auth_failed");
    let directive = &metrics.iter().find(|line| line.get(name).is_some()).unwrap()["_aws"]["CloudWatchMetrics"][0];
    // CloudWatch charges for each metric of each combination, so that a repository is a field only.
    assert_eq!((&directive["Namespace"], &directive["Dimensions"]), (&json!("Moorage"), &json!([["namespace"]])));
    assert!(metrics.iter().filter(|line| line.get(name).is_some()).all(|line| line["repository"] == "app"));

    // One line each that reads alone.
    let ended: Vec<_> = lines(&world, "run.status", 2).await;
    assert_eq!(ended.len(), 2);
    assert_eq!(
        (&ended[0]["message"], &ended[0]["tags.copied"], &ended[0]["upstream.requests"]),
        (&json!("sync ended"), &json!(1), &json!(8))
    );
    assert_eq!((&ended[1]["reason"], &ended[1]["level"]), (&json!("auth_failed"), &json!("INFO")), "{:?}", ended[1]);
    // What to do about it.
    let run = world.last_run().await;
    assert!(run["failure"]["advice"].as_str().unwrap().contains("external_registry_password"), "{run}");
}
