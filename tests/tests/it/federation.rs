//! Robots without secrets: tokens of a real OpenID provider are exchanged for a robot's password, and real clients pull
//! with that.

use std::{process::Command, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use moorage_tests::{
    client::{Client, pull},
    eventually, http,
    image::{Image, layer},
    provider::{MAIN, PULL_REQUEST, Provider},
    seed,
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

/// How long a right that was taken away may still work, with room for a slow machine.
const REVOKED: Duration = Duration::from_secs(60);

/// The path of the federation of a world's robot.
fn path(world: &World) -> String {
    format!("organization/{}/robots/bot/federation", world.namespace)
}

/// Has these workloads log in as the robot.
async fn federate(world: &World, federation: Value) {
    assert_eq!(world.call(Method::POST, &path(world), Some(federation.clone())).await, (200, federation.clone()));
    assert_eq!(world.call(Method::GET, &path(world), None).await, (200, federation));
}

/// What comes of a token.
async fn exchange(world: &World, robot: &str, token: &str) -> (u16, Value) {
    let url = format!("{}/oauth2/federation/robot/token", world.stack.url);
    let answer = http().get(url).basic_auth(robot, Some(token)).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// The password that a token of the workload is exchanged for.
async fn password(world: &World, token: &str) -> String {
    let (status, answer) = exchange(world, &world.robot_name(), token).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer.as_object().unwrap().len(), 1, "as in Quay");
    answer["token"].as_str().unwrap().to_owned()
}

/// A world with an image that its robot may read.
async fn world(name: &str) -> World {
    let world = World::new(name).await;
    seed::image(&world.stack, &world.repository, "v1", &Image::oci("amd64", &[layer(1, 10)])).await;
    world.grant("read").await;
    world
}

#[tokio::test]
async fn a_workload_pulls_without_a_secret() {
    let (world, provider) = (world("workload").await, Provider::start());
    assert_eq!(world.call(Method::GET, &path(&world), None).await, (200, json!([])));
    federate(&world, json!([{"issuer": provider.issuer, "subject": MAIN}])).await;
    let manifest = format!("/v2/{}/manifests/v1", world.repository);
    let anonymous = Client::of(&world.stack);
    for algorithm in ["RS256", "PS256", "ES256", "EdDSA"] {
        let token = provider.token(MAIN, &format!("https://registry.example/{algorithm}")).await;
        let password = password(&world, &token).await;
        let robot = anonymous.basic(&world.robot_name(), &password);
        assert_eq!(robot.get(&manifest).await.status, 200, "{algorithm}");
        let bearer = anonymous.bearer(&robot.token(&[&pull(&world.repository)]).await);
        assert_eq!(bearer.get(&manifest).await.status, 200, "{algorithm}");
        // It is that robot's, and no token that anything is pulled with by itself.
        let other = anonymous.basic(&format!("{}+other", world.namespace), &password);
        assert_eq!(
            (other.get(&manifest).await.status, anonymous.bearer(&password).get(&manifest).await.status),
            (401, 401)
        );
        assert_eq!(
            anonymous.basic(&world.robot_name(), &token).get(&manifest).await.status,
            401,
            "the provider's is none"
        );
    }
    let token = provider.token(MAIN, "https://registry.example/RS256").await;
    let credentials = format!("{}:{}", world.robot_name(), password(&world, &token).await);
    let image = format!("docker://{}/{}:v1", world.stack.url.trim_start_matches("http://"), world.repository);
    let copied = tempfile::tempdir().unwrap();
    let mut skopeo = Command::new("skopeo");
    skopeo.args(["copy", "--src-tls-verify=false", "--src-creds", &credentials, &image]);
    skopeo.arg(format!("dir:{}", copied.path().display()));
    let output = tokio::task::spawn_blocking(move || skopeo.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let (_, log) = world.call(Method::GET, &format!("organization/{}/logs", world.namespace), None).await;
    let entry =
        |kind: &str| log["logs"].as_array().unwrap().iter().find(|entry| entry["kind"] == kind).unwrap().clone();
    let exchanged = entry("federated_robot_token_exchange");
    assert_eq!(
        (&exchanged["performer"]["name"], &exchanged["performer"]["is_robot"]),
        (&json!(world.robot_name()), &json!(true))
    );
    let said = &exchanged["metadata"];
    assert_eq!(
        (&said["issuer"], &said["subject"], &said["robot"]),
        (&json!(provider.issuer), &json!(MAIN), &json!("bot"))
    );
    assert_eq!(
        entry("create_robot_federation")["metadata"]["config"],
        json!([{"issuer": provider.issuer, "subject": MAIN}])
    );
    assert!(!log.to_string().contains(&token), "no log has a token");
}

#[tokio::test]
async fn what_was_logged_in_by_a_federation_ends_with_it() {
    let (world, provider) = (world("unfederated").await, Provider::start());
    let entry = |subject: &str| json!({"issuer": provider.issuer, "subject": subject});
    federate(&world, json!([entry(MAIN), entry(PULL_REQUEST)])).await;
    let anonymous = Client::of(&world.stack);
    let manifest = format!("/v2/{}/manifests/v1", world.repository);
    let robot = async |workload: &str| {
        let token = provider.token(workload, "https://registry.example/ES256").await;
        anonymous.basic(&world.robot_name(), &password(&world, &token).await)
    };
    let (main, pull_request) = (robot(MAIN).await, robot(PULL_REQUEST).await);
    let bearer = anonymous.bearer(&main.token(&[&pull(&world.repository)]).await);
    // Regenerating the robot's own token is nothing to its workloads, and neither is another federation.
    let regenerate = format!("organization/{}/robots/bot/regenerate", world.namespace);
    assert_eq!(world.call(Method::POST, &regenerate, None).await.0, 200);
    federate(&world, json!([entry(PULL_REQUEST)])).await;
    let refused = async |client: &Client| {
        let what = "a password of a federation that ended is refused";
        eventually(what, REVOKED, async || (client.get(&manifest).await.status == 401).then_some(())).await;
    };
    refused(&main).await;
    refused(&bearer).await;
    assert_eq!(pull_request.get(&manifest).await.status, 200);
    // Made anew, it is another one, also where the earlier one is still remembered.
    federate(&world, json!([entry(MAIN), entry(PULL_REQUEST)])).await;
    refused(&main).await;
    assert_eq!(pull_request.get(&manifest).await.status, 200);
    assert_eq!(world.call(Method::DELETE, &path(&world), None).await.0, 204);
    refused(&pull_request).await;
    let token = provider.token(MAIN, "https://registry.example/ES256").await;
    let (status, answer) = exchange(&world, &world.robot_name(), &token).await;
    assert_eq!((status, answer), (401, json!({"error": "Token does not match robot"})));
}

#[tokio::test]
async fn forgeries_are_refused() {
    let (world, provider, stranger) = (world("forged").await, Provider::start(), Provider::start());
    let forger = Provider::forger_of(&provider);
    let audience = "https://registry.example/RS256";
    federate(&world, json!([{"issuer": provider.issuer, "subject": MAIN, "audiences": [audience]}])).await;
    let good = provider.token(MAIN, audience).await;
    password(&world, &good).await;
    let parts: Vec<&str> = good.split('.').collect();
    let unsigned = format!("{}.{}.", BASE64.encode(r#"{"alg":"none","kid":"k1-RS256"}"#), parts[1]);
    let changed = |name: &str, value: i64| {
        let mut claims: Value = serde_json::from_slice(&BASE64.decode(parts[1]).unwrap()).unwrap();
        claims[name] = value.into();
        format!("{}.{}.{}", parts[0], BASE64.encode(claims.to_string()), parts[2])
    };
    let other = "Token does not match robot";
    for (what, token, error) in [
        ("another key under the same id", forger.token(MAIN, audience).await, other),
        ("another issuer", stranger.token(MAIN, audience).await, other),
        ("another subject", provider.token(PULL_REQUEST, audience).await, other),
        ("changed", changed("exp", 9_999_999_999), other),
        ("no signature", unsigned, "Invalid token: the token is not signed by an algorithm that is taken here"),
        ("expired", changed("exp", 1), "Invalid token: the token has expired"),
        ("not yet", changed("nbf", 9_999_999_999), "Invalid token: the token is not valid yet"),
        (
            "another audience",
            provider.token(MAIN, "https://other.example/RS256").await,
            "Invalid token: the token is for another audience",
        ),
        ("nothing", String::new(), "Invalid token: the token is no JSON Web Token"),
    ] {
        let refused = exchange(&world, &world.robot_name(), &token).await;
        assert_eq!(refused, (401, json!({"error": error})), "{what}");
    }
    // Whether there is such a robot is not said.
    let nobody = exchange(&world, &format!("{}+nobody", world.namespace), &good).await;
    assert_eq!(nobody, (401, json!({"error": other})));
    let url = format!("{}/oauth2/federation/robot/token", world.stack.url);
    let bare = http().get(&url).send().await.unwrap();
    assert_eq!(
        (bare.status().as_u16(), bare.json::<Value>().await.unwrap()),
        (401, json!({"error": "No auth header"}))
    );
    assert_eq!(http().post(&url).send().await.unwrap().status(), 405);
}

#[tokio::test]
async fn a_provider_that_is_down_is_nobody_elses_fault() {
    let (world, provider, gone) = (world("down").await, Provider::start(), Provider::start());
    federate(&world, json!([{"issuer": gone.issuer, "subject": MAIN}, {"issuer": provider.issuer, "subject": MAIN}]))
        .await;
    let audience = "https://registry.example/RS256";
    let token = gone.token(MAIN, audience).await;
    drop(gone);
    let (status, answer) = exchange(&world, &world.robot_name(), &token).await;
    assert_eq!(
        (status, &answer["error"]),
        (503, &json!("The token's issuer did not answer. Try again in some seconds."))
    );
    password(&world, &provider.token(MAIN, audience).await).await;
    let manifest = format!("/v2/{}/manifests/v1", world.repository);
    assert_eq!(world.robot().await.get(&manifest).await.status, 200, "the robot's own token");
}

#[tokio::test]
async fn a_federation_names_an_issuer_that_may_be_asked() {
    let world = World::empty("issuers").await;
    let post = async |federation: Value| world.call(Method::POST, &path(&world), Some(federation)).await;
    let invalid = |message: &str| world.problem(400, "invalid_request", message);
    let one = |issuer: &str| json!([{"issuer": issuer, "subject": "s"}]);
    for (issuer, message) in [
        ("idp.example", "Issuer must be a URL (http:// or https://)"),
        ("http://idp.example", "Issuer must be an https:// URL"),
        ("https://169.254.169.254", "Issuer is at a host that is not allowed"),
    ] {
        assert_eq!(post(one(issuer)).await, invalid(message));
    }
    assert_eq!(post(json!([{}])).await, invalid("'issuer' is a required property"));
    let twice = json!([one("https://idp.example")[0], one("https://idp.example")[0]]);
    assert_eq!(post(twice).await, invalid("Duplicate federation config entry"));
    let unknown = format!("organization/{}/robots/nobody/federation", world.namespace);
    let no_robot = (400, json!({"message": "Could not find robot with specified username"}));
    assert_eq!(world.call(Method::POST, &unknown, Some(one("https://idp.example"))).await, no_robot);
    let reader = world.token(Some(&world.namespace), "write").await;
    assert_eq!(world.send(Method::GET, &path(&world), Some(&reader), None).await.0, 403);
}
