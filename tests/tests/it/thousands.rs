//! Thousands of mirrors: listed page by page, and given their schedules by as many invocations as that takes.

use std::time::{Duration, Instant};

use moorage_domain::{
    Digest, RepositoryName,
    task::{Task, TaskAnswer},
};
use moorage_tests::{browser::Browser, counted::Counted, eventually, invoke::gateway_event, seed, world::World};
use reqwest::Url;
use serde_json::{Value, json};

/// The mirrors that are listed.
const LISTED: usize = 10_000;
/// The mirrors that are shown on one page.
const SHOWN: usize = 1_000;
/// In how many milliseconds a browser may show them, once it has them.
const SHOWING_MS: f64 = 1_000.0;
/// The mirrors that get schedules: more than one of the tests' short invocations makes.
const SCHEDULED: usize = 8_000;
/// How long seeding may take.
const SEEDING: Duration = Duration::from_secs(40);
/// How long all invocations of a reconciliation may take.
const RECONCILIATION: Duration = Duration::from_secs(180);

/// Seeds mirrors in a bounded time.
async fn seeded(world: &World, count: usize) -> Vec<RepositoryName> {
    world.create_mirror(&world.stack.upstream, json!({})).await;
    let started = Instant::now();
    let names = seed::mirrors(world, count).await;
    assert!(started.elapsed() < SEEDING, "{:?}", started.elapsed());
    names
}

#[tokio::test]
async fn ten_thousand_mirrors_are_listed_without_a_scan() {
    let world = World::new("thousands").await;
    let names = seeded(&world, LISTED).await;
    let api = Counted::copy_of(&world.stack, &world.stack.api_function).await;
    let get = async |path: &str, parameters: &[(&str, &str)]| {
        let query = Url::parse_with_params(&world.stack.url, parameters).unwrap().query().unwrap().to_owned();
        let event = gateway_event(&format!("/api/v1/{path}"), &query, &format!("Bearer {}", world.stack.token));
        let (answer, asked) = api.invoke(&event).await;
        assert_eq!(answer["statusCode"], 200, "{answer}");
        (serde_json::from_str::<Value>(answer["body"].as_str().unwrap()).unwrap(), asked)
    };

    let mut expected: Vec<_> = names.iter().chain([&world.repository]).map(ToString::to_string).collect();
    expected.sort_unstable();
    let (mut seen, mut next, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let mut parameters = vec![("namespace", world.namespace.as_str())];
        if !next.is_empty() {
            parameters.push(("next_page", next.as_str()));
        }
        let (page, mut asked) = get("repository", &parameters).await;
        // Both at once, in no order.
        asked.sort_unstable();
        assert_eq!(asked, ["GetItem", "Query"], "the organization, and one request for each page");
        let found = page["repositories"].as_array().unwrap();
        assert!(found.len() <= 100, "{}", found.len());
        let name = |it: &Value| format!("{}/{}", it["namespace"].as_str().unwrap(), it["name"].as_str().unwrap());
        seen.extend(found.iter().map(name));
        pages += 1;
        match page["next_page"].as_str() {
            Some(page) => next = page.to_owned(),
            None => break,
        }
    }
    assert_eq!(pages, (LISTED + 1).div_ceil(100));
    assert!(seen == expected, "all of them, in order, and none twice");

    let (mut seen, mut next, mut pages) = (Vec::new(), String::new(), 0);
    while pages == 0 || !next.is_empty() {
        let mut parameters = vec![("namespace", world.namespace.as_str())];
        if !next.is_empty() {
            parameters.push(("next_page", next.as_str()));
        }
        let (page, asked) = get("mirror/overview", &parameters).await;
        let queries = asked.iter().filter(|operation| *operation == "Query").count();
        // On the first page the organization's own mirror, too.
        let others = if pages == 0 { 2 } else { 1 };
        assert!((1..=2).contains(&queries) && asked.len() == queries + others, "the organization, and {asked:?}");
        let found = page["mirrors"].as_array().unwrap();
        let name = |it: &Value| format!("{}/{}", it["namespace"].as_str().unwrap(), it["repository"].as_str().unwrap());
        seen.extend(found.iter().map(name));
        pages += 1;
        page["next_page"].as_str().unwrap_or_default().clone_into(&mut next);
    }
    assert!(pages <= LISTED.div_ceil(1_000) + 1, "a thousand on a page: {pages}");
    assert!(seen == expected, "all of them, in order, and none twice");

    api.delete().await;
    seed::forget_mirrors(&world.stack, &names).await;
}

#[tokio::test]
async fn a_thousand_mirrors_are_shown_at_once() {
    let world = World::new("shown").await;
    let names = seeded(&world, SHOWN - 1).await;
    let browser = Browser::signed_in(&world.stack, &world.token(Some(&world.namespace), "admin").await).await;
    browser.see("h1", "1,000 mirrors").await;
    browser.refresh().await;
    let shown = "const done = arguments[arguments.length - 1];
        const look = () => {
            const asked = performance.getEntriesByType('resource').filter((it) => it.name.includes('/mirror/overview'));
            if (document.querySelectorAll('tbody tr').length < arguments[0]) requestAnimationFrame(look);
            else done([asked.length, performance.now() - asked[0].responseEnd, asked[0].duration]);
        };
        look();";
    let shown = browser.script_until_done(shown, json!([SHOWN])).await;
    // A page that is full does not know whether it is the last one.
    assert!(shown[0].as_u64().unwrap() <= 2, "one request, and one that says that this is all: {shown}");
    assert!(shown[1].as_f64().unwrap() < SHOWING_MS, "milliseconds from the answer to the picture: {shown}");
    browser.close().await;
    seed::forget_mirrors(&world.stack, &names).await;
}

/// The name of a mirror's schedule.
fn schedule(name: &RepositoryName) -> String {
    format!("mirror-{}", &Digest::sha256(name.as_str().as_bytes()).hex()[..32])
}

/// Deletes the schedules of mirrors, some at once, and returns how many there were.
async fn delete_schedules(world: &World, names: &[RepositoryName]) -> usize {
    let shares = names.chunks(names.len().div_ceil(8)).map(|share| {
        let (stack, names) = (world.stack.clone(), share.iter().map(schedule).collect::<Vec<_>>());
        tokio::spawn(async move {
            let (scheduler, mut deleted) = (aws_sdk_scheduler::Client::new(&stack.aws), 0);
            for name in names {
                let delete = scheduler.delete_schedule().group_name(&stack.schedule_group).name(name);
                deleted += usize::from(delete.send().await.is_ok());
            }
            deleted
        })
    });
    let mut deleted = 0;
    for share in shares.collect::<Vec<_>>() {
        deleted += share.await.unwrap();
    }
    deleted
}

#[tokio::test]
async fn a_reconciliation_goes_on_in_other_invocations() {
    let world = World::new("reconciled").await;
    let names = seeded(&world, SCHEDULED).await;
    let has_schedule = async |name: &RepositoryName| {
        let scheduler = aws_sdk_scheduler::Client::new(&world.stack.aws);
        let get = scheduler.get_schedule().group_name(&world.stack.schedule_group).name(schedule(name));
        get.send().await.is_ok()
    };
    let answer = world.task(&Task::Reconcile { invocation: 0, after: None }).await;
    assert_eq!(answer, TaskAnswer::Unfinished, "more than one invocation makes");
    let (first, last) = (names.first().unwrap(), names.last().unwrap());
    assert!(has_schedule(first).await && !has_schedule(last).await, "it made some");
    eventually("the last schedule is made", RECONCILIATION, async || {
        tokio::time::sleep(Duration::from_secs(1)).await;
        has_schedule(last).await.then_some(())
    })
    .await;
    // The last few are made at once, in any order.
    tokio::time::sleep(Duration::from_secs(2)).await;
    // The emulator lists a hundred schedules only, so that no reconciliation would find these.
    seed::forget_mirrors(&world.stack, &names).await;
    assert_eq!(delete_schedules(&world, &names).await, SCHEDULED, "all of them");
}
