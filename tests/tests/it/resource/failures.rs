//! What fails says why, and leaves what was there.

use moorage_tests::{declared::Declared, world::World};
use reqwest::Method;
use serde_json::{Value, json};

use super::{EXAMPLE, declared, name, shown, template};

/// A mirror of this world's repository.
fn mirror(world: &World, more: &Value) -> Value {
    let mut mirror = json!({
        "repository": world.repository, "external_reference": format!("{}/{}", world.stack.upstream, world.path),
        "external_registry_config": {"verify_tls": false}, "robot_username": format!("{}+bot", world.namespace),
        "root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["v*"]},
    });
    mirror.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    mirror
}

#[tokio::test]
async fn reasons_stand_in_the_events_of_the_stack() {
    let world = World::new("reasons").await;
    let organization = json!({"name": world.namespace});
    let here = |more: Value| mirror(&world, &more);
    let there = format!(
        "moorage/{}/organization exists already, and this stack has not made it. Adopt: true takes it over",
        world.namespace
    );
    for (number, (kind, properties, said)) in (0..).zip([
        ("Organization", organization, there.as_str()),
        (
            "Team",
            json!({"name": "dev"}),
            "Custom::MoorageTeam is no type of resource: see functions/resource/README.md",
        ),
        ("Mirror", here(json!({"sync_interval": "soon"})), "sync_interval has to be a whole number"),
        ("Mirror", here(json!({"tags": ["v*"]})), "tags is no property of Custom::MoorageMirror"),
        (
            "Mirror",
            here(json!({"external_registry_password": "hunter2"})),
            "external_registry_password comes from the secret that CredentialsSecretArn names",
        ),
        ("Mirror", here(json!({"external_reference": "169.254.169.254/x"})), "the API: "),
        ("Mirror", here(json!({"sync_interval": 5})), "the API: "),
    ]) {
        let stack = declared(&name(&format!("reasons{number}")), template(&[("It", kind, properties)])).await;
        assert_eq!(stack.create(&[]).await, "ROLLBACK_COMPLETE", "{kind}");
        let reason = stack.reason("It").await;
        assert!(reason.starts_with(said) && !reason.contains("hunter2"), "{kind}: {reason}");
        assert_eq!(stack.delete().await, "DELETE_COMPLETE");
    }
    assert!(shown(&world, &format!("organization/{}", world.namespace)).await.is_ok(), "none of them has touched it");
}

#[tokio::test]
async fn a_change_that_fails_is_turned_back() {
    let organization = name("turnedback");
    let world = World::new("turnedback").await;
    let reference = format!("{}/{}", world.stack.upstream, world.path);
    let parameters = |repository, reference, tags| {
        [
            ("Organization", organization.as_str()),
            ("Repository", repository),
            ("ExternalReference", reference),
            ("VerifyTls", "false"),
            ("Tags", tags),
        ]
    };
    let example = Declared::new(&world.stack, &organization, EXAMPLE);
    assert_eq!(example.create(&parameters("app", reference.as_str(), "v*")).await, "CREATE_COMPLETE");
    let path = format!("repository/{organization}/app/mirror");
    let before = shown(&world, &path).await.unwrap();

    // The mirror is refused where it is…
    assert_eq!(example.update(&parameters("app", "169.254.169.254/x", "v1")).await, "UPDATE_ROLLBACK_COMPLETE");
    assert!(example.reason("Mirror").await.starts_with("the API: "));
    assert_eq!(shown(&world, &path).await.unwrap(), before);
    // …and where it would be a new one, after the repository of another name was made for it.
    assert_eq!(example.update(&parameters("app2", "169.254.169.254/x", "v1")).await, "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(shown(&world, &path).await.unwrap(), before);
    assert_eq!(shown(&world, &format!("repository/{organization}/app2")).await, Err(404));
    assert_eq!(example.delete().await, "DELETE_COMPLETE");
    assert_eq!(shown(&world, &format!("organization/{organization}")).await, Err(404), "nothing was in it any more");
}

#[tokio::test]
async fn what_was_there_is_taken_over_if_that_is_said_and_stays() {
    let world = World::new("adopted").await;
    world.create_mirror(&world.stack.upstream, json!({"deletion_limit": 7})).await;
    let adopting = |more: Value| {
        let mut all = json!({"Adopt": true, "sync_interval": 3600});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        template(&[("It", "Mirror", mirror(&world, &all))])
    };
    let mut stack = declared(&world.namespace, adopting(json!({}))).await;
    assert_eq!(stack.create(&[]).await, "CREATE_COMPLETE", "{:?}", stack.events().await);
    let mirror = world.mirror().await;
    let settings = (&mirror["sync_interval"], &mirror["root_rule"]["rule_value"], &mirror["deletion_limit"]);
    assert_eq!(settings, (&json!(3600), &json!(["v*"]), &json!(7)), "what is not declared is nobody's business");
    // Drift is corrected where that is asked for, and something that is gone is made again.
    world.change_mirror(json!({"sync_interval": 60})).await;
    assert_eq!(stack.replace(adopting(json!({"Drift": "correct"}))).await, "UPDATE_COMPLETE");
    assert_eq!(world.mirror().await["sync_interval"], 3600);
    assert_eq!(world.call(Method::DELETE, &world.mirror_path(""), None).await.0, 204);
    assert_eq!(stack.replace(adopting(json!({"is_enabled": false}))).await, "UPDATE_COMPLETE");
    assert_eq!(world.mirror().await["is_enabled"], false);
    assert_eq!(stack.delete().await, "DELETE_COMPLETE");
    assert_eq!(world.mirror().await["sync_interval"], 3600, "it was there before the stack");
}
