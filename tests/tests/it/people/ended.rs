//! Whoever is deleted leaves nothing to the next of the name; nor does what they had roles on.

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_tests::{people::People, world::World};
use serde_json::{Value, json};

use super::{Visitor, admin, grant, join, next_second, team};

/// What the table has below a key of a person's: the sort keys, and all of it as a text.
async fn items(world: &World, key: &str) -> (Vec<String>, String) {
    let query = aws_sdk_dynamodb::Client::new(&world.stack.aws).query().table_name(&world.stack.table);
    let query = query.key_condition_expression("pk = :pk").consistent_read(true);
    let found = query.expression_attribute_values(":pk", AttributeValue::S(key.to_owned())).send().await.unwrap();
    let names = found.items().iter().map(|item| item["sk"].as_s().unwrap().clone()).collect();
    (names, format!("{:?}", found.items()))
}

#[tokio::test]
async fn who_is_deleted_leaves_nothing_to_the_next_of_the_name() {
    let (world, people) = (World::new("deleted").await, People::of_stack());
    let first = people.person("gone", &[]).await;
    let visitor = Visitor::of(&world, &first).await;
    let keepers = team(&world, "keepers", "admin").await;
    join(&world, &keepers, &first).await;
    grant(&world, &first, "admin").await;
    let (_, token) = visitor.post("tokens", json!({"namespace": world.namespace, "role": "read"})).await;
    let token = Visitor::with(&world, token["token"].as_str().unwrap());
    let (status, made) = visitor.post("user/apptoken", json!({"title": "t"})).await;
    assert_eq!(status, 200, "{made}");
    let code = made["token"]["token_code"].as_str().unwrap();
    let (names, stored) = items(&world, &format!("USER#{}", first.name)).await;
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(!stored.contains(&code[32..]), "its hash alone is stored");
    let admin = admin(&world);
    let user = format!("superuser/users/{}", first.name);
    // Deleted and there again, by a new token: also as the very same person of the provider.
    for again in [first.clone(), people.somebody(&first.name, json!({})).await] {
        let before = again.token().await;
        assert_eq!(admin.delete(&user).await.0, 204);
        assert_eq!(admin.get(&user).await.0, 404);
        // What was issued until then is nobody's any more.
        if again.subject == first.subject {
            let (status, answer) = Visitor::with(&world, before).get("user/").await;
            assert_eq!(
                (status, answer["message"].as_str()),
                (401, Some("the token is from before its user was deleted: sign in again"))
            );
            assert_eq!(admin.get(&user).await.0, 404, "nor did that make another");
        }
        next_second().await;
        let (_, roles) = admin.get(&format!("repository/{}/permissions/user/", world.repository)).await;
        assert_eq!(roles, json!({"permissions": {}}));
        let (_, members) = admin.get(&format!("{keepers}/members")).await;
        assert_eq!(members["members"], json!([]));
        let visitor = Visitor::of(&world, &again).await;
        assert_eq!(visitor.get("user/").await.1["organizations"], json!([]));
        assert_eq!(visitor.get(&format!("repository/{}", world.repository)).await.0, 403);
        assert_eq!(visitor.repositories().await, [""; 0]);
        assert_eq!(visitor.get("user/apptoken").await.1["tokens"], json!([]));
        assert_eq!(token.get(&format!("repository/{}", world.repository)).await.0, 401);
        assert_eq!(items(&world, &format!("USER#{}", first.name)).await.0, ["USER"], "nothing is left of the first");
        assert_eq!(items(&world, &format!("USERROLES#{}", first.name)).await.0, [""; 0]);
    }
    // Who is disabled stays so, whoever they sign in as.
    let (status, changed) = admin.put(&user, json!({"enabled": false})).await;
    assert_eq!((status, &changed["enabled"]), (200, &json!(false)), "{changed}");
    let second = people.somebody(&first.name, json!({})).await;
    assert_eq!(Visitor::with(&world, second.token().await).get("user/").await.0, 401);
    assert_eq!(admin.put(&user, json!({"enabled": "yes"})).await.0, 400);
    assert_eq!(admin.delete(&user).await.0, 204);
}

#[tokio::test]
async fn what_is_made_anew_knows_nobody_of_before() {
    let (world, people) = (World::new("anew").await, People::of_stack());
    let person = people.person("had-roles", &[]).await;
    let visitor = Visitor::of(&world, &person).await;
    let admin = admin(&world);
    let (path, dev) =
        (format!("repository/{}", world.repository), format!("organization/{}/team/dev", world.namespace));
    let repository =
        json!({"namespace": world.namespace, "repository": "app", "visibility": "private", "description": ""});
    // A repository.
    grant(&world, &person, "admin").await;
    assert_eq!(visitor.get(&path).await.0, 200);
    assert_eq!(admin.delete(&path).await.0, 204);
    assert_eq!(admin.post("repository", repository.clone()).await.0, 201);
    assert_eq!((visitor.get(&path).await.0, visitor.repositories().await.len()), (403, 0));
    // A team.
    team(&world, "dev", "admin").await;
    join(&world, &dev, &person).await;
    assert_eq!(visitor.get(&path).await.0, 200);
    assert_eq!(admin.delete(&dev).await.0, 204);
    team(&world, "dev", "admin").await;
    assert_eq!(visitor.get(&path).await.0, 403);
    assert_eq!(visitor.get("user/").await.1["organizations"], json!([]));
    // The organization, with both; and a team that was bound.
    join(&world, &dev, &person).await;
    grant(&world, &person, "write").await;
    team(&world, "bound", "member").await;
    let bound = format!("organization/{}/team/bound", world.namespace);
    assert_eq!(admin.post(&format!("{bound}/syncing"), json!({"group_name": world.namespace})).await.0, 200);
    let organization = format!("organization/{}", world.namespace);
    assert_eq!(admin.delete(&format!("{organization}/robots/bot")).await.0, 204);
    assert_eq!(admin.delete(&path).await.0, 204);
    let ended = async || (admin.delete(&organization).await.0 == 204).then_some(());
    moorage_tests::eventually("the organization ends", super::KEPT, ended).await;
    assert_eq!(visitor.get(&path).await.0, 403);
    assert_eq!(admin.post("organization/", json!({"name": world.namespace})).await.0, 201);
    assert_eq!(admin.post("repository", repository).await.0, 201);
    team(&world, "dev", "admin").await;
    team(&world, "bound", "admin").await;
    assert_eq!(visitor.get(&path).await.0, 403);
    assert_eq!(visitor.get("user/").await.1["organizations"], json!([]));
    let (_, members) = admin.get(&format!("{bound}/members")).await;
    assert_eq!(members.get("synced"), None, "{members}");
    assert_eq!(admin.delete(&format!("superuser/users/{}", person.name)).await, (204, Value::from("")));
}
