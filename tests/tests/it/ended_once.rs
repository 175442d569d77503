//! Whatever ends ends once: of several who delete it at once, one is told so, and the others that there is none. And what
//! stays of it.

use std::time::Duration;

use futures_util::future::join_all;
use moorage_tests::{
    eventually,
    image::{Image, layer},
    organization_mirror,
    proxy::{Fault, Proxy},
    world::World,
};
use reqwest::Method;
use serde_json::json;

/// How many delete the same thing at once.
const CALLERS: usize = 5;

/// Deletes what is at a path, and returns the statuses of all callers, the least first.
async fn delete(world: &World, path: &str) -> Vec<u16> {
    let calls = (0..CALLERS).map(|_| async { world.call(Method::DELETE, path, None).await.0 });
    let mut statuses = join_all(calls).await;
    statuses.sort_unstable();
    statuses
}

fn once(gone: u16) -> Vec<u16> {
    std::iter::once(204).chain([gone; CALLERS - 1]).collect()
}

#[tokio::test]
async fn one_of_those_who_delete_the_same_has_deleted_it() {
    let world = World::new("once").await;
    let organization = format!("organization/{}", world.namespace);
    let (robot, repository) = (world.robot_name(), format!("repository/{}", world.repository));
    let put = async |path: &str, body| {
        let (status, answer) = world.call(Method::PUT, path, body).await;
        assert!(matches!(status, 200 | 201), "{path}: {answer}");
    };
    let role = || Some(json!({"role": "read"}));
    let team = format!("{organization}/team/crew");
    put(&team, Some(json!({"role": "member"}))).await;
    for name in ["plain", "unused"] {
        put(&format!("{organization}/robots/{name}"), None).await;
    }
    for member in ["bot", "plain"] {
        put(&format!("{team}/members/{}+{member}", world.namespace), None).await;
    }
    put(&format!("{repository}/permissions/team/crew"), role()).await;
    put(&format!("{repository}/permissions/user/{robot}"), role()).await;
    put(&format!("{repository}/permissions/user/{}+plain", world.namespace), role()).await;
    let (_, token) = world.call(Method::POST, "tokens", Some(json!({"role": "read"}))).await;
    world.create_mirror(&world.stack.upstream, json!({})).await;
    Image::oci("amd64", &[layer(1, 10)]).push(&format!("http://{}", world.stack.upstream), &world.path, "v1").await;
    assert_eq!(world.sync().await["status"], "SUCCESS");

    for (path, gone) in [
        (format!("tokens/{}", token["id"].as_str().unwrap()), 404),
        (world.mirror_path(""), 404),
        (format!("{repository}/tag/v1"), 404),
        (format!("{repository}/permissions/user/{robot}"), 400),
        (format!("{team}/members/{robot}"), 400),
        (format!("{organization}/robots/unused"), 400),
        (format!("{organization}/robots/plain"), 400),
        (team, 400),
        (repository, 404),
    ] {
        assert_eq!(delete(&world, &path).await, once(gone), "{path}");
    }
}

#[tokio::test]
async fn an_organizations_mirror_ends_once() {
    let world = World::empty("once-org").await;
    organization_mirror::push(&world, "app", &["v1"]).await;
    organization_mirror::create(&world, "distribution", &world.stack.upstream, json!({})).await;
    organization_mirror::sync_now(&world).await;
    organization_mirror::wait_for(&world, json!({"SUCCESS": 1})).await;
    assert_eq!(delete(&world, &organization_mirror::path(&world, "")).await, once(404));
    let log = organization_mirror::log(&world).await;
    assert_eq!(log.iter().filter(|entry| entry["kind"] == "org_mirror_disabled").count(), 1, "{log:?}");
}

#[tokio::test]
async fn the_runs_of_a_mirror_outlive_it() {
    let world = World::new("outlived").await;
    let upstream = format!("http://{}", world.stack.upstream);
    Image::oci("amd64", &[layer(1, 10)]).push(&upstream, &world.path, "v1").await;
    let runs = world.mirror_path("/runs");
    assert_eq!(world.call(Method::GET, &runs, None).await, world.problem(404, "not_found", "Not Found"));
    let proxy = Proxy::start(&upstream).await;
    world.create_mirror(&proxy.address, json!({})).await;
    let first = world.sync().await;
    assert_eq!(first["status"], "SUCCESS");
    proxy.fault("GET", "/tags/list", 1, Fault::Delay(Duration::from_secs(8)));
    world.sync_now().await;
    world.wait_for(&["SYNCING"]).await;
    eventually("its run begins", Duration::from_secs(30), async || (world.runs().await.len() == 2).then_some(())).await;
    assert_eq!(world.call(Method::DELETE, &world.mirror_path(""), None).await.0, 204);
    let statuses: Vec<_> = world.runs().await.into_iter().map(|run| run["status"].clone()).collect();
    assert_eq!(statuses, ["CANCEL", "SUCCESS"], "the one that ran ended with its mirror");
    let (status, run) = world.call(Method::GET, &format!("{runs}/{}", first["run_id"].as_str().unwrap()), None).await;
    assert_eq!((status, &run), (200, &first));
    let path = format!("repository/{}", world.repository);
    assert_eq!(world.call(Method::DELETE, &path, None).await.0, 204);
    assert_eq!(world.call(Method::GET, &runs, None).await.0, 404, "but not their repository");
}
