//! Who may call what: the matrix of callers and calls.

use moorage_tests::world::World;
use reqwest::Method;
use serde_json::{Value, json};

/// The statuses of a call by: nobody, a wrong token, tokens of the namespace that may read, write, administer, an admin of
/// another namespace, and the stack's admin.
type Statuses = [u16; 7];

#[tokio::test]
async fn every_caller_gets_what_they_may_and_no_more() {
    let (world, other) = (World::new("matrix").await, World::new("matrix-other").await);
    let (name, repository) = (world.namespace.as_str(), world.repository.as_str());
    world.create_mirror("quay.io", json!({})).await;
    let public = json!({"namespace": name, "repository": "open", "visibility": "public", "description": ""});
    assert_eq!(world.call(Method::POST, "repository", Some(public)).await.0, 201);
    let mut tokens = vec![None, Some("0".repeat(96))];
    for role in ["read", "write", "admin"] {
        tokens.push(Some(world.token(Some(name), role).await));
    }
    tokens.push(Some(world.token(Some(&other.namespace), "admin").await));
    tokens.push(Some(world.stack.token.clone()));

    let reads = [401, 401, 200, 200, 200, 403, 200];
    let everybody = [200; 7];
    let admins = [401, 401, 403, 403, 200, 403, 200];
    let known = [401, 401, 200, 200, 200, 200, 200];
    let only = |status: u16| [401, 401, 403, 403, status, 403, status];
    let admin_only = |status: u16| [401, 401, 403, 403, 403, 403, status];
    let calls: Vec<(Method, String, Value, Statuses)> = vec![
        (Method::GET, "registry/capabilities".into(), Value::Null, everybody),
        (Method::GET, "error/not_found".into(), Value::Null, everybody),
        (Method::GET, "openapi.json".into(), Value::Null, everybody),
        (Method::GET, "user/".into(), Value::Null, known),
        (Method::GET, "entities/bo".into(), Value::Null, known),
        (Method::GET, format!("repository/{repository}"), Value::Null, reads),
        (Method::GET, format!("repository/{name}/open"), Value::Null, everybody),
        (Method::GET, format!("repository/{name}/open/tag/"), Value::Null, everybody),
        (Method::GET, format!("repository/{name}/open/logs"), Value::Null, admins),
        (Method::GET, format!("repository/{name}/none"), Value::Null, [401, 401, 404, 404, 404, 403, 404]),
        (Method::GET, format!("repository/{repository}/tag/"), Value::Null, reads),
        (Method::DELETE, format!("repository/{repository}/tag/v1"), Value::Null, [401, 401, 403, 503, 503, 403, 503]),
        (
            Method::PUT,
            format!("repository/{repository}"),
            json!({"description": "d"}),
            [401, 401, 403, 200, 200, 403, 200],
        ),
        (Method::POST, format!("repository/{repository}/changevisibility"), json!({"visibility": "private"}), admins),
        (Method::PUT, format!("repository/{repository}/changestate"), json!({"state": "MIRROR"}), admins),
        (Method::GET, format!("repository/{repository}/logs"), Value::Null, admins),
        (Method::GET, format!("repository/{repository}/permissions/user/"), Value::Null, admins),
        (Method::GET, format!("repository/{repository}/permissions/team/"), Value::Null, admins),
        (Method::GET, world.mirror_path(""), Value::Null, admins),
        (Method::PUT, world.mirror_path(""), Value::Null, only(400)),
        (Method::POST, world.mirror_path(""), Value::Null, only(400)),
        (Method::PUT, world.mirror_path(""), json!({"is_enabled": true}), only(201)),
        (Method::POST, world.mirror_path("/sync-cancel"), json!({}), only(404)),
        (Method::GET, world.mirror_path("/runs"), Value::Null, admins),
        (Method::GET, format!("repository/{name}/open/mirror"), Value::Null, only(404)),
        (Method::GET, format!("repository/{name}/none/mirror"), Value::Null, only(404)),
        (Method::POST, "organization/".into(), json!({"name": name}), admin_only(400)),
        (Method::GET, format!("organization/{name}"), Value::Null, everybody),
        (Method::PUT, format!("organization/{name}"), json!({}), admins),
        (Method::GET, format!("organization/{name}/logs"), Value::Null, admins),
        (Method::GET, format!("organization/{name}/robots"), Value::Null, reads),
        (Method::GET, format!("organization/{name}/robots/bot"), Value::Null, admins),
        (Method::PUT, format!("organization/{name}/robots/bot"), Value::Null, only(400)),
        (Method::DELETE, format!("organization/{name}/robots/bot"), Value::Null, only(400)),
        (Method::GET, format!("organization/{name}/robots/bot/credentials?form=docker-login"), Value::Null, admins),
        (Method::GET, "user/robots".into(), Value::Null, admin_only(200)),
        (Method::PUT, format!("organization/{name}/team/t"), json!({}), only(400)),
        (Method::GET, format!("organization/{name}/team/owners/members"), Value::Null, reads),
        (Method::GET, format!("repository/mirror/health?namespace={name}"), Value::Null, reads),
        (Method::GET, "tokens".into(), Value::Null, [401, 401, 403, 403, 200, 200, 200]),
        (Method::POST, "tokens".into(), json!({"role": "admin"}), admin_only(201)),
        (Method::POST, "tokens".into(), json!({"role": "read", "namespace": name}), only(201)),
        (
            Method::POST,
            "repository".into(),
            json!({"namespace": name, "repository": "open", "visibility": "public", "description": ""}),
            only(400),
        ),
        (Method::GET, format!("repository?namespace={name}"), Value::Null, everybody),
        (Method::GET, "repository?starred=true".into(), Value::Null, known),
    ];
    for (method, path, body, expected) in &calls {
        let mut statuses = Vec::new();
        for token in &tokens {
            let body = (!body.is_null()).then(|| body.to_string().into_bytes());
            statuses.push(world.send(method.clone(), path, token.as_deref(), body).await.0);
        }
        assert_eq!(statuses, expected, "{method} {path}");
    }
    let (path, token) = (world.mirror_path(""), tokens[2].as_deref());
    let forbidden = world.problem(403, "insufficient_scope", "Unauthorized");
    assert_eq!(world.send(Method::GET, &path, token, None).await, forbidden);
}

#[tokio::test]
async fn what_callers_see_depends_on_what_they_may() {
    let world = World::new("sees").await;
    let name = world.namespace.as_str();
    let path = format!("organization/{name}");
    let change = json!({"email": "a@example.com", "invoice_email": false});
    assert_eq!(world.call(Method::PUT, &path, Some(change)).await.0, 200);
    let (reader, stranger) = (world.token(Some(name), "read").await, world.token(Some("admin"), "admin").await);
    for (token, email, member, admin) in [
        (world.stack.token.as_str(), "a@example.com", true, true),
        (&reader, "", true, false),
        (&stranger, "", false, false),
    ] {
        let (status, view) = world.send(Method::GET, &path, Some(token), None).await;
        assert_eq!((status, &view["email"]), (200, &json!(email)));
        assert_eq!((&view["is_member"], &view["is_admin"]), (&json!(member), &json!(admin)));
        assert_eq!(view.get("teams").is_some(), member, "{view}");
        assert_eq!(view.get("tag_expiration_s").is_some(), admin, "{view}");
    }
    let robots = format!("{path}/robots");
    let (_, seen) = world.send(Method::GET, &robots, Some(&reader), None).await;
    assert!(seen["robots"][0].get("token").is_none(), "members see no tokens: {seen}");
    let (_, seen) = world.call(Method::GET, &robots, None).await;
    assert_eq!(seen["robots"][0]["token"].as_str().unwrap().len(), 64);
    let (_, list) = world.send(Method::GET, &format!("repository?namespace={name}"), Some(&stranger), None).await;
    assert_eq!(list, json!({"repositories": []}), "private repositories are not listed");
    let (_, view) = world.send(Method::GET, &format!("repository/{}", world.repository), Some(&reader), None).await;
    assert_eq!((&view["can_write"], &view["can_admin"]), (&json!(false), &json!(false)));
}

#[tokio::test]
async fn tokens_are_shown_once_listed_and_revoked() {
    let world = World::new("tokens").await;
    let name = world.namespace.as_str();
    let body = json!({"description": "ci", "namespace": name, "role": "admin", "expires": "2099-01-01T00:00:00Z"});
    let (status, created) = world.call(Method::POST, "tokens", Some(body)).await;
    assert_eq!(status, 201, "{created}");
    let (token, id) = (created["token"].as_str().unwrap().to_owned(), created["id"].as_str().unwrap().to_owned());
    assert_eq!(token.len(), 96);
    let mut view = created.clone();
    view.as_object_mut().unwrap().remove("token");
    let (status, listed) = world.send(Method::GET, "tokens?limit=100", Some(&token), None).await;
    assert_eq!((status, &listed["tokens"]), (200, &json!([view])), "its own namespace's, and not the token itself");

    // It makes no token that goes further than itself.
    for (body, status) in [
        (json!({"role": "read"}), 403),
        (json!({"role": "read", "namespace": "admin"}), 403),
        (json!({"role": "owner", "namespace": name}), 400),
        (json!({"role": "read", "namespace": name, "expires": "2020-01-01T00:00:00Z"}), 400),
        (json!({"role": "read", "namespace": name}), 201),
    ] {
        let answer = world.send(Method::POST, "tokens", Some(&token), Some(body.to_string().into_bytes())).await;
        assert_eq!(answer.0, status, "{body} {}", answer.1);
    }
    let unknown = json!({"role": "read", "namespace": "no-such-namespace"});
    assert_eq!(world.call(Method::POST, "tokens", Some(unknown)).await.0, 400);

    // What was done with it says so.
    let path = format!("repository/{}", world.repository);
    let change = json!({"description": "by token"}).to_string().into_bytes();
    assert_eq!(world.send(Method::PUT, &path, Some(&token), Some(change)).await.0, 200);
    assert_eq!(world.log().await[0]["metadata"]["token_id"], json!(id));

    // A token whose secret is wrong is none.
    let forged = format!("{}{}", &token[..32], "0".repeat(64));
    assert_eq!(world.send(Method::GET, &path, Some(&forged), None).await.0, 401);

    assert_eq!(world.call(Method::DELETE, &format!("tokens/{id}"), None).await.0, 204);
    assert_eq!(world.send(Method::GET, &path, Some(&token), None).await.0, 401, "at once");
    assert_eq!(world.call(Method::DELETE, &format!("tokens/{id}"), None).await.0, 404);
    let dynamodb = aws_sdk_dynamodb::Client::new(&world.stack.aws);
    let query = dynamodb.query().table_name(&world.stack.table).key_condition_expression("pk = :pk");
    let stored = query.expression_attribute_values(":pk", aws_sdk_dynamodb::types::AttributeValue::S("TOKENS".into()));
    let stored = format!("{:?}", stored.send().await.unwrap().items);
    assert!(!stored.contains(&token[32..]), "only a hash is kept");
}

#[tokio::test]
async fn the_first_token_is_for_whoever_knows_the_deployments_secret() {
    let world = World::new("first").await;
    let body = |password: &str| {
        let body =
            json!({"username": "quayadmin", "password": password, "email": "a@example.com", "access_token": true});
        Some(body.to_string().into_bytes())
    };
    let refused = world.send(Method::POST, "user/initialize", None, body("guess")).await;
    assert_eq!(refused, (400, json!({"message": "Cannot initialize user in a non-empty database"})));
    let (status, first) = world.send(Method::POST, "user/initialize", None, body(&world.stack.token)).await;
    assert_eq!((status, &first["username"], &first["email"]), (200, &json!("admin"), &json!("a@example.com")));
    let token = first["access_token"].as_str().unwrap();
    assert_eq!(world.send(Method::GET, "user/", Some(token), None).await.0, 200);
}
