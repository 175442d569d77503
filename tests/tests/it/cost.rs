//! What runs use of AWS and what that costs: they count what is asked of it, over all of their invocations, each once.

use std::time::Duration;

use moorage_tests::{
    aws::{fault::Fault, first, request::Service},
    function::Outcome,
    image::{Image, layer},
    lab::{Ended, Lab},
    proxy::{self, Proxy},
    table,
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

/// Images of a sync.
const IMAGES: u64 = 12;
/// How far what comes after a run's last write may be from what is taken for it: in units of the table, and in bytes of log.
const AFTER: (u64, u64) = (3, 400);
/// The memory that the lab gives functions, in MB.
const MEMORY: u64 = 512;

/// What was asked of AWS, as the proxy between has seen it.
#[derive(Debug, Default)]
struct Seen {
    s3: [u64; 3],
    kms: u64,
    read_halves: u64,
    write_units: u64,
    log: u64,
}

impl Seen {
    fn of(all: &[&Ended]) -> Self {
        let mut seen = Self::default();
        for ended in all {
            seen.log += ended.log.len() as u64;
            for request in &ended.asked {
                match request.service {
                    Service::S3 => seen.s3[class(&request.operation)] += 1,
                    Service::Kms => seen.kms += 1,
                    Service::DynamoDb if request.writes => seen.write_units += request.half_units / 2,
                    Service::DynamoDb => seen.read_halves += request.half_units,
                    _ => {}
                }
            }
        }
        seen
    }
}

/// Whether S3 charges for a request as a write, as a read, or not at all.
fn class(operation: &str) -> usize {
    let (method, detail) = operation.split_once(' ').unwrap_or((operation, ""));
    match method {
        "DELETE" => 2,
        "HEAD" => 1,
        "GET" if detail.is_empty() => 1,
        _ => 0,
    }
}

/// A world with some images at its registry, in front of which there is a proxy that asks for a password; and a lab.
async fn lab(name: &str) -> (World, Proxy, Lab) {
    let world = World::new(name).await;
    let upstream = format!("http://{}", world.stack.upstream);
    for image in 0..IMAGES {
        let image_of = Image::oci("amd64", &[layer(rand::random(), 1_000), layer(rand::random(), 1_000)]);
        image_of.push(&upstream, &world.path, &format!("v{image}")).await;
    }
    let proxy = Proxy::start(&upstream).await;
    proxy.require_token("somebody", "secret");
    let login = json!({"external_registry_username": "somebody", "external_registry_password": "secret"});
    world.create_mirror(&proxy.address, login).await;
    let lab = Lab::new(&world.stack, &[]).await;
    lab.only(&world.namespace);
    let world = world.at(&lab.stack);
    (world, proxy, lab)
}

/// An invocation of its own for what was asked for.
async fn invoke(lab: &Lab, within: Duration) -> Ended {
    let (function, event) = lab.take_event().expect("a sync was asked for");
    let ended = lab.invoke_within(&function, &event, Box::new(|_| Fault::None), within).await;
    assert!(matches!(ended.outcome, Outcome::Answer(_)), "{}", ended.log);
    ended
}

async fn sync(lab: &Lab, world: &World) -> Ended {
    world.sync_now().await;
    let ended = invoke(lab, Duration::from_secs(40)).await;
    assert_eq!(world.mirror().await["sync_status"], "SUCCESS");
    ended
}

fn number(usage: &Value, name: &str) -> u64 {
    usage[name].as_u64().unwrap_or_else(|| panic!("no {name} in {usage}"))
}

/// The run has counted what these invocations have used.
fn counts(run: &Value, invocations: &[&Ended]) {
    let (usage, seen, many) = (&run["usage"], Seen::of(invocations), invocations.len() as u64);
    let is_near = |name, seen: u64, by: u64| number(usage, name).abs_diff(seen) <= by * many;
    assert_eq!(["s3_writes", "s3_reads", "s3_deletes"].map(|name| number(usage, name)), seen.s3, "{seen:?} {usage}");
    assert_eq!(number(usage, "kms_requests"), seen.kms, "{seen:?} {usage}");
    assert_eq!(number(usage, "lambda_requests"), many, "{usage}");
    assert!(is_near("dynamodb_read_units", seen.read_halves.div_ceil(2), AFTER.0), "{seen:?} {usage}");
    assert!(is_near("dynamodb_write_units", seen.write_units, AFTER.0), "{seen:?} {usage}");
    assert!(is_near("log_bytes", seen.log, AFTER.1), "{seen:?} {usage}");
    assert!(number(usage, "lambda_ms") > 0, "{usage}");
    assert_eq!(number(usage, "lambda_mb_ms"), number(usage, "lambda_ms") * MEMORY, "{usage}");
}

fn dollars(amount: &Value) -> f64 {
    amount.as_str().unwrap_or_else(|| panic!("{amount}")).parse().unwrap()
}

async fn cost(world: &World, path: &str) -> Value {
    let (status, cost) = world.call(Method::GET, path, None).await;
    assert_eq!(status, 200, "{cost}");
    cost
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_counts_what_it_asks_and_one_of_unchanged_tags_costs_less() {
    let (world, _proxy, lab) = lab("cost").await;
    let first = sync(&lab, &world).await;
    let first_run = world.last_run().await;
    counts(&first_run, &[&first]);
    assert!(number(&first_run["usage"], "s3_writes") > 8 * IMAGES, "{first_run}");
    assert_eq!(number(&first_run["usage"], "kms_requests"), 1, "{first_run}");
    let again = sync(&lab, &world).await;
    let second_run = world.last_run().await;
    counts(&second_run, &[&again]);
    let (more, less) = (dollars(&first_run["cost"]), dollars(&second_run["cost"]));
    assert!(0.0 < less && less < more / 2.0, "{less} {more}");

    // The month.
    let of_mirror = cost(&world, &world.mirror_path("/cost")).await;
    assert_eq!((&of_mirror["runs"], &of_mirror["runs_not_counted"]), (&json!(2), &json!(0)), "{of_mirror}");
    assert!((dollars(&of_mirror["cost"]["total"]) - more - less).abs() < 1e-11, "{of_mirror}");
    assert_eq!(of_mirror["since"], first_run["started_at"]);
    // They cover an interval: a day, of which 730 hours are thirty.
    assert_eq!((&of_mirror["covered_seconds"], &of_mirror["truncated"]), (&json!(86_400), &json!(false)));
    let (cost_of_day, month) =
        (dollars(&of_mirror["cost"]["s3_requests"]), dollars(&of_mirror["month"]["s3_requests"]));
    assert!((month / cost_of_day - 730.0 / 24.0).abs() < 0.01, "{of_mirror}");
    let stored = of_mirror["stored_bytes"].as_u64().unwrap();
    assert!((2_000 * IMAGES..10_000 * IMAGES).contains(&stored), "{of_mirror}");
    assert!(dollars(&of_mirror["month"]["storage"]) > 0.0, "{of_mirror}");
    assert_eq!(
        (&of_mirror["prices"]["region"], &of_mirror["prices"]["currency"]),
        (&json!("us-east-1"), &json!("USD"))
    );

    // The namespace has no other mirror.
    let organization = format!("organization/{}/mirror/cost", world.namespace);
    let all = cost(&world, &organization).await;
    assert_eq!(all["repositories"][0]["repository"], json!(world.repository));
    assert_eq!((&all["repositories"][0]["month"], &all["prices"]), (&of_mirror["month"], &of_mirror["prices"]));
    assert_eq!((&all["month"], &all["next_page"]), (&of_mirror["month"], &Value::Null));

    // Whoever may not see the runs does not see what they cost.
    let reader = world.token(Some(&world.namespace), "read").await;
    for path in [world.mirror_path("/cost"), organization] {
        assert_eq!(world.send(Method::GET, &path, Some(&reader), None).await.0, 403, "{path}");
    }

    // A run from before they counted.
    let id = first_run["run_id"].as_str().unwrap();
    table::remove(&world.stack, &table::Key::run(&world.repository, id), "usage").await;
    let (_, older) = world.call(Method::GET, &world.mirror_path(&format!("/runs/{id}")), None).await;
    assert_eq!((&older["usage"], &older["cost"]), (&Value::Null, &Value::Null));
    let without = cost(&world, &world.mirror_path("/cost")).await;
    assert_eq!((&without["runs"], &without["runs_not_counted"]), (&json!(1), &json!(1)), "{without}");
    assert_eq!(without["cost"]["total"], second_run["cost"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_invocation_of_a_run_counts() {
    let (world, proxy, lab) = lab("cost-several").await;
    // One blob comes so late that the invocation is over, when all others are there.
    proxy.fault("GET", "/blobs/", 1, proxy::Fault::Delay(Duration::from_secs(12)));
    world.sync_now().await;
    let first = invoke(&lab, Duration::from_secs(9)).await;
    let midway = world.last_run().await;
    assert_eq!(midway["status"], "SYNCING", "{midway}");
    counts(&midway, &[&first]);
    let second = invoke(&lab, Duration::from_secs(40)).await;
    let run = world.last_run().await;
    assert_eq!((&run["status"], &run["invocations"]), (&json!("SUCCESS"), &json!(2)), "{run}");
    counts(&run, &[&first, &second]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_killed_invocation_counts_what_it_has_written() {
    let (world, _proxy, lab) = lab("cost-killed").await;
    world.sync_now().await;
    let (function, event) = lab.take_event().unwrap();
    // In the midst of copying; its run was written when it began.
    let is_tag = |target: &str| target.contains("/_manifests/tags/");
    let plan = first(Fault::KillBefore, move |it| it.service == Service::S3 && it.writes && is_tag(&it.target));
    let killed = lab.invoke(&function, &event, plan).await;
    assert_eq!(killed.outcome, Outcome::Killed, "{}", killed.log);
    let begun = world.last_run().await;
    assert_eq!((number(&begun["usage"], "lambda_requests"), number(&begun["usage"], "s3_writes")), (1, 0), "{begun}");
    // The claim. What a read of several items consumes, the emulator does not say.
    assert!(number(&begun["usage"], "dynamodb_write_units") > 0, "{begun}");
    table::let_pass(&lab.stack, Duration::from_secs(900)).await;
    let ended = sync(&lab, &world).await;
    let run = world.last_run().await;
    assert_eq!((&run["run_id"], &run["invocations"]), (&begun["run_id"], &json!(2)), "{run}");
    let (usage, seen) = (&run["usage"], Seen::of(&[&ended]));
    assert_eq!(number(usage, "lambda_requests"), 2);
    assert_eq!(["s3_writes", "s3_reads", "s3_deletes"].map(|name| number(usage, name)), seen.s3, "{seen:?} {usage}");
    let before = number(&begun["usage"], "dynamodb_read_units");
    assert!(number(usage, "dynamodb_read_units").abs_diff(before + seen.read_halves.div_ceil(2)) <= AFTER.0, "{usage}");
}
