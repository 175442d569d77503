//! All mirrors at a glance.

use moorage_tests::{
    eventually,
    image::{Image, layer},
    organization_mirror as organizations,
    proxy::{Fault, Proxy},
    world::World,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// What is told of the mirror, once `is_there` holds: the index is some moments behind the table.
async fn told(world: &World, is_there: impl Fn(&Value) -> bool) -> Value {
    let path = format!("mirror/overview?namespace={}", world.namespace);
    eventually("the overview follows", std::time::Duration::from_secs(20), async || {
        let (status, page) = world.call(Method::GET, &path, None).await;
        assert_eq!(status, 200, "{page}");
        let mirrors = page["mirrors"].as_array().unwrap();
        let mine = mirrors.iter().find(|it| it["repository"] == world.repository.name());
        let mine = mine.cloned().unwrap_or_default();
        is_there(&mine).then_some(mine)
    })
    .await
}

#[tokio::test]
async fn a_mirror_is_shown_with_how_its_runs_ended() {
    let world = World::new("glance").await;
    let upstream = format!("http://{}", world.stack.upstream);
    for tag in ["v1", "v2"] {
        Image::oci("amd64", &[layer(rand::random(), 1_000)]).push(&upstream, &world.path, tag).await;
    }
    world.create_mirror(&world.stack.upstream, json!({})).await;
    let new = told(&world, |it| it["sync_status"] == "NEVER_RUN").await;
    assert_eq!(
        (&new["runs"], &new["tags"], &new["last_success"], &new["is_late"]),
        (&json!([]), &Value::Null, &Value::Null, &json!(false))
    );
    world.sync().await;
    let synced = told(&world, |it| it["sync_status"] == "SUCCESS").await;
    assert_eq!(
        (&synced["runs"], &synced["tags"], &synced["last_failure"], synced.get("last_failure_advice")),
        (&json!(["SUCCESS"]), &json!(2), &Value::Null, None)
    );
    // A page that is full and the last one says so.
    let path = format!("mirror/overview?namespace={}&limit=1", world.namespace);
    let (_, page) = world.call(Method::GET, &path, None).await;
    assert_eq!((page["mirrors"].as_array().unwrap().len(), page.get("next_page")), (1, None));
    let mirror = world.mirror().await;
    for field in ["external_reference", "sync_interval", "sync_start_date", "sync_retries_remaining", "is_enabled"] {
        assert_eq!(synced[field], mirror[field], "{field}");
    }
    assert!(synced["last_success"].is_string() && synced["last_ended"].is_string(), "{synced}");

    let elsewhere = format!("{}/{}-gone", world.stack.upstream, world.path);
    world.change_mirror(json!({"external_reference": elsewhere, "is_enabled": false})).await;
    world.sync_now().await;
    world.wait_for(&["FAIL"]).await;
    let failed = told(&world, |it| it["sync_status"] == "FAIL").await;
    assert_eq!(
        (&failed["tags"], &failed["is_enabled"]),
        (&json!(2), &json!(false)),
        "as the last complete run left them"
    );
    let runs = failed["runs"].as_array().unwrap();
    assert!(runs.len() >= 2 && runs[0] == "SUCCESS" && runs[1] == "FAIL", "{failed}");
    assert!(!failed["last_failure"].as_str().unwrap().is_empty(), "why");
    let advice = world.last_run().await["failure"]["advice"].clone();
    assert_eq!(failed["last_failure_advice"], advice, "and what to do, in the run's words");
}

/// What is told of the mirror of the organization, once `is_there` holds.
async fn told_of_organization(world: &World, token: Option<&str>, is_there: impl Fn(&Value) -> bool) -> Value {
    eventually("the overview follows", std::time::Duration::from_secs(20), async || {
        let (status, page) = world.send(Method::GET, "mirror/overview", token, None).await;
        assert_eq!(status, 200, "{page}");
        let all = page["organizations"].as_array().unwrap();
        let mine = all.iter().find(|it| it["namespace"] == world.namespace.as_str()).cloned().unwrap_or_default();
        is_there(&mine).then_some(mine)
    })
    .await
}

#[tokio::test]
async fn the_mirror_of_an_organization_is_shown_with_why_it_failed() {
    let world = World::empty("glance-org").await;
    let reader = world.token(Some(&world.namespace), "read").await;
    let proxy = Proxy::start(&format!("http://{}", world.stack.upstream)).await;
    organizations::create(&world, "distribution", &proxy.address, json!({})).await;
    for token in [&world.stack.token, &reader] {
        let new = told_of_organization(&world, Some(token), |it| it["sync_status"] == "NEVER_RUN").await;
        assert_eq!((&new["runs"], &new["is_late"], new.get("repository")), (&json!([]), &json!(false), None));
    }
    organizations::push(&world, "app", &["v1"]).await;
    organizations::sync_now(&world).await;
    organizations::wait_for(&world, json!({"SUCCESS": 1})).await;
    let synced = told_of_organization(&world, Some(&reader), |it| it["sync_status"] == "SUCCESS").await;
    assert_eq!((&synced["runs"], &synced["last_failure"]), (&json!(["SUCCESS"]), &Value::Null));
    proxy.fault("GET", "/v2/_catalog", usize::MAX, Fault::Status(404, Vec::new()));
    organizations::sync_now(&world).await;
    let failed = told_of_organization(&world, Some(&reader), |it| it["sync_status"] == "FAIL").await;
    let mirror = organizations::mirror(&world).await;
    assert!(mirror["status_advice"].is_string(), "{mirror}");
    assert_eq!(
        (&failed["last_failure"], &failed["last_failure_advice"]),
        (&mirror["status_message"], &mirror["status_advice"]),
        "in the words of its own page"
    );
    // Page by page there are those of organizations, too, each once.
    let (mut names, mut next) = (Vec::new(), String::new());
    loop {
        let (_, page) = world.send(Method::GET, &format!("mirror/overview?limit=1{next}"), Some(&reader), None).await;
        let name = |it: &Value| it["repository"].as_str().unwrap_or("(all)").to_owned();
        names.extend(["organizations", "mirrors"].iter().flat_map(|kind| page[kind].as_array().unwrap()).map(name));
        let Some(page) = page["next_page"].as_str() else { break };
        next = format!("&next_page={page}");
    }
    assert_eq!(names, ["(all)", "app"]);
    assert_eq!(world.call(Method::DELETE, &organizations::path(&world, ""), None).await.0, 204);
    told_of_organization(&world, Some(&reader), Value::is_null).await;
}

#[tokio::test]
async fn what_is_no_mirrors_any_more_is_not_shown() {
    let world = World::new("glanced").await;
    world.create_mirror(&world.stack.upstream, json!({})).await;
    told(&world, Value::is_object).await;
    for (state, is_shown) in [("NORMAL", false), ("MIRROR", true), ("READ_ONLY", false)] {
        let path = format!("repository/{}/changestate", world.repository);
        let (status, answer) = world.call(Method::PUT, &path, Some(json!({"state": state}))).await;
        assert_eq!(status, 200, "{answer}");
        told(&world, |it| it.is_object() == is_shown).await;
    }
}

#[tokio::test]
async fn a_token_sees_its_namespace_alone() {
    let (world, other) = (World::new("glancing").await, World::new("glances").await);
    for it in [&world, &other] {
        it.create_mirror(&it.stack.upstream, json!({})).await;
        told(it, Value::is_object).await;
    }
    let token = world.token(Some(&world.namespace), "read").await;
    let get = async |path: &str, token: Option<&str>| world.send(Method::GET, path, token, None).await;
    let (status, page) = get("mirror/overview", Some(&token)).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    let namespaces: Vec<_> = page["mirrors"].as_array().unwrap().iter().map(|it| &it["namespace"]).collect();
    assert_eq!(namespaces, [&json!(world.namespace)]);
    let elsewhere = format!("mirror/overview?namespace={}", other.namespace);
    assert_eq!(get(&elsewhere, Some(&token)).await.0, 403);
    assert_eq!(get("mirror/overview?namespace=nobody-has-this", Some(&world.stack.token)).await.0, 404);
    assert_eq!(get("mirror/overview", None).await.0, 401);
    for wrong in ["limit=0", "limit=1001", "next_page=X"] {
        let (status, answer) = get(&format!("mirror/overview?{wrong}"), Some(&token)).await;
        assert_eq!(status, 400, "{wrong}: {answer}");
    }
    let (_, all) = get("mirror/overview", Some(&world.stack.token)).await;
    assert!(all["mirrors"].as_array().unwrap().len() >= 2, "the stack's own token sees all");
}
