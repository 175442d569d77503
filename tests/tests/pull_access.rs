//! Who may pull: public and private repositories, robots and their roles, tokens, and what nobody is told.

use std::time::Duration;

use moorage_domain::{Digest, RepositoryName};
use moorage_tests::{
    client::{Client, Reply, parameters},
    image::{Image, layer},
    seed,
    world::World,
};
use reqwest::Method;
use serde_json::json;

/// Every endpoint of a repository that holds `image` as `v1`.
fn endpoints(repository: &RepositoryName, image: &Image) -> [(String, u16); 5] {
    let blob = Digest::sha256(&image.blobs[1]);
    [
        (format!("/v2/{repository}/manifests/v1"), 200),
        (format!("/v2/{repository}/manifests/{}", image.digest()), 200),
        (format!("/v2/{repository}/blobs/{blob}"), 307),
        (format!("/v2/{repository}/tags/list"), 200),
        (format!("/v2/{repository}/referrers/{}", image.digest()), 200),
    ]
}

fn pull(repository: &RepositoryName) -> String {
    format!("repository:{repository}:pull")
}

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
async fn tokens_are_for_what_they_were_given_and_no_more() {
    let world = World::new("tokens").await;
    world.grant("read").await;
    let (one, two) = (world.repository.clone(), seed::repository(&world, "two", "private").await);
    let image = Image::oci("amd64", &[layer(1, 10)]);
    seed::image(&world.stack, &one, "v1", &image).await;
    let (anonymous, robot) = (Client::of(&world.stack), world.robot().await);
    let reply = robot
        .get(&format!(
            "/v2/token?account=x&client_id=docker&service=s&scope=repository:{one}:pull,push&scope={}",
            pull(&two)
        ))
        .await;
    let body = reply.json();
    assert_eq!((reply.status, reply.header("cache-control"), &body["expires_in"]), (200, "no-store", &json!(300)));
    assert_eq!(body["token"], body["access_token"]);
    assert!(body["issued_at"].as_str().unwrap().ends_with('Z'));
    let token = body["token"].as_str().unwrap();
    let bearer = anonymous.bearer(token);
    let manifest = |name: &RepositoryName| format!("/v2/{name}/manifests/v1");
    assert_eq!(bearer.get(&manifest(&one)).await.status, 200);

    // No role on the second one: the token does not cover it, and the challenge says so.
    let refused = bearer.get(&manifest(&two)).await;
    let challenge = parameters(refused.header("www-authenticate"));
    assert_eq!((refused.status, challenge["error"].as_str()), (401, "insufficient_scope"));
    assert_eq!(challenge["scope"], pull(&two));
    // A token without scopes is for logging in only.
    let login = anonymous.bearer(&robot.token(&[]).await);
    assert_eq!((login.get("/v2/").await.status, login.get(&manifest(&one)).await.status), (200, 401));

    // It does not make further ones, and a changed one is none.
    assert_eq!(bearer.get(&format!("/v2/token?scope={}", pull(&one))).await.status, 401);
    let parts: Vec<&str> = token.split('.').collect();
    let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", parts[1]);
    let swapped = format!("{}.{}.{}", parts[0], login_payload(&robot).await, parts[2]);
    let cut = &token[..token.len() - 1];
    for token in [unsigned.as_str(), &swapped, cut, parts[1], "x", &"x".repeat(7_000)] {
        let reply = anonymous.bearer(token).get(&manifest(&one)).await;
        assert_eq!((reply.status, reply.code().as_str()), (401, "UNAUTHORIZED"), "{token}");
        assert!(!String::from_utf8_lossy(&reply.body).contains(token) || token == "x", "{token}");
    }
}

/// The payload of another token of the robot.
async fn login_payload(robot: &Client) -> String {
    robot.token(&[]).await.split('.').nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn wrong_logins_are_refused_where_tokens_are_made() {
    let world = World::new("logins").await;
    let anonymous = Client::of(&world.stack);
    for client in [
        anonymous.basic(&world.robot_name(), "wrong"),
        anonymous.basic("nobody", "x"),
        anonymous.basic("$oauthtoken", &world.robot_token().await),
        anonymous.basic(&world.robot_name(), &world.stack.token),
        anonymous.with("Basic x"),
    ] {
        let reply = client.get("/v2/token?service=x").await;
        assert_eq!((reply.status, reply.code().as_str()), (401, "UNAUTHORIZED"));
        assert!(reply.header("www-authenticate").starts_with("Basic realm="), "{reply:?}");
    }
    let refused = world.robot().await.send(Method::POST, "/v2/token", &[]).await;
    assert_eq!((refused.status, refused.header("allow")), (405, "GET, HEAD"), "clients then ask by GET");
}

/// A token of the API with the role `read`, limited to a namespace or not: its id and itself.
async fn api_token(world: &World, namespace: Option<&str>) -> (String, String) {
    let body = json!({"description": "", "namespace": namespace, "role": "read"});
    let (status, made) = world.call(Method::POST, "tokens", Some(body)).await;
    assert_eq!(status, 201, "{made}");
    (made["id"].as_str().unwrap().to_owned(), made["token"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn tokens_of_the_api_pull_from_their_namespace() {
    let (world, other) = (World::new("apitoken").await, World::new("apitoken-other").await);
    let image = Image::oci("amd64", &[layer(1, 10)]);
    for repository in [&world.repository, &other.repository] {
        seed::image(&world.stack, repository, "v1", &image).await;
    }
    let anonymous = Client::of(&world.stack);
    let limited = api_token(&world, Some(&world.namespace)).await.1;
    let unlimited = api_token(&world, None).await.1;
    for (token, reaches_other) in [(&limited, false), (&unlimited, true)] {
        let basic = anonymous.basic("$oauthtoken", token);
        let scopes = [pull(&world.repository), pull(&other.repository), "registry:catalog:*".to_owned()];
        let bearer = anonymous.bearer(&basic.token(&scopes.each_ref().map(String::as_str)).await);
        for (client, refusal) in [(&basic, 403), (&bearer, 401)] {
            for (path, status) in endpoints(&world.repository, &image) {
                assert_eq!(client.get(&path).await.status, status, "{path}");
            }
            for (path, status) in endpoints(&other.repository, &image) {
                let expected = if reaches_other { status } else { refusal };
                assert_eq!(client.get(&path).await.status, expected, "{path}");
            }
            let listed = client.get(&format!("/v2/_catalog?last={}/a", world.namespace)).await.json();
            let listed: Vec<String> = serde_json::from_value(listed["repositories"].clone()).unwrap();
            assert_eq!(listed[0], world.repository.as_str());
            assert_eq!(listed.iter().all(|name| name.starts_with(&world.namespace)), !reaches_other, "{listed:?}");
        }
    }
    let changed = format!("{}{}", &limited[..32], "0".repeat(64));
    assert_eq!(anonymous.basic("$oauthtoken", &changed).get("/v2/").await.status, 401);
    assert_eq!(anonymous.basic(&world.robot_name(), &limited).get("/v2/").await.status, 401);
}

#[tokio::test]
async fn what_is_revoked_is_refused_within_a_minute() {
    let mut cases = Vec::new();
    for case in ["permission", "robot", "robot's token", "API token", "visibility", "repository"] {
        let world = World::new("revoked").await;
        world.grant("read").await;
        seed::image(&world.stack, &world.repository, "v1", &Image::oci("amd64", &[layer(1, 10)])).await;
        let (anonymous, mut id) = (Client::of(&world.stack), String::new());
        let client = match case {
            "visibility" => {
                change_visibility(&world, "public").await;
                anonymous.clone()
            }
            "API token" => {
                let (token_id, token) = api_token(&world, Some(&world.namespace)).await;
                id = token_id;
                anonymous.basic("$oauthtoken", &token)
            }
            _ => world.robot().await,
        };
        let bearer = anonymous.bearer(&client.token(&[&pull(&world.repository)]).await);
        cases.push((case, world, id, [client, bearer]));
    }
    let manifest = |world: &World| format!("/v2/{}/manifests/v1", world.repository);
    for (case, world, id, clients) in &cases {
        for client in clients {
            assert_eq!(client.get(&manifest(world)).await.status, 200, "{case}");
        }
        revoke(case, world, id).await;
    }
    tokio::time::sleep(Duration::from_secs(32)).await;
    for (case, world, _, clients) in &cases {
        for (client, what) in clients.iter().zip(["password", "token"]) {
            // Several, because each environment of the function has caches of its own.
            let path = manifest(world);
            for _ in 0..8 {
                let expected = if matches!(*case, "permission" | "repository") { 403 } else { 401 };
                assert_eq!(client.get(&path).await.status, expected, "{case} {what}");
            }
        }
    }
    // What is granted works at once.
    let (_, world, _, [robot, _]) = &cases[0];
    world.grant("read").await;
    assert_eq!(robot.get(&manifest(world)).await.status, 200);
}

/// Lets everybody pull from the world's repository, or not.
async fn change_visibility(world: &World, visibility: &str) {
    let path = format!("repository/{}/changevisibility", world.repository);
    assert_eq!(world.call(Method::POST, &path, Some(json!({"visibility": visibility}))).await.0, 200);
}

/// Takes something away from those who pull.
async fn revoke(what: &str, world: &World, id: &str) {
    let robot = format!("organization/{}/robots/bot", world.namespace);
    let repository = format!("repository/{}", world.repository);
    let (method, path, status) = match what {
        "permission" => (Method::DELETE, format!("{repository}/permissions/user/{}", world.robot_name()), 204),
        "robot" => (Method::DELETE, robot, 204),
        "robot's token" => (Method::POST, format!("{robot}/regenerate"), 200),
        "API token" => (Method::DELETE, format!("tokens/{id}"), 204),
        "repository" => (Method::DELETE, repository, 204),
        _ => return change_visibility(world, "private").await,
    };
    assert_eq!(world.call(method, &path, None).await.0, status, "{path}");
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
