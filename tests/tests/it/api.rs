//! The API on the wire: Quay's statuses and bodies, for good input and bad.

use moorage_tests::world::World;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn a_mirror_is_shown_as_it_was_sent() {
    let world = World::new("echo").await;
    let not_found = world.problem(404, "not_found", "Not Found");
    assert_eq!(world.call(Method::GET, &world.mirror_path(""), None).await, not_found);
    let config = json!({
        "verify_tls": false, "unsigned_images": true, "proxy": {"http_proxy": null, "https_proxy": null, "no_proxy": null},
    });
    let rule = json!({"rule_kind": "tag_glob_csv", "rule_value": ["z*", "a", "latest"]});
    let sent = json!({"external_registry_config": config, "root_rule": rule, "external_registry_username": null});
    world.create_mirror("quay.io", sent).await;
    let expected = json!({
        "is_enabled": true,
        "mirror_type": "PULL",
        "external_reference": format!("quay.io/{}", world.path),
        "external_registry_username": null,
        "external_registry_config": config,
        "sync_interval": 86_400,
        "sync_start_date": "2099-01-01T00:00:00Z",
        "sync_expiration_date": null,
        "sync_retries_remaining": 3,
        "sync_status": "NEVER_RUN",
        "root_rule": rule,
        "robot_username": format!("{}+bot", world.namespace),
        "skopeo_timeout_interval": 300,
        "architecture_filter": [],
    });
    assert_eq!(world.mirror().await, expected);
    let (_, repository) = world.call(Method::GET, &format!("repository/{}", world.repository), None).await;
    assert_eq!((&repository["state"], &repository["can_write"]), (&json!("MIRROR"), &json!(false)));

    let again = world.call(Method::POST, &world.mirror_path(""), Some(world.mirror_body("quay.io"))).await;
    let detail = format!("Mirror configuration already exits for repository {}", world.repository);
    assert_eq!(again, (409, json!({"detail": detail})));

    // A change changes what it names, and all of it or nothing.
    world.change_mirror(json!({"external_registry_config": {"proxy": {"https_proxy": "http://p:1"}}})).await;
    let bad = json!({"sync_interval": 3_600, "sync_start_date": "x"});
    let bad = world.call(Method::PUT, &world.mirror_path(""), Some(bad)).await;
    assert_eq!(bad, (400, json!({"detail": "Incorrect DateTime format for sync_start_date."})));
    let mirror = world.mirror().await;
    assert_eq!(mirror["sync_interval"], 86_400);
    let proxy = json!({"http_proxy": null, "https_proxy": "http://p:1", "no_proxy": null});
    assert_eq!(
        mirror["external_registry_config"],
        json!({"verify_tls": false, "unsigned_images": true, "proxy": proxy})
    );
}

#[tokio::test]
async fn bad_mirrors_are_refused_as_quay_does() {
    let (world, other) = (World::new("bad").await, World::new("bad-other").await);
    let invalid = |detail: &str| world.problem(400, "invalid_request", detail);
    let cases: Vec<(Value, (u16, Value))> = vec![
        (json!({"sync_interval": 59}), invalid("59 is less than the minimum of 60")),
        (json!({"sync_interval": "1"}), invalid("'1' is not of type 'integer'")),
        (json!({"skopeo_timeout_interval": 299}), invalid("299 is less than the minimum of 300")),
        (json!({"is_enabled": null}), invalid("None is not of type 'boolean'")),
        (
            json!({"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": []}}),
            invalid("validation failed: rule_value for TAG_GLOB_CSV must be a list with at least one rule"),
        ),
        (
            json!({"sync_start_date": "2020-01-01"}),
            (400, json!({"detail": "Incorrect DateTime format for sync_start_date."})),
        ),
        (json!({"external_reference": ""}), invalid("External registry reference is required")),
        (
            json!({"external_reference": "example.com"}),
            invalid("External registry reference must include a repository path"),
        ),
        (
            json!({"external_reference": "169.254.169.254/a/b"}),
            invalid("The provided registry location is not allowed"),
        ),
        (
            json!({"robot_username": format!("{}+nobody", world.namespace)}),
            (400, json!({"message": "Could not find robot with specified username"})),
        ),
        (json!({"robot_username": format!("{}+bot", other.namespace)}), (400, json!({"message": "Invalid robot"}))),
    ];
    for (change, expected) in cases {
        let mut body = world.mirror_body("quay.io");
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let answer = world.call(Method::POST, &world.mirror_path(""), Some(body)).await;
        assert_eq!(answer, expected, "{change}");
    }
    let mut body = world.mirror_body("quay.io");
    body.as_object_mut().unwrap().remove("root_rule");
    let answer = world.call(Method::POST, &world.mirror_path(""), Some(body)).await;
    assert_eq!(answer, invalid("'root_rule' is a required property"));
    let none = world.problem(404, "not_found", "Not Found");
    assert_eq!(world.call(Method::GET, &world.mirror_path(""), None).await, none, "nothing was written");
}

#[tokio::test]
async fn bad_changes_are_refused_and_change_nothing() {
    let (world, other) = (World::new("change").await, World::new("change-other").await);
    world.create_mirror("quay.io", json!({"external_registry_username": "user"})).await;
    let before = world.mirror().await;
    let invalid = |detail: &str| world.problem(400, "invalid_request", detail);
    let refused = |detail: &str| (400, json!({"detail": detail}));
    let broken = |message: &str| (400, json!({"message": message}));
    let alone = refused("Unable to set a new password without also specifying a username.");
    let cases: Vec<(Value, (u16, Value))> = vec![
        (json!({"external_registry_password": "secret"}), alone.clone()),
        (json!({"external_registry_password": null}), alone),
        (
            json!({"external_registry_username": null, "external_registry_password": "secret"}),
            refused("Unable to delete username while setting a password."),
        ),
        (json!({"is_enabled": "yes"}), invalid("'yes' is not of type 'boolean'")),
        (json!({"sync_interval": 59}), invalid("59 is less than the minimum of 60")),
        (json!({"skopeo_timeout_interval": 299}), invalid("299 is less than the minimum of 300")),
        (json!({"external_registry_config": {"verify_tls": 1}}), invalid("1 is not of type 'boolean'")),
        (json!({"root_rule": {"rule_value": ["*"]}}), invalid("'rule_kind' is a required property")),
        (json!({"root_rule": {"rule_kind": "tag_glob_csv"}}), invalid("'rule_value' is a required property")),
        (
            json!({"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": []}}),
            invalid("validation failed: rule_value for TAG_GLOB_CSV must be a list with at least one rule"),
        ),
        (
            json!({"sync_start_date": "2099-01-01T00:00:00.5Z"}),
            refused("Incorrect DateTime format for sync_start_date."),
        ),
        (json!({"external_reference": ""}), invalid("External registry reference is required")),
        (json!({"external_reference": "10.0.0.1/a/b"}), invalid("The provided registry location is not allowed")),
        (
            json!({"architecture_filter": ["amd64", "riscv64", "AMD64"]}),
            refused("Invalid architectures: riscv64, AMD64"),
        ),
        (
            json!({"robot_username": format!("{}+nobody", world.namespace)}),
            broken("Could not find robot with specified username"),
        ),
        (json!({"robot_username": format!("{}+bot", other.namespace)}), broken("Invalid robot")),
    ];
    for (mut change, expected) in cases {
        // What is right beside it does not arrive either.
        if change.get("sync_interval").is_none() {
            change["sync_interval"] = json!(7_200);
        }
        let answer = world.call(Method::PUT, &world.mirror_path(""), Some(change.clone())).await;
        assert_eq!(answer, expected, "{change}");
        assert_eq!(world.mirror().await, before, "{change}");
    }
    world.change_mirror(json!({"no_such_field": true})).await;
    assert_eq!(world.mirror().await, before, "Quay's schemas allow what they do not know");
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let world = World::new("absent").await;
    let not_found = world.problem(404, "not_found", "Not Found");
    let unknown = format!("repository/{}/none", world.namespace);
    let run = "00000000-0000-7000-8000-000000000000";
    for mirror in [world.mirror_path(""), format!("{unknown}/mirror")] {
        for (method, path, body) in [
            (Method::GET, mirror.clone(), None),
            (Method::PUT, mirror.clone(), Some(json!({"is_enabled": true}))),
            (Method::POST, format!("{mirror}/sync-now"), Some(json!({}))),
            (Method::POST, format!("{mirror}/sync-cancel"), Some(json!({}))),
            (Method::GET, format!("{mirror}/runs"), None),
            (Method::GET, format!("{mirror}/runs/{run}"), None),
        ] {
            assert_eq!(world.call(method.clone(), &path, body).await, not_found, "{method} {path}");
        }
    }
    let created = world.call(Method::POST, &format!("{unknown}/mirror"), Some(world.mirror_body("quay.io"))).await;
    assert_eq!(created, not_found, "there is no such repository");
    for path in [unknown.clone(), format!("{unknown}/logs")] {
        assert_eq!(world.call(Method::GET, &path, None).await, not_found, "{path}");
    }
}

#[tokio::test]
async fn callers_without_the_token_get_nothing() {
    let world = World::new("callers").await;
    let refused = world.problem(401, "invalid_token", "Requires authentication");
    for token in [None, Some(""), Some("wrong"), Some(&world.stack.token[1..])] {
        for (method, path) in [(Method::GET, "user/".to_owned()), (Method::PUT, world.mirror_path(""))] {
            assert_eq!(world.send(method, &path, token, None).await, refused, "{token:?}");
        }
    }
    let (status, user) = world.call(Method::GET, "user/", None).await;
    assert_eq!((status, &user["username"]), (200, &json!("admin")));
}

#[tokio::test]
async fn unreadable_requests_are_the_callers_fault() {
    let world = World::new("unreadable").await;
    let token = Some(world.stack.token.as_str());
    let missing = world.problem(400, "invalid_request", "Missing JSON body");
    assert_eq!(world.send(Method::POST, &world.mirror_path(""), token, None).await, missing);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for body in [&b"{"[..], b"[]", b"null", b"\xff\xfe", b"{\"a\":\"\xff\"}", deep.as_bytes(), &vec![b' '; 300_000]] {
        let (status, answer) = world.send(Method::POST, &world.mirror_path(""), token, Some(body.to_vec())).await;
        assert!((400..500).contains(&status), "{status} {answer}");
    }
    for path in [
        "repository/a%2fb/mirror",
        "repository/../../user",
        "repository/A/b/mirror",
        "nothing",
        "repository/%ff/b/mirror",
        "repository/a/b/mirror/runs/not-an-id",
        "repository/x/y",
        "error/unknown",
    ] {
        assert_eq!(world.send(Method::GET, path, token, None).await.0, 404, "{path}");
    }
    assert_eq!(world.send(Method::GET, "organization/no%00pe", token, None).await.0, 400, "the gateway's own answer");
    assert_eq!(world.send(Method::PATCH, "user/", token, None).await.0, 405);
    let runs = format!("{}?limit=0", world.mirror_path("/runs"));
    assert_eq!(world.send(Method::GET, &runs, token, None).await.0, 400);
    let url = format!("{}/api/v1/user/", world.stack.url);
    let twice = moorage_tests::http().get(&url).header("authorization", format!("Bearer {}", world.stack.token));
    let twice = twice.header("authorization", "Bearer other").send().await.unwrap();
    assert!((400..500).contains(&twice.status().as_u16()), "{}", twice.status());
    for (name, value) in [("x-long", "x".repeat(7_000)), ("content-type", "text/x".into()), ("accept", "*".into())] {
        let odd = moorage_tests::http().get(&url).header(name, value).send().await.unwrap();
        assert!((400..500).contains(&odd.status().as_u16()), "{name}: {}", odd.status());
    }
    for query in ["a".repeat(30_000), "%ff=%00&%".into(), "next_page=%F0%9F".into()] {
        let (status, answer) = world.send(Method::GET, &format!("repository?{query}"), token, None).await;
        assert!((400..500).contains(&status), "{status} {answer}");
    }
    let allowed = world.answer(Method::PATCH, &world.mirror_path(""), token, None).await;
    assert_eq!(
        (allowed.status().as_u16(), &allowed.headers()["allow"]),
        (405, &"GET, POST, PUT, DELETE".parse().unwrap())
    );
    let query = format!("{}?{}", world.mirror_path(""), "a=b&".repeat(1_000));
    assert_eq!(world.send(Method::GET, &query, token, None).await.0, 404);
}

#[tokio::test]
async fn organizations_robots_and_repositories_are_made_once() {
    let world = World::new("once").await;
    let name = &world.namespace;
    let exists = world.problem(400, "invalid_request", "A user or organization with this name already exists");
    assert_eq!(world.call(Method::POST, "organization/", Some(json!({"name": name}))).await, exists);
    let (status, organization) = world.call(Method::GET, &format!("organization/{name}"), None).await;
    assert_eq!(
        (status, &organization["name"], &organization["ordered_teams"]),
        (200, &json!(name), &json!(["owners"]))
    );
    let robot = format!("organization/{name}/robots/bot");
    let exists = format!("Existing robot with name: {name}+bot");
    assert_eq!(world.call(Method::PUT, &robot, None).await, (400, json!({"message": exists})));
    let (status, shown) = world.call(Method::GET, &robot, None).await;
    assert_eq!((status, shown["token"].as_str().unwrap().len()), (200, 64));
    let unknown = world.call(Method::GET, &format!("organization/{name}/robots/nobody"), None).await;
    assert_eq!(unknown, (400, json!({"message": "Could not find robot with specified username"})));
    assert_eq!(world.call(Method::PUT, &format!("organization/{name}/robots/Bad"), None).await.0, 400);
    let body = json!({"namespace": name, "repository": "app", "visibility": "private", "description": ""});
    let exists = world.problem(400, "invalid_request", "Repository already exists");
    assert_eq!(world.call(Method::POST, "repository", Some(body)).await, exists);
    let state = format!("repository/{}/changestate", world.repository);
    let changed = world.call(Method::PUT, &state, Some(json!({"state": "READ_ONLY"}))).await;
    assert_eq!(changed, (200, json!({"success": true})));
    assert_eq!(world.call(Method::PUT, &state, Some(json!({"state": "GONE"}))).await.0, 400);
}

#[tokio::test]
async fn a_mirrors_robot_may_write_and_roles_can_be_changed() {
    let world = World::new("roles").await;
    let permissions = format!("repository/{}/permissions", world.repository);
    let robot = format!("{}+bot", world.namespace);
    let path = format!("{permissions}/user/{}", robot.replace('+', "%2B"));
    assert_eq!(world.call(Method::GET, &path, None).await.0, 400, "no role yet, as in Quay");
    world.create_mirror("quay.io", json!({})).await;
    for path in [path.clone(), format!("{permissions}/user/{robot}")] {
        let (status, entry) = world.call(Method::GET, &path, None).await;
        assert_eq!((status, &entry["role"], &entry["is_robot"]), (200, &json!("write"), &json!(true)), "{path}");
    }
    let (status, changed) = world.call(Method::PUT, &path, Some(json!({"role": "admin"}))).await;
    assert_eq!((status, &changed["role"]), (200, &json!("admin")));
    let (status, all) = world.call(Method::GET, &format!("{permissions}/user/"), None).await;
    assert_eq!((status, &all["permissions"][&robot]["role"]), (200, &json!("admin")));
    let (status, teams) = world.call(Method::GET, &format!("{permissions}/team/"), None).await;
    assert_eq!((status, teams), (200, json!({"permissions": {}})));
    assert_eq!(world.call(Method::PUT, &path, Some(json!({"role": "owner"}))).await.0, 400);
    let (status, robots) = world.call(Method::GET, &format!("organization/{}/robots", world.namespace), None).await;
    assert_eq!((status, &robots["robots"][0]["name"]), (200, &json!(robot)));
}

#[tokio::test]
async fn the_user_and_what_their_names_begin_with() {
    let world = World::new("whoami").await;
    let (name, token) = (world.namespace.as_str(), world.token(Some(&world.namespace), "read").await);
    let avatar = |name: &str, kind: &str| json!({"name": name, "hash": "", "color": "#969696", "kind": kind});
    let organization = json!({
        "name": name, "avatar": avatar(name, "org"), "can_create_repo": false, "is_org_admin": false, "public": false,
        "preferred_namespace": false, "role": "read",
    });
    let user = json!({
        "anonymous": false, "username": "admin", "verified": true, "email": null, "logins": [],
        "avatar": avatar("admin", "user"), "can_create_repo": false, "is_me": true, "super_user": false,
        "preferred_namespace": true, "tag_expiration_s": 1_209_600, "prompts": [], "organizations": [organization],
    });
    assert_eq!(world.send(Method::GET, "user/", Some(&token), None).await, (200, user));
    let (_, user) = world.call(Method::GET, "user/", None).await;
    assert_eq!((&user["super_user"], &user["can_create_repo"]), (&json!(true), &json!(true)));
    assert!(
        user["organizations"].as_array().unwrap().iter().any(|it| it["name"] == name && it["is_org_admin"] == true)
    );

    let path = format!("entities/{name}?namespace={name}&includeTeams=true&includeOrgs=true");
    let robot = format!("{name}+bot");
    let results = json!({"results": [
        {"name": robot, "kind": "user", "is_robot": true, "is_org_member": true, "avatar": avatar(&robot, "robot")},
        {"name": name, "kind": "org", "is_org_member": true, "avatar": avatar(name, "org")},
    ]});
    assert_eq!(world.call(Method::GET, &path, None).await, (200, results));
    let path = format!("entities/own?namespace={name}&includeTeams=true");
    let results = json!({"results": [
        {"name": "owners", "kind": "team", "is_org_member": true, "avatar": avatar("owners", "team")},
    ]});
    assert_eq!(world.call(Method::GET, &path, None).await, (200, results));
    let admin = json!({"results": [
        {"name": "admin", "kind": "user", "is_robot": false, "avatar": avatar("admin", "user")},
    ]});
    assert_eq!(world.call(Method::GET, "entities/adm", None).await, (200, admin));
    assert_eq!(world.call(Method::GET, "user/logs", None).await.0, 200);
}
