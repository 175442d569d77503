//! Teams: their roles, their members, and what members may pull.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use moorage_tests::{
    client::{Client, pull},
    counted::Counted,
    eventually,
    image::{Image, layer},
    invoke::gateway_event,
    seed,
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

/// How long the registry may go by what it read before: 30 seconds, and some for a slow machine.
const KEPT: Duration = Duration::from_secs(45);

#[tokio::test]
async fn teams_have_roles() {
    let world = World::new("teams").await;
    let team = format!("organization/{}/team/dev", world.namespace);
    let (status, made) = world.call(Method::PUT, &team, Some(json!({"role": "member", "description": "d"}))).await;
    assert_eq!((status, &made["new_team"], &made["role"]), (200, &json!(true), &json!("member")));
    let (status, made) = world.call(Method::PUT, &team, Some(json!({"role": "creator"}))).await;
    assert_eq!((status, &made["new_team"], &made["description"]), (200, &json!(false), &json!("d")));
    let members = json!({"name": "dev", "members": [], "can_edit": true, "can_sync": can_sync()});
    assert_eq!(world.call(Method::GET, &format!("{team}/members"), None).await, (200, members));
    let (_, organization) = world.call(Method::GET, &format!("organization/{}", world.namespace), None).await;
    assert_eq!(organization["ordered_teams"], json!(["dev", "owners"]));
    let entry = json!({
        "name": "dev", "description": "d", "role": "creator", "can_view": true, "repo_count": 0, "member_count": 0,
        "is_synced": false, "avatar": {"name": "dev", "hash": "", "color": "#969696", "kind": "team"},
    });
    assert_eq!(organization["teams"]["dev"], entry);

    let role = format!("repository/{}/permissions/team/dev", world.repository);
    let none = (400, json!({"message": "Team does not have permission for repo."}));
    assert_eq!(world.call(Method::GET, &role, None).await, none);
    let entry = json!({"role": "write", "name": "dev", "avatar": {"name": "dev", "hash": "", "color": "#969696", "kind": "team"}});
    assert_eq!(world.call(Method::PUT, &role, Some(json!({"role": "write"}))).await, (200, entry.clone()));
    assert_eq!(world.call(Method::GET, &role, None).await, (200, entry.clone()));
    let all = format!("repository/{}/permissions/team/", world.repository);
    assert_eq!(world.call(Method::GET, &all, None).await, (200, json!({"permissions": {"dev": entry}})));
    let unknown = world.problem(400, "invalid_request", "Invalid team: ops");
    let other = role.replace("/dev", "/ops");
    assert_eq!(world.call(Method::PUT, &other, Some(json!({"role": "write"}))).await, unknown);
    assert_eq!(world.call(Method::DELETE, &role, None).await.0, 204);
    assert_eq!(world.call(Method::DELETE, &role, None).await.0, 400);
    assert_eq!(world.call(Method::DELETE, &team, None).await.0, 204);
    assert_eq!(world.call(Method::DELETE, &team, None).await.0, 400);
    assert_eq!(world.call(Method::GET, &all, None).await, (200, json!({"permissions": {}})));
    let owners = format!("organization/{}/team/owners", world.namespace);
    assert_eq!(world.call(Method::DELETE, &owners, None).await.0, 400, "an organization keeps its owners");
}

/// A team of the world's organization.
async fn team(world: &World, name: &str, role: &str) -> String {
    let path = format!("organization/{}/team/{name}", world.namespace);
    assert_eq!(world.call(Method::PUT, &path, Some(json!({"role": role}))).await.0, 200);
    path
}

/// With whose groups superusers may bind teams: the provider of the tests' stacks.
fn can_sync() -> Value {
    json!({"service": "oidc", "issuer_domain": "127.0.0.1"})
}

fn member(robot: &str) -> Value {
    let avatar = json!({"name": robot, "hash": "", "color": "#969696", "kind": "robot"});
    json!({"name": robot, "kind": "user", "is_robot": true, "avatar": avatar, "invited": false})
}

#[tokio::test]
async fn robots_are_members_of_teams() {
    let (world, other) = (World::new("members").await, World::new("members-other").await);
    let (dev, ops) = (team(&world, "dev", "member").await, team(&world, "dev-ops", "member").await);
    let bot = world.robot_name();
    let robots = format!("organization/{}/robots", world.namespace);
    assert_eq!(world.call(Method::PUT, &format!("{robots}/second"), None).await.0, 201);
    let second = format!("{}+second", world.namespace);
    let path = |team: &str, robot: &str| format!("{team}/members/{}", robot.replace('+', "%2B"));

    let unknown = world.problem(400, "invalid_request", "Unknown user");
    assert_eq!(world.call(Method::PUT, &path(&dev, "nobody"), None).await, unknown);
    assert_eq!(world.call(Method::PUT, &path(&dev, &format!("{}+nobody", world.namespace)), None).await, unknown);
    let not_found = world.problem(404, "not_found", "Not Found");
    let nowhere = format!("organization/{}/team/nowhere", world.namespace);
    for method in [Method::PUT, Method::DELETE] {
        assert_eq!(world.call(method, &path(&nowhere, &bot), None).await, not_found);
    }
    let foreign = "Cannot add the specified robot to this team, as it is not a member of the organization";
    let foreign = (400, json!({"message": foreign}));
    assert_eq!(world.call(Method::PUT, &path(&dev, &other.robot_name()), None).await, foreign);

    for robot in [&second, &bot] {
        assert_eq!(world.call(Method::PUT, &path(&dev, robot), None).await, (200, member(robot)));
    }
    let twice = (400, json!({"message": format!("User {bot} is already a member of team dev")}));
    assert_eq!(world.call(Method::PUT, &path(&dev, &bot), None).await, twice);
    assert_eq!(world.call(Method::PUT, &path(&ops, &bot), None).await.0, 200);
    let members =
        json!({"name": "dev", "members": [member(&bot), member(&second)], "can_edit": true, "can_sync": can_sync()});
    assert_eq!(world.call(Method::GET, &format!("{dev}/members"), None).await, (200, members));
    let counts = async || {
        let (_, organization) = world.call(Method::GET, &format!("organization/{}", world.namespace), None).await;
        ["dev", "dev-ops"].map(|team| organization["teams"][team]["member_count"].as_u64().unwrap())
    };
    assert_eq!(counts().await, [2, 1]);
    let teams = async || {
        let (_, list) = world.call(Method::GET, &format!("{robots}?permissions=true"), None).await;
        let robots = list["robots"].as_array().unwrap();
        let names = |robot: &Value| -> Vec<String> {
            let teams = robot["teams"].as_array().unwrap().iter();
            teams.map(|team| team["name"].as_str().unwrap().to_owned()).collect()
        };
        robots.iter().map(names).collect::<Vec<_>>()
    };
    assert_eq!(teams().await, [vec!["dev", "dev-ops"], vec!["dev"]]);

    // Who leaves, or is deleted, is in no team; and what a team was goes with it.
    assert_eq!(world.call(Method::DELETE, &path(&dev, &bot), None).await.0, 204);
    let no_member = (400, json!({"message": format!("User {bot} does not belong to team dev")}));
    assert_eq!(world.call(Method::DELETE, &path(&dev, &bot), None).await, no_member);
    assert_eq!(world.call(Method::DELETE, &path(&dev, "nobody"), None).await, not_found);
    assert_eq!((teams().await, counts().await), (vec![vec!["dev-ops".to_owned()], vec!["dev".to_owned()]], [1, 1]));
    assert_eq!(world.call(Method::DELETE, &format!("{robots}/second"), None).await.0, 204);
    assert_eq!(counts().await, [0, 1]);
    let role = format!("repository/{}/permissions/team/dev-ops", world.repository);
    assert_eq!(world.call(Method::PUT, &role, Some(json!({"role": "write"}))).await.0, 200);
    assert_eq!(world.call(Method::DELETE, &ops, None).await.0, 204);
    assert_eq!(teams().await, [Vec::<String>::new()]);
    team(&world, "dev-ops", "member").await;
    assert_eq!(counts().await, [0, 0]);
    assert_eq!(world.call(Method::GET, &role, None).await.0, 400, "another team of the same name has no role");

    let (_, log) = world.call(Method::GET, &format!("organization/{}/logs", world.namespace), None).await;
    let entry =
        |kind: &str| log["logs"].as_array().unwrap().iter().find(|entry| entry["kind"] == kind).unwrap().clone();
    for kind in ["org_add_team_member", "org_remove_team_member"] {
        let metadata = &entry(kind)["metadata"];
        assert_eq!(metadata["member"], json!(bot));
        assert!(metadata["team"].as_str().unwrap().starts_with("dev"));
    }
}

#[tokio::test]
async fn roles_of_a_team_count_for_its_members() {
    let (world, other) = (World::new("by-team").await, World::new("by-team-other").await);
    let image = Image::oci("amd64", &[layer(1, 10)]);
    for world in [&world, &other] {
        seed::image(&world.stack, &world.repository, "v1", &image).await;
    }
    let dev = team(&world, "dev", "member").await;
    team(&other, "dev", "member").await;
    let role = async |world: &World, role: &str| {
        let path = format!("repository/{}/permissions/team/dev", world.repository);
        assert_eq!(world.call(Method::PUT, &path, Some(json!({ "role": role }))).await.0, 200);
    };
    role(&other, "admin").await;
    let (robot, manifest) = (world.robot().await, format!("/v2/{}/manifests/v1", world.repository));
    let status = async |client: &Client, path: &str| client.get(path).await.status;
    let becomes = async |expected: u16, what: &str| {
        eventually(what, KEPT, async || (status(&robot, &manifest).await == expected).then_some(())).await;
    };
    assert_eq!(status(&robot, &manifest).await, 403);
    let bot = format!("{dev}/members/{}", world.robot_name());
    assert_eq!(world.call(Method::PUT, &bot, None).await.0, 200);
    let transitive = format!("repository/{}/permissions/user/{}/transitive", world.repository, world.robot_name());
    assert_eq!(world.call(Method::GET, &transitive, None).await.0, 404, "a member of a team without a role");
    assert_eq!(status(&robot, &manifest).await, 403);

    role(&world, "read").await;
    becomes(200, "the team's role counts").await;
    let scope = pull(&world.repository);
    // Each of the function's environments learns of it by itself.
    let token = async || robot.bearer(&robot.token(&[&scope]).await);
    eventually("a token has it, too", KEPT, async || (status(&token().await, &manifest).await == 200).then_some(()))
        .await;
    let token = token().await;
    assert_eq!(robot.get("/v2/_catalog").await.json(), json!({"repositories": [world.repository]}));
    let roles = json!({"permissions": [{"role": "read"}]});
    assert_eq!(world.call(Method::GET, &transitive, None).await, (200, roles));
    let permissions = json!({"permissions": [{"repository": {"name": "app", "is_public": false}, "role": "read"}]});
    assert_eq!(world.call(Method::GET, &format!("{dev}/permissions"), None).await, (200, permissions));
    let (_, organization) = world.call(Method::GET, &format!("organization/{}", world.namespace), None).await;
    assert_eq!(organization["teams"]["dev"]["repo_count"], 1);
    // What decides is read at once, and then known for a while; the roles of its teams are read for who is the robot alone,
    // so that nobody learns by the time that an answer takes what a robot is and has.
    let registry = Counted::copy_of(&world.stack, &world.stack.registry_function).await;
    let right = STANDARD.encode(format!("{}:{}", world.robot_name(), world.robot_token().await));
    let wrong = STANDARD.encode(format!("{}:wrong", world.robot_name()));
    for (login, status, asked) in [(&wrong, 401, 1), (&right, 200, 1), (&right, 200, 0)] {
        let (answer, all) = registry.invoke(&gateway_event(&manifest, "", &format!("Basic {login}"))).await;
        assert_eq!((&answer["statusCode"], all), (&json!(status), vec!["BatchGetItem".to_owned(); asked]), "{answer}");
    }
    registry.delete().await;
    // Another organization's team of the same name is another one.
    assert_eq!(status(&robot, &format!("/v2/{}/manifests/v1", other.repository)).await, 403);

    assert_eq!(world.call(Method::DELETE, &bot, None).await.0, 204);
    becomes(403, "who has left may not pull").await;
    // Nor with the token of before, which another environment may still know for a while.
    eventually("the token ends, too", KEPT, async || (status(&token, &manifest).await == 403).then_some(())).await;

    // The organization's owners may pull everything.
    let owner = format!("organization/{}/team/owners/members/{}", world.namespace, world.robot_name());
    assert_eq!(world.call(Method::PUT, &owner, None).await.0, 200);
    becomes(200, "owners may").await;
    assert_eq!(world.call(Method::DELETE, &owner, None).await.0, 204);
    becomes(403, "who is none any more may not").await;
}
