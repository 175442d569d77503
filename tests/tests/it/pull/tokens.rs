//! Logins and tokens: what they are good for, and for how long.

use std::time::Duration;

use moorage_domain::RepositoryName;
use moorage_tests::{
    client::{Client, endpoints, parameters, pull},
    image::{Image, layer},
    seed,
    world::World,
};
use reqwest::Method;
use serde_json::json;

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
