//! What people may do by their roles on repositories and in teams.

use moorage_tests::{
    people::{People, Person, SUPERUSERS},
    seed,
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Visitor, admin, grant, join, team};

/// The statuses of a call by: a stranger, people who may read, write, administer the repository, those in a team that is a
/// member, creator, admin of the organization, and a superuser.
type Statuses = [u16; 8];

/// Somebody of each kind, in the order of [`Statuses`].
async fn everybody(world: &World) -> Vec<(Person, Visitor<'_>)> {
    let people = People::of_stack();
    let mut all = Vec::new();
    for name in ["stranger", "reader", "writer", "keeper", "member", "creator", "owner", "superuser"] {
        let groups = if name == "superuser" { &[SUPERUSERS][..] } else { &[] };
        let person = people.person(name, groups).await;
        let visitor = Visitor::of(world, &person).await;
        match name {
            "reader" => grant(world, &person, "read").await,
            "writer" => grant(world, &person, "write").await,
            "keeper" => grant(world, &person, "admin").await,
            "member" => join(world, &team(world, "members", "member").await, &person).await,
            "creator" => join(world, &team(world, "creators", "creator").await, &person).await,
            "owner" => join(world, &team(world, "keepers", "admin").await, &person).await,
            _ => {}
        }
        all.push((person, visitor));
    }
    all
}

#[tokio::test]
async fn everybody_gets_what_they_may_and_no_more() {
    let (world, other) = (World::new("people-matrix").await, World::new("people-other").await);
    let (name, repository) = (world.namespace.as_str(), world.repository.as_str());
    world.create_mirror("quay.io", json!({})).await;
    let second = json!({"namespace": name, "repository": "second", "visibility": "private", "description": ""});
    assert_eq!(admin(&world).post("repository", second.clone()).await.0, 201);
    let open = seed::repository(&other, "open", "public").await;
    let everybody = everybody(&world).await;
    let reader = everybody[1].0.name.clone();

    let known: Statuses = [200; 8];
    let read = [403, 200, 200, 200, 403, 403, 200, 200];
    let write = |status: u16| [403, 403, status, status, 403, 403, status, status];
    let keep = |status: u16| [403, 403, 403, status, 403, 403, status, status];
    let own = |status: u16| [403, 403, 403, 403, 403, 403, status, status];
    let superuser = |status: u16| [403, 403, 403, 403, 403, 403, 403, status];
    let create = |status: u16| [403, 403, 403, 403, 403, status, status, status];
    let path = |what: &str| format!("repository/{repository}{what}");
    let organization = |what: &str| format!("organization/{name}{what}");
    let calls: Vec<(Method, String, Value, Statuses)> = vec![
        (Method::GET, "user/".into(), Value::Null, known),
        (Method::GET, "user/apptoken".into(), Value::Null, known),
        (Method::GET, "entities/bo".into(), Value::Null, known),
        (Method::GET, "mirror/overview".into(), Value::Null, known),
        (Method::GET, path(""), Value::Null, read),
        (Method::GET, path("/tag/"), Value::Null, read),
        (Method::PUT, path(""), json!({"description": "d"}), write(200)),
        (Method::DELETE, path("/tag/v1"), Value::Null, write(503)),
        (Method::POST, path("/changevisibility"), json!({"visibility": "private"}), keep(200)),
        (Method::PUT, path("/changestate"), json!({"state": "MIRROR"}), keep(200)),
        (Method::GET, path("/logs"), Value::Null, keep(200)),
        (Method::GET, path("/permissions/user/"), Value::Null, keep(200)),
        (Method::PUT, path(&format!("/permissions/user/{reader}")), json!({"role": "read"}), keep(200)),
        (Method::GET, path(&format!("/permissions/user/{reader}/transitive")), Value::Null, keep(200)),
        (Method::GET, path("/permissions/team/"), Value::Null, keep(200)),
        (Method::GET, path("/notification/"), Value::Null, keep(200)),
        (Method::GET, world.mirror_path(""), Value::Null, keep(200)),
        (Method::PUT, world.mirror_path(""), json!({"is_enabled": true}), keep(201)),
        (Method::POST, world.mirror_path("/sync-cancel"), json!({}), keep(404)),
        (Method::GET, world.mirror_path("/runs"), Value::Null, keep(200)),
        (Method::GET, world.mirror_path("/holds"), Value::Null, keep(200)),
        (Method::GET, format!("repository/{name}/second"), Value::Null, own(200)),
        (Method::GET, format!("repository/{}", other.repository), Value::Null, superuser(200)),
        (Method::GET, format!("repository/{open}"), Value::Null, known),
        (Method::GET, format!("repository/{open}/logs"), Value::Null, superuser(200)),
        (Method::GET, format!("repository/{name}/none"), Value::Null, own(404)),
        (Method::POST, "repository".into(), second, create(400)),
        (Method::GET, organization(""), Value::Null, [403, 200, 200, 200, 200, 200, 200, 200]),
        (Method::PUT, organization(""), json!({}), own(200)),
        (Method::GET, organization("/logs"), Value::Null, own(200)),
        (Method::GET, organization("/notes"), Value::Null, own(200)),
        (Method::GET, organization("/notifications"), Value::Null, own(200)),
        (Method::GET, organization("/mirror"), Value::Null, own(404)),
        (Method::GET, organization("/robots/bot/federation"), Value::Null, own(200)),
        (Method::GET, organization("/robots"), Value::Null, create(200)),
        (Method::GET, organization("/robots/bot"), Value::Null, own(200)),
        (Method::PUT, organization("/robots/bot"), Value::Null, own(400)),
        (Method::POST, organization("/robots/bot/regenerate"), Value::Null, own(200)),
        (Method::GET, organization("/robots/bot/credentials?form=docker-login"), Value::Null, own(200)),
        (Method::PUT, organization("/team/t"), json!({}), own(400)),
        (Method::GET, organization("/team/members/members"), Value::Null, [403, 403, 403, 403, 200, 403, 200, 200]),
        (Method::GET, organization("/team/owners/members"), Value::Null, own(200)),
        (Method::GET, organization("/team/none/members"), Value::Null, own(404)),
        (Method::PUT, organization(&format!("/team/members/members/{reader}x")), Value::Null, own(400)),
        (Method::POST, organization("/team/members/syncing"), json!({}), superuser(400)),
        (Method::GET, "tokens".into(), Value::Null, own(200)),
        (Method::POST, "tokens".into(), json!({"role": "read", "namespace": name}), own(201)),
        (Method::POST, "tokens".into(), json!({"role": "read", "namespace": other.namespace}), superuser(201)),
        // Nobody has one of the whole deployment by being a person.
        (Method::POST, "tokens".into(), json!({"role": "read"}), superuser(400)),
        (Method::POST, "organization/".into(), json!({"name": name}), superuser(400)),
        (Method::GET, "user/robots".into(), Value::Null, superuser(200)),
        (Method::GET, "user/logs".into(), Value::Null, superuser(200)),
        (Method::GET, "superuser/users/?limit=1".into(), Value::Null, superuser(200)),
        (Method::GET, format!("superuser/users/{reader}"), Value::Null, superuser(200)),
        (Method::PUT, format!("superuser/users/{reader}"), json!({}), superuser(200)),
        (Method::DELETE, "superuser/users/nobody-is-this".into(), Value::Null, superuser(404)),
        (Method::GET, "superuser/trust_roots".into(), Value::Null, superuser(200)),
        (Method::DELETE, organization("/team/owners"), Value::Null, own(400)),
    ];
    let mut wrong = Vec::new();
    for (method, path, body, expected) in &calls {
        let mut statuses = Vec::new();
        for (_, visitor) in &everybody {
            statuses.push(visitor.call(method.clone(), path, body).await.0);
        }
        if statuses != expected {
            wrong.push(format!("{method} {path}: {statuses:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let mut shown = Vec::new();
    for (_, visitor) in &everybody {
        shown.push(visitor.repositories().await.join(" "));
    }
    assert_eq!(shown, ["", "app", "app", "app", "", "", "app second", "app second"]);
}

#[tokio::test]
async fn people_are_given_roles_and_asked_for_them() {
    let (world, people) = (World::new("people-roles").await, People::of_stack());
    let (by_role, by_team) = (people.person("by-role", &[]).await, people.person("by-team", &[]).await);
    let (role_holder, team_member) = (Visitor::of(&world, &by_role).await, Visitor::of(&world, &by_team).await);
    let all = format!("repository/{}/permissions/user/", world.repository);
    let path = format!("{all}{}", by_role.name);
    let none = (400, json!({"message": "User does not have permission for repo."}));
    let admin = admin(&world);
    assert_eq!(admin.get(&path).await, none);
    let unknown = world.problem(400, "invalid_request", "Invalid username: nobody-is-this");
    assert_eq!(admin.put(&format!("{all}nobody-is-this"), json!({"role": "read"})).await, unknown);
    assert_eq!(admin.put(&path, json!({"role": "owner"})).await.0, 400);
    let entry = |role: &str, is_member: bool| {
        let avatar = json!({"name": by_role.name, "hash": "", "color": "#969696", "kind": "user"});
        json!({"role": role, "name": by_role.name, "is_robot": false, "avatar": avatar, "is_org_member": is_member})
    };
    for role in ["admin", "write", "read"] {
        assert_eq!(admin.put(&path, json!({ "role": role })).await, (200, entry(role, false)));
        assert_eq!(admin.get(&path).await, (200, entry(role, false)));
        let (_, view) = role_holder.get(&format!("repository/{}", world.repository)).await;
        assert_eq!((&view["can_write"], &view["can_admin"]), (&json!(role != "read"), &json!(role == "admin")));
    }
    // Their teams' roles are theirs, too.
    let dev = team(&world, "dev", "member").await;
    join(&world, &dev, &by_role).await;
    join(&world, &dev, &by_team).await;
    let twice = (400, json!({"message": format!("User {} is already a member of team dev", by_role.name)}));
    assert_eq!(admin.put(&format!("{dev}/members/{}", by_role.name), Value::Null).await, twice);
    let of_team = format!("repository/{}/permissions/team/dev", world.repository);
    assert_eq!(admin.put(&of_team, json!({"role": "write"})).await.0, 200);
    assert_eq!(admin.get(&path).await, (200, entry("read", true)));
    let roles = json!({"permissions": [{"role": "read"}, {"role": "write"}]});
    assert_eq!(admin.get(&format!("{path}/transitive")).await, (200, roles));
    for visitor in [&role_holder, &team_member] {
        let (status, view) = visitor.get(&format!("repository/{}", world.repository)).await;
        assert_eq!((status, &view["can_write"], &view["can_admin"]), (200, &json!(true), &json!(false)), "{view}");
        let (_, user) = visitor.get("user/").await;
        let organizations = user["organizations"].as_array().unwrap();
        assert_eq!((organizations.len(), &organizations[0]["name"]), (1, &json!(world.namespace)), "{user}");
        assert_eq!(organizations[0]["is_org_admin"], json!(false));
        let (_, seen) = visitor.get(&format!("organization/{}", world.namespace)).await;
        assert_eq!((&seen["is_member"], &seen["is_admin"]), (&json!(true), &json!(false)), "{seen}");
        assert_eq!(seen["ordered_teams"], json!(["dev"]), "those that they are in: {seen}");
    }
    let (_, members) = admin.get(&format!("{dev}/members")).await;
    let names: Vec<_> = members["members"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, [by_role.name.as_str(), &by_team.name]);

    assert_eq!(admin.delete(&format!("{dev}/members/{}", by_team.name)).await.0, 204);
    let no_member = (400, json!({"message": format!("User {} does not belong to team dev", by_team.name)}));
    assert_eq!(admin.delete(&format!("{dev}/members/{}", by_team.name)).await, no_member);
    assert_eq!(team_member.get(&format!("repository/{}", world.repository)).await.0, 403);
    assert_eq!(admin.delete(&dev).await.0, 204);
    assert_eq!(admin.get(&format!("{path}/transitive")).await.1, json!({"permissions": [{"role": "read"}]}));
    assert_eq!(admin.delete(&path).await.0, 204);
    let gone = world.problem(400, "invalid_request", "User does not have permission for repo.");
    assert_eq!(admin.delete(&path).await, gone);
    assert_eq!(role_holder.get(&format!("repository/{}", world.repository)).await.0, 403);
    assert_eq!(admin.get(&all).await, (200, json!({"permissions": {}})));
}

#[tokio::test]
async fn who_may_create_has_what_they_make_and_nothing_else() {
    let (world, people) = (World::new("creates").await, People::of_stack());
    let maker = people.person("maker", &[]).await;
    let visitor = Visitor::of(&world, &maker).await;
    join(&world, &team(&world, "makers", "creator").await, &maker).await;
    let new = |namespace: &str| json!({"namespace": namespace, "repository": "mine", "visibility": "private", "description": ""});
    assert_eq!(visitor.post("repository", new(&world.namespace)).await.0, 201);
    let (_, user) = visitor.get("user/").await;
    assert_eq!(user["organizations"][0]["can_create_repo"], json!(true), "{user}");
    let mine = format!("repository/{}/mine", world.namespace);
    let (_, view) = visitor.get(&mine).await;
    assert_eq!((&view["can_write"], &view["can_admin"]), (&json!(true), &json!(true)), "{view}");
    let (_, role) = admin(&world).get(&format!("{mine}/permissions/user/{}", maker.name)).await;
    assert_eq!(role["role"], "admin");
    let body = World { path: "library/busybox".into(), ..world.clone() }.mirror_body("quay.io");
    assert_eq!(visitor.post(&format!("{mine}/mirror"), body).await.0, 201);
    assert_eq!(visitor.repositories().await, ["mine"]);
    // The mirror needs a robot, whose name they see, and no more.
    let (_, robots) =
        visitor.get(&format!("organization/{}/robots?permissions=true&token=true", world.namespace)).await;
    let names: Vec<_> = robots["robots"].as_array().unwrap().iter().map(|robot| &robot["name"]).collect();
    assert_eq!(names, [&json!(world.robot_name())]);
    assert!(!robots.to_string().contains(&world.robot_token().await), "{robots}");
    // Nobody has a namespace of their own.
    for elsewhere in [maker.name.as_str(), "admin", "no-such-organization"] {
        let (status, _) = visitor.post("repository", new(elsewhere)).await;
        assert!(matches!(status, 400 | 403 | 404), "{elsewhere}: {status}");
    }
    let (_, log) = admin(&world).get(&format!("{mine}/logs")).await;
    let performers: Vec<_> = log["logs"].as_array().unwrap().iter().map(|entry| &entry["performer"]).collect();
    assert!(!performers.is_empty());
    for performer in performers {
        assert_eq!((&performer["name"], &performer["is_robot"]), (&json!(maker.name), &json!(false)), "{log}");
    }
    // What they made goes on without them; what they were does not come back with another of the name.
    assert_eq!(visitor.delete(&mine).await.0, 204);
    assert_eq!(visitor.repositories().await, [""; 0]);
    assert_eq!(admin(&world).post("repository", new(&world.namespace)).await.0, 201);
    assert_eq!(visitor.get(&mine).await.0, 403, "another repository of the name");
}

#[tokio::test]
async fn names_are_found_by_who_may_use_them() {
    let (world, people) = (World::new("finds").await, People::of_stack());
    let start = format!("zz{:08x}", rand::random::<u32>());
    let hidden = people.person(&format!("{start}-hidden"), &[]).await;
    Visitor::of(&world, &hidden).await;
    let everybody = everybody(&world).await;
    let mate = people.person(&format!("{start}-mate"), &[]).await;
    Visitor::of(&world, &mate).await;
    join(&world, &format!("organization/{}/team/members", world.namespace), &mate).await;
    let found = async |visitor: &Visitor<'_>, prefix: &str| {
        let (status, answer) = visitor.get(&format!("entities/{prefix}?namespace={}", world.namespace)).await;
        assert_eq!(status, 200, "{answer}");
        let names = answer["results"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned());
        names.filter(|name| name.starts_with(&start)).collect::<Vec<_>>()
    };
    let (mut by_start, mut by_name) = (Vec::new(), Vec::new());
    for (_, visitor) in &everybody {
        let some = found(visitor, &start).await;
        by_start.push((some.contains(&mate.name), some.contains(&hidden.name)));
        by_name.push(found(visitor, &hidden.name).await.len());
    }
    let (nobody, mates, all) = ((false, false), (true, false), (true, true));
    assert_eq!(by_start[..7], [nobody, nobody, nobody, nobody, mates, mates, mates], "those of its teams");
    assert_eq!(by_start[7], all, "a superuser finds everybody");
    assert_eq!(by_name, [0, 0, 0, 0, 0, 0, 1, 1], "admins of the organization by the whole name");
}
