//! Mirrors of whole organizations: what is found, what becomes of it, and how many of its syncs run at once.

use std::{collections::BTreeSet, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use moorage_tests::{
    bucket,
    client::Client,
    eventually,
    organization_mirror::{LIMIT, change, create, log, mirror, named, path, push, repositories, sync_now, wait_for},
    proxy::{Fault, Proxy},
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

const ALWAYS: usize = 1_000_000;
/// The stack's `OrganizationSyncs`.
const AT_ONCE: usize = 4;

#[tokio::test]
async fn a_namespace_of_any_registry_with_a_catalog_is_mirrored_and_followed() {
    let world = World::empty("catalog").await;
    let app = push(&world, "app", &["v1", "v2"]).await;
    push(&world, "tools/lint", &["latest"]).await;
    push(&world, "tools/x", &["latest"]).await;
    create(&world, "distribution", &world.stack.upstream, json!({"repository_filters": ["app", "tools/*"]})).await;
    let new = mirror(&world).await;
    let created = new["creation_date"].clone();
    let none = json!({"CANCEL": 0, "FAIL": 0, "NEVER_RUN": 0, "SUCCESS": 0, "SYNCING": 0, "SYNC_NOW": 0, "SKIP": 0});
    let expected = json!({
        "is_enabled": true, "external_registry_type": "distribution",
        "external_registry_url": format!("http://{}", world.stack.upstream), "external_namespace": world.namespace,
        "external_registry_username": null, "has_external_registry_password": false,
        "external_registry_config": {"verify_tls": false}, "repository_filters": ["app", "tools/*"],
        "robot_username": world.robot_name(), "visibility": "private", "sync_interval": 86_400,
        "sync_start_date": "2099-01-01T00:00:00Z", "sync_expiration_date": null, "sync_status": "NEVER_RUN",
        "sync_retries_remaining": 3, "repo_sync_status_counts": none, "skopeo_timeout": 300, "creation_date": created,
    });
    assert_eq!(new, expected);

    sync_now(&world).await;
    let after = wait_for(&world, json!({"SUCCESS": 3})).await;
    assert_eq!(after["sync_status"], "SUCCESS");
    let next = after["sync_start_date"].as_str().unwrap();
    assert!(next < "2099" && next.ends_with("T00:00:00Z"), "as a mirror's, the grid begins earlier: {next}");
    assert_eq!(bucket::check(&world.stack, &named(&world, "app")).await.tags.len(), 2);
    assert_eq!(bucket::check(&world.stack, &named(&world, "tools/lint")).await.tags.len(), 1);
    let (_, repository) = world.call(Method::GET, &format!("repository/{}", named(&world, "app")), None).await;
    assert_eq!((&repository["state"], &repository["is_public"]), (&json!("ORG_MIRROR"), &json!(false)));
    // The robot may pull.
    let manifest = format!("/v2/{}/manifests/v2", named(&world, "app"));
    assert_eq!(world.robot().await.get(&manifest).await.body, app.manifest);
    assert_ne!(Client::of(&world.stack).get(&manifest).await.status, 200);
    // Each repository's mirror can be looked at as any other.
    let (status, one) = world.call(Method::GET, &format!("repository/{}/mirror", named(&world, "tools/x")), None).await;
    assert_eq!((status, &one["sync_status"]), (200, &json!("SUCCESS")), "{one}");
    assert_eq!(one["external_reference"], format!("{}/{}/tools/x", world.stack.upstream, world.namespace));

    let page = repositories(&world, "?limit=2").await;
    assert_eq!(
        (&page["total"], &page["page"], &page["limit"], &page["has_next"]),
        (&json!(3), &json!(1), &json!(2), &json!(true))
    );
    let first = &page["repositories"][0];
    assert_eq!((&first["name"], &first["sync_status"]), (&json!("app"), &json!("SUCCESS")), "{first}");
    assert_eq!((&first["quay_repository"], &first["status_message"]), (&json!(named(&world, "app")), &Value::Null));
    assert!(first["discovery_date"].is_string() && first["last_sync_date"].is_string(), "{first}");
    let page = repositories(&world, "?limit=2&page=2&status=SUCCESS").await;
    assert_eq!((&page["repositories"][0]["name"], &page["has_next"]), (&json!("tools/x"), &json!(false)));
    assert_eq!(repositories(&world, "?status=FAIL").await["total"], 0);

    let log = log(&world).await;
    let kinds: BTreeSet<_> = log.iter().filter_map(|entry| entry["kind"].as_str()).collect();
    for kind in [
        "org_mirror_enabled",
        "org_mirror_sync_now_requested",
        "org_mirror_sync_started",
        "org_mirror_repo_created",
        "org_mirror_sync_success",
    ] {
        assert!(kinds.contains(kind), "{kind}: {kinds:?}");
    }
    let success = log.iter().find(|entry| entry["kind"] == "org_mirror_sync_success").unwrap();
    assert_eq!(success["metadata"]["message"], "Discovery completed: 3 repos discovered, 3 new");
    assert_eq!(
        (&success["performer"]["name"], &success["performer"]["is_robot"]),
        (&json!(world.robot_name()), &json!(true))
    );

    // One more there, one left out here: it keeps its images, and comes back.
    push(&world, "new", &["v1"]).await;
    change(&world, json!({"repository_filters": ["app", "new", "tools/x"], "visibility": "public"})).await;
    sync_now(&world).await;
    wait_for(&world, json!({"SUCCESS": 3, "SKIP": 1})).await;
    let skipped = &repositories(&world, "?status=SKIP").await["repositories"][0];
    assert_eq!(skipped["name"], "tools/lint");
    assert_eq!(skipped["status_message"], "The repository filters leave the repository out.");
    assert_eq!(bucket::check(&world.stack, &named(&world, "tools/lint")).await.tags.len(), 1);
    let (_, repository) = world.call(Method::GET, &format!("repository/{}", named(&world, "new")), None).await;
    assert_eq!(repository["is_public"], true);
    push(&world, "tools/lint", &["v2"]).await;
    change(&world, json!({"repository_filters": []})).await;
    sync_now(&world).await;
    wait_for(&world, json!({"SUCCESS": 4})).await;
    assert_eq!(bucket::check(&world.stack, &named(&world, "tools/lint")).await.tags.len(), 2);
}

#[tokio::test]
async fn harbor_is_asked_by_its_api_and_quay_by_its_own() {
    // Harbor: two pages, Basic, names with their project; images from the registry behind.
    let world = World::empty("harbor").await;
    for name in ["one", "two/three"] {
        push(&world, name, &["v1"]).await;
    }
    let proxy = Proxy::start(&format!("http://{}", world.stack.upstream)).await;
    let list = format!("/api/v2.0/projects/{}/repositories", world.namespace);
    let next = format!(r#"<{list}?page=2&page_size=100>; rel="next""#);
    let page = |name: &str| json!([{"name": format!("{}/{name}", world.namespace), "id": 1}]).to_string().into();
    proxy.fault("GET", &format!("{list}?page=1"), ALWAYS, Fault::Answer(200, vec![("link", next)], page("one")));
    proxy.fault("GET", &format!("{list}?page=2"), ALWAYS, Fault::Answer(200, vec![], page("two/three")));
    let credentials = json!({"external_registry_username": "robot$pull", "external_registry_password": "hunter2:é"});
    create(&world, "harbor", &proxy.address, credentials).await;
    let shown = mirror(&world).await;
    assert_eq!(shown["has_external_registry_password"], true);
    sync_now(&world).await;
    wait_for(&world, json!({"SUCCESS": 2})).await;
    let seen = proxy.take_seen();
    let lists: Vec<_> = seen.iter().filter(|seen| seen.path.starts_with("/api/")).collect();
    assert_eq!(lists.len(), 2, "{lists:?}");
    let basic = format!("Basic {}", STANDARD.encode("robot$pull:hunter2:é"));
    assert!(lists.iter().all(|seen| seen.authorization.as_deref() == Some(&basic)), "{lists:?}");
    let everything = format!("{shown} {:?} {}", log(&world).await, repositories(&world, "").await);
    assert!(!everything.contains("hunter2"), "{everything}");

    // Quay: pages by token, Bearer with the password.
    let quay = World::empty("quay").await;
    for name in ["a", "b"] {
        push(&quay, name, &["v1"]).await;
    }
    let proxy = Proxy::start(&format!("http://{}", quay.stack.upstream)).await;
    let list = format!("/api/v1/repository?namespace={}", quay.namespace);
    let page = |name: &str, next: Value| {
        json!({"repositories": [{"namespace": quay.namespace, "name": name}], "next_page": next}).to_string().into()
    };
    proxy.fault(
        "GET",
        &format!("{list}&next_page=gAAA%3D"),
        ALWAYS,
        Fault::Answer(200, vec![], page("b", Value::Null)),
    );
    proxy.fault("GET", &list, ALWAYS, Fault::Answer(200, vec![], page("a", json!("gAAA="))));
    let credentials = json!({"external_registry_username": "$oauthtoken", "external_registry_password": "a-token"});
    create(&quay, "quay", &proxy.address, credentials).await;
    sync_now(&quay).await;
    wait_for(&quay, json!({"SUCCESS": 2})).await;
    let seen = proxy.take_seen();
    let lists: Vec<_> = seen.iter().filter(|seen| seen.path.starts_with("/api/")).collect();
    assert_eq!(lists.len(), 2, "{lists:?}");
    assert!(lists.iter().all(|seen| seen.authorization.as_deref() == Some("Bearer a-token")), "{lists:?}");

    // Without a password only what is public is asked for, and without a header.
    change(&quay, json!({"external_registry_username": "", "external_registry_password": ""})).await;
    assert_eq!(mirror(&quay).await["has_external_registry_password"], false);
    sync_now(&quay).await;
    wait_for(&quay, json!({"SUCCESS": 2})).await;
    let seen = proxy.take_seen();
    let lists: Vec<_> = seen.iter().filter(|seen| seen.path.starts_with("/api/")).collect();
    assert!(lists.iter().all(|seen| seen.path.contains("public=true") && seen.authorization.is_none()), "{lists:?}");
}

#[tokio::test]
async fn our_own_registry_can_be_the_source() {
    let source = World::new("source").await;
    push(&source, "app", &["v1"]).await;
    source.create_mirror(&source.stack.upstream, json!({})).await;
    assert_eq!(source.sync().await["status"], "SUCCESS");
    let world = World::empty("copy").await;
    let token = source.token(Some(&source.namespace), "read").await;
    let registry = source.stack.url.strip_prefix("http://").unwrap().to_owned();
    let changes = json!({
        "external_namespace": source.namespace, "external_registry_username": "$oauthtoken",
        "external_registry_password": token,
    });
    create(&world, "quay", &registry, changes).await;
    assert_eq!(world.call(Method::POST, &path(&world, "/verify"), None).await.1["success"], true);
    sync_now(&world).await;
    wait_for(&world, json!({"SUCCESS": 1})).await;
    assert_eq!(repositories(&world, "").await["repositories"][0]["name"], "app");
    let (theirs, ours) = (&source.repository, named(&world, "app"));
    assert_eq!(
        bucket::check(&world.stack, &ours).await.tags,
        bucket::check(&source.stack, theirs).await.tags,
        "the same images"
    );
}

#[tokio::test]
async fn many_repositories_are_synced_a_few_at_a_time() {
    const MANY: usize = 200;
    let world = World::empty("many").await;
    let proxy = Proxy::start(&format!("http://{}", world.stack.upstream)).await;
    let names: Vec<_> = (0..MANY).map(|number| format!("{}/r{number:04}", world.namespace)).collect();
    let catalog = json!({"repositories": names}).to_string();
    proxy.fault("GET", "/v2/_catalog", ALWAYS, Fault::Answer(200, vec![], catalog.into()));
    // Repositories without tags: what a sync takes beside copying.
    let empty = Fault::Answer(200, vec![], r#"{"name": "x", "tags": []}"#.into());
    proxy.fault("GET", "/tags/list", ALWAYS, Fault::Late(Duration::from_millis(100), Box::new(empty)));
    create(&world, "distribution", &proxy.address, json!({})).await;
    sync_now(&world).await;
    eventually("all are synced", LIMIT * 2, async || {
        (mirror(&world).await["repo_sync_status_counts"]["SUCCESS"] == MANY).then_some(())
    })
    .await;
    // A sync of an empty repository asks one thing at a time.
    let most = proxy.most_in_flight();
    assert!((2..=AT_ONCE).contains(&most), "{most} at once");
    let listed = proxy.take_seen().iter().filter(|seen| seen.path.contains("/tags/list")).count();
    assert_eq!(listed, MANY, "each once");
    let page = repositories(&world, "?limit=1000&page=1").await;
    assert_eq!((page["repositories"].as_array().unwrap().len(), &page["limit"]), (MANY, &json!(500)));
    // One schedule for all of them.
    let scheduler = aws_sdk_scheduler::Client::new(&world.stack.aws);
    let group = &world.stack.schedule_group;
    let get = scheduler.get_schedule().group_name(group).name(schedule_name("organization", &world.namespace));
    let input: Value = serde_json::from_str(get.send().await.unwrap().target().unwrap().input().unwrap()).unwrap();
    assert_eq!(input, json!({"task": "discover", "organization": world.namespace, "trigger": "schedule"}));
    let of_one = schedule_name("mirror", named(&world, "r0000").as_str());
    assert!(scheduler.get_schedule().group_name(group).name(of_one).send().await.is_err());
}

fn schedule_name(kind: &str, name: &str) -> String {
    format!("{kind}-{}", &moorage_domain::Digest::sha256(name.as_bytes()).hex()[..32])
}

#[tokio::test]
async fn its_schedule_finds_what_is_new() {
    let world = World::empty("punctual").await;
    push(&world, "app", &["v1"]).await;
    create(&world, "distribution", &world.stack.upstream, json!({"sync_start_date": "2026-01-01T00:00:00Z"})).await;
    let mirror = wait_for(&world, json!({"SUCCESS": 1})).await;
    assert_eq!(mirror["sync_status"], "SUCCESS");
    let next = mirror["sync_start_date"].as_str().unwrap();
    assert!(next > "2026-01-02" && next.ends_with("T00:00:00Z"), "the grid stays: {mirror}");
}
