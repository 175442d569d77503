//! Who signs without a key of their own, and by whom that is verified: trusted roots, as operators set them and TUF
//! distributes them.

use std::{fs, process::Command};

use moorage_domain::{
    Digest, Timestamp,
    task::{Task, TaskAnswer},
};
use moorage_tests::{
    hostile::{Answer, Hostile},
    image::{Image, layer},
    signing::{self, SIGN, bundle_of},
    sigstore::Instance,
    tuf::TufRepository,
    world::{World, outcome},
};
use reqwest::Method;
use serde_json::{Value, json};

const ISSUER: &str = "https://token.example.com";
const SUBJECT: &str = "https://example.com/acme/app/release.yml@refs/tags/v1";

fn image() -> Image {
    Image::oci("amd64", &[layer(rand::random(), 300)])
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_unix(i64::try_from(since.as_secs()).unwrap())
}

/// Pushes an image that an instance has signed.
async fn push(world: &World, tag: &str, image: &Image, bundle: &Value) {
    let upstream = format!("http://{}", world.stack.upstream);
    image.push(&upstream, &world.path, tag).await;
    let bundle = bundle_of(image, bundle.to_string().into_bytes(), SIGN);
    signing::list(vec![bundle]).push(&upstream, &world.path, &image.referrers_tag()).await;
}

/// A name that no other test has.
fn name(world: &World) -> String {
    format!("ours-{}", world.repository.namespace().as_str().replace('_', "-"))
}

fn policy(root: &str, more: &Value) -> Value {
    let identity = json!({"issuer": ISSUER, "subject_regex": "https://example\\.com/acme/app/.*"});
    let mut policy = json!({"mode": "enforce", "authorities": [
        {"name": "ci", "keyless": {"identities": [identity], "trust_root": root}},
    ]});
    for (name, value) in more.as_object().unwrap() {
        policy[name] = value.clone();
    }
    policy
}

async fn set(world: &World, id: &str, body: Value) -> (u16, Value) {
    world.call(Method::PUT, &format!("superuser/trust_roots/{id}"), Some(body)).await
}

async fn shown(world: &World, id: &str) -> Value {
    let (status, all) = world.call(Method::GET, "superuser/trust_roots", None).await;
    assert_eq!(status, 200, "{all}");
    let all = all["trust_roots"].as_array().unwrap().clone();
    all.into_iter().find(|root| root["id"] == id).unwrap_or_default()
}

/// Serves a repository as it is now.
fn serve(server: &Hostile, repository: &TufRepository) {
    for (path, bytes) in &repository.files {
        let bytes = bytes.clone();
        server.always("GET", &format!("/tuf/{path}"), move || Answer::new(200).body(bytes.clone()));
    }
}

/// The root that clients begin with.
fn first_root(repository: &TufRepository) -> Value {
    serde_json::from_slice(repository.root_file()).unwrap()
}

fn json_of(root: &Value) -> Vec<u8> {
    root.to_string().into_bytes()
}

#[tokio::test]
async fn identities_are_verified_by_a_root_that_tuf_distributes_and_refreshes() {
    let (world, server) = (World::new("keyless").await, Hostile::start().await);
    let (instance, next) = (Instance::new(), Instance::new());
    let mut repository = TufRepository::new(&json_of(&instance.trusted_root()), now());
    serve(&server, &repository);
    let id = name(&world);
    let tuf = json!({"tuf": {"url": format!("http://{}/tuf", server.address), "root": first_root(&repository)}});
    assert_eq!(set(&world, &id, tuf).await.0, 204);
    let root = shown(&world, &id).await;
    assert_eq!(root["source"], "tuf", "{root}");
    assert!(root["refreshed_at"].is_string() && root["believed_until"].is_string(), "{root}");

    let [good, stranger, foreign] = [image(), image(), image()];
    let bundle = instance.sign(&good.digest(), ISSUER, SUBJECT, now());
    push(&world, "good", &good, &bundle).await;
    let else_ = instance.sign(&stranger.digest(), ISSUER, "https://example.com/acme/application/x", now());
    push(&world, "stranger", &stranger, &else_).await;
    push(&world, "foreign", &foreign, &next.sign(&foreign.digest(), ISSUER, SUBJECT, now())).await;
    let rule = json!({"rule_kind": "tag_glob_csv", "rule_value": ["good", "stranger", "foreign"]});
    let body = json!({"signature_policy": policy(&id, &json!({})), "root_rule": rule});
    world.create_mirror(&world.stack.upstream, body).await;
    let run = world.sync().await;
    let by = &outcome(&run, "good")["signed"][0];
    assert_eq!((&by["issuer"], &by["subject"]), (&json!(ISSUER), &json!(SUBJECT)), "{run}");
    assert!(by["time"].is_string() && by["log_index"].is_u64(), "{run}");
    let reason = |run: &Value, tag: &str| outcome(run, tag)["gate"]["reason"].clone();
    assert_eq!([reason(&run, "stranger"), reason(&run, "foreign")], ["wrong_identity", "no_time"], "{run}");

    // A client that is not ours takes from here what it needs to verify the image.
    let client = world.robot().await;
    let path = format!("/v2/{}", world.repository);
    let referrers = client.get(&format!("{path}/referrers/{}", good.digest())).await.json();
    let manifest = referrers["manifests"][0]["digest"].as_str().unwrap().to_owned();
    let manifest = client.get(&format!("{path}/manifests/{manifest}")).await.json();
    let layer = manifest["layers"][0]["digest"].as_str().unwrap();
    let pulled = client.fetch(&format!("{path}/blobs/{layer}"), &[]).await.body;
    let verifies = |root: &Value, digest: &Digest| verified_by_python(root, &pulled, digest);
    assert!(verifies(&instance.trusted_root(), &good.digest()));
    assert!(!verifies(&next.trusted_root(), &good.digest()));
    assert!(!verifies(&instance.trusted_root(), &stranger.digest()));

    // The instance changes its keys.
    repository.publish(&json_of(&next.trusted_root()));
    serve(&server, &repository);
    let TaskAnswer::TrustRefreshed { refreshed, .. } = world.task(&Task::RefreshTrust {}).await else { panic!() };
    assert!(refreshed >= 1);
    let run = world.sync().await;
    assert_eq!((&outcome(&run, "foreign")["outcome"], reason(&run, "stranger")), (&json!("copied"), json!("no_time")));
    assert_eq!(outcome(&run, "good")["outcome"], "unchanged", "what was let in stays");

    // What comes then is not signed by whom it was: what was there stays.
    let other = TufRepository::new(&json_of(&instance.trusted_root()), now());
    for (path, bytes) in other.files.clone().into_iter().filter(|(path, _)| path == "timestamp.json") {
        server.always("GET", &format!("/tuf/{path}"), move || Answer::new(200).body(bytes.clone()));
    }
    world.task(&Task::RefreshTrust {}).await;
    let root = shown(&world, &id).await;
    assert_eq!((&root["source"], &root["failure"]["reason"]), (&json!("tuf"), &json!("content_refused")), "{root}");
    assert_eq!(world.call(Method::DELETE, &format!("superuser/trust_roots/{id}"), None).await.0, 204);
    assert_eq!(shown(&world, &id).await, Value::Null);
    let run = world.sync().await;
    assert_eq!(reason(&run, "stranger"), "untrusted_root", "{run}");
}

#[tokio::test]
async fn a_tag_does_not_go_back_to_what_was_signed_before() {
    let (world, instance) = (World::new("rollback").await, Instance::new());
    let id = name(&world);
    assert_eq!(set(&world, &id, json!({"trusted_root": instance.trusted_root()})).await.0, 204);
    assert_eq!(shown(&world, &id).await["source"], "operator");
    let [old, new, newer] = [image(), image(), image()];
    let at = |hours: u64| now().minus(std::time::Duration::from_secs(3_600 * hours));
    let sign = |image: &Image, hours| instance.sign(&image.digest(), ISSUER, SUBJECT, at(hours));
    push(&world, "v1", &new, &sign(&new, 2)).await;
    let body = json!({"signature_policy": policy(&id, &json!({"no_rollback": true}))});
    world.create_mirror(&world.stack.upstream, body).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    push(&world, "v1", &old, &sign(&old, 3)).await;
    let run = world.sync().await;
    assert_eq!(outcome(&run, "v1")["gate"]["reason"], "older_signature", "{run}");
    push(&world, "v1", &newer, &sign(&newer, 1)).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    world.call(Method::DELETE, &format!("superuser/trust_roots/{id}"), None).await;
}

#[tokio::test]
async fn what_is_no_trusted_root_is_refused() {
    let (world, server) = (World::new("noroots").await, Hostile::start().await);
    let repository = TufRepository::new(b"{}", now());
    serve(&server, &repository);
    let id = name(&world);
    let url = format!("http://{}/tuf", server.address);
    let nowhere = format!("http://{}/nowhere", server.address);
    let root = first_root(&repository);
    for (body, says) in [
        (json!({}), "trusted_root"),
        (json!({"trusted_root": {}, "tuf": {}}), "one of them"),
        (json!({"trusted_root": {"a": 1}}), "cannot be read"),
        (json!({"tuf": {"url": "ftp://x", "root": {}}}), "tuf.url"),
        (json!({"tuf": {"url": url}}), "tuf.root"),
        (json!({"tuf": {"url": url, "root": {"signed": {}}}}), ""),
        (json!({"tuf": {"url": nowhere, "root": root}}), "timestamp.json"),
        (json!({"tuf": {"url": url, "root": root}}), "trusted root"),
        (json!({"tuf": {"url": "http://10.1.2.3/tuf", "root": root}}), "not an allowed address"),
    ] {
        let (status, answer) = set(&world, &id, body.clone()).await;
        assert!(status == 400 && answer.to_string().contains(says), "{body}: {status} {answer}");
    }
    let (status, _) = set(&world, "No_Name", json!({"trusted_root": {}})).await;
    assert_eq!(status, 400);
    let path = format!("superuser/trust_roots/{id}");
    assert_eq!(world.call(Method::DELETE, &path, None).await.0, 404);
    let token = world.token(Some(world.repository.namespace().as_str()), "admin").await;
    let (status, _) = world.send(Method::GET, "superuser/trust_roots", Some(&token), None).await;
    assert_eq!(status, 403, "only superusers see whom all believe");
}

/// Whether sigstore's own client for Python finds the bundle to be a signature of the image, by this root.
fn verified_by_python(root: &Value, bundle: &[u8], digest: &Digest) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("root.json"), root.to_string()).unwrap();
    fs::write(at("bundle.json"), bundle).unwrap();
    let mut python = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tests-venv/bin/python"));
    python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/verify_bundle.py")).args([at("root.json"), at("bundle.json")]);
    let output = python.args([&digest.to_string(), SUBJECT, ISSUER]).output().unwrap();
    output.status.success()
}
