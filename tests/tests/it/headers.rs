//! What every answer of the deployed stack says, whatever it is asked for.

use moorage_tests::{client::Client, stack::Stack, world::World};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn every_answer_forbids_sniffing_and_plain_http() {
    let world = World::new("headers").await;
    let stack = Stack::from_env().await;
    // It gives the robot its role.
    world.create_mirror(&stack.upstream, json!({})).await;
    let admin = Client::of(&stack).bearer(&stack.token);
    let robot = world.robot().await;
    let repository = &world.repository;
    let token = format!("/v2/token?service=x&scope=repository:{repository}:pull");
    let credentials = format!("/api/v1/organization/{}/robots/bot", world.namespace);
    for (client, method, path, status, is_secret) in [
        (&Client::of(&stack), "GET", "/v2/", 401, true),
        (&robot, "GET", "/v2/", 200, false),
        (&robot, "GET", token.as_str(), 200, true),
        (&robot, "GET", &format!("/v2/{repository}/tags/list"), 200, false),
        (&robot, "GET", &format!("/v2/{repository}/manifests/none"), 404, true),
        (&robot, "PUT", &format!("/v2/{repository}/manifests/none"), 405, true),
        (&robot, "GET", "/v2/none", 404, true),
        (&robot, "GET", "/nothing/%22%5C%0A", 404, true),
        (&admin, "GET", "/api/v1/user/", 200, true),
        (&admin, "GET", &credentials, 200, true),
        (&admin, "GET", &format!("{credentials}/credentials?form=docker-config"), 200, true),
        (&admin, "GET", "/api/v1/nothing", 404, true),
        (&admin, "PATCH", "/api/v1/user/", 405, true),
        (&admin, "POST", "/api/v1/tokens", 400, true),
        (&Client::of(&stack), "GET", "/api/v1/tokens", 401, true),
        (&Client::of(&stack), "GET", "/api/v1/openapi.json", 200, true),
    ] {
        let answer = client.send(Method::from_bytes(method.as_bytes()).unwrap(), path, &[]).await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{method} {path}");
        assert!(answer.header("strict-transport-security").starts_with("max-age="), "{method} {path}");
        assert!(!is_secret || answer.header("cache-control").contains("no-store"), "{method} {path}");
    }
}
