//! What one namespace may take of a deployment, and of what others have. The stack of these tests lets it have little,
//! and what one namespace has proven counts for all.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;
use moorage_domain::{Digest, RepositoryName};
use moorage_tests::{
    bucket, eventually,
    image::{Image, layer},
    organization_mirror as organization,
    proxy::{Fault, Proxy, count},
    world::{SYNC_LIMIT, World, outcome},
};
use reqwest::Method;
use serde_json::{Value, json};

// The parameters that tests/run.sh gives the stack.
const PREVIEWS: usize = 2;
const REPOSITORIES: usize = 3;
const TAGS: usize = 4;
const BYTES: usize = 100_000;
const SYNCS: i32 = 20;

const ALWAYS: usize = 1_000_000;

/// Another repository of the same namespace.
async fn another(world: &World, name: &str) -> World {
    let repository = RepositoryName::new(&world.namespace, name).unwrap();
    let other = World { path: format!("{}/{name}", world.namespace), repository, ..world.clone() };
    assert_eq!(create(&other, name).await.0, 201);
    other
}

async fn create(world: &World, name: &str) -> (u16, Value) {
    let body = json!({"namespace": world.namespace, "repository": name, "visibility": "private", "description": ""});
    world.call(Method::POST, "repository", Some(body)).await
}

async fn push(world: &World, tag: &str, size: usize) -> Image {
    let image = Image::oci("amd64", &[layer(rand::random(), size)]);
    image.push(&format!("http://{}", world.stack.upstream), &world.path, tag).await;
    image
}

fn failed(run: &Value) -> Vec<&Value> {
    let tags = run["tags"].as_array().unwrap();
    tags.iter().filter(|tag| tag["outcome"] == "failed").map(|tag| &tag["failure"]).collect()
}

#[tokio::test]
async fn a_namespace_has_so_many_repositories() {
    let world = World::empty("repositories").await;
    let names: Vec<_> = (0..REPOSITORIES + 3).map(|number| format!("r{number}")).collect();
    // At once, where each call finds room.
    let statuses: Vec<_> = join_all(names.iter().map(|name| create(&world, name))).await;
    let made = statuses.iter().filter(|(status, _)| *status == 201).count();
    assert!(made <= REPOSITORIES, "{statuses:?}");
    for name in &names {
        create(&world, name).await;
    }
    let detail = format!("the namespace has the {REPOSITORIES} repositories that it may have (MaxRepositories)");
    assert_eq!(create(&world, "more").await, world.problem(403, "exceeds_license", &detail));
    let list = format!("repository?namespace={}", world.namespace);
    let (_, listed) = world.call(Method::GET, &list, None).await;
    let listed = listed["repositories"].as_array().unwrap();
    assert_eq!(listed.len(), REPOSITORIES, "{listed:?}");

    let gone = format!("repository/{}/{}", world.namespace, listed[0]["name"].as_str().unwrap());
    assert_eq!(world.call(Method::DELETE, &gone, None).await.0, 204);
    assert_eq!(create(&world, "more").await.0, 201, "what was deleted makes room");
    World::new("others").await;
}

#[tokio::test]
async fn discoveries_stop_where_the_namespace_is_full() {
    let world = World::empty("discovered").await;
    for number in 0..REPOSITORIES + 2 {
        organization::push(&world, &format!("r{number}"), &["v1"]).await;
    }
    organization::create(&world, "distribution", &world.stack.upstream, json!({})).await;
    organization::sync_now(&world).await;
    organization::wait_for(&world, json!({"SUCCESS": REPOSITORIES})).await;
    let log = organization::log(&world).await;
    assert!(log.iter().any(|entry| entry.to_string().contains("MaxRepositories")), "{log:?}");
}

#[tokio::test]
async fn a_namespace_has_so_many_tags() {
    let world = World::new("tags").await;
    for number in 0..TAGS + 2 {
        push(&world, &format!("t{number}"), 100).await;
    }
    world.create_mirror(&world.stack.upstream, json!({})).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], run["tags_copied"].as_u64()), (&json!("FAIL"), Some(TAGS as u64)), "{run}");
    let failures = failed(&run);
    assert_eq!(failures.len(), 2, "{run}");
    for failure in failures {
        assert_eq!(failure["reason"], "quota_exceeded");
        assert!(failure["message"].as_str().unwrap().contains("MaxTags"), "{failure}");
        assert!(failure["advice"].as_str().is_none_or(|advice| !advice.is_empty()), "{failure}");
    }
    assert_eq!(bucket::check(&world.stack, &world.repository).await.tags.len(), TAGS);

    // The other repositories of the namespace have the same share; other namespaces have theirs.
    let other = another(&world, "other").await;
    push(&other, "v1", 100).await;
    other.create_mirror(&world.stack.upstream, json!({})).await;
    assert_eq!(outcome(&other.sync().await, "v1")["failure"]["reason"], "quota_exceeded");
    let stranger = World::new("stranger").await;
    push(&stranger, "v1", 100).await;
    stranger.create_mirror(&world.stack.upstream, json!({})).await;
    assert_eq!(stranger.sync().await["status"], "SUCCESS");

    // What is not selected any more makes room; a tag that moves needs none.
    let rule = json!({"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["t0", "t1"]}});
    world.change_mirror(rule).await;
    push(&world, "t1", 100).await;
    // Deletions come last in a run, so that their room is the next one's.
    world.sync().await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    assert_eq!(other.sync().await["status"], "SUCCESS");
}

#[tokio::test]
async fn a_namespace_has_so_many_bytes() {
    let world = World::new("bytes").await;
    let proxy = Proxy::start(&format!("http://{}", world.stack.upstream)).await;
    let large = push(&world, "large", BYTES).await;
    push(&world, "small", BYTES / 2).await;
    world.create_mirror(&proxy.address, json!({})).await;
    let run = world.sync().await;
    let failure = &outcome(&run, "large")["failure"];
    assert_eq!(failure["reason"], "quota_exceeded", "{run}");
    assert!(failure["message"].as_str().unwrap().contains("MaxBytes"), "{failure}");
    assert_eq!(outcome(&run, "small")["outcome"], "copied");
    let digest = Digest::sha256(&large.blobs[1]);
    let fetched = proxy.take_seen().into_iter().filter(|seen| seen.path.contains(&digest.to_string())).count();
    assert_eq!(fetched, 0, "what has no room is not fetched");

    let other = another(&world, "other").await;
    push(&other, "half", BYTES / 2).await;
    other.create_mirror(&world.stack.upstream, json!({})).await;
    assert_eq!(outcome(&other.sync().await, "half")["failure"]["reason"], "quota_exceeded");
}

#[tokio::test]
async fn so_many_previews_of_a_namespace_run_at_once() {
    let world = World::new("previews").await;
    push(&world, "v1", 100).await;
    let proxy = Proxy::start(&format!("http://{}", world.stack.upstream)).await;
    proxy.fault("GET", "/tags/list", ALWAYS, Fault::Delay(Duration::from_secs(3)));
    world.create_mirror(&proxy.address, json!({})).await;
    let path = world.mirror_path("/preview");
    let ask = async || world.answer(Method::POST, &path, Some(&world.stack.token), None).await;
    let answers = join_all((0..PREVIEWS + 3).map(|_| ask())).await;
    let (mut done, mut refused) = (0, 0);
    for answer in answers {
        match answer.status().as_u16() {
            200 => done += 1,
            429 => {
                let after: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
                assert!((1..=60).contains(&after));
                assert!(answer.text().await.unwrap().contains("Previews"));
                refused += 1;
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!((done, refused), (PREVIEWS, 3));
    proxy.heal();
    assert_eq!(ask().await.status(), 200, "they gave their place up");
}

#[tokio::test]
async fn so_many_syncs_of_a_namespace_run_at_once_and_the_others_come_later() {
    let first = World::new("syncs").await;
    let proxy = Proxy::start(&format!("http://{}", first.stack.upstream)).await;
    let worlds = [first.clone(), another(&first, "two").await, another(&first, "three").await];
    for world in &worlds {
        push(world, "v1", 100).await;
    }
    proxy.fault("GET", "/tags/list", ALWAYS, Fault::Delay(Duration::from_secs(3)));
    for world in &worlds {
        world.create_mirror(&proxy.address, json!({})).await;
    }
    join_all(worlds.iter().map(World::sync_now)).await;
    let mut seen = BTreeSet::new();
    eventually("all are synced, one at a time", SYNC_LIMIT, async || {
        let mirrors = join_all(worlds.iter().map(World::mirror)).await;
        let statuses: Vec<_> =
            mirrors.iter().map(|mirror| mirror["sync_status"].as_str().unwrap().to_owned()).collect();
        let running = statuses.iter().filter(|status| *status == "SYNCING").count();
        seen.insert(running);
        assert!(
            statuses.iter().all(|status| ["SYNC_NOW", "SYNCING", "SUCCESS"].contains(&status.as_str())),
            "{statuses:?}"
        );
        statuses.iter().all(|status| status == "SUCCESS").then_some(())
    })
    .await;
    assert_eq!(seen, BTreeSet::from([0, 1]), "NamespaceSyncs is 1");
}

#[tokio::test]
async fn concurrency_is_reserved_for_syncs() {
    let world = World::empty("reserved").await;
    let lambda = aws_sdk_lambda::Client::new(&world.stack.aws);
    let reserved = lambda.get_function_concurrency().function_name(&world.stack.sync_function).send().await.unwrap();
    assert_eq!(reserved.reserved_concurrent_executions, Some(SYNCS));
}

#[tokio::test]
async fn what_another_namespace_has_is_not_sent_again_where_all_trust_each_other() {
    let (one, two) = (World::new("proves").await, World::new("trusts").await);
    let upstream = format!("http://{}", one.stack.upstream);
    let image = Image::oci("amd64", &[layer(rand::random(), 5_000)]);
    let proxy = Proxy::start(&upstream).await;
    for (world, manifests, blobs) in [(&one, 1, 2), (&two, 0, 0)] {
        image.push(&upstream, &world.path, "v1").await;
        world.create_mirror(&proxy.address, json!({})).await;
        let run = world.sync().await;
        assert_eq!((&run["status"], &run["tags_copied"]), (&json!("SUCCESS"), &json!(1)), "{run}");
        let requests = count(&proxy.take_seen());
        let sent = ["GET manifests", "GET blobs"].map(|kind| requests.get(kind).copied().unwrap_or(0));
        assert_eq!(sent, [manifests, blobs], "{requests:?}");
        assert_eq!(run["bytes_copied"] == 0, blobs == 0, "{run}");
        let held = bucket::check(&world.stack, &world.repository).await;
        assert_eq!((held.tags.get("v1"), held.layers.len()), (Some(&image.digest()), 2));
    }
    // What nobody has proven is nobody's still, where the registry has nothing else under the tag.
    let unknown = Digest::sha256(&rand::random::<[u8; 32]>());
    let moved = Fault::Status(200, vec![("docker-content-digest", unknown.to_string())]);
    proxy.fault("HEAD", "manifests/v1", ALWAYS, moved);
    proxy.fault("GET", "manifests/v1", ALWAYS, Fault::Status(404, Vec::new()));
    assert_eq!(two.sync().await["tags_failed"], 1);
    assert_eq!(bucket::check(&two.stack, &two.repository).await.tags.get("v1"), Some(&image.digest()));
}
