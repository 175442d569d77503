//! Teams that are a group of the provider's: who is in it comes and goes with the tokens.

use moorage_tests::{
    alone::Alone,
    people::{People, SUPERUSERS},
    provider::Provider,
    stack::Stack,
    world::World,
};
use serde_json::{Value, json};

use super::{Visitor, admin, join, team};

#[tokio::test]
async fn a_team_that_is_bound_to_a_group_has_whoever_is_in_it() {
    let world = World::new("bound").await;
    // An API that remembers nothing yet of which teams are bound.
    let api = Alone::with(&world.stack, &[]).await;
    let (world, people) = (world.at(&api.stack), People::of_stack());
    let mut ada = people.person("ada-bound", &[]).await;
    let token = ada.token().await;
    let group = format!("/engineering/{}", world.namespace);
    let dev = team(&world, "dev", "member").await;
    let of_team = format!("repository/{}/permissions/team/dev", world.repository);
    let admin = admin(&world);
    assert_eq!(admin.put(&of_team, json!({"role": "read"})).await.0, 200);
    let syncing = format!("{dev}/syncing");
    for wrong in
        [json!({}), json!({"group_name": ""}), json!({"group_name": "g".repeat(256)}), json!({"group_name": 7})]
    {
        assert_eq!(admin.post(&syncing, wrong.clone()).await.0, 400, "{wrong}");
    }
    let (status, view) = admin.post(&syncing, json!({"group_name": group})).await;
    assert_eq!((status, &view["name"], &view["role"]), (200, &json!("dev"), &json!("member")), "{view}");

    let app = format!("repository/{}", world.repository);
    let before = Visitor::with(&world, token);
    assert_eq!(before.get(&app).await.0, 403);
    ada.is_in(&[&group, "something else"]).await;
    let inside = Visitor::of(&world, &ada).await;
    assert_eq!(inside.get(&app).await.0, 200);
    assert_eq!(inside.get("user/").await.1["organizations"][0]["name"], json!(world.namespace));
    assert_eq!(inside.get(&format!("{dev}/members")).await.0, 200);

    // Nobody adds or removes people by hand; robots they do.
    let member = format!("{dev}/members/{}", ada.name);
    for (status, answer) in [admin.put(&member, Value::Null).await, admin.delete(&member).await] {
        assert_eq!((status, &answer["detail"]), (400, &json!("Cannot call this method on an auth-synced team")));
    }
    let robot = format!("{dev}/members/{}%2Bbot", world.namespace);
    assert_eq!((admin.put(&robot, Value::Null).await.0, admin.delete(&robot).await.0), (200, 204));
    let (_, members) = admin.get(&format!("{dev}/members")).await;
    assert_eq!(members["synced"], json!({"service": "oidc", "config": {"group_name": group}}), "{members}");
    assert_eq!(members["can_sync"], json!({"service": "oidc", "issuer_domain": "127.0.0.1"}));
    let (_, members) = inside.get(&format!("{dev}/members")).await;
    assert_eq!((&members["synced"], members.get("can_sync")), (&json!({"service": "oidc"}), None), "{members}");
    let (_, organization) = admin.get(&format!("organization/{}", world.namespace)).await;
    assert_eq!(organization["teams"]["dev"]["is_synced"], json!(true));

    // A newer token says that they have left; an older one, which is still good, does not say otherwise.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    ada.is_in(&[]).await;
    let outside = Visitor::of(&world, &ada).await;
    assert_eq!(outside.get(&app).await.0, 403);
    assert_eq!(inside.get(&app).await.0, 403, "the older token");
    assert_eq!(before.get(&app).await.0, 403);
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    ada.is_in(&[&group]).await;
    let inside = Visitor::of(&world, &ada).await;
    assert_eq!(inside.get(&app).await.0, 200);
    assert_eq!(admin.call(reqwest::Method::DELETE, &syncing, &Value::Null).await.0, 200);
    // An API that remembers nothing.
    let fresh = Alone::with(&world.stack, &[]).await;
    let (again, token) = (world.at(&fresh.stack), ada.token().await);
    assert_eq!(Visitor::with(&again, token).get(&app).await.0, 403, "bound no more");
    let (_, log) = admin.get(&format!("organization/{}/logs", world.namespace)).await;
    let kinds: Vec<_> = log["logs"].as_array().unwrap().iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"enable_team_sync") && kinds.contains(&"disable_team_sync"), "{kinds:?}");
}

#[tokio::test]
async fn superusers_are_a_group_and_nobody_binds_a_team_without_them() {
    let (world, people) = (World::new("superusers").await, People::of_stack());
    let mut person = people.person("root", &[SUPERUSERS, "others"]).await;
    let owner = people.person("owner", &[]).await;
    let visitor = Visitor::of(&world, &person).await;
    let (_, user) = visitor.get("user/").await;
    assert_eq!((&user["super_user"], &user["can_create_repo"]), (&json!(true), &json!(true)), "{user}");
    assert_eq!(visitor.repositories().await, ["app"]);
    let (_, seen) = visitor.get(&format!("superuser/users/{}", person.name)).await;
    let avatar = json!({"name": person.name, "hash": "", "color": "#969696", "kind": "user"});
    let expected = json!({
        "kind": "user", "username": person.name, "email": user["email"], "verified": true, "avatar": avatar,
        "super_user": true, "enabled": true,
    });
    assert_eq!(seen, expected);

    let owner_in = Visitor::of(&world, &owner).await;
    let keepers = team(&world, "keepers", "admin").await;
    join(&world, &keepers, &owner).await;
    let syncing = format!("{keepers}/syncing");
    let bind = json!({"group_name": "everybody"});
    assert_eq!(owner_in.post(&syncing, bind.clone()).await.0, 403, "an admin of the organization alone");
    let token = world.token(Some(&world.namespace), "admin").await;
    assert_eq!(Visitor::with(&world, token).post(&syncing, bind).await.0, 403);
    // Nobody becomes a superuser by a team that is called so.
    team(&world, SUPERUSERS, "admin").await;
    join(&world, &format!("organization/{}/team/{SUPERUSERS}", world.namespace), &owner).await;
    assert_eq!(owner_in.get("user/").await.1["super_user"], json!(false));
    for groups in
        [json!("Platform"), json!(["platform "]), json!({"platform": true}), json!([["platform"]]), Value::Null]
    {
        let mut almost = people.person("almost", &[]).await;
        almost.has(json!({"groups": groups})).await;
        assert_eq!(Visitor::of(&world, &almost).await.get("user/").await.1["super_user"], json!(false), "{groups}");
    }

    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    person.is_in(&["others"]).await;
    let now = Visitor::of(&world, &person).await;
    for visitor in [&now, &visitor] {
        assert_eq!(visitor.get("superuser/users/").await.0, 403, "also by the older token");
        assert_eq!(visitor.repositories().await, [""; 0]);
    }
}

#[tokio::test]
async fn of_very_many_groups_those_that_count_are_kept() {
    let (stack, provider) = (Stack::from_env().await, Provider::start());
    let settings =
        [("OIDC_ISSUER", provider.issuer.as_str()), ("OIDC_GROUPS_CLAIM", "roles"), ("OIDC_USER_CLAIM", "upn")];
    let api = Alone::with(&stack, &settings).await;
    let (world, people) = (World::new("many-groups").await.at(&api.stack), People::of(&provider));
    let name = format!("many-{:08x}", rand::random::<u32>());
    let user = async |roles: Value| {
        let claims = json!({"upn": name, "sub": name, "roles": roles});
        let token = people.forged(claims, moorage_tests::people::By::Own).await;
        Visitor::with(&world, token).get("user/").await
    };
    // One text is a group, too; another claim is none.
    let (status, one) = user(json!(SUPERUSERS)).await;
    assert_eq!((status, &one["username"], &one["super_user"]), (200, &json!(name), &json!(true)), "{one}");
    let mut many: Vec<_> = (0..150).map(|number| format!("group-{number:04}")).collect();
    many.insert(100, SUPERUSERS.to_owned());
    let (status, all) = user(json!(many)).await;
    assert_eq!((status, &all["super_user"]), (200, &json!(true)), "{all}");
}
