//! Repositories: created, shown, listed page by page, changed, deleted; and what surrounds them.

use std::{collections::BTreeSet, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::task::{Task, TaskAnswer};
use moorage_tests::{
    bucket, eventually,
    image::{Image, layer},
    proxy::{Fault, Proxy},
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

fn new(namespace: &str, name: &str, visibility: &str) -> Value {
    json!({"namespace": namespace, "repository": name, "visibility": visibility, "description": "d"})
}

#[tokio::test]
async fn a_repositorys_life() {
    let world = World::new("repo").await;
    let name = world.namespace.as_str();
    let created = world.call(Method::POST, "repository", Some(new(name, "tools/cli", "public"))).await;
    assert_eq!(created, (201, json!({"namespace": name, "name": "tools/cli", "kind": "image"})));
    let path = format!("repository/{name}/tools/cli");
    let view = json!({
        "namespace": name, "name": "tools/cli", "kind": "image", "description": "d", "is_public": true,
        "is_organization": true, "is_starred": false, "status_token": "", "trust_enabled": false,
        "tag_expiration_s": 1_209_600, "is_free_account": false, "state": "NORMAL", "tags": {}, "can_write": true,
        "can_admin": true,
    });
    assert_eq!(world.call(Method::GET, &path, None).await, (200, view.clone()));
    let (_, without) = world.call(Method::GET, &format!("{path}?includeTags=false&includeStats=true"), None).await;
    assert_eq!((without.get("tags"), &without["stats"]), (None, &json!([])));

    let success = (200, json!({"success": true}));
    let change = world.call(Method::PUT, &path, Some(json!({"description": "**new**"}))).await;
    assert_eq!(change, success);
    let visibility = format!("{path}/changevisibility");
    assert_eq!(world.call(Method::POST, &visibility, Some(json!({"visibility": "private"}))).await, success);
    let wrong = world.problem(400, "invalid_request", "'secret' is not one of ['public', 'private']");
    assert_eq!(world.call(Method::POST, &visibility, Some(json!({"visibility": "secret"}))).await, wrong);
    let missing = world.problem(400, "invalid_request", "'description' is a required property");
    assert_eq!(world.call(Method::PUT, &path, Some(json!({}))).await, missing);
    let (_, changed) = world.call(Method::GET, &path, None).await;
    assert_eq!((&changed["description"], &changed["is_public"]), (&json!("**new**"), &json!(false)));

    for body in [
        json!({"namespace": name, "repository": "Bad", "visibility": "public", "description": ""}),
        json!({"namespace": name, "repository": "a", "visibility": "public"}),
        json!({"namespace": name, "repository": "a", "visibility": "open", "description": ""}),
        json!({"namespace": name, "repository": "a", "visibility": "public", "description": "", "repo_kind": "application"}),
    ] {
        assert_eq!(world.call(Method::POST, "repository", Some(body.clone())).await.0, 400, "{body}");
    }

    assert_eq!(world.call(Method::DELETE, &path, None).await, (204, json!("")));
    let not_found = world.problem(404, "not_found", "Not Found");
    for (method, path) in
        [(Method::GET, path.clone()), (Method::DELETE, path.clone()), (Method::GET, format!("{path}/logs"))]
    {
        assert_eq!(world.call(method, &path, None).await, not_found);
    }
    assert_eq!(world.call(Method::PUT, &path, Some(json!({"description": "x"}))).await, not_found);
    assert_eq!(
        world.call(Method::POST, "repository", Some(new(name, "tools/cli", "private"))).await.0,
        201,
        "its name is free"
    );
}

#[tokio::test]
async fn repositories_are_listed_page_by_page() {
    let world = World::new("paged").await;
    let name = world.namespace.as_str();
    for number in 0..119 {
        let visibility = if number % 2 == 0 { "public" } else { "private" };
        let made = world.call(Method::POST, "repository", Some(new(name, &format!("r{number:03}"), visibility))).await;
        assert_eq!(made.0, 201);
    }
    let list = async |token: Option<&str>, query: &str| {
        let (mut names, mut pages, mut next) = (Vec::new(), 0, String::new());
        loop {
            let path = format!("repository?{query}{next}");
            let (status, page) = world.send(Method::GET, &path, token, None).await;
            assert_eq!(status, 200, "{page}");
            pages += 1;
            let found = page["repositories"].as_array().unwrap();
            assert!(found.len() <= 100);
            names.extend(
                found
                    .iter()
                    .map(|it| format!("{}/{}", it["namespace"].as_str().unwrap(), it["name"].as_str().unwrap())),
            );
            let Some(page) = page["next_page"].as_str() else { return (names, pages) };
            next = format!("&next_page={}", page.replace('/', "%2F"));
        }
    };
    let (all, pages) = list(Some(&world.stack.token), &format!("namespace={name}")).await;
    assert_eq!((all.len(), pages, all.is_sorted()), (120, 2, true));
    let (public, _) = list(None, &format!("namespace={name}")).await;
    assert_eq!(public.len(), 60, "everybody sees what is public");
    let (everywhere, _) = list(None, "public=true").await;
    let everywhere: BTreeSet<_> = everywhere.into_iter().collect();
    assert!(public.iter().all(|name| everywhere.contains(name)));
    let needed = world.problem(400, "invalid_request", "namespace, starred or public are required for this API call");
    assert_eq!(world.call(Method::GET, "repository", None).await, needed);
    assert_eq!(world.call(Method::GET, "repository?starred=true", None).await, (200, json!({"repositories": []})));
    let wrong = world.problem(400, "invalid_request", "next_page is not a page");
    assert_eq!(world.call(Method::GET, &format!("repository?namespace={name}&next_page=x"), None).await, wrong);
    let path = format!("repository?namespace={name}&last_modified=true&popularity=true");
    let (_, page) = world.call(Method::GET, &path, None).await;
    let entry = json!({
        "namespace": name, "name": "app", "description": "", "is_public": false, "kind": "image", "state": "NORMAL",
        "is_starred": false, "last_modified": null, "popularity": 0.0,
    });
    assert_eq!(page["repositories"][0], entry);
}

#[tokio::test]
async fn deleting_a_mirrored_repository_leaves_nothing_of_it() {
    let world = World::new("gone").await;
    let upstream = format!("http://{}", world.stack.upstream);
    Image::oci("amd64", &[layer(1, 100)]).push(&upstream, &world.path, "v1").await;
    world.create_mirror(&world.stack.upstream, json!({})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    assert_eq!(bucket::check(&world.stack, &world.repository).await.tags.len(), 1);
    let path = format!("repository/{}", world.repository);
    assert_eq!(world.call(Method::DELETE, &path, None).await.0, 204);
    assert_eq!(bucket::check(&world.stack, &world.repository).await, bucket::Held::default());
    let dynamodb = aws_sdk_dynamodb::Client::new(&world.stack.aws);
    let query = dynamodb.query().table_name(&world.stack.table).key_condition_expression("pk = :pk");
    let pk = AttributeValue::S(format!("REPO#{}", world.repository));
    let left = query.expression_attribute_values(":pk", pk).send().await.unwrap();
    assert_eq!(left.count(), 0, "{:?}", left.items);
    let robot = format!("organization/{}/robots/bot", world.namespace);
    assert_eq!(world.call(Method::DELETE, &robot, None).await.0, 204, "no mirror uses it any more");
    let (_, log) = world.call(Method::GET, &format!("organization/{}/logs", world.namespace), None).await;
    assert!(log["logs"].as_array().unwrap().iter().any(|entry| entry["kind"] == "delete_repo"), "{log}");
}

#[tokio::test]
async fn a_deletion_that_failed_half_way_is_finished() {
    let world = World::new("half-way").await;
    let upstream = format!("http://{}", world.stack.upstream);
    Image::oci("amd64", &[layer(1, 100)]).push(&upstream, &world.path, "v1").await;
    world.create_mirror(&world.stack.upstream, json!({})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    // As if the function had died behind the first write.
    let dynamodb = aws_sdk_dynamodb::Client::new(&world.stack.aws);
    let update = dynamodb.update_item().table_name(&world.stack.table);
    let update = update.key("pk", AttributeValue::S(format!("NS#{}", world.namespace)));
    let update = update.key("sk", AttributeValue::S("REPOSITORY#app".into()));
    let update = update.update_expression("SET is_deleted = :true");
    update.expression_attribute_values(":true", AttributeValue::Bool(true)).send().await.unwrap();
    let path = format!("repository/{}", world.repository);
    assert_eq!(world.call(Method::GET, &path, None).await.0, 404);
    // Where there is much to be looked through, another invocation goes on.
    let reconciled = world.task(&Task::Reconcile { invocation: 0, after: None }).await;
    assert!(matches!(reconciled, TaskAnswer::Reconciled { .. } | TaskAnswer::Unfinished), "{reconciled:?}");
    eventually("nothing is left of it", Duration::from_secs(60), async || {
        (bucket::check(&world.stack, &world.repository).await == bucket::Held::default()).then_some(())
    })
    .await;
    eventually("its name is free", Duration::from_secs(30), async || {
        let body = new(&world.namespace, "app", "public");
        (world.call(Method::POST, "repository", Some(body)).await.0 == 201).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_sync_that_runs_while_its_repository_is_deleted_leaves_nothing_either() {
    let world = World::new("racing").await;
    let upstream = format!("http://{}", world.stack.upstream);
    for tag in 0..20 {
        Image::oci("amd64", &[layer(rand::random(), 500)]).push(&upstream, &world.path, &format!("v{tag}")).await;
    }
    let proxy = Proxy::start(&upstream).await;
    proxy.fault("GET", "/blobs/", 1_000, Fault::Delay(Duration::from_millis(700)));
    world.create_mirror(&proxy.address, json!({})).await;
    world.sync_now().await;
    world.wait_for(&["SYNCING"]).await;
    eventually("a tag is copied", Duration::from_secs(30), async || {
        (!bucket::check(&world.stack, &world.repository).await.tags.is_empty()).then_some(())
    })
    .await;
    let path = format!("repository/{}", world.repository);
    assert_eq!(world.call(Method::DELETE, &path, None).await.0, 204);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(bucket::check(&world.stack, &world.repository).await, bucket::Held::default());
    assert_eq!(world.call(Method::GET, &path, None).await.0, 404);
    assert_eq!(world.call(Method::POST, "repository", Some(new(&world.namespace, "app", "public"))).await.0, 201);
}

#[tokio::test]
async fn an_organization_goes_with_everything_in_it() {
    let world = World::new("ended").await;
    let name = world.namespace.as_str();
    world.create_mirror(&world.stack.upstream, json!({})).await;
    assert_eq!(world.call(Method::POST, "repository", Some(new(name, "other", "public"))).await.0, 201);
    let path = format!("organization/{name}");
    let (reader, admin) = (world.token(Some(name), "write").await, world.token(Some(name), "admin").await);
    assert_eq!(world.send(Method::DELETE, &path, Some(&reader), None).await.0, 403);
    assert_eq!(world.send(Method::DELETE, &path, Some(&admin), None).await.0, 204);
    let not_found = world.problem(404, "not_found", "Not Found");
    for path in [path.clone(), format!("{path}/robots"), format!("repository/{name}/other"), world.mirror_path("")] {
        assert_eq!(world.call(Method::GET, &path, None).await, not_found, "{path}");
    }
    assert_eq!(world.call(Method::DELETE, &path, None).await, not_found);
    assert_eq!(world.call(Method::POST, "organization/", Some(json!({"name": name}))).await.0, 201);
    assert_eq!(world.call(Method::GET, &format!("{path}/robots"), None).await, (200, json!({"robots": []})));
    for token in [reader, admin] {
        let gone = world.send(Method::GET, &format!("{path}/robots"), Some(&token), None).await;
        assert_eq!(gone.0, 401, "tokens of the one before do not open the new one");
    }
    assert_eq!(world.call(Method::POST, "repository", Some(new(name, "app", "public"))).await.0, 201);
}

#[tokio::test]
async fn the_usage_log_is_read_by_days_and_pages() {
    let world = World::new("logs").await;
    world.create_mirror("quay.io", json!({})).await;
    for number in 0..30 {
        world.change_mirror(json!({"sync_interval": 3_600 + number})).await;
    }
    let log = world.log().await;
    let changes: Vec<_> = log.iter().filter(|entry| entry["kind"] == "repo_mirror_config_changed").collect();
    assert_eq!(changes.len(), 31);
    let first = changes[0];
    assert_eq!((&first["metadata"]["changed"], &first["metadata"]["to"]), (&json!("sync_interval"), &json!(3_629)));
    assert_eq!((&first["metadata"]["namespace"], &first["metadata"]["repo"]), (&json!(world.namespace), &json!("app")));
    assert_eq!(first["performer"]["name"], "admin");
    let path = format!("repository/{}/logs", world.repository);
    let (status, page) = world.call(Method::GET, &path, None).await;
    assert_eq!((status, page["logs"].as_array().unwrap().len()), (200, 20));
    assert!(page["start_time"].as_str().unwrap().ends_with(" -0000"), "{page}");
    let old = format!("{path}?starttime=01/01/2020&endtime=01/31/2020");
    let (status, page) = world.call(Method::GET, &old, None).await;
    let empty = json!({
        "start_time": "Wed, 01 Jan 2020 00:00:00 -0000", "end_time": "Sat, 01 Feb 2020 00:00:00 -0000", "logs": [],
    });
    assert_eq!((status, page), (200, empty));
    assert_eq!(world.call(Method::GET, &format!("{path}?starttime=01/02/2020&endtime=12/30/2019"), None).await.0, 400);
    assert_eq!(world.call(Method::GET, &format!("{path}?next_page={}", "x".repeat(100)), None).await.0, 400);
    let strange = format!("{path}?next_page=zzz");
    assert_eq!(world.call(Method::GET, &strange, None).await.0, 200);
    let nobody = format!("organization/{}/logs?performer=nobody", world.namespace);
    assert_eq!(world.call(Method::GET, &nobody, None).await.1["logs"], json!([]));
}

#[tokio::test]
async fn what_the_registry_and_the_mirrors_are() {
    let world = World::new("health").await;
    let capabilities = json!({
        "sparse_manifests": {"supported": true, "required_architectures": [], "optional_architectures_allowed": true},
        "mirror_architectures": ["amd64", "arm64", "ppc64le", "s390x"],
    });
    assert_eq!(world.send(Method::GET, "registry/capabilities", None, None).await, (200, capabilities));
    let error = json!({
        "type": "not_found", "title": "not_found", "description": "The resource was not found.",
    });
    assert_eq!(world.send(Method::GET, "error/not_found", None, None).await, (200, error));

    let path = format!("repository/mirror/health?namespace={}", world.namespace);
    let (status, health) = world.call(Method::GET, &path, None).await;
    // The last two are ours.
    let numbers = json!({
        "total": 0, "syncing": 0, "completed": 0, "failed": 0, "never_run": 0, "queued": 0, "cancelled": 0,
    });
    assert_eq!((status, &health["healthy"], &health["repositories"]), (200, &json!(true), &numbers));
    world.create_mirror("127.0.0.1:1", json!({})).await;
    let (status, health) = world.call(Method::GET, &format!("{path}&detailed=true"), None).await;
    let detail = json!([{
        "namespace": world.namespace, "repository": "app", "sync_status": "NEVER_RUN", "is_enabled": true,
        "last_sync": null, "retries_remaining": 3,
    }]);
    assert_eq!((status, &health["repositories"]["details"]), (200, &detail));
    let pages = json!({"limit": 100, "offset": 0, "has_more": false});
    assert_eq!(health["repositories"]["pagination"], pages);
    let message = format!("Repository {} has never been synced", world.repository);
    assert_eq!(
        (&health["issues"][0]["severity"], &health["issues"][0]["message"]),
        (&json!("warning"), &json!(message))
    );

    world.sync_now().await;
    world.wait_for(&["FAIL"]).await;
    let answer = world.answer(Method::GET, &path, Some(&world.stack.token), None).await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["cache-control"]),
        (503, &"no-cache, no-store, must-revalidate".parse().unwrap())
    );
    let health: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!((&health["healthy"], &health["workers"]["status"]), (&json!(false), &json!("degraded")));
    let critical = "100.0% of repositories are failing (threshold: 20.0%)";
    assert_eq!(
        (&health["issues"][0]["severity"], &health["issues"][0]["message"]),
        (&json!("critical"), &json!(critical))
    );
    world.change_mirror(json!({"is_enabled": false})).await;
    assert_eq!(world.call(Method::GET, &path, None).await.1["repositories"], numbers, "disabled ones do not count");
    assert!(matches!(world.call(Method::GET, "superuser/mirror/health", None).await.0, 200 | 503));
    let unknown = "repository/mirror/health?namespace=no-such-namespace";
    assert_eq!(world.call(Method::GET, unknown, None).await, world.problem(404, "not_found", "Not Found"));
}
