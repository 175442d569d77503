//! Who takes a name that has become free gets nothing of those who bore it before: no roles, no tokens, no repositories. And
//! tokens go no further than those that made them.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_tests::{
    eventually, seed,
    table::{self, Key},
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

async fn create_organization(world: &World) -> u16 {
    world.call(Method::POST, "organization/", Some(json!({"name": world.namespace}))).await.0
}

/// What a maker makes, each with another name.
fn things(world: &World, number: usize) -> [(Method, String, Option<Value>); 4] {
    let organization = format!("organization/{}", world.namespace);
    let repository = json!({
        "namespace": world.namespace, "repository": format!("r{number}"), "visibility": "public", "description": "",
    });
    let token = json!({"description": "", "namespace": world.namespace, "role": "admin"});
    [
        (Method::PUT, format!("{organization}/robots/r{number}"), None),
        (Method::PUT, format!("{organization}/team/t{number}"), Some(json!({"role": "admin"}))),
        (Method::POST, "repository".to_owned(), Some(repository)),
        (Method::POST, "tokens".to_owned(), Some(token)),
    ]
}

/// Before, a token that was made while its organization was deleted was an admin of the next one of that name.
#[tokio::test]
async fn the_next_organization_of_a_name_has_nothing_of_the_one_before() {
    let world = World::empty("generations").await;
    // However slow the makers are, this one is the first organization's.
    let first = world.token(Some(&world.namespace), "admin").await;
    let stop = Arc::new(AtomicBool::new(false));
    let makers: Vec<_> = (0..4)
        .map(|maker| {
            let (world, stop) = (world.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let (mut tokens, mut number) = (Vec::new(), maker);
                while !stop.load(Ordering::Relaxed) {
                    for (method, path, body) in things(&world, number) {
                        let (status, answer) = world.call(method, &path, body).await;
                        assert!(status < 500, "{path}: {status} {answer}");
                        let made = answer["token"].as_str().filter(|_| path == "tokens");
                        tokens.extend(made.map(|token| (Instant::now(), token.to_owned())));
                    }
                    number += 4;
                }
                tokens
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let path = format!("organization/{}", world.namespace);
    eventually("it is deleted", Duration::from_secs(90), async || {
        let (status, answer) = world.call(Method::DELETE, &path, None).await;
        assert!([204, 404, 503].contains(&status), "{status} {answer}");
        (status != 503).then_some(())
    })
    .await;
    let next = Instant::now();
    assert_eq!(create_organization(&world).await, 201);
    stop.store(true, Ordering::Relaxed);
    let mut tokens = vec![first];
    for maker in makers {
        let made = maker.await.unwrap().into_iter();
        tokens.extend(made.filter(|(answered, _)| *answered < next).map(|(_, token)| token));
    }
    // What was made after the next one began is its own; the robot of the first one is not.
    assert_eq!(world.call(Method::GET, &format!("{path}/robots/bot"), None).await.0, 400);
    for token in &tokens {
        assert_eq!(world.send(Method::GET, "tokens", Some(token), None).await.0, 401);
        assert_eq!(world.send(Method::GET, &format!("{path}/robots"), Some(token), None).await.0, 401);
    }
}

#[tokio::test]
async fn nothing_is_made_in_an_organization_that_ends() {
    let world = World::new("generations-ends").await;
    let token = world.token(Some(&world.namespace), "admin").await;
    let item = Key::within(&world.namespace, "ORGANIZATION");
    table::set(&world.stack, &item, [("is_ending", AttributeValue::Bool(true))]).await;
    for (method, path, body) in things(&world, 1) {
        let (status, answer) = world.call(method, &path, body).await;
        assert!(status == 404 || status == 400, "{path}: {status} {answer}");
    }
    let mirror = world.mirror_body(&world.stack.upstream);
    assert_eq!(world.call(Method::POST, &world.mirror_path(""), Some(mirror)).await.0, 404);
    let role = format!("repository/{}/permissions/user/{}+bot", world.repository, world.namespace);
    assert_eq!(world.call(Method::PUT, &role, Some(json!({"role": "read"}))).await.0, 400);
    assert_eq!(create_organization(&world).await, 400, "the name is not free yet");
    let path = format!("organization/{}", world.namespace);
    // Whoever was allowed to begin may go on.
    assert_eq!(world.send(Method::DELETE, &path, Some(&token), None).await.0, 204);
    assert_eq!(world.call(Method::DELETE, &path, None).await.0, 404);
    assert_eq!(create_organization(&world).await, 201);
    let listed = world.call(Method::GET, &format!("repository?namespace={}", world.namespace), None).await;
    assert_eq!(listed, (200, json!({"repositories": []})));
    let robots = world.call(Method::GET, &format!("{path}/robots"), None).await;
    assert_eq!(robots, (200, json!({"robots": []})));
    let (_, logs) = world.call(Method::GET, &format!("{path}/logs"), None).await;
    assert!(logs["logs"].as_array().unwrap().iter().all(|entry| entry["kind"] == "org_create"), "{logs}");
}

/// Before, a robot that was half deleted left its roles to the next one of its name.
#[tokio::test]
async fn a_robot_has_no_roles_of_the_one_before() {
    let world = World::new("generations-robot").await;
    let robot = format!("organization/{}/robots/bot", world.namespace);
    let role = format!("repository/{}/permissions/user/{}+bot", world.repository, world.namespace);
    assert_eq!(world.call(Method::PUT, &role, Some(json!({"role": "admin"}))).await.0, 200);
    let item = Key::within(&world.namespace, "ROBOT#bot");
    table::delete(&world.stack, &item).await;
    assert_eq!(world.call(Method::PUT, &robot, None).await.0, 201);
    let none = (200, json!({"permissions": []}));
    assert_eq!(world.call(Method::GET, &format!("{robot}/permissions"), None).await, none);
    assert_eq!(world.call(Method::GET, &role, None).await.0, 400);
    let all = format!("repository/{}/permissions/user/", world.repository);
    assert_eq!(world.call(Method::GET, &all, None).await, (200, json!({"permissions": {}})));
    // What is half deleted is there no more, and goes when it is deleted again.
    assert_eq!(world.call(Method::PUT, &role, Some(json!({"role": "read"}))).await.0, 200);
    table::delete(&world.stack, &item).await;
    let grant = Key::within(&world.namespace, "GRANT#bot#app");
    assert!(table::is_there(&world.stack, &grant).await);
    assert_eq!(world.call(Method::DELETE, &robot, None).await.0, 400);
    assert!(!table::is_there(&world.stack, &grant).await);
}

async fn make(world: &World, with: &str, expires: Option<&str>) -> (u16, Value) {
    let body = json!({"description": "", "namespace": world.namespace, "role": "admin", "expires": expires});
    world.send(Method::POST, "tokens", Some(with), Some(body.to_string().into_bytes())).await
}

fn shown(token: &Value) -> String {
    token["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_token_ends_with_the_one_that_made_it() {
    let world = World::new("generations-tokens").await;
    let (_, first) = make(&world, &world.stack.token, Some("2099-01-01T00:00:00Z")).await;
    let (_, second) = make(&world, &shown(&first), None).await;
    let (_, third) = make(&world, &shown(&second), Some("2199-01-01T00:00:00Z")).await;
    let (_, sooner) = make(&world, &shown(&second), Some("2098-01-01T00:00:00Z")).await;
    assert_eq!([&second, &third].map(|it| it["expires"].as_str().unwrap()), ["2099-01-01T00:00:00Z"; 2]);
    assert_eq!(sooner["expires"], "2098-01-01T00:00:00Z");
    let works = async |token: &Value| world.send(Method::GET, "tokens", Some(&shown(token)), None).await.0 == 200;
    assert!(works(&third).await);
    // A chain has an end.
    let mut last = shown(&third);
    let refused = eventually("a chain ends", Duration::from_secs(60), async || {
        let (status, token) = make(&world, &last, None).await;
        if status == 201 {
            last = shown(&token);
        }
        (status != 201).then_some(status)
    })
    .await;
    assert_eq!(refused, 400);
    // Even one of which only the maker's item is gone.
    let id = |token: &Value| token["id"].as_str().unwrap().to_owned();
    table::delete(&world.stack, &Key("TOKENS".into(), format!("TOKEN#{}", id(&second)))).await;
    assert!(works(&first).await && !works(&second).await && !works(&third).await && !works(&sooner).await);
    let path = format!("tokens/{}", id(&first));
    assert_eq!(world.call(Method::DELETE, &path, None).await.0, 204);
    assert_eq!(world.send(Method::GET, "tokens", Some(&last), None).await.0, 401);
    for made in [&first, &third, &sooner] {
        let item = Key("TOKENS".into(), format!("TOKEN#{}", id(made)));
        assert!(!table::is_there(&world.stack, &item).await, "what it made goes with it");
    }
}

/// Before, pages ended with whatever was read last, be it another tenant's.
#[tokio::test]
async fn pages_tell_nothing_of_what_others_have() {
    let (world, other) = (World::new("generations-pages").await, World::new("generations-other").await);
    let mut own = BTreeSet::new();
    for _ in 0..4 {
        let (_, token) = make(&world, &world.stack.token, None).await;
        own.insert(token["id"].as_str().unwrap().to_owned());
        other.token(Some(&other.namespace), "read").await;
    }
    let (_, caller) = make(&world, &world.stack.token, None).await;
    own.insert(caller["id"].as_str().unwrap().to_owned());
    let (mut seen, mut query) = (BTreeSet::new(), String::new());
    loop {
        let (status, page) =
            world.send(Method::GET, &format!("tokens?limit=1{query}"), Some(&shown(&caller)), None).await;
        assert_eq!((status, page["tokens"].as_array().unwrap().len()), (200, 1), "{page}");
        seen.insert(page["tokens"][0]["id"].as_str().unwrap().to_owned());
        let Some(next) = page["next_page"].as_str() else { break };
        assert!(own.contains(next), "{next} is not theirs");
        query = format!("&next_page={next}");
    }
    assert_eq!(seen, own);

    // More private repositories than a page has, and a public one behind them.
    world.create_mirror(&world.stack.upstream, json!({})).await;
    let hidden = seed::mirrors(&world, 130).await;
    let public = seed::repository(&world, "public", "public").await;
    let path = format!("repository?namespace={}", world.namespace);
    let (status, page) = world.send(Method::GET, &path, None, None).await;
    assert_eq!((status, page["repositories"].as_array().unwrap().len()), (200, 1), "{page}");
    assert_eq!((&page["repositories"][0]["name"], page.get("next_page")), (&json!(public.name()), None));
    seed::forget_mirrors(&world.stack, &hidden).await;
    let path = format!("repository/{public}/changevisibility");
    assert_eq!(world.call(Method::POST, &path, Some(json!({"visibility": "private"}))).await.0, 200);
    let path = format!("repository?namespace={}", world.namespace);
    assert_eq!(world.send(Method::GET, &path, None, None).await, (200, json!({"repositories": []})));
}
