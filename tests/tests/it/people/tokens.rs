//! Tokens that people make: they are good for as long as who made them is there.

use moorage_tests::{
    people::{People, SUPERUSERS},
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Visitor, admin, join, next_second, team};

#[tokio::test]
async fn tokens_go_as_far_as_who_makes_them_and_end_with_them() {
    let (world, people) = (World::new("made-by-people").await, People::of_stack());
    let owner = people.person("maker", &[]).await;
    let visitor = Visitor::of(&world, &owner).await;
    join(&world, &team(&world, "keepers", "admin").await, &owner).await;
    let body = json!({"description": "ci", "namespace": world.namespace, "role": "admin"});
    let (status, made) = visitor.post("tokens", body).await;
    assert_eq!((status, &made["created_by"]), (201, &json!(owner.name)), "{made}");
    let token = Visitor::with(&world, made["token"].as_str().unwrap());
    let (_, listed) = visitor.get("tokens?limit=100").await;
    assert_eq!(listed["tokens"][0]["id"], made["id"], "{listed}");
    assert!(!listed.to_string().contains(made["token"].as_str().unwrap()));

    // What is done with it is done by them, and by it.
    let path = format!("repository/{}", world.repository);
    assert_eq!(token.put(&path, json!({"description": "by the token"})).await.0, 200);
    assert_eq!(visitor.put(&path, json!({"description": "by hand"})).await.0, 200);
    let (_, log) = visitor.get(&format!("{path}/logs")).await;
    let changes: Vec<_> =
        log["logs"].as_array().unwrap().iter().filter(|it| it["kind"] == "set_repo_description").collect();
    assert_eq!(changes.len(), 2, "{log}");
    for change in &changes {
        let performer = (&change["performer"]["name"], &change["performer"]["is_robot"], &change["performer"]["kind"]);
        assert_eq!(performer, (&json!(owner.name), &json!(false), &json!("user")));
    }
    let ids: Vec<_> = changes.iter().filter_map(|change| change["metadata"].get("token_id")).collect();
    assert_eq!(ids, [&made["id"]]);

    // One that it makes is theirs, too; and it is no person.
    let (status, second) = token.post("tokens", json!({"namespace": world.namespace, "role": "read"})).await;
    assert_eq!(status, 201, "{second}");
    let second = Visitor::with(&world, second["token"].as_str().unwrap());
    assert_eq!(second.get(&path).await.0, 200);
    for (method, path) in [(Method::GET, "user/apptoken"), (Method::POST, "user/apptoken"), (Method::POST, "tokens")] {
        let body = if method == Method::POST { json!({"title": "t", "role": "read"}) } else { Value::Null };
        assert_eq!(token.call(method.clone(), path, &body).await.0, 403, "{method} {path}");
    }

    let user = format!("superuser/users/{}", owner.name);
    let admin = admin(&world);
    let both = async || [token.get(&path).await.0, second.get(&path).await.0, visitor.get(&path).await.0];
    assert_eq!(admin.put(&user, json!({"enabled": false})).await.1["enabled"], json!(false));
    assert_eq!(both().await, [401; 3]);
    let (_, answer) = visitor.get("user/").await;
    assert_eq!(answer["message"], json!(format!("the user {} is disabled", owner.name)));
    assert_eq!(admin.put(&user, json!({"enabled": true})).await.0, 200);
    assert_eq!(both().await, [200; 3]);
    assert_eq!(admin.delete(&user).await.0, 204);
    assert_eq!(both().await, [401; 3], "also what the provider gave them before");
    next_second().await;
    let again = Visitor::of(&world, &owner).await;
    assert_eq!(again.get(&path).await.0, 403, "who signs in again is another one");
}

#[tokio::test]
async fn a_superusers_token_is_for_one_namespace_and_has_an_end() {
    let (world, people) = (World::new("of-superuser").await, People::of_stack());
    let person = people.person("all", &[SUPERUSERS]).await;
    let visitor = Visitor::of(&world, &person).await;
    let (status, refused) = visitor.post("tokens", json!({"role": "admin"})).await;
    let why = refused["detail"].as_str().unwrap_or_default();
    assert_eq!((status, why.contains("the stack's admin token")), (400, true), "{refused}");
    let late = json!({"role": "admin", "namespace": world.namespace, "expires": "2999-01-01T00:00:00Z"});
    let (status, refused) = visitor.post("tokens", late).await;
    assert_eq!((status, &refused["detail"]), (400, &json!("expires: a person's token ends within 90 days")));
    let (status, made) = visitor.post("tokens", json!({"role": "admin", "namespace": world.namespace})).await;
    assert_eq!(status, 201, "{made}");
    assert!(made["expires"].is_string(), "{made}");
    let token = Visitor::with(&world, made["token"].as_str().unwrap());
    let path = format!("repository/{}", world.repository);
    assert_eq!((token.get(&path).await.0, token.get("superuser/users/?limit=1").await.0), (200, 403));
    assert_eq!(admin(&world).put(&format!("superuser/users/{}", person.name), json!({"enabled": false})).await.0, 200);
    assert_eq!(token.get(&path).await.0, 401);
    // They are among all users, however many there are.
    let (mut names, mut next) = (Vec::new(), String::new());
    loop {
        let (status, page) = admin(&world).get(&format!("superuser/users/?limit=100{next}")).await;
        assert_eq!(status, 200, "{page}");
        names
            .extend(page["users"].as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap().to_owned()));
        let Some(more) = page["next_page"].as_str() else { break };
        next = format!("&next_page={more}");
    }
    assert_eq!(names.iter().filter(|name| **name == person.name).count(), 1);
    assert!(names.is_sorted(), "{names:?}");
}
