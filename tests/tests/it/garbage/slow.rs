//! Collections that have little time, and an S3 that takes its own.

use moorage_domain::RepositoryName;
use moorage_tests::{
    seed,
    slow::slow_collector,
    table::{self, Key},
};

use super::*;

/// What a request takes that the collector sends to S3, besides what the emulator needs.
const DELAY: Duration = Duration::from_millis(200);
/// The seconds of an invocation: one alone would end nothing here.
const SECONDS: i32 = 6;

/// Makes an image part of a repository without a tag.
async fn put(world: &World, repository: &RepositoryName, image: &Image) {
    for bytes in &image.blobs {
        seed::blob(&world.stack, repository, bytes.clone()).await;
    }
    seed::manifest(&world.stack, repository, image.manifest.clone()).await;
}

/// Collects with little time and slow S3. Returns what the first invocation said, and the collection's item when it has
/// ended.
async fn collect_slowly(stack: &Stack) -> (Value, BTreeMap<String, AttributeValue>) {
    // Boxed: it holds the state of all that is waited for.
    Box::pin(slow_collector(stack, DELAY, SECONDS, async {
        let first = collect(stack, json!({})).await;
        let (id, started) = (first["run_id"].as_str().unwrap(), first["started_at"].as_i64().unwrap());
        let key = Key("GARBAGE".to_owned(), format!("COLLECTION#{started:012}#{id}"));
        let ended = eventually("the collection has ended", Duration::from_secs(240), async || {
            let item = table::get(stack, &key).await?;
            (item["stage"] == table::text("done")).then_some(item)
        })
        .await;
        (first, ended.into_iter().collect())
    }))
    .await
}

fn number(item: &BTreeMap<String, AttributeValue>, name: &str) -> usize {
    item[name].as_n().unwrap().parse().unwrap()
}

#[tokio::test]
async fn repositories_are_pruned_over_as_many_invocations_as_it_takes() {
    let world = World::new("slow").await;
    let stack = world.stack.clone();
    let mut repositories = Vec::new();
    for number in 0..48 {
        let repository = seed::repository(&world, &format!("r{number:02}"), "private").await;
        let (tagged, dead) = (small(), small());
        seed::image(&stack, &repository, "v1", &tagged).await;
        put(&world, &repository, &dead).await;
        repositories.push((repository, tagged, dead));
    }
    let keys = bucket::keys(&stack, "docker/registry/v2/repositories/").await;
    let home = |key: &str| key.split("/_").next().unwrap().to_owned();
    let all: BTreeSet<String> = keys.iter().map(|key| home(key)).collect();

    let (first, ended) = collect_slowly(&stack).await;
    assert_eq!(first["stage"], "prune", "one invocation is not enough: {first}");
    let after = first["after"].as_str().unwrap();
    assert!(after.contains('/'), "it has got as far as some repository: {first}");
    assert!(number(&ended, "invocations") > 2, "{ended:?}");
    assert_eq!(number(&ended, "repositories"), all.len(), "each once: {ended:?}");
    for (repository, tagged, dead) in repositories {
        let held = bucket::check(&stack, &repository).await;
        assert_eq!(held.tags["v1"], tagged.digest());
        assert!(!held.revisions.contains(&dead.digest()), "{repository}");
        assert_eq!(held.layers.len(), tagged.blobs.len(), "{repository}");
    }
}

#[tokio::test]
async fn a_repository_that_takes_longer_than_an_invocation_is_pruned_all_the_same() {
    let world = World::new("long").await;
    let (stack, repository) = (world.stack.clone(), world.repository.clone());
    let (tagged, dead) = (small(), small());
    seed::image(&stack, &repository, "v1", &tagged).await;
    put(&world, &repository, &dead).await;
    // Each of these is a link to read: as many as an invocation reads, and half as many more.
    let tags = usize::try_from(SECONDS).unwrap() * 1_000 / usize::try_from(DELAY.as_millis()).unwrap() * 32 * 3 / 2;
    let digest = tagged.digest();
    let names: Vec<String> = (0..tags).map(|number| format!("n{number:05}")).collect();
    for some in names.chunks(32) {
        let tags = some.iter().map(|name| seed::tag(&stack, &repository, name, &digest));
        futures_util::future::join_all(tags).await;
    }

    let (_, ended) = collect_slowly(&stack).await;
    let skipped = format!("{:?}", ended["skipped"]);
    assert!(!skipped.contains(repository.as_str()), "{skipped}");
    assert!(number(&ended, "invocations") > 1, "{ended:?}");
    let prefix = format!("docker/registry/v2/repositories/{repository}/_manifests/revisions/");
    assert_eq!(bucket::keys(&stack, &prefix).await.len(), 1, "the image that nobody needs is gone");
}
