//! All mirrors at a glance.

use moorage_tests::{
    eventually,
    image::{Image, layer},
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
    for wrong in ["limit=0", "limit=1001", "next_page=x"] {
        let (status, answer) = get(&format!("mirror/overview?{wrong}"), Some(&token)).await;
        assert_eq!(status, 400, "{wrong}: {answer}");
    }
    let (_, all) = get("mirror/overview", Some(&world.stack.token)).await;
    assert!(all["mirrors"].as_array().unwrap().len() >= 2, "the stack's own token sees all");
}
