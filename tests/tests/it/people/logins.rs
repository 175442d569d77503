//! What a role on one repository is not: one on what the namespace may read at registries, or on their limits.

use moorage_tests::{people::People, world::World};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Visitor, admin, grant};

#[tokio::test]
async fn who_keeps_one_repository_does_not_log_in_as_the_namespace() {
    let (world, people) = (World::new("logins").await, People::of_stack());
    let keeper = people.person("keeper", &[]).await;
    let visitor = Visitor::of(&world, &keeper).await;
    grant(&world, &keeper, "admin").await;
    let admin = admin(&world);
    let robots = format!("organization/{}/robots", world.namespace);
    assert_eq!(admin.put(&format!("{robots}/plain"), json!({})).await.0, 201);
    let login = json!({"host": "quay.io", "username": "u", "password": "p"});
    assert_eq!(admin.put(&format!("{robots}/bot/external-registry"), login).await.0, 200);
    let path = format!("repository/{}/mirror", world.repository);
    let plain = format!("{}+plain", world.namespace);
    let with = |changes: Value| {
        let mut body = world.mirror_body("quay.io");
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        body
    };
    let refused = async |method: Method, path: &str, body: Value| {
        let (status, answer) = visitor.call(method.clone(), path, &body).await;
        let why = answer["detail"].as_str().unwrap_or_default();
        assert_eq!((status, why.contains("admins of the namespace")), (403, true), "{method} {path} {body}: {answer}");
    };
    let cloud = json!({"robot_username": plain, "external_registry_config": {"credentials": {"type": "ecr"}}});
    for body in [with(json!({})), with(json!({"external_registry_username": "mine"})), with(cloud.clone())] {
        refused(Method::POST, &path, body.clone()).await;
        refused(Method::POST, &format!("{path}/preview"), body).await;
    }
    // A robot that has none is theirs to name, and stays so.
    assert_eq!(visitor.post(&path, with(json!({"robot_username": plain}))).await.0, 201);
    let bot = json!({"robot_username": world.robot_name()});
    for body in [bot.clone(), json!({"external_registry_config": cloud["external_registry_config"]})] {
        refused(Method::PUT, &path, body.clone()).await;
        refused(Method::POST, &format!("{path}/preview"), body).await;
    }
    assert_eq!(visitor.put(&path, json!({"external_reference": "quay.io/other/app"})).await.0, 201);
    // What an admin of the namespace has set up they keep, but do not point elsewhere.
    assert_eq!(admin.put(&path, bot).await.0, 201);
    refused(Method::PUT, &path, json!({"external_reference": "quay.io/secret/app"})).await;
    refused(Method::PUT, &path, json!({"external_registry_config": {"token_realms": ["auth.example.com"]}})).await;
    let same = json!({"sync_interval": 7_200, "robot_username": world.robot_name(), "external_reference": "quay.io/other/app"});
    assert_eq!(visitor.put(&path, same).await.0, 201);
    assert_eq!(visitor.put(&path, json!({"robot_username": plain})).await.0, 201);

    // Limits of a registry are those of all of the namespace's mirrors.
    assert_eq!(visitor.delete(&format!("{path}/rate-limit")).await.0, 403);
    assert_eq!(admin.delete(&format!("{path}/rate-limit")).await.0, 204);
}
