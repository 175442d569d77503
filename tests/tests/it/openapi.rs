//! The API's description is true: schemathesis calls everything that it tells of, rightly and wrongly, and nothing may
//! fail on the server's side or answer otherwise than described.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use moorage_tests::world::World;
use reqwest::Method;
use serde_json::{Value, json};

/// What is looked at in each answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";
/// Calls of each operation with what comes to mind.
const CALLS: &str = "6";
/// Seconds that an answer may take: as long as API Gateway lets the function take.
const TIMEOUT: &str = "30";
/// Health is 503 where mirrors fail, as those of other tests do, and so is a sign-in where many sign in: described answers,
/// and none of a server that fails.
const UNHEALTHY: &str = r#"
[[operations]]
include-path-regex = "(/mirror/health|^/signin/oidc)$"
[operations.checks.not_a_server_error]
expected-statuses = ["2xx", "4xx", 503]
"#;

/// Runs schemathesis against the stack with the admin's token.
async fn schemathesis(world: &World, config: &str, arguments: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("schemathesis.toml"), format!("{config}{UNHEALTHY}")).unwrap();
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tests-venv/bin/schemathesis");
    assert!(program.exists(), "{} is missing: run `make setup`", program.display());
    let mut command = Command::new(program);
    command.args(["run", &format!("{}/api/v1/openapi.json", world.stack.url)]);
    command.args(["--header", &format!("Authorization: Bearer {}", world.stack.token)]);
    // The same calls each time; and a slow machine is not the API's fault.
    command.args(["--checks", CHECKS, "--max-examples", CALLS, "--seed", "1", "--suppress-health-check", "all"]);
    command.args(["--request-timeout", TIMEOUT]);
    // One worker: with several, Python 3.11 fails now and then while it compiles.
    command.args(["--no-shrink", "--workers", "1"]).args(arguments);
    command.current_dir(folder.path()).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let end = said.char_indices().rev().nth(6_000).map_or(0, |(at, _)| at);
    assert!(output.status.success(), "{}\n{}", &said[end..], String::from_utf8_lossy(&output.stderr));
}

/// Along the edges of the schemas, on both sides of them. Two tests, so that they take half the time.
#[tokio::test]
async fn whatever_is_sent_the_answer_is_one_that_is_described() {
    let world = World::new("any").await;
    schemathesis(&world, "", &["--phases", "coverage", "--include-path-regex", "^/repository"]).await;
}

#[tokio::test]
async fn whatever_is_sent_elsewhere_the_answer_is_one_that_is_described() {
    let world = World::new("any-else").await;
    // The admin's own robots are handled by the same code as an organization's.
    let others = "^/(repository|user/robots|discovery)";
    schemathesis(&world, "", &["--phases", "coverage", "--exclude-path-regex", others]).await;
}

#[tokio::test]
async fn what_exists_answers_as_it_is_described() {
    let world = World::new("described").await;
    world.create_mirror("127.0.0.1:1", json!({})).await;
    world.sync_now().await;
    world.wait_for(&["FAIL"]).await;
    let team = format!("organization/{}/team/dev", world.namespace);
    assert_eq!(world.call(Method::PUT, &team, Some(json!({"role": "member"}))).await.0, 200);
    let parameters = [
        ("repository", world.repository.as_str()),
        ("orgname", &world.namespace),
        ("robot_shortname", "bot"),
        ("username", &format!("{}+bot", world.namespace)),
        ("membername", &format!("{}+bot", world.namespace)),
        ("teamname", "dev"),
        ("error_type", "not_found"),
    ];
    let lines: Vec<_> = parameters.iter().map(|(name, value)| format!("\"path.{name}\" = \"{value}\"")).collect();
    let config = format!("[parameters]\n{}\n", lines.join("\n"));
    // Nothing is deleted, so that it goes on existing. Tags of a mirror answer 503 to changes, as in Quay; and a preview
    // waits for registries that do not exist.
    let ours = "^(changeTag|restoreTag|previewMirror)$";
    let others = ["--phases", "fuzzing", "--exclude-method", "DELETE", "--exclude-operation-id-regex", ours];
    schemathesis(&world, &config, &others).await;
    assert_eq!(world.call(Method::GET, &format!("organization/{}", world.namespace), None).await.0, 200);
}

#[tokio::test]
async fn the_description_is_open_and_names_this_api() {
    let world = World::new("open").await;
    for path in ["openapi.json", "discovery"] {
        let (status, document) = world.send(Method::GET, path, None, None).await;
        assert_eq!((status, &document["openapi"]), (200, &json!("3.1.0")));
        assert_eq!(document["servers"], json!([{"url": format!("{}/api/v1", world.stack.url)}]));
        let mirror = &document["paths"]["/repository/{repository}/mirror"];
        let methods: Vec<_> = mirror.as_object().unwrap().keys().cloned().collect();
        assert_eq!(methods, ["delete", "get", "post", "put"]);
        assert_eq!(mirror["put"]["operationId"], "changeRepoMirrorConfig");
        assert_ne!(mirror["put"]["responses"]["201"], Value::Null);
    }
}
