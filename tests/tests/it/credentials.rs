//! Credentials of the external registry: they work, and they stay secret.

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_tests::{
    image::{Image, layer},
    logs,
    proxy::{Fault, Proxy},
    registry::{PASSWORD, Registry, USER},
    world::World,
};
use serde_json::{Value, json};

async fn assert_nothing_holds_the_password(world: &World) {
    let mirror = world.mirror().await;
    assert_eq!(mirror["external_registry_username"], USER);
    assert!(!mirror.as_object().unwrap().contains_key("external_registry_password"));
    let said = format!("{mirror}{:?}{:?}", world.runs().await, world.log().await);
    let query = aws_sdk_dynamodb::Client::new(&world.stack.aws).query().table_name(&world.stack.table);
    let query = query.key_condition_expression("pk = :pk");
    let items = query.expression_attribute_values(":pk", AttributeValue::S(format!("REPO#{}", world.repository)));
    let stored = format!("{:?}", items.send().await.unwrap().items);
    let secret = serde_json::to_string(PASSWORD).unwrap();
    let logged = [&world.stack.sync_function, &world.stack.api_function];
    let logged = [logs::lines(&world.stack, logged[0], "").await, logs::lines(&world.stack, logged[1], "").await];
    assert!(logged.iter().all(|lines| !lines.is_empty()));
    for text in [said, stored, format!("{logged:?}")] {
        assert!(!text.contains(PASSWORD) && !text.contains(secret.trim_matches('"')) && !text.contains("ss %w"));
    }
}

#[tokio::test]
async fn basic() {
    let world = World::new("basic").await;
    let registry = Registry::with_password();
    Image::oci("amd64", &[layer(1, 100)]).push(&registry.url, &world.path, "v1").await;
    world.create_mirror(&registry.address, json!({})).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["failure"]["reason"]), (&json!("FAIL"), &json!("auth_failed")), "{run}");

    let credentials =
        |password: &str| json!({"external_registry_username": USER, "external_registry_password": password});
    world.change_mirror(credentials("wrong")).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["failure"]["reason"]), (&json!("FAIL"), &json!("auth_failed")), "{run}");

    world.change_mirror(credentials(PASSWORD)).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    assert_nothing_holds_the_password(&world).await;

    // A change of something else keeps the password; both null delete it.
    world.change_mirror(json!({"external_registry_username": USER, "is_enabled": true})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    world.change_mirror(json!({"external_registry_username": null, "external_registry_password": null})).await;
    assert_eq!(world.mirror().await["external_registry_username"], Value::Null);
    assert_eq!(world.sync().await["failure"]["reason"], "auth_failed");
}

#[tokio::test]
async fn bearer() {
    let world = World::new("bearer").await;
    let upstream = format!("http://{}", world.stack.upstream);
    for tag in 0..10 {
        Image::oci("amd64", &[layer(tag, 100)]).push(&upstream, &world.path, &format!("v{tag}")).await;
    }
    let proxy = Proxy::start(&upstream).await;
    proxy.require_token(USER, PASSWORD);
    let credentials = json!({"external_registry_username": USER, "external_registry_password": PASSWORD});
    world.create_mirror(&proxy.address, credentials).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_copied"]), (&json!("SUCCESS"), &json!(10)), "{run}");
    assert_nothing_holds_the_password(&world).await;
    let seen = proxy.take_seen();
    let tokens: Vec<_> = seen.iter().filter(|seen| seen.path.starts_with("/token")).collect();
    assert_eq!(tokens.len(), 1, "one token for the whole sync");
    assert!(tokens[0].path.contains("account=x") && tokens[0].path.contains("service=test"), "{}", tokens[0].path);
    let basic =
        |seen: &&moorage_tests::proxy::Seen| seen.authorization.as_ref().is_some_and(|it| it.starts_with("Basic"));
    assert_eq!(seen.iter().filter(basic).count(), 1, "the password goes to the token server only");

    world.change_mirror(json!({"external_registry_username": USER, "external_registry_password": "wrong"})).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["failure"]["reason"]), (&json!("FAIL"), &json!("auth_failed")), "{run}");
}

#[tokio::test]
async fn token_servers_that_know_only_oauth2_or_nobody() {
    let world = World::new("oauth2").await;
    let upstream = format!("http://{}", world.stack.upstream);
    Image::oci("amd64", &[layer(1, 100)]).push(&upstream, &world.path, "v1").await;
    let proxy = Proxy::start(&upstream).await;
    proxy.require_token(USER, PASSWORD);
    proxy.fault("GET", "/token", 1_000, Fault::Status(405, vec![]));
    let credentials = json!({"external_registry_username": USER, "external_registry_password": PASSWORD});
    world.create_mirror(&proxy.address, credentials).await;
    let run = world.sync().await;
    assert_eq!(run["status"], "SUCCESS", "{run}");
    let tokens: Vec<_> = proxy.take_seen().into_iter().filter(|seen| seen.path.starts_with("/token")).collect();
    let methods: Vec<_> = tokens.iter().map(|seen| seen.method.as_str()).collect();
    assert_eq!(methods, ["GET", "POST"]);

    // A token for whoever asks.
    proxy.heal();
    proxy.require_token("", "");
    world.change_mirror(json!({"external_registry_username": null, "external_registry_password": null})).await;
    let run = world.sync().await;
    assert_eq!(run["status"], "SUCCESS", "{run}");
    let seen = proxy.take_seen();
    let token = seen.iter().find(|seen| seen.path.starts_with("/token")).unwrap();
    assert_eq!((token.method.as_str(), &token.authorization), ("GET", &None));
}

#[tokio::test]
async fn a_token_server_may_not_be_inside() {
    let world = World::new("realm").await;
    let upstream = format!("http://{}", world.stack.upstream);
    Image::oci("amd64", &[layer(1, 100)]).push(&upstream, &world.path, "v1").await;
    let proxy = Proxy::start(&upstream).await;
    let credentials = json!({"external_registry_username": USER, "external_registry_password": PASSWORD});
    world.create_mirror(&proxy.address, credentials).await;
    for realm in ["http://169.254.169.254/latest", "http://10.0.0.1/token", "http://metadata.google.internal/"] {
        let challenge = format!("Bearer realm=\"{realm}\"");
        proxy.fault("GET", "tags/list", 1, Fault::Status(401, vec![("www-authenticate", challenge)]));
        let run = world.sync().await;
        assert_eq!(run["failure"]["reason"], "invalid_source_registry", "{realm}: {run}");
    }
    assert!(proxy.take_seen().iter().all(|seen| seen.authorization.is_none()));
}

#[tokio::test]
async fn credentials_do_not_follow_a_redirect_to_another_host() {
    let world = World::new("redirect").await;
    let upstream = format!("http://{}", world.stack.upstream);
    // One blob that comes whole, and one in three parts, each by a redirect of its own.
    let image = Image::oci("amd64", &[layer(rand::random(), 5_000), layer(rand::random(), 20_000_000)]);
    image.push(&upstream, &world.path, "v1").await;
    let (registry, storage) = (Proxy::start(&upstream).await, Proxy::start(&upstream).await);
    registry.require_token(USER, PASSWORD);
    for layer in &image.blobs[1..] {
        let blob = format!("/v2/{}/blobs/{}", world.path, moorage_domain::Digest::sha256(layer));
        let location = format!("http://{}{blob}?signature=secret", storage.address);
        registry.fault("GET", &blob, 3, Fault::Status(307, vec![("location", location)]));
    }
    let credentials = json!({"external_registry_username": USER, "external_registry_password": PASSWORD});
    world.create_mirror(&registry.address, credentials).await;
    let run = world.sync().await;
    assert_eq!(run["status"], "SUCCESS", "{run}");
    let seen = storage.take_seen();
    assert_eq!(seen.len(), 4);
    assert_eq!(seen.iter().filter(|seen| seen.range.is_some()).count(), 3, "parts stay parts: {seen:?}");
    assert!(seen.iter().all(|seen| seen.authorization.is_none()), "neither password nor token reach the storage");
}

#[tokio::test]
async fn a_ciphertext_is_of_no_use_to_another_repository() {
    let (one, two) = (World::new("bound-a").await, World::new("bound-b").await);
    let registry = Registry::with_password();
    Image::oci("amd64", &[layer(1, 100)]).push(&registry.url, &two.path, "v1").await;
    let credentials =
        |password: &str| json!({"external_registry_username": USER, "external_registry_password": password});
    one.create_mirror(&registry.address, credentials(PASSWORD)).await;
    two.create_mirror(&registry.address, credentials("other")).await;
    let dynamodb = aws_sdk_dynamodb::Client::new(&one.stack.aws);
    let key = |world: &World| AttributeValue::S(format!("REPO#{}", world.repository));
    let mirror = AttributeValue::S("MIRROR".into());
    let read = dynamodb.get_item().table_name(&one.stack.table).key("pk", key(&one)).key("sk", mirror.clone());
    let stolen = read.send().await.unwrap().item.unwrap()["external_registry_password"].clone();
    let write = dynamodb.update_item().table_name(&two.stack.table).key("pk", key(&two)).key("sk", mirror);
    let write =
        write.update_expression("SET external_registry_password = :it").expression_attribute_values(":it", stolen);
    write.send().await.unwrap();
    let run = two.sync().await;
    assert_eq!((&run["status"], &run["failure"]["reason"]), (&json!("FAIL"), &json!("decryption_failed")), "{run}");
}
