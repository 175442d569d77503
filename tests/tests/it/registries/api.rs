//! The API among others: places that a mirror may not name, and many clients that change the same at once.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;
use moorage_domain::{Digest, Timestamp};
use moorage_tests::{organization_mirror, world::World};
use reqwest::Method;
use serde_json::{Value, json};

/// How many clients come at once.
const CLIENTS: usize = 12;

/// Calls that begin at the same moment. The emulator runs only so many functions at once, and turns the others away before
/// they get to us; those come again, as clients do.
async fn at_once(world: &World, calls: Vec<(Method, String, Option<Value>)>) -> Vec<(u16, Value)> {
    let call = async |(method, path, body): (Method, String, Option<Value>)| loop {
        let body = body.as_ref().map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let answer = world.answer(method.clone(), &path, Some(&world.stack.token), Some(body)).await;
        // What is ours says so.
        if answer.headers().contains_key("strict-transport-security") {
            let status = answer.status().as_u16();
            return (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default());
        }
        assert!(matches!(answer.status().as_u16(), 429 | 500 | 502 | 503), "{answer:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    join_all(calls.into_iter().map(call)).await
}

fn all(answers: &[(u16, Value)], status: u16) {
    assert!(answers.iter().all(|answer| answer.0 == status), "{answers:?}");
}

/// What the usage log says was changed, how often.
fn changed(log: &[Value], what: &str) -> usize {
    log.iter().filter(|entry| entry["metadata"]["changed"] == what).count()
}

fn proxy(key: &str, url: &str) -> Value {
    json!({"external_registry_config": {"proxy": {key: url}}})
}

/// Changes that are refused for the place that they name, and how. The stack allows loopback addresses, and no others.
fn refused_places() -> Vec<(Value, &'static str)> {
    const REGISTRY: &str = "The provided registry location is not allowed";
    const PROXY: &str = "The provided mirror proxy location is not allowed";
    let registries = [
        "10.0.0.1/a/b",
        "169.254.169.254/a/b",
        "2852039166/a/b",
        "0xa9fea9fe/a/b",
        "0xA9.0xFE.0xA9.0xFE:443/a",
        "0251.0376.0251.0376/a/b",
        "169.254.43518/a",
        "10.1/a",
        "[::ffff:10.0.0.1]/a/b",
        "[fd00::1]:5000/a",
        "metadata.google.internal/a/b",
        "kubernetes.default.svc/a/b",
    ];
    let proxies = [
        "http://10.0.0.1:3128",
        "10.0.0.1:3128",
        "0xa9fea9fe",
        "2852039166:80",
        "http://quay.io:443@10.1",
        "user:secret@169.254.43518:3128",
        "https://[::ffff:10.0.0.1]:3128",
        "http://metadata.google.internal.:3128",
        "http://\u{ff11}\u{ff10}.0.0.1",
    ];
    let keys = ["http_proxy", "https_proxy"];
    let proxies = proxies.iter().flat_map(|url| keys.map(|key| (proxy(key, url), PROXY)));
    registries.iter().map(|place| (json!({"external_reference": place}), REGISTRY)).chain(proxies).collect()
}

#[tokio::test]
async fn a_refused_place_is_quays_invalid_request_and_stores_nothing() {
    let world = World::new("places").await;
    let permissions = format!("repository/{}/permissions/user/", world.repository);
    for (change, message) in refused_places() {
        let mut body = world.mirror_body("quay.io");
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let answer = world.call(Method::POST, &world.mirror_path(""), Some(body)).await;
        assert_eq!(answer, world.problem(400, "invalid_request", message), "{change}");
    }
    let none = world.problem(404, "not_found", "Not Found");
    assert_eq!(world.call(Method::GET, &world.mirror_path(""), None).await, none);
    assert_eq!(world.call(Method::GET, &permissions, None).await.1, json!({"permissions": {}}), "no role was given");
    let state = world.call(Method::GET, &format!("repository/{}", world.repository), None).await.1["state"].clone();
    assert_eq!(state, "NORMAL");

    world.create_mirror("quay.io", json!({"external_registry_username": "user"})).await;
    assert_eq!(world.call(Method::PUT, &format!("organization/{}/robots/other", world.namespace), None).await.0, 201);
    let (before, log) = (world.mirror().await, world.log().await.len());
    for (mut change, message) in refused_places() {
        // What is right beside it does not arrive either.
        let fields = change.as_object_mut().unwrap();
        fields.insert("sync_interval".into(), json!(7_200));
        fields.insert("robot_username".into(), json!(format!("{}+other", world.namespace)));
        fields.insert("external_registry_username".into(), json!("somebody"));
        fields.insert("external_registry_password".into(), json!("hunter2"));
        let answer = world.call(Method::PUT, &world.mirror_path(""), Some(change.clone())).await;
        assert_eq!(answer, world.problem(400, "invalid_request", message), "{change}");
    }
    assert_eq!(world.mirror().await, before);
    assert_eq!(world.log().await.len(), log);
    let roles = world.call(Method::GET, &permissions, None).await.1;
    assert_eq!(roles["permissions"].as_object().unwrap().len(), 1, "the other robot has none: {roles}");

    // Without a scheme it is as good a proxy, and kept as it was sent.
    for url in ["proxy.example.com:3128", "127.0.0.1:3128", "http://localhost:3128/", "user@proxy", ""] {
        world.change_mirror(proxy("https_proxy", url)).await;
        assert_eq!(world.mirror().await["external_registry_config"]["proxy"]["https_proxy"], url);
    }
    let message = "http_proxy must be [http[s]://][user:password@]host[:port], with other characters of user and \
                   password percent-encoded";
    for url in
        ["socks5://proxy:1080", "http://proxy/path", "http://proxy?x", "//proxy", "proxy:", "http://u:p@ss@proxy"]
    {
        let unread = world.call(Method::PUT, &world.mirror_path(""), Some(proxy("http_proxy", url))).await;
        assert_eq!(unread, world.problem(400, "invalid_request", message), "{url}");
    }
}

#[tokio::test]
async fn organizations_and_robots_may_not_name_other_places() {
    let world = World::empty("org-places").await;
    let path = organization_mirror::path(&world, "");
    let refused = |message: &str| world.problem(400, "invalid_request", message);
    let url = "The provided registry URL is not allowed";
    let cases = [
        (json!({"external_registry_url": "https://0xa9fea9fe"}), url),
        (json!({"external_registry_url": "http://10.1:80/"}), url),
        (json!({"external_registry_url": "https://[::ffff:10.0.0.1]"}), url),
        (proxy("http_proxy", "2852039166:3128"), "The provided mirror proxy location is not allowed"),
        (proxy("https_proxy", "http://u:p@10.0.0.1"), "The provided mirror proxy location is not allowed"),
        (
            json!({"external_registry_config": {"token_realms": ["auth.example", "0xa9fea9fe"]}}),
            "The provided token realm 0xa9fea9fe is not allowed",
        ),
    ];
    let mut body = organization_mirror::body(&world, "harbor", "harbor.example.com");
    for (change, message) in &cases {
        let mut body = body.clone();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        assert_eq!(world.call(Method::POST, &path, Some(body)).await, refused(message), "{change}");
    }
    assert_eq!(world.call(Method::GET, &path, None).await.0, 404);
    body["external_registry_config"] = json!({"proxy": {"https_proxy": "proxy.example.com:3128"}});
    assert_eq!(world.call(Method::POST, &path, Some(body)).await, (201, json!("")));
    let before = organization_mirror::mirror(&world).await;
    for (change, message) in &cases {
        let mut change = change.clone();
        change["sync_interval"] = json!(7_200);
        assert_eq!(world.call(Method::PUT, &path, Some(change.clone())).await, refused(message), "{change}");
    }
    assert_eq!(organization_mirror::mirror(&world).await, before);

    let robot = |name: &str| format!("organization/{}/robots/{name}", world.namespace);
    let location = refused("The provided registry location is not allowed");
    for host in ["0xa9fea9fe", "10.1:5000", "[::ffff:10.0.0.1]", "metadata.google.internal"] {
        let registry = json!({"host": host, "username": "u", "password": "p"});
        let changed = world.call(Method::PUT, &robot("bot/external-registry"), Some(registry.clone())).await;
        assert_eq!(changed, location, "{host}");
        let created = world.call(Method::PUT, &robot("new"), Some(json!({"external_registry": registry}))).await;
        assert_eq!(created, location, "{host}");
    }
    assert_eq!(world.call(Method::GET, &robot("new"), None).await.0, 400, "there is no such robot");
}

/// The mirror's schedule: expression and start.
async fn schedule(world: &World) -> (String, i64) {
    let hash = Digest::sha256(world.repository.as_str().as_bytes());
    let get = aws_sdk_scheduler::Client::new(&world.stack.aws).get_schedule();
    let get = get.group_name(&world.stack.schedule_group).name(format!("mirror-{}", &hash.hex()[..32]));
    let schedule = get.send().await.unwrap();
    (schedule.schedule_expression().unwrap().to_owned(), schedule.start_date().unwrap().secs())
}

#[tokio::test]
async fn clients_that_change_one_mirror_at_once_all_get_through() {
    let world = World::new("crowd").await;
    world.create_mirror("quay.io", json!({})).await;
    let changes: [Value; CLIENTS] = [
        json!({"external_reference": "quay.io/other/app"}),
        json!({"external_registry_username": "user", "external_registry_password": "hunter2"}),
        json!({"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["v*"]}}),
        json!({"sync_interval": 7_200}),
        json!({"sync_start_date": "2098-01-01T00:00:00Z"}),
        json!({"skopeo_timeout_interval": 600}),
        json!({"architecture_filter": ["amd64"]}),
        json!({"deletion_limit": 7}),
        json!({"rate_limit_floor": 11}),
        json!({"external_registry_config": {"unsigned_images": true}}),
        proxy("no_proxy", "a.example"),
        proxy("https_proxy", "proxy.example.com:3128"),
    ];
    let put = |change: &Value| (Method::PUT, world.mirror_path(""), Some(change.clone()));
    all(&at_once(&world, changes.iter().map(put).collect()).await, 201);
    let mirror = world.mirror().await;
    for change in &changes {
        for (name, value) in change.as_object().unwrap() {
            match name.as_str() {
                // It went with the change of the host that came after it, if that did, and is never shown.
                "external_registry_password" | "external_registry_config" => {}
                _ => assert_eq!(mirror[name], *value, "nobody undid another one's change"),
            }
        }
    }
    let proxies = json!({"no_proxy": "a.example", "https_proxy": "proxy.example.com:3128"});
    let config = json!({"verify_tls": false, "unsigned_images": true, "proxy": proxies});
    assert_eq!(mirror["external_registry_config"], config);
    let start = Timestamp::parse_iso("2098-01-01T00:00:00Z").unwrap().unix();
    assert_eq!(schedule(&world).await, ("rate(120 minutes)".to_owned(), start), "the schedule is the stored one's");

    // All of the same setting: one of them wins, and the schedule is the winner's.
    let intervals = (1..=CLIENTS).map(|minutes| json!({"sync_interval": 60 * minutes})).collect::<Vec<_>>();
    all(&at_once(&world, intervals.iter().map(put).collect()).await, 201);
    let minutes = world.mirror().await["sync_interval"].as_u64().unwrap() / 60;
    let expression = if minutes == 1 { "rate(1 minute)".to_owned() } else { format!("rate({minutes} minutes)") };
    assert_eq!(schedule(&world).await, (expression, start));
    let log = world.log().await;
    assert_eq!(changed(&log, "sync_interval"), CLIENTS + 1, "the log has each");
    for what in ["mirror_rule", "deletion_limit", "no_proxy", "https_proxy"] {
        assert_eq!(changed(&log, what), 1, "{what}");
    }
}

#[tokio::test]
async fn sync_now_and_cancel_mean_the_same_among_changes() {
    let world = World::new("crowd-sync").await;
    // Nothing answers there, so that a sync has nothing to do, and ends soon.
    world.create_mirror("127.0.0.1:9", json!({})).await;
    let mut calls: Vec<_> = (0..CLIENTS / 2)
        .map(|n| (Method::PUT, world.mirror_path(""), Some(json!({"skopeo_timeout_interval": 300 + n}))))
        .collect();
    calls.extend((0..CLIENTS / 4).map(|_| (Method::POST, world.mirror_path("/sync-now"), Some(json!({})))));
    calls.extend((0..CLIENTS / 4).map(|_| (Method::POST, world.mirror_path("/sync-cancel"), Some(json!({})))));
    let answers = at_once(&world, calls).await;
    let (changes, others) = answers.split_at(CLIENTS / 2);
    all(changes, 201);
    // Sync Now of a running sync, and a cancel of none, are 404; nothing else is in the way.
    assert!(others.iter().all(|answer| matches!(answer.0, 204 | 404)), "{answers:?}");
    assert!(others.iter().any(|answer| answer.0 == 204), "{answers:?}");
    let done = others.iter().filter(|answer| answer.0 == 204).count();
    assert_eq!(changed(&world.log().await, "sync_status"), done);
    assert_eq!(changed(&world.log().await, "skopeo_timeout_interval"), CLIENTS / 2);
}

#[tokio::test]
async fn clients_that_change_one_organization_at_once_all_get_through() {
    let world = World::new("crowd-org").await;
    let organization = |what: String| format!("organization/{}/{what}", world.namespace);
    let numbers = 0..CLIENTS;
    let each = |method: Method, what: fn(usize) -> String, body: fn(usize) -> Option<Value>| {
        numbers.clone().map(|n| (method.clone(), organization(what(n)), body(n))).collect::<Vec<_>>()
    };
    let robots = at_once(&world, each(Method::PUT, |n| format!("robots/r{n}"), |_| None)).await;
    all(&robots, 201);
    let regenerated = at_once(&world, each(Method::POST, |n| format!("robots/r{n}/regenerate"), |_| None)).await;
    all(&regenerated, 200);
    let tokens: BTreeSet<_> = robots.iter().chain(&regenerated).map(|it| it.1["token"].to_string()).collect();
    assert_eq!(tokens.len(), 2 * CLIENTS);
    let same = at_once(&world, each(Method::POST, |_| "robots/bot/regenerate".into(), |_| None)).await;
    all(&same, 200);
    let last = world.robot_token().await;
    assert!(same.iter().any(|answer| answer.1["token"] == last.as_str()), "the one that is shown is one of them");

    // Roles on one repository, teams and their members, tokens.
    let role = |n: usize| {
        let path = format!("repository/{}/permissions/user/{}+r{n}", world.repository, world.namespace);
        (Method::PUT, path, Some(json!({"role": "write"})))
    };
    all(&at_once(&world, numbers.clone().map(role).collect()).await, 200);
    let (_, roles) = world.call(Method::GET, &format!("repository/{}/permissions/user/", world.repository), None).await;
    assert_eq!(roles["permissions"].as_object().unwrap().len(), CLIENTS);
    all(&at_once(&world, each(Method::PUT, |n| format!("team/t{n}"), |_| Some(json!({"role": "member"})))).await, 200);
    let change = |n: usize| {
        let body = if n.is_multiple_of(2) {
            json!({"role": "admin", "description": "kept"})
        } else {
            json!({"role": "admin"})
        };
        Some(body)
    };
    all(&at_once(&world, each(Method::PUT, |_| "team/t0".into(), change)).await, 200);
    let (_, shown) = world.call(Method::GET, &organization(String::new()), None).await;
    let team = &shown["teams"]["t0"];
    assert_eq!((&team["role"], &team["description"]), (&json!("admin"), &json!("kept")), "{team}");
    let member = |n: usize| (Method::PUT, format!("organization/{0}/team/t1/members/{0}+r{n}", world.namespace), None);
    all(&at_once(&world, numbers.clone().map(member).collect()).await, 200);
    let token = json!({"role": "read", "namespace": world.namespace});
    let token = |_| (Method::POST, "tokens".to_owned(), Some(token.clone()));
    all(&at_once(&world, numbers.clone().map(token).collect()).await, 201);

    // All go at once, with what they have.
    all(&at_once(&world, each(Method::DELETE, |n| format!("robots/r{n}"), |_| None)).await, 204);
    let (_, roles) = world.call(Method::GET, &format!("repository/{}/permissions/user/", world.repository), None).await;
    assert_eq!(roles, json!({"permissions": {}}));
    let log = organization_mirror::log(&world).await;
    let kinds = |kind: &str| log.iter().filter(|entry| entry["kind"] == kind).count();
    assert!(kinds("delete_robot") > 0, "{log:?}");
}

#[tokio::test]
async fn clients_that_change_the_mirror_of_one_organization_at_once_all_get_through() {
    let world = World::empty("crowd-mirror").await;
    organization_mirror::create(&world, "harbor", "harbor.example.com", json!({})).await;
    let changes = [
        json!({"repository_filters": ["a*"]}),
        json!({"sync_interval": 7_200}),
        json!({"sync_start_date": "2098-01-01T00:00:00Z"}),
        json!({"skopeo_timeout": 600}),
        json!({"visibility": "public"}),
        json!({"external_namespace": "other"}),
    ];
    let path = organization_mirror::path(&world, "");
    let put = |change: &Value| (Method::PUT, path.clone(), Some(change.clone()));
    all(&at_once(&world, changes.iter().chain(&changes).map(put).collect()).await, 200);
    let mirror = organization_mirror::mirror(&world).await;
    for change in &changes {
        for (name, value) in change.as_object().unwrap() {
            assert_eq!(mirror[name], *value);
        }
    }
    let hash = Digest::sha256(world.namespace.as_bytes());
    let get = aws_sdk_scheduler::Client::new(&world.stack.aws).get_schedule();
    let get = get.group_name(&world.stack.schedule_group).name(format!("organization-{}", &hash.hex()[..32]));
    assert_eq!(get.send().await.unwrap().schedule_expression(), Some("rate(120 minutes)"));
}
