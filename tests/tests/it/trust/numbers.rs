//! Numbers that nobody counted on: they end no function, keep nobody waiting for years, and are a tag's failure at most.

use moorage_domain::{Digest, Timestamp};
use moorage_tests::{
    bucket, eventually,
    hostile::{Answer, Hostile},
    image::{Image, layer},
    logs,
    registry::{PASSWORD, USER},
    victim::Victim,
    world::{SYNC_LIMIT, World, outcome},
};
use reqwest::Method;
use serde_json::{Value, json};

const MOST: &str = "18446744073709551615";
const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
/// The longest that a registry is waited for that says what nobody means.
const DAY: i64 = 86_400;

fn image() -> Image {
    Image::oci("amd64", &[layer(rand::random(), 1_000)])
}

/// A mirror of `good`, and another tenant's at the same registry.
struct Place {
    world: World,
    registry: Hostile,
    victim: Victim,
}

impl Place {
    async fn new(name: &str) -> Self {
        let (world, registry) = (World::new(name).await, Hostile::start().await);
        let victim = Victim::new(&format!("{name}-v")).await;
        victim.mirror(&registry).await;
        registry.hold(&world.path, "good", &image());
        world.create_mirror(&registry.address, json!({})).await;
        Self { world, registry, victim }
    }

    /// Syncs until the run has ended, or waits for its registry; then it waits no longer than is reasonable, and is
    /// cancelled. Returns the run.
    async fn settled(&self, what: &str) -> Value {
        self.world.sync_now().await;
        let mirror = eventually(what, SYNC_LIMIT, async || {
            let mirror = self.world.mirror().await;
            let has_ended = matches!(mirror["sync_status"].as_str(), Some("SUCCESS" | "FAIL" | "CANCEL"));
            (has_ended || mirror.get("sync_waiting_until").is_some()).then_some(mirror)
        })
        .await;
        if let Some(until) = mirror["sync_waiting_until"].as_str() {
            let ahead = Timestamp::parse_iso(until).unwrap().unix() - now();
            assert!(ahead <= DAY + 60, "{what}: it waits for {ahead} s");
            self.world.call(Method::POST, &self.world.mirror_path("/sync-cancel"), None).await;
            self.world.wait_for(&["CANCEL"]).await;
        }
        self.world.last_run().await
    }

    /// The registry behaves again: so does the mirror, at once, if somebody asks for it.
    async fn recovers(&self, what: &str) {
        self.registry.repent();
        let run = self.world.sync().await;
        assert_eq!((&run["status"], &run["waits"]), (&json!("SUCCESS"), &json!(0)), "{what}: {run}");
    }

    /// Nothing panicked, and the other tenant is well.
    async fn assert_calm(&self) {
        let stack = &self.world.stack;
        let panics = logs::lines(stack, &stack.sync_function, "panicked").await;
        assert!(panics.is_empty(), "{panics:?}");
        self.victim.is_well().await;
    }
}

fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap()
}

#[tokio::test]
async fn times_to_come_again() {
    let place = Place::new("number-after").await;
    let dates = ["Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 99 Zzz 99999 99:99:99 GMT"];
    let numbers = [MOST, "18446744073709551616", "9223372036854775807", "-1", "1e9", "", "0"];
    for told in numbers.into_iter().chain(dates) {
        // What a server that is overloaded says is tried again several times.
        let statuses: &[u16] = if told == MOST || told == dates[0] { &[429, 503] } else { &[429] };
        for &status in statuses {
            let (told, what) = (told.to_owned(), format!("{status}, retry-after {told:?}"));
            let tags = format!("/v2/{}/", place.world.path);
            place.registry.always("", &tags, move || Answer::new(status).header("retry-after", &told));
            let run = place.settled(&what).await;
            assert_ne!(run["status"], "SUCCESS", "{what}: {run}");
            place.victim.is_well().await;
            place.recovers(&what).await;
        }
    }
    place.assert_calm().await;
}

#[tokio::test]
async fn what_is_left_and_until_when() {
    let place = Place::new("number-left").await;
    let in_milliseconds = ((now() + 3_600) * 1_000).to_string();
    let cases = [
        vec![("ratelimit-remaining", "0"), ("ratelimit-reset", MOST)],
        vec![("ratelimit-remaining", "0"), ("ratelimit-reset", in_milliseconds.as_str())],
        vec![("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "9223372036854775807")],
        vec![("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "253402300800")],
        vec![("ratelimit-remaining", "0;w=18446744073709551615")],
        vec![("ratelimit", "\"a\";r=0;t=18446744073709551615")],
        vec![("ratelimit", "\"a\";r=18446744073709551615;t=0")],
        vec![("ratelimit-remaining", "-1"), ("ratelimit-reset", "-1")],
        vec![("ratelimit-remaining", MOST), ("ratelimit-reset", MOST)],
    ];
    for (number, headers) in cases.iter().enumerate() {
        let what = format!("{headers:?}");
        let tag = format!("t{number}");
        let (next, path) = (image(), format!("/v2/{}/manifests/{tag}", place.world.path));
        place.registry.hold(&place.world.path, &tag, &next);
        let headers: Vec<(String, String)> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (digest, media_type) = (next.digest().to_string(), next.media_type);
        place.registry.always("HEAD", &path, move || {
            let answer = Answer::new(200).header("docker-content-digest", &digest).header("content-type", media_type);
            headers.iter().fold(answer, |answer, (name, value)| answer.header(name, value))
        });
        place.settled(&what).await;
        place.victim.is_well().await;
        place.recovers(&what).await;
    }
    place.assert_calm().await;
}

#[tokio::test]
async fn lifetimes_of_tokens() {
    let place = Place::new("number-token").await;
    let credentials = json!({"external_registry_username": USER, "external_registry_password": PASSWORD});
    place.world.change_mirror(credentials).await;
    let challenge = format!("Bearer realm=\"{}/token\",service=\"x\"", place.registry.url);
    for lifetime in [MOST, "18446744073709551616", "9223372036854775807", "-1", "1e300", "0", "null", "1.5", "\"300\""]
    {
        place.registry.repent();
        place.registry.refuse_without(&place.world.path, "Bearer t", &challenge);
        let answer = format!("{{\"token\":\"t\",\"expires_in\":{lifetime}}}");
        place.registry.always("GET", "/token", move || Answer::new(200).body(answer.clone()));
        let run = place.settled(lifetime).await;
        if run["status"] != "SUCCESS" {
            assert_eq!(run["failure"]["reason"], "registry_error", "{lifetime}: {run}");
        }
        if matches!(lifetime, MOST | "9223372036854775807" | "0" | "null") {
            assert_eq!(run["status"], "SUCCESS", "{lifetime}: {run}");
        }
    }
    place.recovers("tokens").await;
    place.assert_calm().await;
}

#[tokio::test]
async fn sizes_in_manifests() {
    let place = Place::new("number-sizes").await;
    let (config, layer) = (b"{}".to_vec(), layer(rand::random(), 100));
    let digests = [Digest::sha256(&config), Digest::sha256(&layer)];
    let image = Image { media_type: OCI, manifest: b"{}".to_vec(), blobs: vec![config, layer], children: Vec::new() };
    place.registry.hold_by_digest(&place.world.path, &image);
    let most = i64::MAX.to_string();
    let sizes =
        [MOST, "18446744073709551616", most.as_str(), "9223372036854775808", "-1", "1e30", "2.0", "\"2\"", "null"];
    let mut tags = Vec::new();
    for (number, size) in sizes.into_iter().enumerate() {
        let blob =
            |digest: &Digest| format!(r#"{{"mediaType":"application/vnd.x","digest":"{digest}","size":{size}}}"#);
        // Two such sizes together are more than any number holds.
        let [first, second] = [blob(&digests[0]), blob(&digests[1])];
        let start = format!(r#"{{"schemaVersion":2,"mediaType":"{OCI}","config":"#);
        let bodies = [
            format!(r#"{start}{first},"layers":[{second},{first}]}}"#),
            format!(
                r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{first},{second}]}}"#
            ),
            format!(
                r#"{start}{{"mediaType":"application/vnd.x","digest":"{}","size":2}},"layers":[],"subject":{first}}}"#,
                digests[0]
            ),
        ];
        for (kind, body) in bodies.into_iter().enumerate() {
            let is_index = kind == 1;
            let media_type = if is_index { "application/vnd.oci.image.index.v1+json" } else { OCI };
            let bad = Image { media_type, manifest: body.into_bytes(), blobs: Vec::new(), children: Vec::new() };
            let tag = format!("bad-{number}-{kind}");
            place.registry.hold(&place.world.path, &tag, &bad);
            // What a subject's size says is nobody's length.
            if kind < 2 {
                tags.push((tag, size));
            }
        }
    }
    let run = place.settled("sizes").await;
    assert_eq!(run["status"], "FAIL", "{run}");
    assert_eq!(outcome(&run, "good")["outcome"], "copied", "{run}");
    for (tag, size) in &tags {
        let bad = outcome(&run, tag);
        assert!(matches!(bad["outcome"].as_str(), Some("failed" | "refused")), "{tag}, {size}: {bad}");
    }
    let held = bucket::check(&place.world.stack, &place.world.repository).await;
    assert!(tags.iter().all(|(tag, _)| !held.tags.contains_key(tag)), "{held:?}");
    let counts = [&run["bytes_total"], &run["bytes_done"]];
    assert!(counts.iter().all(|count| count.as_u64().is_some()), "{run}");
    place.assert_calm().await;
}

#[tokio::test]
async fn lengths_and_ranges_of_blobs() {
    let place = Place::new("number-lengths").await;
    // One that comes whole, and one that comes in parts.
    for size in [1_000, 20_000_000] {
        let bad = Image::oci("amd64", &[layer(rand::random(), size)]);
        place.registry.hold(&place.world.path, "bad", &bad);
        let (bytes, digest) = (bad.blobs[1].clone(), Digest::sha256(&bad.blobs[1]));
        let blob = format!("/v2/{}/blobs/{digest}", place.world.path);
        let ranges = [
            "bytes 0-18446744073709551615/1",
            "bytes 18446744073709551615-0/*",
            "bytes 1-0/0",
            "bytes -5-10/1",
            "bytes 5-18446744073709551616/20000000",
            "bytes 0-0",
            "bytes */0",
            "-",
            "bytes 9-99/*",
        ];
        let lengths = [MOST, "18446744073709551616", "-1", "0", "1", "9223372036854775807"];
        let cases = ranges.iter().map(|range| (206, "content-range", *range));
        for (status, name, value) in cases.chain(lengths.iter().map(|length| (200, "content-length", *length))) {
            // Only the first of the requests is lied to, and once more: the others are answered as they should be.
            let (part, value) = (bytes[..1_000.min(bytes.len())].to_vec(), value.to_owned());
            let what = format!("{size} bytes, {name} {value}");
            place.registry.always("GET", &blob, move || Answer::new(status).header(name, &value).body(part.clone()));
            let run = place.settled(&what).await;
            let bad = outcome(&run, "bad")["outcome"].as_str().unwrap();
            // What it sends of the small one is true, whatever it says of it.
            assert!(bad == "failed" || size == 1_000, "{what}: {run}");
            let good = outcome(&run, "good")["outcome"].as_str().unwrap();
            assert!(matches!(good, "copied" | "unchanged"), "{what}: {run}");
            if bad != "failed" {
                break;
            }
        }
        place.registry.repent();
    }
    place.assert_calm().await;
}

#[tokio::test]
async fn lengths_of_manifests_and_lists() {
    let place = Place::new("number-heads").await;
    let bad = image();
    place.registry.hold(&place.world.path, "bad", &bad);
    for length in [MOST, "18446744073709551616", "-1", "0", "5000000"] {
        let (digest, media_type, told) = (bad.digest().to_string(), bad.media_type, length.to_owned());
        let head = format!("/v2/{}/manifests/bad", place.world.path);
        place.registry.always("HEAD", &head, move || {
            let answer = Answer::new(200).header("docker-content-digest", &digest).header("content-type", media_type);
            answer.header("content-length", &told)
        });
        let (told, bytes) = (length.to_owned(), bad.manifest.clone());
        let get = format!("/v2/{}/manifests/{}", place.world.path, bad.digest());
        place.registry.always("GET", &get, move || {
            Answer::new(200).header("content-type", media_type).header("content-length", &told).body(bytes.clone())
        });
        let run = place.settled(length).await;
        let good = outcome(&run, "good")["outcome"].as_str().unwrap();
        assert!(matches!(good, "copied" | "unchanged"), "{length}: {run}");
        let told = length.to_owned();
        place.registry.repent();
        place.registry.always("GET", &format!("{}/tags/list", place.world.path), move || {
            Answer::json(&json!({"name": "x", "tags": ["good"]})).header("content-length", &told)
        });
        let run = place.settled(length).await;
        assert_eq!(run["status"], "FAIL", "{length}: {run}");
        place.registry.repent();
    }
    let run = place.world.sync().await;
    assert_eq!(run["status"], "SUCCESS", "{run}");
    let held = bucket::check(&place.world.stack, &place.world.repository).await;
    assert_eq!(held.tags["bad"], bad.digest());
    place.assert_calm().await;
}
