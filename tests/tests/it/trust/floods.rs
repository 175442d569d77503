//! Registries that want to fill our memory: whatever they send, the sync ends, in time, within a limit that the kernel
//! enforces, and other tags and other tenants notice nothing.

use std::time::{Duration, Instant};

use moorage_tests::{
    bucket, eventually,
    hostile::{
        Answer, Hostile,
        flood::{INDEX, Nest, Padding, list, repeated},
    },
    image::{Image, layer},
    limited::limited,
    organization_mirror,
    victim::Victim,
    world::{World, outcome},
};
use reqwest::Method;
use serde_json::{Value, json};

/// What the sync function may write to. It is far less than the function's memory, and more than it ever needs.
const MEGABYTES: usize = 256;
/// The longest that a sync of what is no honest repository may take.
const LIMIT: Duration = Duration::from_secs(75);
/// The largest manifest.
const MANIFEST: usize = 4 * 1024 * 1024 - 64 * 1024;
const GIGABYTE: usize = 1024 * 1024 * 1024;

/// Syncs, however that ends, and returns the run.
async fn ended(world: &World) -> Value {
    let began = Instant::now();
    let run = world.sync().await;
    assert!(began.elapsed() < LIMIT, "it took {:?}: {run}", began.elapsed());
    run
}

/// Asserts that a run failed for a reason that somebody can act upon.
fn assert_failed(what: &str, run: &Value) {
    assert_eq!(run["status"], "FAIL", "{what}: {run}");
    let (reason, message) = (run["failure"]["reason"].as_str().unwrap(), run["failure"]["message"].as_str().unwrap());
    assert!(!matches!(reason, "unknown_error" | "storage_error"), "{what}: {run}");
    assert!(message.len() > 10 && message.len() < 2_000, "{what}: {message}");
}

/// An image of this test's own.
fn image() -> Image {
    Image::oci("amd64", &[layer(rand::random(), 1_000)])
}

#[tokio::test]
async fn pages_of_tags() {
    let world = World::new("flood-tags").await;
    let (registry, victim) = (Hostile::start().await, Victim::new("flood-tags-v").await);
    victim.mirror(&registry).await;
    world.create_mirror(&registry.address, json!({})).await;
    let stack = world.stack.clone();
    limited(
        &stack,
        MEGABYTES,
        Box::pin(async move {
            type Flood = fn() -> Answer;
            let floods: [(&str, Flood); 8] = [
                // Such a page may come from an honest registry: it is short of what is read of one at most.
                ("short tags", || {
                    Answer::made(list(r#"{"name":"x","tags":["#, 3_700_000, |tag| format!("\"{tag:x}\""), "]}"))
                }),
                ("one tag again and again", || {
                    Answer::made(repeated(r#"{"name":"x","tags":["a""#, ",\"a\"", 31 * 1024 * 1024, "]}"))
                }),
                ("many tags", || {
                    Answer::made(list(r#"{"name":"x","tags":["#, 40_000_000, |tag| format!("\"t{tag:08}\""), "]}"))
                }),
                ("one tag", || Answer::made(repeated(r#"{"name":"x","tags":[""#, "t", GIGABYTE, r#""]}"#))),
                ("other keys", || Answer::made(list("{", 40_000_000, |key| format!("\"k{key:08}\":[\"\"]"), "}"))),
                ("a deep nest", || Answer::made(repeated(r#"{"name":"x","tags":"#, "[", GIGABYTE, ""))),
                ("blanks", || Answer::made(repeated(r#"{"name":"x","tags":["#, " ", GIGABYTE, "]}"))),
                ("an error", || Answer::made(repeated("{\"errors\":[", "{},", GIGABYTE, "{}]}")).status(500)),
            ];
            let tags = format!("{}/tags/list", world.path);
            for (what, flood) in floods {
                registry.repent();
                registry.always("GET", &tags, flood);
                let run = ended(&world).await;
                assert_failed(what, &run);
            }
            // Pages that go on, each of them as large as a page may be, as far as anybody follows.
            registry.repent();
            registry.plan("GET", &tags, |asked| {
                let page: u64 = asked.path.split_once("last=").map_or(0, |(_, page)| page.parse().unwrap());
                let link = format!("<{}?last={}>; rel=\"next\"", asked.path.split('?').next().unwrap(), page + 1);
                let tag = move |tag| format!("\"t{page:05}-{tag:07}\"");
                Some(Answer::made(list(r#"{"name":"x","tags":["#, 100_000, tag, "]}")).header("link", &link))
            });
            let run = ended(&world).await;
            assert_failed("many pages", &run);
            registry.repent();
            registry.hold(&world.path, "v1", &image());
            assert_eq!(world.sync().await["status"], "SUCCESS", "nothing of it lasts");
            victim.is_well().await;
        }),
    )
    .await;
}

#[tokio::test]
async fn nested_indexes() {
    let world = World::new("flood-nest").await;
    let (registry, victim) = (Hostile::start().await, Victim::new("flood-nest-v").await);
    victim.mirror(&registry).await;
    world.create_mirror(&registry.address, json!({})).await;
    let stack = world.stack.clone();
    limited(
        &stack,
        MEGABYTES,
        Box::pin(async move {
            let good = image();
            registry.hold(&world.path, "good", &good);
            registry.list(&world.path, "nest");
            for padding in [Padding::Annotations, Padding::Urls, Padding::Descriptors] {
                let nest = Nest::new(7, 9, MANIFEST, padding);
                registry.plan("", &format!("{}/manifests/", world.path), move |asked| {
                    let reference = asked.path.rsplit('/').next().unwrap();
                    let bytes = if reference == "nest" { Some(nest.top()) } else { nest.manifest(reference) };
                    let digest = moorage_domain::Digest::sha256(bytes.as_ref()?).to_string();
                    Some(
                        Answer::new(200)
                            .header("content-type", INDEX)
                            .header("docker-content-digest", &digest)
                            .body(bytes?),
                    )
                });
                let run = ended(&world).await;
                let good = outcome(&run, "good")["outcome"].as_str().unwrap();
                assert!(matches!(good, "copied" | "unchanged"), "{padding:?}: {run}");
                if run["status"] != "SUCCESS" {
                    let failure = &outcome(&run, "nest")["failure"];
                    let message = failure["message"].as_str().unwrap();
                    assert!(
                        message.contains(|digit: char| digit.is_ascii_digit()),
                        "{padding:?}, the limit: {message}"
                    );
                }
            }
            let held = bucket::check(&world.stack, &world.repository).await;
            assert_eq!(held.tags["good"], good.digest());
            victim.is_well().await;
        }),
    )
    .await;
}

#[tokio::test]
async fn pages_of_referrers() {
    let world = World::new("flood-refs").await;
    let (registry, victim) = (Hostile::start().await, Victim::new("flood-refs-v").await);
    victim.mirror(&registry).await;
    world.create_mirror(&registry.address, json!({})).await;
    let stack = world.stack.clone();
    limited(&stack, MEGABYTES, Box::pin(async move {
        for tag in 0..17 {
            registry.hold(&world.path, &format!("t{tag}"), &image());
        }
        // A hundred pages of 4 MiB for each of sixteen at once; a descriptor has a megabyte of annotations.
        registry.plan("GET", &format!("{}/referrers/", world.path), |asked| {
            let (subject, page) = asked.path.split_once("?page=").unwrap_or((&asked.path, "0"));
            let page: u64 = page.parse().unwrap();
            let subject_number = subject.len();
            let referrer = move |number: u64| {
                let digest = moorage_domain::Digest::sha256(format!("{subject_number} {page} {number}").as_bytes());
                let notes: Vec<_> = (0..95_000).map(|note| format!("\"{note}\":\"\"")).collect();
                format!(
                    r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{digest}","size":2,"annotations":{{{}}}}}"#,
                    notes.join(",")
                )
            };
            let start = format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":["#);
            let answer = Answer::made(list(&start, 4, referrer, "]}")).header("content-type", INDEX);
            Some(if page < 99 {
                answer.header("link", &format!("<{subject}?page={}>; rel=\"next\"", page + 1))
            } else {
                answer
            })
        });
        let run = ended(&world).await;
        for tag in 0..17 {
            assert_eq!(outcome(&run, &format!("t{tag}"))["outcome"], "copied", "{run}");
        }
        // The images are there, and the run says what it could not have.
        assert_eq!(
            (&run["status"], &run["warning"]["reason"]),
            (&json!("SUCCESS"), &json!("attachments_incomplete")),
            "{run}"
        );
        let held = bucket::check(&world.stack, &world.repository).await;
        assert_eq!(held.tags.len(), 17);
        victim.is_well().await;
    }))
    .await;
}

#[tokio::test]
async fn catalogs_of_organizations() {
    let world = World::empty("flood-catalog").await;
    let (registry, victim) = (Hostile::start().await, Victim::new("flood-catalog-v").await);
    victim.mirror(&registry).await;
    organization_mirror::create(&world, "distribution", &registry.address, json!({})).await;
    let stack = world.stack.clone();
    limited(
        &stack,
        MEGABYTES,
        Box::pin(async move {
            let namespace = world.namespace.clone();
            registry.plan("GET", "/v2/_catalog", move |_| {
                let namespace = namespace.clone();
                let name = move |number| format!("\"{namespace}/r{number:08}\"");
                Some(Answer::made(list(r#"{"repositories":["#, 20_000_000, name, "]}")))
            });
            let fails = async |what: &str| {
                organization_mirror::sync_now(&world).await;
                let mirror = eventually(what, LIMIT, async || {
                    let mirror = organization_mirror::mirror(&world).await;
                    matches!(mirror["sync_status"].as_str(), Some("SUCCESS" | "FAIL")).then_some(mirror)
                })
                .await;
                assert_eq!(mirror["sync_status"], "FAIL", "{what}: {mirror}");
            };
            fails("one page").await;
            registry.plan("GET", "/v2/_catalog", |_| {
                Some(Answer::made(repeated(r#"{"repositories":[""#, "r", GIGABYTE, r#""]}"#)))
            });
            fails("one name").await;
            victim.is_well().await;
        }),
    )
    .await;
}

#[tokio::test]
async fn half_a_million_tags() {
    let world = World::new("flood-half").await;
    let (registry, victim) = (Hostile::start().await, Victim::new("flood-half-v").await);
    victim.mirror(&registry).await;
    world.create_mirror(&registry.address, json!({})).await;
    let stack = world.stack.clone();
    limited(
        &stack,
        MEGABYTES,
        Box::pin(async move {
            registry.always("GET", &format!("{}/tags/list", world.path), || {
                Answer::made(list(
                    r#"{"name":"x","tags":["#,
                    500_000,
                    |tag| format!("\"a-tag-with-a-long-name-{tag:06}\""),
                    "]}",
                ))
            });
            let digest = image().digest().to_string();
            registry.always("HEAD", &format!("{}/manifests/", world.path), move || {
                let answer = Answer::new(200).header("content-type", INDEX).header("content-length", "1000");
                answer.header("docker-content-digest", &digest)
            });
            world.sync_now().await;
            // It goes on for long, from invocation to invocation, and can be ended.
            eventually("it is busy", LIMIT, async || {
                let is_further = world.runs().await.first().is_some_and(|run| run["invocations"].as_u64() > Some(1));
                (is_further && registry.count() > 2_000).then_some(())
            })
            .await;
            victim.is_well().await;
            world.call(Method::POST, &world.mirror_path("/sync-cancel"), None).await;
            let ended = world.wait_for(&["CANCEL", "FAIL", "SUCCESS"]).await;
            assert_eq!(ended, "CANCEL");
        }),
    )
    .await;
}

#[tokio::test]
async fn answers_that_never_end() {
    let (registry, victim) = (Hostile::start().await, Victim::new("flood-ends-v").await);
    victim.mirror(&registry).await;
    let stack = victim.world.stack.clone();
    limited(
        &stack,
        MEGABYTES,
        Box::pin(async move {
            let endless = || Answer::made(repeated("", "{", 100 * GIGABYTE, ""));
            let world = World::new("flood-ends").await;
            world.create_mirror(&registry.address, json!({})).await;
            let (good, bad) = (image(), image());
            registry.hold(&world.path, "good", &good);
            registry.hold(&world.path, "bad", &bad);
            let challenge = format!("Bearer realm=\"{}/token\",service=\"x\"", registry.url);
            let blob = format!("{}/blobs/{}", world.path, moorage_domain::Digest::sha256(&bad.blobs[1]));
            let manifest = format!("{}/manifests/{}", world.path, bad.digest());
            let tags = format!("{}/tags/list", world.path);

            registry.refuse_without(&world.path, "Bearer nobody's", &challenge);
            registry.always("GET", "/token", endless);
            assert_failed("a token", &ended(&world).await);
            registry.always("GET", "/token", move || endless().status(401));
            assert_failed("a refusal of the token server", &ended(&world).await);
            registry.repent();
            registry.always("GET", &tags, Answer::endless_headers);
            assert_failed("headers", &ended(&world).await);
            registry.repent();
            registry.always("GET", &manifest, endless);
            let run = ended(&world).await;
            assert_eq!(outcome(&run, "good")["outcome"], "copied", "{run}");
            assert_failed("a manifest", &run);
            registry.repent();
            registry.always("GET", &blob, endless);
            let run = ended(&world).await;
            assert_eq!(outcome(&run, "good")["outcome"], "unchanged", "{run}");
            assert_failed("a blob that is longer than announced", &run);
            assert_eq!(outcome(&run, "bad")["failure"]["reason"], "digest_mismatch", "{run}");
            registry.repent();
            assert_eq!(world.sync().await["status"], "SUCCESS", "nothing of it lasts");
            victim.is_well().await;
        }),
    )
    .await;
}

#[tokio::test]
async fn a_list_that_drips_can_be_given_up() {
    let (registry, world) = (Hostile::start().await, World::new("flood-drips").await);
    let victim = Victim::new("flood-drips-v").await;
    victim.mirror(&registry).await;
    world.create_mirror(&registry.address, json!({})).await;
    registry.always("GET", &format!("{}/tags/list", world.path), || {
        Answer::json(&json!({"name": "x", "tags": vec!["a"; 10_000]})).dripping(Duration::from_secs(1))
    });
    world.sync_now().await;
    eventually("it drips", Duration::from_secs(30), async || (registry.count() > 0).then_some(())).await;
    victim.is_well().await;
    world.call(Method::POST, &world.mirror_path("/sync-cancel"), None).await;
    let began = Instant::now();
    world.wait_for(&["CANCEL"]).await;
    assert!(began.elapsed() < Duration::from_secs(10));
    registry.repent();
    registry.hold(&world.path, "v1", &image());
    assert_eq!(world.sync().await["status"], "SUCCESS");
}
