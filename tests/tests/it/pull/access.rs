//! Who may pull: public and private repositories, robots and their roles, and what nobody is told.

use moorage_domain::RepositoryName;
use moorage_tests::{
    client::{Client, Reply, endpoints, parameters, pull},
    image::{Image, layer},
    seed,
    world::World,
};
use serde_json::json;

#[tokio::test]
async fn each_caller_gets_what_they_may() {
    let (world, other) = (World::new("callers").await, World::new("callers-other").await);
    let private = world.repository.clone();
    let public = seed::repository(&world, "open", "public").await;
    let image = Image::oci("amd64", &[layer(1, 10)]);
    seed::image(&world.stack, &private, "v1", &image).await;
    seed::image(&world.stack, &public, "v1", &image).await;
    let anonymous = Client::of(&world.stack);
    let (robot, stranger) = (world.robot().await, other.robot().await);
    let admin = anonymous.basic("$oauthtoken", &world.stack.token);
    let both = [pull(&private), pull(&public)];
    let both = [both[0].as_str(), both[1].as_str()];
    let token = async |client: &Client| anonymous.bearer(&client.token(&both).await);
    // Caller, and what they get of: the base, a public repository, a private one.
    let mut table = vec![
        ("anonymous", anonymous.clone(), 401, true, 401),
        ("anonymous token", token(&anonymous).await, 200, true, 401),
        ("robot without a role", robot.clone(), 200, true, 403),
        ("token of a robot without a role", token(&robot).await, 200, true, 401),
        ("another organization's robot", stranger.clone(), 200, true, 403),
        ("another organization's robot's token", token(&stranger).await, 200, true, 401),
        ("admin", admin.clone(), 200, true, 200),
        ("admin's token", token(&admin).await, 200, true, 200),
        ("wrong password", anonymous.basic(&world.robot_name(), "wrong"), 401, false, 401),
        ("no password", anonymous.basic(&world.robot_name(), ""), 401, false, 401),
        ("unknown robot", anonymous.basic(&format!("{}+nobody", world.namespace), "x"), 401, false, 401),
        ("wrong admin token", anonymous.basic("$oauthtoken", "wrong"), 401, false, 401),
        ("a user name that is none", anonymous.basic("", &world.stack.token), 401, false, 401),
        ("the API's token", anonymous.bearer(&world.stack.token), 401, false, 401),
        ("a scheme that is none", anonymous.with("Digest x"), 401, false, 401),
    ];
    for role in ["read", "write", "admin"] {
        world.grant(role).await;
        table.push(("robot with a role", robot.clone(), 200, true, 200));
        table.push(("token of a robot with a role", token(&robot).await, 200, true, 200));
    }
    for (name, client, base, sees_public, of_private) in table {
        for path in ["/v2/", "/v2"] {
            let reply = client.get(path).await;
            assert_eq!(reply.status, base, "{name} {path}");
            if base == 200 {
                assert_eq!(reply.json(), json!({}));
            }
        }
        for (path, status) in endpoints(&public, &image) {
            let expected = if sees_public { status } else { 401 };
            assert_eq!(client.get(&path).await.status, expected, "{name} {path}");
        }
        // The role is there by now; the clients without one are judged by what they were.
        if name.contains("without a role") {
            continue;
        }
        for (path, status) in endpoints(&private, &image) {
            let expected = if of_private == 200 { status } else { of_private };
            for reply in [client.get(&path).await, client.head(&path).await] {
                let expected = if reply.status == 200 && path.contains("/blobs/") { 200 } else { expected };
                assert_eq!(reply.status, expected, "{name} {path}");
                let challenge = reply.header("www-authenticate");
                assert_eq!(challenge, reply.header("x-registry-challenge"), "API Gateway may rename the first");
                assert_eq!(
                    challenge.contains(&format!("scope=\"{}\"", pull(&private))),
                    expected == 401,
                    "{challenge}"
                );
            }
        }
    }
}

/// What a caller could tell one answer from another by.
fn seen(reply: &Reply, name: &RepositoryName) -> (u16, Vec<(String, String)>, String) {
    let hide = |text: &str| text.replace(name.as_str(), "NAME");
    let headers = reply.headers.iter().filter(|(name, _)| !matches!(name.as_str(), "date" | "apigw-requestid"));
    let headers = headers.map(|(name, value)| (name.to_string(), hide(value.to_str().unwrap()))).collect();
    (reply.status, headers, hide(std::str::from_utf8(&reply.body).unwrap()))
}

#[tokio::test]
async fn whether_a_repository_exists_is_told_to_nobody_who_may_not_pull() {
    let (world, other) = (World::new("exists").await, World::new("exists-other").await);
    let private = seed::repository(&world, "here", "private").await;
    let image = Image::oci("amd64", &[layer(1, 10)]);
    seed::image(&world.stack, &private, "v1", &image).await;
    // In the same organization, and in one that is not there.
    let missing = RepositoryName::new(&world.namespace, "gone").unwrap();
    let nowhere = RepositoryName::new(&format!("{}x", &world.namespace[1..]), "here").unwrap();
    let anonymous = Client::of(&world.stack);
    let (robot, stranger) = (world.robot().await, other.robot().await);
    for client in [&anonymous, &robot, &stranger] {
        let mut bearers = Vec::new();
        for name in [&private, &missing, &nowhere] {
            let scope = pull(name);
            let reply = client.get(&format!("/v2/token?scope={scope}")).await;
            bearers.push(anonymous.bearer(reply.json()["token"].as_str().unwrap()));
            assert_eq!(reply.status, 200);
        }
        for (index, (path, _)) in endpoints(&private, &image).into_iter().enumerate() {
            let ask = async |client: &Client, name: &RepositoryName| {
                let path = path.replace(private.as_str(), name.as_str());
                seen(&client.get(&path).await, name)
            };
            let expected = ask(client, &private).await;
            assert!(matches!(expected.0, 401 | 403), "{index} {expected:?}");
            for name in [&missing, &nowhere] {
                assert_eq!(ask(client, name).await, expected, "{path}");
            }
            let expected = ask(&bearers[0], &private).await;
            assert_eq!(expected.0, 401);
            for (name, bearer) in [&missing, &nowhere].into_iter().zip(&bearers[1..]) {
                assert_eq!(ask(bearer, name).await, expected, "{path}");
            }
        }
    }
    let admin = anonymous.basic("$oauthtoken", &world.stack.token);
    let unknown = admin.get(&format!("/v2/{missing}/tags/list")).await;
    assert_eq!((unknown.status, unknown.code().as_str()), (404, "NAME_UNKNOWN"));
}

#[tokio::test]
async fn repositories_are_listed_to_those_who_may_pull_from_them() {
    let world = World::new("catalog").await;
    world.grant("read").await;
    let public = seed::repository(&world, "z/public", "public").await;
    let hidden = seed::repository(&world, "hidden", "private").await;
    seed::image(&world.stack, &public, "v1", &Image::oci("amd64", &[layer(1, 10)])).await;
    let (anonymous, robot) = (Client::of(&world.stack), world.robot().await);
    let refused = anonymous.get("/v2/_catalog").await;
    assert_eq!(refused.status, 401);
    assert_eq!(parameters(refused.header("www-authenticate"))["scope"], "registry:catalog:*");
    assert_eq!(anonymous.bearer(&anonymous.token(&["registry:catalog:*"]).await).get("/v2/_catalog").await.status, 401);
    assert_eq!(anonymous.bearer(&robot.token(&[]).await).get("/v2/_catalog").await.status, 401);

    let expected = json!({"repositories": [world.repository, public]});
    assert_eq!(robot.get("/v2/_catalog").await.json(), expected);
    let bearer = anonymous.bearer(&robot.token(&["registry:catalog:*"]).await);
    assert_eq!(bearer.get("/v2/_catalog").await.json(), expected);
    let first = robot.get("/v2/_catalog?n=1").await;
    assert_eq!(first.json(), json!({"repositories": [world.repository]}));
    let link = first.header("link");
    let second = robot.get(&link[1..link.find('>').unwrap()]).await;
    assert_eq!((second.json(), second.header("link")), (json!({"repositories": [public]}), ""));

    // The admin sees everything, page by page.
    let admin = anonymous.basic("$oauthtoken", &world.stack.token);
    let (mut seen, mut path) = (Vec::new(), "/v2/_catalog?n=3".to_owned());
    loop {
        let page = admin.get(&path).await;
        assert_eq!(page.status, 200);
        let names: Vec<String> = serde_json::from_value(page.json()["repositories"].clone()).unwrap();
        assert!(names.len() <= 3);
        seen.extend(names);
        let link = page.header("link");
        if link.is_empty() {
            break;
        }
        path = link[1..link.find('>').unwrap()].to_owned();
    }
    assert!(seen.is_sorted(), "{seen:?}");
    for name in [&world.repository, &public, &hidden] {
        assert_eq!(seen.iter().filter(|seen| *seen == name.as_str()).count(), 1, "{name}");
    }
}
