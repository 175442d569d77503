//! Mirrors of whole organizations: what is found, what becomes of it, and how many of its syncs run at once.

use std::{collections::BTreeSet, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue::{N, S};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use moorage_domain::{
    RepositoryName,
    task::{Task, TaskAnswer},
};
use moorage_tests::{
    bucket,
    client::Client,
    eventually,
    image::{Image, layer},
    proxy::{Fault, Proxy},
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

const ALWAYS: usize = 1_000_000;
/// How long a round with its syncs may take: generous, because many tests share two cores.
const LIMIT: Duration = Duration::from_secs(120);
/// The stack's `OrganizationSyncs`.
const AT_ONCE: usize = 4;

fn path(world: &World, what: &str) -> String {
    format!("organization/{}/mirror{what}", world.namespace)
}

fn body(world: &World, kind: &str, registry: &str) -> Value {
    json!({
        "external_registry_type": kind,
        "external_registry_url": format!("http://{registry}"),
        "external_namespace": world.namespace,
        "external_registry_config": {"verify_tls": false},
        "robot_username": world.robot_name(),
        "visibility": "private",
        "sync_interval": 86_400,
        "sync_start_date": "2099-01-01T00:00:00Z",
    })
}

async fn create(world: &World, kind: &str, registry: &str, changes: Value) {
    let mut body = body(world, kind, registry);
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    assert_eq!(world.call(Method::POST, &path(world, ""), Some(body)).await, (201, json!("")));
}

async fn change(world: &World, changes: Value) {
    assert_eq!(world.call(Method::PUT, &path(world, ""), Some(changes)).await, (200, json!("")));
}

async fn mirror(world: &World) -> Value {
    let (status, mirror) = world.call(Method::GET, &path(world, ""), None).await;
    assert_eq!(status, 200, "{mirror}");
    mirror
}

async fn push(world: &World, name: &str, tags: &[&str]) -> Image {
    let image = Image::oci("amd64", &[layer(rand::random(), 10)]);
    for tag in tags {
        image.push(&format!("http://{}", world.stack.upstream), &format!("{}/{name}", world.namespace), tag).await;
    }
    image
}

async fn sync_now(world: &World) {
    let asked = world.call(Method::POST, &path(world, "/sync-now"), None).await;
    assert_eq!(asked.0, 204, "{asked:?}");
}

/// Waits until the counts are these; those that are not named are 0.
async fn wait_for(world: &World, counts: Value) -> Value {
    eventually(&format!("{} gets {counts}", world.namespace), LIMIT, async || {
        let mirror = mirror(world).await;
        let found = mirror["repo_sync_status_counts"].as_object().unwrap();
        let idle = matches!(mirror["sync_status"].as_str(), Some("SUCCESS" | "FAIL" | "CANCEL"));
        let as_wanted = found.iter().all(|(status, count)| counts.get(status).unwrap_or(&json!(0)) == count);
        (idle && as_wanted).then_some(mirror)
    })
    .await
}

async fn repositories(world: &World, query: &str) -> Value {
    let (status, page) = world.call(Method::GET, &path(world, &format!("/repositories{query}")), None).await;
    assert_eq!(status, 200, "{page}");
    page
}

/// The organization's usage log: kinds and messages, newest first.
async fn log(world: &World) -> Vec<Value> {
    let (_, log) = world.call(Method::GET, &format!("organization/{}/logs", world.namespace), None).await;
    log["logs"].as_array().unwrap().clone()
}

fn named(world: &World, name: &str) -> RepositoryName {
    RepositoryName::new(&world.namespace, name).unwrap()
}

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
async fn it_is_cancelled_as_a_whole_until_sync_now() {
    let world = World::empty("stop").await;
    for name in ["a", "b", "c"] {
        push(&world, name, &["v1"]).await;
    }
    let proxy = Proxy::start(&format!("http://{}", world.stack.upstream)).await;
    proxy.fault("GET", "/tags/list", ALWAYS, Fault::Delay(Duration::from_secs(15)));
    create(&world, "distribution", &proxy.address, json!({})).await;
    sync_now(&world).await;
    eventually("its syncs run", LIMIT, async || {
        (mirror(&world).await["repo_sync_status_counts"]["SYNCING"] == 3).then_some(())
    })
    .await;
    let again = world.call(Method::POST, &path(&world, "/sync-now"), None).await;
    assert_eq!(again, world.problem(400, "invalid_request", "Cannot trigger sync: mirror is currently syncing"));
    assert_eq!(world.call(Method::POST, &path(&world, "/sync-cancel"), None).await.0, 204);
    let cancelled = wait_for(&world, json!({"CANCEL": 3})).await;
    assert_eq!((&cancelled["sync_status"], &cancelled["sync_retries_remaining"]), (&json!("CANCEL"), &json!(0)));
    let again = world.call(Method::POST, &path(&world, "/sync-cancel"), None).await;
    assert_eq!(again, world.problem(400, "invalid_request", "Cannot cancel: mirror is already cancelled"));
    // Nothing but Sync Now starts it.
    let discover = Task::Discover {
        organization: world.namespace.parse().unwrap(),
        trigger: moorage_domain::run::Trigger::Schedule,
    };
    assert_eq!(world.task(&discover).await, TaskAnswer::NotFound);
    proxy.heal();
    sync_now(&world).await;
    wait_for(&world, json!({"SUCCESS": 3})).await;
    let kinds = log(&world).await;
    assert!(kinds.iter().any(|entry| entry["kind"] == "org_mirror_sync_cancelled"), "{kinds:?}");
    let told = kinds.iter().find(|entry| entry["kind"] == "org_mirror_sync_failed").unwrap();
    assert_eq!(told["metadata"]["message"], "Sync cancelled: 3 repos set to cancelled");
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

#[tokio::test]
async fn a_registry_that_fails_changes_nothing_and_is_asked_again() {
    let world = World::empty("failing").await;
    push(&world, "app", &["v1"]).await;
    let proxy = Proxy::start(&format!("http://{}", world.stack.upstream)).await;
    create(&world, "distribution", &proxy.address, json!({})).await;
    let verify = async || world.call(Method::POST, &path(&world, "/verify"), None).await;
    assert_eq!(verify().await, (200, json!({"success": true, "message": "Connection successful"})));
    sync_now(&world).await;
    wait_for(&world, json!({"SUCCESS": 1})).await;

    proxy.fault("GET", "/v2/_catalog", ALWAYS, Fault::Status(403, vec![]));
    let (status, refused) = verify().await;
    assert_eq!((status, &refused["success"]), (200, &json!(false)), "{refused}");
    assert!(refused["message"].as_str().unwrap().starts_with("Authentication failed"), "{refused}");
    sync_now(&world).await;
    let failed = wait_for(&world, json!({"SUCCESS": 1})).await;
    assert_eq!(failed["sync_status"], "FAIL");
    assert!(failed["status_message"].as_str().unwrap().contains("denied access"), "{failed}");
    let told = log(&world).await.into_iter().find(|entry| entry["kind"] == "org_mirror_sync_failed").unwrap();
    let message = told["metadata"]["message"].as_str().unwrap();
    assert!(message.starts_with("Failed to fetch repositories from source: "), "{message}");

    // A list of nothing is taken for a mistake; one without the repository is not.
    proxy.heal();
    proxy.fault("GET", "/v2/_catalog", 1, Fault::Answer(200, vec![], r#"{"repositories": []}"#.into()));
    sync_now(&world).await;
    wait_for(&world, json!({"SUCCESS": 1})).await;
    let other = format!(r#"{{"repositories": ["{0}/Other", "{0}/other"]}}"#, world.namespace);
    proxy.fault("GET", "/v2/_catalog", 1, Fault::Answer(200, vec![], other.into()));
    sync_now(&world).await;
    // What it lists does not exist, and what exists it does not list.
    wait_for(&world, json!({"FAIL": 1, "SKIP": 1})).await;
    let gone = &repositories(&world, "?status=SKIP").await["repositories"][0];
    assert_eq!(gone["status_message"], "The external registry does not list the repository any more.");
    let missing = &repositories(&world, "?status=FAIL").await["repositories"][0];
    assert!(missing["status_message"].as_str().unwrap().contains("not found"), "{missing}");
    let told = log(&world).await.into_iter().find(|entry| entry["kind"] == "org_mirror_repo_creation_failed").unwrap();
    assert_eq!(told["metadata"]["message"], "No repository can have these names: 'Other'");
    assert_eq!(bucket::check(&world.stack, &named(&world, "app")).await.tags.len(), 1, "the images stay");
}

#[tokio::test]
async fn a_registry_that_asks_for_patience_gets_it() {
    let world = World::empty("patient").await;
    push(&world, "app", &["v1"]).await;
    let proxy = Proxy::start(&format!("http://{}", world.stack.upstream)).await;
    proxy.fault("GET", "/v2/_catalog", 1, Fault::Status(429, vec![("retry-after", "14".into())]));
    create(&world, "distribution", &proxy.address, json!({})).await;
    sync_now(&world).await;
    let waiting = eventually("it waits", LIMIT, async || {
        let mirror = mirror(&world).await;
        mirror.get("sync_waiting_until").is_some().then_some(mirror)
    })
    .await;
    assert_eq!(
        (&waiting["sync_status"], &waiting["sync_expiration_date"]),
        (&json!("SYNCING"), &waiting["sync_waiting_until"])
    );
    let done = wait_for(&world, json!({"SUCCESS": 1})).await;
    assert!(done.get("sync_waiting_until").is_none(), "{done}");
}

#[tokio::test]
async fn turns_that_were_lost_are_given_again() {
    let world = World::empty("turns").await;
    push(&world, "app", &["v1"]).await;
    create(&world, "distribution", &world.stack.upstream, json!({})).await;
    sync_now(&world).await;
    wait_for(&world, json!({"SUCCESS": 1})).await;
    let before = repositories(&world, "").await["repositories"][0]["last_sync_date"].clone();
    // As a sync leaves it that was killed before it could pass its turn on.
    let put = aws_sdk_dynamodb::Client::new(&world.stack.aws).put_item().table_name(&world.stack.table);
    let put = put.item("pk", S(format!("NS#{}", world.namespace))).item("sk", S("TURN#app".into()));
    put.item("repository", S(named(&world, "app").to_string())).send().await.unwrap();
    assert!(matches!(world.task(&Task::Reconcile { round: 0, after: None }).await, TaskAnswer::Reconciled { .. }));
    eventually("it is synced again", LIMIT, async || {
        (repositories(&world, "").await["repositories"][0]["last_sync_date"] != before).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_discovery_that_was_killed_is_gone_on_with() {
    let world = World::empty("killed").await;
    push(&world, "app", &["v1"]).await;
    create(&world, "distribution", &world.stack.upstream, json!({})).await;
    // As a function leaves it that ends in the middle.
    let update = aws_sdk_dynamodb::Client::new(&world.stack.aws).update_item().table_name(&world.stack.table);
    let update = update.key("pk", S(format!("NS#{}", world.namespace))).key("sk", S("ORGANIZATIONMIRROR".into()));
    let update = update.update_expression("SET sync_status = :status, sync_expiration_date = :expiration");
    let update = update.expression_attribute_values(":status", S("SYNCING".into()));
    update.expression_attribute_values(":expiration", N("1700000000".into())).send().await.unwrap();
    assert_eq!(mirror(&world).await["sync_status"], "SYNCING");
    let reconcile = Task::Reconcile { round: 0, after: None };
    assert!(matches!(world.task(&reconcile).await, TaskAnswer::Reconciled { .. }));
    wait_for(&world, json!({"SUCCESS": 1})).await;
}

#[tokio::test]
async fn what_it_decides_nobody_else_does_and_its_end_leaves_the_images() {
    let world = World::empty("rules").await;
    push(&world, "app", &["v1"]).await;
    let refused = |detail: &str| world.problem(400, "invalid_request", detail);
    let post = async |changes: Value| {
        let mut body = body(&world, "distribution", &world.stack.upstream);
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        world.call(Method::POST, &path(&world, ""), Some(body)).await
    };
    assert_eq!(post(json!({"robot_username": "no+bot"})).await, refused("Invalid robot account: no+bot"));
    let other = World::empty("neighbour").await;
    let theirs = post(json!({"robot_username": other.robot_name()})).await;
    assert_eq!(theirs, refused("Robot account must belong to the organization"));
    let inside = post(json!({"external_registry_url": "https://10.0.0.1"})).await;
    assert_eq!(inside, refused("The provided registry URL is not allowed"));
    for path in ["", "/repositories"] {
        let (status, _) = world.call(Method::GET, &self::path(&world, path), None).await;
        assert_eq!(status, 404, "{path}");
    }
    let (status, _) = world.call(Method::GET, "organization/nobody-there/mirror", None).await;
    assert_eq!(status, 404);
    let reader = world.token(Some(&world.namespace), "write").await;
    assert_eq!(world.send(Method::GET, &path(&world, ""), Some(&reader), None).await.0, 403);
    assert_eq!(world.send(Method::GET, &path(&world, ""), None, None).await.0, 401);

    create(&world, "distribution", &world.stack.upstream, json!({})).await;
    let exists = refused("Mirror configuration already exists for this organization");
    assert_eq!(post(json!({})).await, exists);
    sync_now(&world).await;
    wait_for(&world, json!({"SUCCESS": 1})).await;
    let not_empty = post(json!({})).await;
    assert!(not_empty.1["detail"].as_str().unwrap().contains("requires an empty organization"), "{not_empty:?}");

    let repository = named(&world, "app");
    let managed = "Repository mirror configuration cannot be managed when organization-level mirroring is configured";
    let one = format!("repository/{repository}/mirror");
    let config = json!({
        "external_reference": "quay.io/a/b", "sync_interval": 86_400, "sync_start_date": "2099-01-01T00:00:00Z",
        "root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["*"]}, "skopeo_timeout_interval": 300,
        "robot_username": world.robot_name(),
    });
    assert_eq!(world.call(Method::POST, &one, Some(config)).await, refused(managed));
    assert_eq!(world.call(Method::PUT, &one, Some(json!({"is_enabled": false}))).await, refused(managed));
    assert_eq!(world.call(Method::DELETE, &one, None).await, refused(managed));
    let state = format!("repository/{repository}/changestate");
    assert_eq!(world.call(Method::PUT, &state, Some(json!({"state": "NORMAL"}))).await.0, 400);
    let new = json!({
        "namespace": world.namespace, "repository": "mine", "visibility": "private", "description": "", "repo_kind": "image",
    });
    assert_eq!(world.call(Method::POST, "repository", Some(new)).await.0, 400);
    let robot = format!("organization/{}/robots/bot", world.namespace);
    assert_eq!(world.call(Method::DELETE, &robot, None).await, refused("Robot is being used by a mirror"));

    assert_eq!(world.call(Method::DELETE, &path(&world, ""), None).await.0, 204);
    assert_eq!(world.call(Method::GET, &path(&world, ""), None).await.0, 404);
    let (_, after) = world.call(Method::GET, &format!("repository/{repository}"), None).await;
    assert_eq!((&after["state"], &after["can_write"]), (&json!("NORMAL"), &json!(true)), "{after}");
    assert_eq!(world.call(Method::GET, &one, None).await.0, 404);
    assert_eq!(bucket::check(&world.stack, &repository).await.tags.len(), 1);
    assert_eq!(world.call(Method::DELETE, &robot, None).await.0, 204, "it is free");
    let kinds = log(&world).await;
    assert!(kinds.iter().any(|entry| entry["kind"] == "org_mirror_disabled"), "{kinds:?}");
}

#[tokio::test]
async fn it_goes_with_its_organization_and_a_deleted_repository_comes_back() {
    let world = World::empty("whole").await;
    for name in ["app", "lib"] {
        push(&world, name, &["v1"]).await;
    }
    create(&world, "distribution", &world.stack.upstream, json!({})).await;
    sync_now(&world).await;
    wait_for(&world, json!({"SUCCESS": 2})).await;
    assert_eq!(world.call(Method::DELETE, &format!("repository/{}", named(&world, "lib")), None).await.0, 204);
    let gone = repositories(&world, "?status=NEVER_RUN").await;
    assert_eq!(
        (&gone["repositories"][0]["name"], &gone["repositories"][0]["quay_repository"]),
        (&json!("lib"), &Value::Null)
    );
    sync_now(&world).await;
    wait_for(&world, json!({"SUCCESS": 2})).await;
    assert_eq!(bucket::check(&world.stack, &named(&world, "lib")).await.tags.len(), 1);

    let organization = format!("organization/{}", world.namespace);
    assert_eq!(world.call(Method::DELETE, &organization, None).await.0, 204);
    assert_eq!(world.call(Method::GET, &organization, None).await.0, 404);
    assert_eq!(world.call(Method::GET, &path(&world, ""), None).await.0, 404);
    let again = world.call(Method::POST, "organization/", Some(json!({"name": world.namespace}))).await;
    assert_eq!(again.0, 201, "nothing is left: {again:?}");
    assert_eq!(
        bucket::keys(&world.stack, &format!("{}/repositories/{}/", bucket::ROOT, world.namespace)).await.len(),
        0
    );
}
