//! Robot accounts: their life, their credentials in every form, and those they hold for external registries.

use std::process::{Command, Stdio};

use aws_sdk_dynamodb::types::AttributeValue;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use moorage_tests::{
    eventually,
    image::{Image, layer},
    proxy::Proxy,
    registry::{PASSWORD, Registry, USER},
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn a_robots_life() {
    let world = World::new("life").await;
    let (name, path) = (world.namespace.clone(), format!("organization/{}/robots/worker", world.namespace));
    let unknown = (400, json!({"message": "Could not find robot with specified username"}));
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::POST, format!("{path}/regenerate")),
        (Method::GET, format!("{path}/permissions")),
        (Method::GET, format!("{path}/credentials?form=mesos")),
        (Method::GET, format!("organization/{name}/robots/NoName")),
    ] {
        assert_eq!(world.call(method.clone(), &path, None).await, unknown, "{method} {path}");
    }
    let not_found = world.problem(404, "not_found", "Not Found");
    assert_eq!(world.call(Method::GET, "organization/no-such-org/robots/x1", None).await, not_found);

    let body = json!({"description": "it works", "unstructured_metadata": {"team": "ops"}});
    let (status, created) = world.call(Method::PUT, &path, Some(body)).await;
    assert_eq!(status, 201, "{created}");
    let token = created["token"].as_str().unwrap().to_owned();
    let is_quays =
        |token: &str| token.len() == 64 && token.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    assert!(is_quays(&token), "{token}");
    assert_eq!(created["name"], json!(format!("{name}+worker")));
    assert_eq!((&created["description"], &created["last_accessed"]), (&json!("it works"), &Value::Null));
    assert_eq!(created["unstructured_metadata"], json!({"team": "ops"}));
    assert_eq!(world.call(Method::GET, &path, None).await, (200, created.clone()));
    let long = json!({"description": "x".repeat(256)});
    assert_eq!(world.call(Method::PUT, &format!("{path}2"), Some(long)).await.0, 400);

    let (status, regenerated) = world.call(Method::POST, &format!("{path}/regenerate"), None).await;
    let keys: Vec<_> = regenerated.as_object().unwrap().keys().cloned().collect();
    assert_eq!(
        (status, keys),
        (200, ["created", "description", "last_accessed", "name", "token"].map(str::to_owned).to_vec())
    );
    assert_ne!(regenerated["token"], json!(token));
    assert!(is_quays(regenerated["token"].as_str().unwrap()));
    assert_eq!(world.call(Method::GET, &path, None).await.1["token"], regenerated["token"]);
    assert_eq!(stored(&world, "worker").await, sha256(regenerated["token"].as_str().unwrap()), "the old one is void");

    let role = format!("repository/{}/permissions/user/{name}%2Bworker", world.repository);
    assert_eq!(world.call(Method::PUT, &role, Some(json!({"role": "read"}))).await.0, 200);
    let repository = json!({"name": "app", "is_public": false});
    let permissions = json!({"permissions": [{"repository": repository, "role": "read"}]});
    assert_eq!(world.call(Method::GET, &format!("{path}/permissions"), None).await, (200, permissions));
    let roles = (200, json!({"permissions": [{"role": "read"}]}));
    assert_eq!(world.call(Method::GET, &format!("{role}/transitive"), None).await, roles);
    let list = format!("organization/{name}/robots?permissions=true&token=false&limit=2");
    let (_, list) = world.call(Method::GET, &list, None).await;
    let worker = list["robots"].as_array().unwrap().iter().find(|robot| robot["name"] == created["name"]).unwrap();
    assert_eq!((&worker["repositories"], worker.get("token")), (&json!(["app"]), None), "{list}");

    assert_eq!(world.call(Method::DELETE, &path, None).await.0, 204);
    assert_eq!(world.call(Method::GET, &path, None).await, unknown);
    let roles = world.call(Method::GET, &format!("repository/{}/permissions/user/", world.repository), None).await;
    assert_eq!(roles, (200, json!({"permissions": {}})), "its roles go with it");
    let gone = world.problem(400, "invalid_request", "User does not have permission for repo.");
    assert_eq!(world.call(Method::DELETE, &role, None).await, gone);
    let kinds: Vec<_> = organization_log(&world).await;
    for kind in ["create_robot", "regenerate_robot_token", "delete_robot", "change_repo_permission", "org_create"] {
        assert!(kinds.contains(&kind.to_owned()), "{kind} is not in {kinds:?}");
    }
}

async fn organization_log(world: &World) -> Vec<String> {
    let (status, log) = world.call(Method::GET, &format!("organization/{}/logs", world.namespace), None).await;
    assert_eq!(status, 200, "{log}");
    log["logs"].as_array().unwrap().iter().map(|entry| entry["kind"].as_str().unwrap().to_owned()).collect()
}

async fn stored(world: &World, short: &str) -> String {
    let get = aws_sdk_dynamodb::Client::new(&world.stack.aws).get_item().table_name(&world.stack.table);
    let get = get.key("pk", AttributeValue::S(format!("NS#{}", world.namespace)));
    let item = get.key("sk", AttributeValue::S(format!("ROBOT#{short}"))).send().await.unwrap().item.unwrap();
    item["token_hash"].as_s().unwrap().clone()
}

fn sha256(text: &str) -> String {
    moorage_domain::Digest::sha256(text.as_bytes()).hex().to_string()
}

#[tokio::test]
async fn a_robot_may_come_with_its_token() {
    let world = World::new("moved").await;
    let (name, robots) = (world.namespace.clone(), format!("organization/{}/robots", world.namespace));
    let token = || -> String {
        let drawn = |_| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"[rand::random_range(0..36)]);
        (0..64).map(drawn).collect()
    };
    let (first, second) = (token(), token());
    let (status, created) = world.call(Method::PUT, &format!("{robots}/old"), Some(json!({"token": first}))).await;
    assert_eq!((status, &created["token"]), (201, &json!(first)));
    assert_eq!(stored(&world, "old").await, sha256(&first));
    let regenerate = format!("{robots}/old/regenerate");
    let (status, changed) = world.call(Method::POST, &regenerate, Some(json!({"token": second}))).await;
    assert_eq!((status, &changed["token"]), (200, &json!(second)));
    assert_eq!(stored(&world, "old").await, sha256(&second));
    // Without one it is a new one, as in Quay.
    let (_, rolled) = world.call(Method::POST, &regenerate, Some(json!({}))).await;
    assert_ne!(rolled["token"], json!(second));

    for wrong in [json!("A".repeat(64)), json!(first.to_lowercase()), json!(first[..49]), json!(7)] {
        let (status, problem) = world.call(Method::PUT, &format!("{robots}/new"), Some(json!({"token": wrong}))).await;
        assert_eq!(status, 400, "{problem}");
        assert!(!problem.to_string().contains(wrong.as_str().unwrap_or("never")), "{problem}");
        assert_eq!(world.call(Method::POST, &regenerate, Some(json!({"token": wrong}))).await.0, 400);
    }
    assert_eq!(world.call(Method::GET, &format!("{robots}/old"), None).await.1["token"], rolled["token"]);
    for role in ["read", "write"] {
        let less = world.token(Some(&name), role).await;
        let body = json!({"token": first}).to_string().into_bytes();
        assert_eq!(world.send(Method::PUT, &format!("{robots}/new"), Some(&less), Some(body)).await.0, 403, "{role}");
    }
    let (_, log) = world.call(Method::GET, &format!("organization/{name}/logs"), None).await;
    assert!(!log.to_string().contains(&first) && !log.to_string().contains(&second), "{log}");
}

#[tokio::test]
async fn a_robot_that_a_mirror_uses_stays() {
    let world = World::new("used").await;
    let robots = format!("organization/{}/robots", world.namespace);
    world.create_mirror("quay.io", json!({})).await;
    let used = world.problem(400, "invalid_request", "Robot is being used by a mirror");
    assert_eq!(world.call(Method::DELETE, &format!("{robots}/bot"), None).await, used);
    assert_eq!(world.call(Method::PUT, &format!("{robots}/next"), None).await.0, 201);
    world.change_mirror(json!({"robot_username": format!("{}+next", world.namespace)})).await;
    world.change_mirror(json!({"robot_username": format!("{}+next", world.namespace)})).await;
    let role = format!("repository/{}/permissions/user/{}+next", world.repository, world.namespace);
    assert_eq!(world.call(Method::GET, &role, None).await.1["role"], "write");
    assert_eq!(world.call(Method::DELETE, &format!("{robots}/bot"), None).await.0, 204);
    assert_eq!(world.call(Method::DELETE, &format!("{robots}/next"), None).await, used);
    assert_eq!(world.call(Method::DELETE, &world.mirror_path(""), None).await.0, 204);
    assert_eq!(world.call(Method::DELETE, &format!("{robots}/next"), None).await.0, 204);
}

#[tokio::test]
async fn a_robot_says_whose_it_is() {
    let world = World::new("whose").await;
    let robots = format!("organization/{}/robots", world.namespace);
    let bot = format!("{robots}/bot");
    let get = async |path: &str| {
        let (status, view) = world.call(Method::GET, path, None).await;
        assert_eq!(status, 200, "{view}");
        view
    };
    assert_eq!(get(&bot).await.get("mirrors"), None, "nobody's");
    assert_eq!(world.call(Method::PUT, &format!("{robots}/other"), None).await.0, 201);
    world.create_mirror(&world.stack.upstream, json!({})).await;
    let mine = json!([world.repository]);
    let limit = std::time::Duration::from_secs(20);
    eventually("the index follows", limit, async || (get(&bot).await["mirrors"] == mine).then_some(())).await;
    assert_eq!(
        (&get(&bot).await["mirrors_total"], get(&format!("{robots}/other")).await.get("mirrors")),
        (&json!(1), None)
    );
    let told = async |query: &str| -> Vec<Value> {
        let list = get(&format!("{robots}{query}")).await["robots"].as_array().unwrap().clone();
        list.iter().map(|robot| robot["mirrors"].clone()).collect()
    };
    assert_eq!(told("?permissions=true").await, [mine, Value::Null]);
    assert_eq!(told("").await, [Value::Null, Value::Null], "a plain list costs what it did");
    world.change_mirror(json!({"robot_username": format!("{}+other", world.namespace)})).await;
    assert_eq!(get(&bot).await.get("mirrors"), None, "not any more");
}

#[tokio::test]
async fn many_mirrors_take_one_robot_at_once() {
    let world = World::new("at-once").await;
    let names: Vec<_> = (0..12).map(|number| format!("{}/m{number}", world.namespace)).collect();
    for name in &names {
        let (namespace, name) = name.split_once('/').unwrap();
        let body = json!({"namespace": namespace, "repository": name, "visibility": "private", "description": ""});
        assert_eq!(world.call(Method::POST, "repository", Some(body)).await.0, 201);
    }
    let all = async |method: Method, with_body: bool| {
        let calls = names.iter().map(|name| {
            let (world, path, method) = (world.clone(), format!("repository/{name}/mirror"), method.clone());
            let body = with_body.then(|| world.mirror_body("registry.example.com"));
            tokio::spawn(async move { world.call(method, &path, body).await.0 })
        });
        let mut statuses = Vec::new();
        for call in calls.collect::<Vec<_>>() {
            statuses.push(call.await.unwrap());
        }
        statuses
    };
    assert_eq!(all(Method::POST, true).await, [201; 12]);
    let health = format!("repository/mirror/health?namespace={}&detailed=true&limit=5&offset=10", world.namespace);
    let (_, health) = world.call(Method::GET, &health, None).await;
    assert_eq!(
        (&health["repositories"]["total"], health["repositories"]["details"].as_array().unwrap().len()),
        (&json!(12), 2)
    );
    let robot = format!("organization/{}/robots/bot", world.namespace);
    let used = world.problem(400, "invalid_request", "Robot is being used by a mirror");
    assert_eq!(world.call(Method::DELETE, &robot, None).await, used);
    assert_eq!(all(Method::DELETE, false).await, [204; 12]);
    assert_eq!(world.call(Method::DELETE, &robot, None).await.0, 204, "each was counted once, up and down");
}

#[tokio::test]
async fn credentials_come_in_every_tools_form() {
    let world = World::new("forms").await;
    let path = format!("organization/{}/robots/bot", world.namespace);
    let token = world.call(Method::GET, &path, None).await.1["token"].as_str().unwrap().to_owned();
    let (robot, host) =
        (format!("{}+bot", world.namespace), world.stack.url.strip_prefix("http://").unwrap().to_owned());
    let title = robot.replace('+', "-");
    let config = json!({"auths": {&host: {"auth": BASE64.encode(format!("{robot}:{token}")), "email": ""}}});
    let get = async |form: &str| {
        let path = format!("{path}/credentials?form={form}");
        let answer = world.answer(Method::GET, &path, Some(&world.stack.token), None).await;
        assert_eq!(answer.status(), 200, "{form}");
        let header = |name| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        assert!(header("cache-control").unwrap().contains("no-store"));
        let (kind, file) = (header("content-type").unwrap(), header("content-disposition"));
        (kind, file, answer.bytes().await.unwrap().to_vec())
    };
    let file = |suffix: &str| Some(format!("attachment; filename=\"{title}-{suffix}\""));
    for program in ["docker", "podman"] {
        let (kind, name, body) = get(&format!("{program}-login")).await;
        assert_eq!((kind.as_str(), name), ("text/plain; charset=utf-8", None));
        assert_eq!(String::from_utf8(body).unwrap(), format!("{program} login -u='{robot}' -p='{token}' {host}\n"));
    }
    let (kind, name, body) = get("docker-config").await;
    assert_eq!((kind.as_str(), name), ("application/json", file("auth.json")));
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), config);
    let (kind, name, body) = get("kubernetes").await;
    assert_eq!((kind.as_str(), name), ("application/yaml", file("secret.yml")));
    let encoded = BASE64.encode(config.to_string());
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {title}-pull-secret\ndata:\n  .dockerconfigjson: {encoded}\ntype: kubernetes.io/dockerconfigjson\n"
    );
    assert_eq!(String::from_utf8(body).unwrap(), secret);
    let (kind, name, body) = get("mesos").await;
    assert_eq!((kind.as_str(), name), ("application/gzip", file("auth.tar.gz")));
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("auth.tar.gz");
    std::fs::write(&archive, body).unwrap();
    let tar = Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(folder.path()).stdin(Stdio::null()).status();
    assert!(tar.unwrap().success());
    let unpacked = std::fs::read(folder.path().join(".docker/config.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&unpacked).unwrap(), config);
    assert_eq!(world.call(Method::GET, &format!("{path}/credentials?form=rkt"), None).await.0, 400);
}

#[tokio::test]
async fn the_admins_own_robots() {
    let world = World::new("own").await;
    let short = format!("r{:08x}", rand::random::<u32>());
    let path = format!("user/robots/{short}");
    let (status, created) = world.call(Method::PUT, &path, None).await;
    assert_eq!((status, &created["name"]), (201, &json!(format!("admin+{short}"))));
    assert_eq!(world.call(Method::GET, &path, None).await, (200, created));
    let name = format!("own{:08x}", rand::random::<u32>());
    let repository = json!({"repository": name, "visibility": "private", "description": ""});
    let (status, made) = world.call(Method::POST, "repository", Some(repository)).await;
    assert_eq!((status, &made["namespace"]), (201, &json!("admin")), "without a namespace it is the caller's");
    let role = format!("repository/admin/{name}/permissions/user/admin+{short}");
    assert_eq!(world.call(Method::PUT, &role, Some(json!({"role": "write"}))).await.0, 200);
    assert_eq!(world.call(Method::GET, &format!("{path}/federation"), None).await, (200, json!([])));
    let body = json!([{"issuer": "https://example.com", "subject": "x"}]);
    let federated = (200, body.clone());
    assert_eq!(world.call(Method::POST, &format!("{path}/federation"), Some(body)).await, federated);
    assert_eq!(world.call(Method::GET, &format!("{path}/federation"), None).await, federated);
    assert_eq!(world.call(Method::DELETE, &format!("{path}/federation"), None).await.0, 204);
    assert_eq!(world.call(Method::GET, &format!("{path}/federation"), None).await, (200, json!([])));
    assert_eq!(world.call(Method::DELETE, &format!("repository/admin/{name}"), None).await.0, 204);
    assert_eq!(world.call(Method::DELETE, &path, None).await.0, 204);
}

#[tokio::test]
async fn a_robots_credentials_serve_its_mirrors_and_nobody_else() {
    let world = World::new("holder").await;
    let registry = Registry::with_password();
    Image::oci("amd64", &[layer(1, 100)]).push(&registry.url, &world.path, "v1").await;
    let path = format!("organization/{}/robots/bot/external-registry", world.namespace);
    let credentials = json!({"host": registry.address, "username": USER, "password": PASSWORD, "allow_insecure": true});
    for field in ["host", "username", "password"] {
        let mut body = credentials.clone();
        body.as_object_mut().unwrap().remove(field);
        let missing = world.problem(400, "invalid_request", &format!("'{field}' is a required property"));
        assert_eq!(world.call(Method::PUT, &path, Some(body)).await, missing);
    }
    world.create_mirror(&registry.address, json!({})).await;
    assert_eq!(world.sync().await["failure"]["reason"], "auth_failed");
    let (status, robot) = world.call(Method::PUT, &path, Some(credentials)).await;
    let shown = json!({"host": registry.address, "username": USER, "allow_insecure": true, "allow_proxy": false});
    assert_eq!((status, &robot["external_registry"]), (200, &shown));
    assert_eq!(world.sync().await["status"], "SUCCESS");

    // Another registry does not get to see them.
    let upstream = format!("http://{}", world.stack.upstream);
    Image::oci("amd64", &[layer(1, 100)]).push(&upstream, &world.path, "v1").await;
    let elsewhere = Proxy::start(&upstream).await;
    world.change_mirror(json!({"external_reference": format!("{}/{}", elsewhere.address, world.path)})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    assert!(elsewhere.take_seen().iter().all(|seen| seen.authorization.is_none()));

    // Nothing shows the password; the mirror's own credentials go first.
    let scan = aws_sdk_dynamodb::Client::new(&world.stack.aws).query().table_name(&world.stack.table);
    let scan = scan.key_condition_expression("pk = :pk");
    let items = scan.expression_attribute_values(":pk", AttributeValue::S(format!("NS#{}", world.namespace)));
    let stored = format!("{:?}", items.send().await.unwrap().items);
    assert!(!stored.contains(PASSWORD) && !robot.to_string().contains("p:ä"));
    let wrong = json!({
        "external_reference": format!("{}/{}", registry.address, world.path),
        "external_registry_username": USER, "external_registry_password": "wrong",
    });
    world.change_mirror(wrong).await;
    assert_eq!(world.sync().await["failure"]["reason"], "auth_failed");
    world.change_mirror(json!({"external_registry_username": null, "external_registry_password": null})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    assert_eq!(world.call(Method::DELETE, &path, None).await.0, 204);
    assert_eq!(world.sync().await["failure"]["reason"], "auth_failed");
}
