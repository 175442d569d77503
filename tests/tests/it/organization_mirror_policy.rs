//! What an organization's mirror says of deletions and of the registry's listings holds for the mirrors that it finds.

use moorage_domain::Digest;
use moorage_tests::{
    bucket, image,
    organization_mirror::{body, change, create, mirror, named, path, push, repositories, sync_now, wait_for},
    proxy::{Fault, Proxy},
    world::{World, outcome},
};
use reqwest::Method;
use serde_json::{Value, json};

const SETTINGS: [&str; 4] = ["deletion_limit", "deletion_grace", "rate_limit_floor", "digest_listing"];

/// The settings as a mirror shows them; null where it does not.
fn settings(mirror: &Value) -> [Value; 4] {
    SETTINGS.map(|name| mirror.get(name).cloned().unwrap_or_default())
}

/// A round; returns what became of the repository `app`.
async fn round(world: &World) -> Value {
    sync_now(world).await;
    wait_for(world, json!({"SUCCESS": 1})).await;
    world.last_run().await
}

#[tokio::test]
async fn settings_are_shown_changed_reset_and_refused_as_a_repositorys_are() {
    let world = World::empty("policy").await;
    let wrong = [
        (json!({"deletion_limit": -1}), "-1 is less than the minimum of 0"),
        (json!({"deletion_grace": "3"}), "'3' is not of type 'integer'"),
        (json!({"rate_limit_floor": 1.5}), "1.5 is not of type 'integer'"),
        (
            json!({"digest_listing": "gitlab"}),
            "'gitlab' is not one of ['auto', 'off', 'tags_list', 'quay', 'harbor', 'docker_hub']",
        ),
    ];
    let refused = async |method: Method, sent: &Value, wrong: &Value, message: &str| {
        let mut sent = sent.clone();
        sent.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        let answer = world.call(method, &path(&world, ""), Some(sent)).await;
        assert_eq!(answer, world.problem(400, "invalid_request", message));
    };
    for (wrong, message) in &wrong {
        let new = body(&world, "distribution", "registry.example");
        refused(Method::POST, &new, wrong, message).await;
        assert_eq!(world.call(Method::GET, &path(&world, ""), None).await.0, 404, "nothing is stored");
    }

    create(&world, "distribution", "registry.example", json!({})).await;
    assert_eq!(settings(&mirror(&world).await), [const { Value::Null }; 4], "clients of Quay's see none of them");
    let all = json!({"deletion_limit": 0, "deletion_grace": 1, "rate_limit_floor": 2, "digest_listing": "quay"});
    change(&world, all.clone()).await;
    change(&world, json!({"sync_interval": 7_200})).await;
    assert_eq!(settings(&mirror(&world).await), settings(&all), "what is not sent stays");
    let before = mirror(&world).await;
    for (wrong, message) in &wrong {
        refused(Method::PUT, &json!({"sync_interval": 77_777, "deletion_limit": 9}), wrong, message).await;
        assert_eq!(mirror(&world).await, before, "nothing is stored where one field is refused");
    }
    change(&world, json!({"deletion_limit": null, "deletion_grace": null})).await;
    assert_eq!(settings(&mirror(&world).await), settings(&json!({"rate_limit_floor": 2, "digest_listing": "quay"})));
    change(&world, json!({"rate_limit_floor": null, "digest_listing": null})).await;
    assert_eq!(settings(&mirror(&world).await), [const { Value::Null }; 4]);
}

#[tokio::test]
async fn what_a_repository_holds_back_goes_once_its_organization_allows_it() {
    let world = World::empty("policy-held").await;
    let old: Vec<_> = (0..12).map(|number| format!("old-{number}")).collect();
    let leaves = push(&world, "app", &old.iter().map(String::as_str).collect::<Vec<_>>()).await;
    push(&world, "app", &["v1", "v2"]).await;
    create(&world, "distribution", &world.stack.upstream, json!({"deletion_grace": 2})).await;
    assert_eq!(round(&world).await["tags_copied"], 14);
    assert_eq!(settings(&world.mirror().await), settings(&json!({"deletion_grace": 2})), "a new one has them");

    image::delete(&format!("http://{}", world.stack.upstream), &world.path, &leaves.digest()).await;
    let held = round(&world).await;
    assert_eq!(
        (&held["warning"]["reason"], &held["warning"]["tags"]),
        (&json!("deletions_held"), &json!(12)),
        "{held}"
    );
    let told = held["warning"]["message"].as_str().unwrap();
    assert!(told.contains("organization's mirror"), "{told}");
    assert_eq!(world.mirror().await["sync_warning"], held["warning"]);
    // The repository's own configuration is no way out.
    let limit = json!({"deletion_limit": 12});
    assert_eq!(world.call(Method::PUT, &world.mirror_path(""), Some(limit.clone())).await.0, 400);

    change(&world, limit.clone()).await;
    let run = round(&world).await;
    assert_eq!((&run["tags_pruned"], run.get("warning")), (&json!(12), None), "{run}");
    assert_eq!(outcome(&run, "old-0")["outcome"], "pruned");
    assert_eq!(world.mirror().await["deletion_limit"], 12, "one that exists gets them, too");
    assert!(world.mirror().await.get("sync_warning").is_none());
    let left = bucket::check(&world.stack, &named(&world, "app")).await;
    assert_eq!(left.tags.into_keys().collect::<Vec<_>>(), ["v1", "v2"]);
    change(&world, json!({"deletion_limit": null})).await;
    round(&world).await;
    assert_eq!(settings(&world.mirror().await), settings(&json!({"deletion_grace": 2})), "and is reset with it");
    assert_eq!(repositories(&world, "?status=SUCCESS").await["total"], 1);
}

#[tokio::test]
async fn unchanged_tags_of_a_repository_are_asked_for_as_its_organization_says() {
    let world = World::empty("policy-digests").await;
    let tags = ["a", "b", "c"];
    let digest: Digest = push(&world, "app", &tags).await.digest();
    let proxy = Proxy::start(&format!("http://{}", world.stack.upstream)).await;
    let list = json!({"name": world.path, "tags": tags, "manifest": {digest.to_string(): {"tag": tags}}});
    proxy.fault("GET", "/tags/list", usize::MAX, Fault::Body(list.to_string().into()));
    create(&world, "distribution", &proxy.address, json!({"digest_listing": "off"})).await;
    assert_eq!(round(&world).await["tags_copied"], tags.len());
    assert_eq!(world.mirror().await["digest_listing"], "off");
    let manifests = async || {
        proxy.take_seen();
        assert_eq!(round(&world).await["tags_unchanged"], tags.len());
        proxy.take_seen().iter().filter(|seen| seen.path.contains("/manifests/")).count()
    };
    assert_eq!(manifests().await, tags.len(), "each by HEAD");
    change(&world, json!({"digest_listing": "tags_list"})).await;
    assert_eq!(manifests().await, 0, "the list says it");
    assert_eq!(world.mirror().await["digest_listing"], "tags_list");
}
