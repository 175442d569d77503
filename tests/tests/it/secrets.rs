//! Secrets are bound to their place: a password goes where it was meant to go when it was sent, and nowhere else.

mod own_tls;
mod preview;

use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_kms::primitives::Blob;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use moorage_tests::{
    image::{Image, layer},
    logs, organization_mirror as whole,
    process::free_port,
    proxy::{Proxy, Seen},
    registry::{PASSWORD, USER},
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

/// A proxy's password in these tests.
const PROXY_PASSWORD: &str = "correct-horse-battery";

fn credentials() -> Value {
    json!({"external_registry_username": USER, "external_registry_password": PASSWORD})
}

fn with(mut one: Value, mut other: Value) -> Value {
    one.as_object_mut().unwrap().append(other.as_object_mut().unwrap());
    one
}

/// A registry that wants [`PASSWORD`].
async fn registry(world: &World) -> Proxy {
    let registry = Proxy::start(&format!("http://{}", world.stack.upstream)).await;
    registry.require_token(USER, PASSWORD);
    registry
}

/// A world with an image at the upstream, and two such registries in front of it.
async fn two_registries(name: &str) -> (World, Proxy, Proxy) {
    let world = World::new(name).await;
    let upstream = format!("http://{}", world.stack.upstream);
    Image::oci("amd64", &[layer(1, 100)]).push(&upstream, &world.path, "v1").await;
    let (one, two) = (registry(&world).await, registry(&world).await);
    (world, one, two)
}

fn shows_password(seen: &[Seen]) -> bool {
    seen.iter().any(|seen| seen.authorization.as_ref().is_some_and(|it| it.starts_with("Basic")))
}

fn reference(world: &World, registry: &Proxy) -> Value {
    reference_to(world, &registry.address)
}

fn reference_to(world: &World, address: &str) -> Value {
    json!({"external_reference": format!("{address}/{}", world.path)})
}

async fn warning(world: &World) -> (Value, Value) {
    let warning = world.mirror().await["sync_warning"].clone();
    (warning["reason"].clone(), warning["settings"].clone())
}

fn dropped(settings: &[&str]) -> (Value, Value) {
    (json!("credentials_dropped"), json!(settings))
}

const NONE: (Value, Value) = (Value::Null, Value::Null);

/// Everything that is kept of the world and told of it.
async fn everything(world: &World) -> String {
    let told = format!("{}{:?}{:?}", world.mirror().await, world.runs().await, world.log().await);
    let mut all = vec![told];
    for pk in [format!("REPO#{}", world.repository), format!("NS#{}", world.namespace)] {
        let query = aws_sdk_dynamodb::Client::new(&world.stack.aws).query().table_name(&world.stack.table);
        let query =
            query.key_condition_expression("pk = :pk").expression_attribute_values(":pk", AttributeValue::S(pk));
        let items = query.send().await.unwrap().items.unwrap();
        assert!(!items.is_empty());
        all.push(format!("{items:?}"));
    }
    for function in [&world.stack.sync_function, &world.stack.api_function] {
        let lines = logs::lines(&world.stack, function, "").await;
        assert!(!lines.is_empty());
        all.push(format!("{lines:?}"));
    }
    all.concat()
}

#[tokio::test]
async fn a_password_does_not_follow_a_mirror_to_another_host() {
    let (world, one, two) = two_registries("moved").await;
    world.create_mirror(&one.address, credentials()).await;
    assert_eq!((&world.sync().await["status"], warning(&world).await), (&json!("SUCCESS"), NONE));
    // The same values, and another repository of the host, are no other place.
    let same = json!({"external_registry_config": {"verify_tls": false, "proxy": {"http_proxy": null}}});
    world.change_mirror(with(reference(&world, &one), same)).await;
    world.change_mirror(json!({"external_reference": format!("{}/elsewhere", one.address)})).await;
    world.change_mirror(reference(&world, &one)).await;
    assert_eq!((&world.sync().await["status"], warning(&world).await), (&json!("SUCCESS"), NONE));

    world.change_mirror(reference(&world, &two)).await;
    assert_eq!(warning(&world).await, dropped(&["external_registry_password"]));
    assert_eq!(world.mirror().await["external_registry_username"], USER);
    let told = world.log().await.into_iter().find(|entry| entry["metadata"]["reason"] == "credentials_dropped");
    assert_eq!(told.unwrap()["metadata"]["changed"], "external_registry_password");
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["failure"]["reason"]), (&json!("FAIL"), &json!("auth_failed")), "{run}");
    assert_eq!(run["warning"]["reason"], "credentials_dropped");
    assert!(run["failure"]["advice"].as_str().unwrap().contains("sent again"), "{run}");
    assert!(world.log().await.iter().any(|entry| entry["kind"] == "repo_mirror_sync_warning"));
    assert!(!shows_password(&two.take_seen()));
    // Back is another place, too: what was dropped is gone.
    world.change_mirror(reference(&world, &one)).await;
    assert_eq!(world.sync().await["failure"]["reason"], "auth_failed");
    assert_eq!(warning(&world).await, dropped(&["external_registry_password"]));

    world.change_mirror(with(reference(&world, &two), credentials())).await;
    assert_eq!((&world.sync().await["status"], warning(&world).await), (&json!("SUCCESS"), NONE));
    // Removed credentials are not missed.
    world.change_mirror(reference(&world, &one)).await;
    world.change_mirror(json!({"external_registry_username": null, "external_registry_password": null})).await;
    assert_eq!(warning(&world).await, NONE);
    let all = everything(&world).await;
    assert!(!all.contains(PASSWORD) && !all.contains("ss %w"));
}

#[tokio::test]
async fn a_password_does_not_go_another_way() {
    let (world, one, _) = two_registries("way").await;
    world.create_mirror(&one.address, credentials()).await;
    let config = |config: Value| json!({ "external_registry_config": config });
    for change in [
        config(json!({"verify_tls": true})),
        config(json!({"verify_tls": false})),
        config(json!({"proxy": {"http_proxy": "http://127.0.0.1:1"}})),
        config(json!({"proxy": {"http_proxy": "http://127.0.0.1:2"}})),
        config(json!({"proxy": {"no_proxy": "127.0.0.1"}})),
        config(json!({"proxy": {"http_proxy": null, "no_proxy": ""}})),
    ] {
        world.change_mirror(credentials()).await;
        assert_eq!(warning(&world).await, NONE);
        world.change_mirror(change.clone()).await;
        assert_eq!(warning(&world).await, dropped(&["external_registry_password"]), "{change}");
        world.change_mirror(change.clone()).await;
        assert_eq!(warning(&world).await, dropped(&["external_registry_password"]), "{change}");
        world.change_mirror(with(change.clone(), credentials())).await;
        assert_eq!(warning(&world).await, NONE, "{change}");
    }
    assert_eq!(world.sync().await["status"], "SUCCESS");
}

#[tokio::test]
async fn another_host_written_into_the_item_gets_nothing() {
    let (world, one, two) = two_registries("item").await;
    world.create_mirror(&one.address, credentials()).await;
    set(&world, "external_reference", &format!("{}/{}", two.address, world.path)).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["failure"]["reason"]), (&json!("FAIL"), &json!("decryption_failed")), "{run}");
    assert!(two.take_seen().is_empty());
}

/// Writes into the mirror's item.
async fn set(world: &World, attribute: &str, value: &str) {
    let update = aws_sdk_dynamodb::Client::new(&world.stack.aws).update_item().table_name(&world.stack.table);
    let update = update.key("pk", AttributeValue::S(format!("REPO#{}", world.repository)));
    let update = update.key("sk", AttributeValue::S("MIRROR".into())).update_expression("SET #it = :it");
    let update = update.expression_attribute_names("#it", attribute);
    update.expression_attribute_values(":it", AttributeValue::S(value.into())).send().await.unwrap();
}

#[tokio::test]
async fn what_an_earlier_release_stored_works_until_its_place_changes() {
    let (world, one, two) = two_registries("earlier").await;
    world.create_mirror(&one.address, credentials()).await;
    let lambda = aws_sdk_lambda::Client::new(&world.stack.aws);
    let function = lambda.get_function_configuration().function_name(&world.stack.api_function).send().await.unwrap();
    let key = function.environment.unwrap().variables.unwrap()["KMS_KEY_ID"].clone();
    let encrypt = aws_sdk_kms::Client::new(&world.stack.aws).encrypt().key_id(key).plaintext(Blob::new(PASSWORD));
    let encrypted = encrypt.encryption_context("repository", world.repository.to_string()).send().await.unwrap();
    let stored = BASE64.encode(encrypted.ciphertext_blob.unwrap());
    set(&world, "external_registry_password", &stored).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    // A new one is never read as an old one, nor the other way round.
    set(&world, "external_registry_password", &format!("registry:{stored}")).await;
    assert_eq!(world.sync().await["failure"]["reason"], "decryption_failed");
    set(&world, "external_registry_password", &stored).await;
    world.change_mirror(reference(&world, &two)).await;
    assert_eq!(warning(&world).await, dropped(&["external_registry_password"]));
    assert_eq!(world.sync().await["failure"]["reason"], "auth_failed");
    assert!(!shows_password(&two.take_seen()));
}

/// A proxy that notes `Proxy-Authorization`, and has nothing.
async fn empty_proxy() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, seen) = (listener.local_addr().unwrap().to_string(), Arc::new(Mutex::new(Vec::new())));
    let noted = Arc::clone(&seen);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => request.push(byte),
                    Err(_) => break,
                }
            }
            let request = String::from_utf8_lossy(&request).into_owned();
            let header = request.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("proxy-authorization").then(|| value.trim().to_owned())
            });
            noted.lock().unwrap().push(header.unwrap_or_default());
            let answer = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let _ = stream.write_all(answer).await;
        }
    });
    (address, seen)
}

#[tokio::test]
async fn the_password_of_a_proxy_is_kept_masked_and_sent_to_it_alone() {
    let world = World::new("masked").await;
    let ((one, at_one), (two, at_two)) = (empty_proxy().await, empty_proxy().await);
    let proxy = |password: &str, address: &str| json!({"http_proxy": format!("http://user:{password}@{address}")});
    let config = |proxy: Value| json!({"external_registry_config": {"verify_tls": false, "proxy": proxy}});
    let nowhere = format!("127.0.0.1:{}", free_port());
    let (status, refused) = {
        let body = with(world.mirror_body(&nowhere), config(proxy("********", &one)));
        world.call(Method::POST, &world.mirror_path(""), Some(body)).await
    };
    assert_eq!(status, 400, "{refused}");
    world.create_mirror(&nowhere, config(proxy(PROXY_PASSWORD, &one))).await;
    let basic = |password: &str| format!("Basic {}", BASE64.encode(format!("user:{password}")));
    let sent = |seen: &Mutex<Vec<String>>| std::mem::take(&mut *seen.lock().unwrap());
    world.sync().await;
    assert!(sent(&at_one).contains(&basic(PROXY_PASSWORD)));

    // What is shown is taken back as what it stands for.
    let shown = world.mirror().await["external_registry_config"].clone();
    assert_eq!(shown["proxy"], proxy("********", &one));
    world.change_mirror(json!({ "external_registry_config": shown })).await;
    world.change_mirror(with(json!({"sync_interval": 3_600}), json!({ "external_registry_config": shown }))).await;
    assert_eq!((&world.mirror().await["external_registry_config"], warning(&world).await), (&shown, NONE));
    world.sync().await;
    assert!(sent(&at_one).contains(&basic(PROXY_PASSWORD)));
    let all = everything(&world).await;
    assert!(!all.contains(PROXY_PASSWORD) && !all.contains(&BASE64.encode(PROXY_PASSWORD)));

    // At another address it stands for nothing.
    world.change_mirror(config(proxy("********", &two))).await;
    assert_eq!(warning(&world).await, dropped(&["http_proxy"]));
    let run = world.sync().await;
    assert_eq!(run["warning"]["reason"], "credentials_dropped", "{run}");
    assert!(sent(&at_two).iter().all(|header| *header != basic(PROXY_PASSWORD)));
    assert!(sent(&at_one).is_empty());
    world.change_mirror(config(proxy(PROXY_PASSWORD, &two))).await;
    assert_eq!(warning(&world).await, NONE);
    world.sync().await;
    assert!(sent(&at_two).contains(&basic(PROXY_PASSWORD)));
    // Nor for another registry; and the item cannot be changed to lead it elsewhere.
    let other = format!("127.0.0.1:{}/{}", free_port(), world.path);
    world.change_mirror(json!({ "external_reference": other })).await;
    assert_eq!(warning(&world).await, dropped(&["http_proxy"]));
    world.change_mirror(config(proxy(PROXY_PASSWORD, &two))).await;
    set(&world, "external_reference", &format!("{nowhere}/{}", world.path)).await;
    sent(&at_two);
    let run = world.sync().await;
    assert_eq!(run["failure"]["reason"], "decryption_failed", "{run}");
    assert!(sent(&at_two).is_empty());
}

#[tokio::test]
async fn refusals_repeat_no_passwords() {
    let world = World::new("refused").await;
    world.create_mirror("registry.example.com", json!({})).await;
    for body in [
        json!({"external_registry_username": "u", "external_registry_password": [PROXY_PASSWORD]}),
        json!({"external_registry_config": {"proxy": format!("http://u:{PROXY_PASSWORD}@proxy")}}),
        json!({"external_registry_config": {"proxy": {"http_proxy": [PROXY_PASSWORD]}}}),
        json!({"external_registry_config": {"proxy": {"https_proxy": format!("http://u:{PROXY_PASSWORD}@proxy/x@y")}}}),
        json!({"external_registry_config": {"proxy": {"no_proxy": format!("u:{PROXY_PASSWORD}@proxy")}}}),
        json!({"external_reference": format!("u:{PROXY_PASSWORD}@quay.io/a")}),
        json!([{"external_registry_password": PROXY_PASSWORD}]),
    ] {
        let (status, answer) = world.call(Method::PUT, &world.mirror_path(""), Some(body.clone())).await;
        assert_eq!(status, 400, "{body}: {answer}");
        assert!(!answer.to_string().contains(PROXY_PASSWORD), "{answer}");
    }
}

#[tokio::test]
async fn a_robots_credentials_go_only_as_the_robot_says() {
    let (world, one, _) = two_registries("robot").await;
    let path = format!("organization/{}/robots/bot/external-registry", world.namespace);
    let allow = async |more: Value| {
        let body = with(json!({"host": one.address, "username": USER, "password": PASSWORD}), more);
        let (status, robot) = world.call(Method::PUT, &path, Some(body)).await;
        assert_eq!(status, 200, "{robot}");
    };
    allow(json!({})).await;
    world.create_mirror(&one.address, json!({})).await;
    let run = world.sync().await;
    assert_eq!(
        (&run["failure"]["reason"], &run["warning"]["reason"]),
        (&json!("auth_failed"), &json!("credentials_withheld"))
    );
    assert_eq!(run["warning"]["settings"], json!(["allow_insecure"]));
    assert!(run["failure"]["advice"].as_str().unwrap().contains("allow_insecure"), "{run}");
    assert!(!shows_password(&one.take_seen()));
    allow(json!({"allow_insecure": true})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");

    let proxy = json!({"http_proxy": format!("http://{}", one.address)});
    world.change_mirror(json!({"external_registry_config": {"proxy": proxy}})).await;
    one.take_seen();
    let run = world.sync().await;
    assert_eq!(run["warning"]["settings"], json!(["allow_proxy"]), "{run}");
    assert!(!shows_password(&one.take_seen()));
    allow(json!({"allow_insecure": true, "allow_proxy": true})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");

    // It does not stand in for a password of the mirror's own that was dropped.
    world.change_mirror(credentials()).await;
    world.change_mirror(json!({"external_registry_config": {"proxy": {"http_proxy": null}}})).await;
    one.take_seen();
    assert_eq!(world.sync().await["warning"]["reason"], "credentials_dropped");
    assert!(!shows_password(&one.take_seen()));
}

#[tokio::test]
async fn an_organizations_password_stays_where_it_was_meant_for() {
    let world = World::empty("whole-place").await;
    whole::push(&world, "app", &["v1"]).await;
    let (one, two) = (registry(&world).await, registry(&world).await);
    let changes = with(credentials(), json!({"external_registry_url": format!("http://{}", one.address)}));
    whole::create(&world, "distribution", &one.address, changes).await;
    whole::sync_now(&world).await;
    whole::wait_for(&world, json!({"SUCCESS": 1})).await;
    one.take_seen();

    // The password is for the new host, and the repository is at the old one until the next round.
    let other = json!({"external_registry_url": format!("http://{}", two.address)});
    whole::change(&world, with(other, credentials())).await;
    assert_eq!(whole::mirror(&world).await.get("sync_warning"), None);
    let found = format!("repository/{}/mirror", whole::named(&world, "app"));
    let run = {
        assert_eq!(world.call(Method::POST, &format!("{found}/sync-now"), None).await.0, 204);
        world.wait_for(&["SUCCESS", "FAIL"]).await;
        world.last_run().await
    };
    assert_eq!(run["warning"]["reason"], "credentials_dropped", "{run}");
    assert!(!shows_password(&one.take_seen()));
    whole::sync_now(&world).await;
    whole::wait_for(&world, json!({"SUCCESS": 1})).await;
    two.take_seen();

    let other = json!({"external_registry_url": format!("http://{}", one.address)});
    whole::change(&world, other).await;
    let mirror = whole::mirror(&world).await;
    assert_eq!(mirror["sync_warning"]["reason"], "credentials_dropped");
    assert_eq!(mirror["has_external_registry_password"], false);
    assert_eq!(world.call(Method::GET, &found, None).await.1["sync_warning"]["reason"], "credentials_dropped");
    let told = |entry: &Value| entry["metadata"]["credentials_dropped"] == json!(["external_registry_password"]);
    assert!(whole::log(&world).await.iter().any(told));
    whole::sync_now(&world).await;
    let failed = moorage_tests::eventually("the round fails", whole::LIMIT, async || {
        let mirror = whole::mirror(&world).await;
        (mirror["sync_status"] == "FAIL").then_some(mirror)
    });
    assert!(failed.await["status_message"].as_str().unwrap().contains("external_registry_password: dropped"));
    let said = whole::log(&world).await;
    assert!(said.iter().any(|entry| entry["metadata"]["verb"] == "warn"), "{said:?}");
    assert!(!shows_password(&one.take_seen()));
    whole::change(&world, credentials()).await;
    assert_eq!(whole::mirror(&world).await.get("sync_warning"), None);

    // The password of a proxy, too, is masked, and kept when it is sent back so.
    let masked = json!({"verify_tls": false, "proxy": {"http_proxy": "http://user:********@127.0.0.1:1"}});
    let real =
        json!({"verify_tls": false, "proxy": {"http_proxy": format!("http://user:{PROXY_PASSWORD}@127.0.0.1:1")}});
    whole::change(&world, with(json!({ "external_registry_config": real }), credentials())).await;
    for _ in 0..2 {
        let shown = whole::mirror(&world).await;
        assert_eq!((&shown["external_registry_config"], shown.get("sync_warning")), (&masked, None));
        whole::change(&world, json!({ "external_registry_config": masked })).await;
    }
    let everything = everything(&world).await;
    assert!(!everything.contains(PROXY_PASSWORD) && !everything.contains(PASSWORD));
}
