//! Credentials that no template holds.

use aws_sdk_secretsmanager::Client;
use moorage_tests::{logs, world::World};
use serde_json::{Value, json};

use super::{declared, name, template};

/// Makes a secret, and returns its ARN.
async fn secret(client: &Client, name: &str, value: &Value) -> String {
    let created = client.create_secret().name(name).secret_string(value.to_string()).send().await.unwrap();
    created.arn.unwrap()
}

#[tokio::test]
async fn credentials_come_from_secrets_and_change_with_their_version() {
    let world = World::new("fromsecrets").await;
    let client = Client::new(&world.stack.aws);
    let arn = secret(&client, &name("declared"), &json!({"username": "first", "password": "hunter2-first"})).await;
    let mirror = |arn: &str, version: u32, more: Value| {
        let mut mirror = json!({
            "repository": world.repository, "external_reference": format!("{}/{}", world.stack.upstream, world.path),
            "external_registry_config": {"verify_tls": false}, "robot_username": format!("{}+bot", world.namespace),
            "root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["v*"]},
            "CredentialsSecretArn": arn, "CredentialsSecretVersion": version,
        });
        mirror.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ("Mirror", "Mirror", mirror)
    };
    let hook = secret(
        &client,
        &name("declared"),
        &json!({"url": "http://127.0.0.1:9/hunter2-hook", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}),
    )
    .await;
    let notification = json!({
        "organization": world.namespace, "event": "repo_mirror_late", "method": "webhook", "CredentialsSecretArn": hook,
    });
    let robot = json!({
        "organization": world.namespace, "robot_shortname": "puller", "external_registry": {"host": "r.example.com"},
        "CredentialsSecretArn": arn,
    });
    let others = [("Tell", "Notification", notification), ("Robot", "Robot", robot)];
    let with = |mirror| [&[mirror][..], &others].concat();
    let mut stack = declared(&world.namespace, template(&with(mirror(&arn, 1, json!({}))))).await;
    assert_eq!(stack.create(&[]).await, "CREATE_COMPLETE", "{:?}", stack.events().await);
    assert_eq!(world.mirror().await["external_registry_username"], "first");
    let (_, told) =
        world.call(reqwest::Method::GET, &format!("organization/{}/notifications", world.namespace), None).await;
    assert_eq!(
        (&told["notifications"][0]["signed"], &told["notifications"][0]["config"]["url"]),
        (&json!(true), &json!("http://127.0.0.1:9/hunter2-hook"))
    );
    let (_, robot) =
        world.call(reqwest::Method::GET, &format!("organization/{}/robots/puller", world.namespace), None).await;
    assert_eq!(robot["external_registry"]["username"], "first");

    // A change of the registry would drop the password, were it not sent again; the secret's new version is read when it is named.
    let value = json!({"username": "second", "password": "hunter2-second"}).to_string();
    client.put_secret_value().secret_id(&arn).secret_string(value).send().await.unwrap();
    let elsewhere = json!({"external_reference": format!("localhost:1/{}", world.path)});
    assert_eq!(stack.replace(template(&with(mirror(&arn, 2, elsewhere)))).await, "UPDATE_COMPLETE");
    let after = world.mirror().await;
    assert_eq!((&after["external_registry_username"], after.get("sync_warning")), (&json!("second"), None));

    // What no parameter allows stays unread, and so does what is no login.
    let other = secret(&client, &name("undeclared"), &json!({"username": "x", "password": "hunter2-other"})).await;
    let wrong = secret(&client, &name("declared"), &json!({"user": "x", "pass": "hunter2-wrong"})).await;
    for (arn, said) in [
        (&other, "the function may not read "),
        (&wrong, "the secret "),
        (&"arn:aws:secretsmanager:us-east-1:000000000000:secret:declared-none".to_owned(), "there is no secret "),
    ] {
        assert_eq!(stack.replace(template(&with(mirror(arn, 3, json!({}))))).await, "UPDATE_ROLLBACK_COMPLETE");
        let reason = stack.reason("Mirror").await;
        assert!(reason.starts_with(said) && !reason.contains("hunter2"), "{reason}");
    }
    assert_eq!(world.mirror().await["external_registry_username"], "second");
    let events = format!("{:?}", stack.events().await);
    assert_eq!(stack.delete().await, "DELETE_COMPLETE");

    let function = std::env::var("MOORAGE_RESOURCE_FUNCTION").unwrap();
    let ours = logs::lines(&world.stack, &function, &world.namespace).await;
    assert!(ours.len() > 3, "the log tells of each request: {ours:?}");
    for told in [vec![events], logs::lines(&world.stack, &function, "").await].concat() {
        for secret in ["hunter2", "MfKQ9r8G", "cfn-response", world.stack.token.as_str()] {
            assert!(!told.contains(secret), "{secret} in {told}");
        }
    }
}
