//! What goes wrong at the registry: classified, reported, and without a trace in what readers see.

use moorage_domain::{Digest, manifest::MAX_MANIFEST_SIZE};
use moorage_tests::{
    bucket, eventually,
    image::{self, Image, layer},
    process::free_port,
    proxy::{Fault, Proxy},
    registry::Registry,
    world::{SYNC_LIMIT, World, outcome},
};
use serde_json::{Value, json};

/// So often that no number of retries gets through.
const ALWAYS: usize = 1_000_000;

fn reason(run: &Value) -> &str {
    run["failure"]["reason"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn failures_of_the_whole_sync_are_classified() {
    let world = World::new("whole").await;
    let nobody = format!("127.0.0.1:{}", free_port());
    world.create_mirror(&nobody, json!({})).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], reason(&run)), (&json!("FAIL"), "connection_error"), "{run}");
    let failed = world.log().await.into_iter().find(|entry| entry["kind"] == "repo_mirror_sync_failed").unwrap();
    assert_eq!(failed["metadata"]["verb"], "end");

    let reference = |address: &str| json!({"external_reference": format!("{address}/{}", world.path)});
    world.change_mirror(reference(&world.stack.upstream)).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], reason(&run)), (&json!("FAIL"), "not_found"), "{run}");

    let tls = Registry::with_tls();
    Image::oci("amd64", &[layer(1, 9)]).push(&tls.url, &world.path, "v1").await;
    world.change_mirror(reference(&tls.address)).await;
    world.change_mirror(json!({"external_registry_config": {"verify_tls": true}})).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], reason(&run)), (&json!("FAIL"), "tls_error"), "{run}");
    world.change_mirror(json!({"external_registry_config": {"verify_tls": false}})).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_copied"]), (&json!("SUCCESS"), &json!(1)), "{run}");

    // Plain http is not spoken where certificates are to be verified.
    world.change_mirror(reference(&world.stack.upstream)).await;
    world.change_mirror(json!({"external_registry_config": {"verify_tls": true}})).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], reason(&run)), (&json!("FAIL"), "tls_error"), "{run}");
    let held = bucket::check(&world.stack, &world.repository).await;
    assert_eq!(held.tags.len(), 1, "what was good before stays");
}

#[tokio::test]
async fn one_bad_tag_does_not_stop_the_others() {
    let world = World::new("onebad").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let (good, bad) = (Image::oci("amd64", &[layer(1, 500)]), Image::oci("amd64", &[layer(2, 500)]));
    good.push(&upstream, &world.path, "good").await;
    bad.push(&upstream, &world.path, "foreign").await;
    // A manifest whose layer may not be distributed.
    let mut manifest: Value = serde_json::from_slice(&bad.manifest).unwrap();
    manifest["layers"][0]["mediaType"] = json!("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip");
    image::put_manifest(&upstream, &world.path, "foreign", bad.media_type, manifest.to_string().into_bytes()).await;
    world.create_mirror(&world.stack.upstream, json!({})).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], reason(&run)), (&json!("FAIL"), "content_refused"), "{run}");
    assert_eq!(outcome(&run, "good")["outcome"], "copied");
    assert_eq!(outcome(&run, "foreign")["outcome"], "refused");
    assert_eq!((&run["tags_done"], &run["tags_failed"]), (&json!(2), &json!(1)));
    let held = bucket::check(&world.stack, &world.repository).await;
    assert_eq!(held.tags.into_keys().collect::<Vec<_>>(), ["good"]);
    let log = world.log().await;
    let end = log.iter().find(|entry| entry["kind"] == "repo_mirror_sync_failed").unwrap();
    assert_eq!((&end["metadata"]["verb"], &end["metadata"]["tags"]), (&json!("lost"), &json!("foreign(FAILED), good")));
    assert!(log.iter().any(|entry| entry["kind"] == "repo_mirror_sync_tag_failed"));
}

#[tokio::test]
async fn what_stock_registries_cannot_serve_never_arrives() {
    let world = World::new("unserved").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let good = Image::oci("amd64", &[layer(rand::random(), 500)]);
    good.push(&upstream, &world.path, "good").await;
    let with = |key: &str, value: Value| {
        let mut manifest: Value = serde_json::from_slice(&good.manifest).unwrap();
        manifest[key] = value;
        manifest.to_string().into_bytes()
    };
    let schema1 = json!({"schemaVersion": 1, "name": world.path, "tag": "schema1", "fsLayers": [], "history": []});
    let refused = [
        ("schema1", schema1.to_string().into_bytes()),
        ("mediatype", with("mediaType", json!("application/vnd.oci.artifact.manifest.v1+json"))),
        ("mistyped", with("annotations", json!({"note": 1}))),
        ("ambiguous", with("manifests", json!([]))),
        ("nojson", b"not json".to_vec()),
        ("large", vec![b' '; MAX_MANIFEST_SIZE + 1]),
    ];
    let proxy = Proxy::start(&upstream).await;
    for (tag, manifest) in &refused {
        // The registry would not take them, so the proxy gives them out.
        good.push(&upstream, &world.path, tag).await;
        let digest = Digest::sha256(manifest);
        let announced = vec![("docker-content-digest", digest.to_string())];
        proxy.fault("HEAD", &format!("manifests/{tag}"), ALWAYS, Fault::Status(200, announced));
        proxy.fault("GET", &format!("manifests/{digest}"), ALWAYS, Fault::Body(manifest.clone().into()));
    }
    world.create_mirror(&proxy.address, json!({})).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], reason(&run)), (&json!("FAIL"), "content_refused"), "{run}");
    assert_eq!((&run["tags_done"], &run["tags_failed"]), (&json!(refused.len() + 1), &json!(refused.len())), "{run}");
    for (tag, manifest) in &refused {
        let outcome = outcome(&run, tag);
        assert_eq!(
            (&outcome["outcome"], &outcome["failure"]["reason"]),
            (&json!("refused"), &json!("content_refused")),
            "{outcome}"
        );
        assert!(!outcome["failure"]["message"].as_str().unwrap().is_empty(), "{outcome}");
        assert!(bucket::blob(&world.stack, &Digest::sha256(manifest)).await.is_none(), "{tag} reached the bucket");
    }
    let held = bucket::check(&world.stack, &world.repository).await;
    assert_eq!(held.tags, [("good".to_owned(), good.digest())].into_iter().collect());
}

#[tokio::test]
async fn a_damaged_manifest_costs_only_its_tag() {
    let world = World::new("badmanifest").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let image = || Image::oci("amd64", &[layer(rand::random(), 500)]);
    let (good, bad) = (image(), image());
    good.push(&upstream, &world.path, "good").await;
    bad.push(&upstream, &world.path, "bad").await;
    let proxy = Proxy::start(&upstream).await;
    proxy.fault("GET", &format!("manifests/{}", bad.digest()), ALWAYS, Fault::Corrupt);
    world.create_mirror(&proxy.address, json!({})).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], reason(&run)), (&json!("FAIL"), "digest_mismatch"), "{run}");
    assert_eq!(outcome(&run, "good")["outcome"], "copied");
    assert_eq!(outcome(&run, "bad")["outcome"], "failed");
    assert!(bucket::blob(&world.stack, &bad.digest()).await.is_none(), "a damaged manifest was stored");
    let held = bucket::check(&world.stack, &world.repository).await;
    assert_eq!(held.tags.into_keys().collect::<Vec<_>>(), ["good"]);

    proxy.heal();
    let run = world.sync().await;
    assert_eq!(
        (&run["status"], &run["tags_copied"], &run["tags_unchanged"]),
        (&json!("SUCCESS"), &json!(1), &json!(1))
    );
    assert_eq!(bucket::check(&world.stack, &world.repository).await.tags["bad"], bad.digest());
}

#[tokio::test]
async fn damaged_blobs_leave_no_trace_and_the_next_sync_recovers() {
    let world = World::new("damaged").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let mut good = Image::oci("amd64", &[layer(rand::random(), 700)]);
    good.push(&upstream, &world.path, "v1").await;
    let stock = Registry::over_bucket(&world.stack);
    let proxy = Proxy::start(&upstream).await;
    world.create_mirror(&proxy.address, json!({})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");

    // A small layer, and one that takes several parts.
    for size in [5_000, 17_000_000] {
        let after = Image::oci("amd64", &[layer(rand::random(), size)]);
        after.push(&upstream, &world.path, "v1").await;
        let damaged = Digest::sha256(&after.blobs[1]);
        let faults = [
            (Fault::Corrupt, "digest_mismatch"),
            (Fault::Shorten, "digest_mismatch"),
            (Fault::Cut(0), "connection_error"),
        ];
        for (fault, expected) in faults {
            proxy.fault("GET", &format!("blobs/{damaged}"), ALWAYS, fault.clone());
            let held = bucket::check(&world.stack, &world.repository).await;
            let run = world.sync().await;
            assert_eq!((&run["status"], reason(&run)), (&json!("FAIL"), expected), "{fault:?}: {run}");
            assert!(bucket::blob(&world.stack, &damaged).await.is_none(), "{fault:?} left a blob");
            assert_eq!(bucket::check(&world.stack, &world.repository).await.tags, held.tags, "v1 stays as it was");
            let pulled = image::get_manifest(&stock.url, world.repository.as_str(), "v1").await;
            assert_eq!((pulled.0, pulled.2), (200, good.manifest.clone()), "v1 stays pullable");
            proxy.heal();
        }
        let run = world.sync().await;
        assert_eq!(run["status"], "SUCCESS", "{run}");
        assert_eq!(bucket::check(&world.stack, &world.repository).await.tags["v1"], after.digest());
        good = after;
    }
}

#[tokio::test]
async fn passing_faults_are_overcome() {
    let world = World::new("passing").await;
    let upstream = format!("http://{}", world.stack.upstream);
    let image = Image::oci("amd64", &[layer(rand::random(), 3_000_000)]);
    image.push(&upstream, &world.path, "v1").await;
    let proxy = Proxy::start(&upstream).await;
    proxy.fault("GET", "tags/list", 2, Fault::Status(503, vec![]));
    proxy.fault("HEAD", "manifests/", 1, Fault::Status(429, vec![("retry-after", "1".into())]));
    proxy.fault("HEAD", "manifests/", 1, Fault::Without("docker-content-digest"));
    let layer = Digest::sha256(&image.blobs[1]);
    proxy.fault("GET", &format!("blobs/{layer}"), 2, Fault::Cut(1_000_000));
    world.create_mirror(&proxy.address, json!({})).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_copied"]), (&json!("SUCCESS"), &json!(1)), "{run}");
    let ranges: Vec<_> = proxy.take_seen().into_iter().filter_map(|seen| seen.range).collect();
    let last = image.blobs[1].len() - 1;
    let expected = [1_000_000, 2_000_000].map(|first| format!("bytes={first}-{last}"));
    assert_eq!(ranges, expected, "a broken stream goes on where it broke");
    bucket::check(&world.stack, &world.repository).await;
}

#[tokio::test]
async fn failed_syncs_are_tried_again_by_themselves() {
    let world = World::new("retries").await;
    let upstream = format!("http://{}", world.stack.upstream);
    Image::oci("amd64", &[layer(1, 100)]).push(&upstream, &world.path, "v1").await;
    let proxy = Proxy::start(&upstream).await;
    proxy.fault("GET", "tags/list", 1, Fault::Status(403, vec![]));
    // The start has come, so the first sync and its retries are the schedule's.
    world.create_mirror(&proxy.address, json!({"sync_start_date": "2020-01-01T00:00:00Z"})).await;
    world.wait_for(&["SUCCESS"]).await;
    let runs = world.runs().await;
    let summary: Vec<_> = runs.iter().rev().map(|run| (&run["trigger"], &run["status"])).collect();
    assert_eq!(summary, [(&json!("schedule"), &json!("FAIL")), (&json!("retry"), &json!("SUCCESS"))]);
    let mirror = world.mirror().await;
    assert_eq!(mirror["sync_retries_remaining"], 3);
    assert_ne!(mirror["sync_start_date"], "2020-01-01T00:00:00Z", "the next start lies on the grid ahead");
    assert!(mirror["sync_start_date"].as_str().unwrap().ends_with("T00:00:00Z"));
}

#[tokio::test]
async fn a_sync_that_fails_three_times_waits_for_its_next_start() {
    let world = World::new("exhausted").await;
    let upstream = format!("http://{}", world.stack.upstream);
    Image::oci("amd64", &[layer(1, 100)]).push(&upstream, &world.path, "v1").await;
    let proxy = Proxy::start(&upstream).await;
    proxy.fault("GET", "tags/list", ALWAYS, Fault::Status(403, vec![]));
    let start = "2020-01-01T00:00:00Z";
    world.create_mirror(&proxy.address, json!({"sync_start_date": start})).await;
    let mirror = eventually("the last attempt fails", SYNC_LIMIT, async || {
        let mirror = world.mirror().await;
        (mirror["sync_start_date"] != start).then_some(mirror)
    })
    .await;
    assert_eq!((&mirror["sync_status"], &mirror["sync_retries_remaining"]), (&json!("FAIL"), &json!(3)), "{mirror}");
    assert!(mirror["sync_start_date"].as_str().unwrap().ends_with("T00:00:00Z"), "{mirror}");
    let runs = world.runs().await;
    let triggers: Vec<_> = runs.iter().rev().map(|run| run["trigger"].as_str().unwrap()).collect();
    assert_eq!(triggers, ["schedule", "retry", "retry"]);
    assert!(runs.iter().all(|run| run["status"] == "FAIL" && reason(run) == "auth_failed"), "{runs:?}");
    let log = world.log().await;
    let count = |kind: &str| log.iter().filter(|entry| entry["kind"] == kind).count();
    assert_eq!((count("repo_mirror_sync_started"), count("repo_mirror_sync_failed")), (3, 3));

    // The owner need not wait.
    proxy.heal();
    assert_eq!(world.sync().await["status"], "SUCCESS");
}
