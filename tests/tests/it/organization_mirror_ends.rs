//! Mirrors of whole organizations that are cancelled, fail, are killed, or end; and what nobody may do beside them.

use std::time::Duration;

use moorage_domain::task::{Task, TaskAnswer};
use moorage_tests::{
    bucket, eventually,
    organization_mirror::{LIMIT, body, create, log, mirror, named, path, push, repositories, sync_now, wait_for},
    proxy::{Fault, Proxy},
    table,
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

const ALWAYS: usize = 1_000_000;

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
    // What it lists has no tags, and what has some it does not list.
    wait_for(&world, json!({"SUCCESS": 1, "SKIP": 1})).await;
    let gone = &repositories(&world, "?status=SKIP").await["repositories"][0];
    assert_eq!(gone["status_message"], "The external registry does not list the repository any more.");
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
    // As a sync leaves it that was killed before it could pass its turn on; and as one of an earlier release does.
    for (active, task) in [("TURNS", Task::Watch {}), ("-", Task::Reconcile { invocation: 0, after: None })] {
        let before = repositories(&world, "").await["repositories"][0]["last_sync_date"].clone();
        let app = named(&world, "app");
        let queued = [("repository", table::text(app.as_str())), ("active", table::text(active))];
        table::set(&world.stack, &table::Key::within(&world.namespace, "TURN#app"), queued).await;
        assert!(!matches!(world.task(&task).await, TaskAnswer::Failed(_)));
        eventually("it is synced again", LIMIT, async || {
            (repositories(&world, "").await["repositories"][0]["last_sync_date"] != before).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_cancellation_that_was_interrupted_is_gone_on_with() {
    let world = World::empty("half-cancelled").await;
    push(&world, "app", &["v1"]).await;
    create(&world, "distribution", &world.stack.upstream, json!({})).await;
    sync_now(&world).await;
    wait_for(&world, json!({"SUCCESS": 1})).await;
    let key = table::Key::within(&world.namespace, "ORGANIZATIONMIRROR");
    table::set(&world.stack, &key, [("sync_status", table::text("CANCEL"))]).await;
    let app = named(&world, "app");
    let queued = [("repository", table::text(app.as_str())), ("active", table::text("TURNS"))];
    table::set(&world.stack, &table::Key::within(&world.namespace, "TURN#app"), queued).await;
    assert!(matches!(world.task(&Task::Watch {}).await, TaskAnswer::Watched { .. }));
    wait_for(&world, json!({"CANCEL": 1})).await;
    let left = table::Key::within(&world.namespace, "TURN#app");
    eventually("nothing is queued", LIMIT, async || (!table::is_there(&world.stack, &left).await).then_some(())).await;
}

#[tokio::test]
async fn a_discovery_that_was_killed_is_gone_on_with() {
    let world = World::empty("killed").await;
    push(&world, "app", &["v1"]).await;
    create(&world, "distribution", &world.stack.upstream, json!({})).await;
    let key = table::Key::within(&world.namespace, "ORGANIZATIONMIRROR");
    // As a function leaves it that ends in the middle; and as one of an earlier release does, which knew no index.
    for (active, task) in [("ORGANIZATIONS", Task::Watch {}), ("-", Task::Reconcile { invocation: 0, after: None })] {
        let killed = [
            ("sync_status", table::text("SYNCING")),
            ("sync_expiration_date", table::number(1_700_000_000)),
            ("active", table::text(active)),
        ];
        table::set(&world.stack, &key, killed).await;
        let shown = mirror(&world).await;
        assert_eq!(
            (&shown["sync_status"], &shown["sync_warning"]["reason"]),
            (&json!("SYNC_NOW"), &json!("interrupted"))
        );
        assert!(!matches!(world.task(&task).await, TaskAnswer::Failed(_)));
        eventually("it is gone on with", Duration::from_secs(60), async || {
            (mirror(&world).await["sync_status"] == "SUCCESS").then_some(())
        })
        .await;
        wait_for(&world, json!({"SUCCESS": 1})).await;
    }
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
