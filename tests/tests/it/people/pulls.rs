//! People pull with tokens of their own, by real clients, what they may see.

use std::{path::Path, process::Command};

use moorage_tests::{
    alone::Alone,
    client::{Client, pull},
    eventually,
    image::{Image, layer},
    people::{People, Person, SUPERUSERS},
    seed,
    world::World,
};
use serde_json::json;

use super::{KEPT, Visitor, admin, grant, join, team};

/// A world with an image.
async fn world(name: &str) -> World {
    let world = World::new(name).await;
    seed::image(&world.stack, &world.repository, "v1", &Image::oci("amd64", &[layer(1, 10)])).await;
    world
}

/// A new token of somebody's for clients: its id, and what it is shown by.
async fn app_token(visitor: &Visitor<'_>) -> (String, String) {
    let (status, made) = visitor.post("user/apptoken", json!({"title": "laptop"})).await;
    assert_eq!(status, 200, "{made}");
    let text = |name: &str| made["token"][name].as_str().unwrap().to_owned();
    (text("uuid"), text("token_code"))
}

/// Whether skopeo logs in so, and copies the world's image.
async fn skopeo(world: &World, user: &str, password: &str) -> Result<(), String> {
    let address = world.stack.url.trim_start_matches("http://").to_owned();
    let image = format!("docker://{address}/{}:v1", world.repository);
    let (user, password) = (user.to_owned(), password.to_owned());
    let copy = move || {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("auth.json");
        let run = |arguments: &[&str], file: &Path| {
            let mut skopeo = Command::new("skopeo");
            skopeo.args(arguments).arg("--authfile").arg(file);
            let output = skopeo.output().unwrap();
            if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
        };
        run(&["login", "--tls-verify=false", "-u", &user, "-p", &password, &address], &file)?;
        let to = format!("dir:{}", folder.path().join("image").display());
        run(&["--insecure-policy", "copy", "--src-tls-verify=false", &image, &to], &file)
    };
    tokio::task::spawn_blocking(copy).await.unwrap()
}

/// Waits until a client is answered so.
async fn becomes(client: &Client, path: &str, status: u16, what: &str) {
    eventually(what, KEPT, async || (client.get(path).await.status == status).then_some(())).await;
}

fn manifest(world: &World) -> String {
    format!("/v2/{}/manifests/v1", world.repository)
}

#[tokio::test]
async fn people_pull_with_a_token_for_clients() {
    let (world, people) = (world("person-pulls").await, People::of_stack());
    let (person, other) = (people.person("puller", &[]).await, people.person("not-puller", &[]).await);
    let (visitor, stranger) = (Visitor::of(&world, &person).await, Visitor::of(&world, &other).await);
    grant(&world, &person, "read").await;
    let ((id, code), (_, others)) = (app_token(&visitor).await, app_token(&stranger).await);
    let (_, list) = visitor.get("user/apptoken").await;
    let tokens = list["tokens"].as_array().unwrap();
    assert_eq!((tokens.len(), &tokens[0]["uuid"], &tokens[0]["title"]), (1, &json!(id), &json!("laptop")), "{list}");
    let (status, one) = visitor.get(&format!("user/apptoken/{id}")).await;
    assert_eq!((status, &one["token"]["uuid"]), (200, &json!(id)));
    assert!(!list.to_string().contains(&code) && !one.to_string().contains(&code), "it is shown once");
    assert_eq!(stranger.get(&format!("user/apptoken/{id}")).await.0, 404);
    assert_eq!(stranger.delete(&format!("user/apptoken/{id}")).await.0, 404);
    for wrong in [json!({}), json!({"title": ""}), json!({"title": "t", "expires": "2020-01-01T00:00:00Z"})] {
        assert_eq!(visitor.post("user/apptoken", wrong.clone()).await.0, 400, "{wrong}");
    }

    for user in ["$app", person.name.as_str()] {
        assert_eq!(skopeo(&world, user, &code).await, Ok(()), "{user}");
    }
    let anonymous = Client::of(&world.stack);
    let mut wrong = code.clone();
    wrong.replace_range(90.., "000000");
    for (user, password) in [
        (other.name.as_str(), code.as_str()),
        (&world.robot_name(), &code),
        ("$app", &wrong),
        ("$app", &code[..32]),
        ("admin", &code),
        ("$oauthtoken", &code),
        (&person.name, &visitor.token),
    ] {
        assert_eq!(anonymous.basic(user, password).get(&manifest(&world)).await.status, 401, "{user}");
    }
    assert_eq!(anonymous.bearer(&code).get(&manifest(&world)).await.status, 401, "no token of the registry's");
    assert_eq!(Visitor::with(&world, &code).get("user/").await.0, 401, "nor of the API's");
    assert_eq!(anonymous.basic("$app", &others).get(&manifest(&world)).await.status, 403);

    let client = anonymous.basic("$app", &code);
    let bearer = anonymous.bearer(&client.token(&[&pull(&world.repository)]).await);
    for client in [&client, &bearer] {
        assert_eq!(client.get(&manifest(&world)).await.status, 200);
    }
    assert_eq!(client.get("/v2/_catalog").await.json(), json!({"repositories": [world.repository]}));
    assert_eq!(visitor.delete(&format!("user/apptoken/{id}")).await.0, 204);
    for client in [&client, &bearer] {
        becomes(client, &manifest(&world), 401, "a token that was taken back").await;
    }
    let (_, log) = admin(&world).get(&format!("organization/{}/logs", world.namespace)).await;
    assert!(!log.to_string().contains(&code));
}

#[tokio::test]
async fn teams_and_groups_and_superusers_count_for_pulls_and_who_is_gone_pulls_nothing() {
    let world = world("person-teams").await;
    let anonymous = Client::of(&world.stack);
    let group = format!("pullers-{}", world.namespace);
    let (dev, ops) = (team(&world, "dev", "member").await, team(&world, "ops", "member").await);
    let admin = admin(&world);
    assert_eq!(admin.post(&format!("{ops}/syncing"), json!({"group_name": group})).await.0, 200);
    for name in ["dev", "ops"] {
        let role = format!("repository/{}/permissions/team/{name}", world.repository);
        assert_eq!(admin.put(&role, json!({"role": "read"})).await.0, 200);
    }
    // An API that remembers nothing of which teams are bound: the group is kept at once.
    let api = Alone::with(&world.stack, &[]).await;
    let signing_in = world.at(&api.stack);
    let puller = async |name: &str, groups: &[&str]| {
        let person = People::of_stack().person(name, groups).await;
        let (_, code) = app_token(&Visitor::of(&signing_in, &person).await).await;
        (person, anonymous.basic("$app", &code))
    };
    let (leaver, leavers) = puller("leaves-team", &[]).await;
    let (disabled, disableds) = puller("is-disabled", &[]).await;
    for person in [&leaver, &disabled] {
        join(&world, &dev, person).await;
    }
    let (mut by_group, groups_client) = puller("by-group", &[&group]).await;
    let (superuser, superusers) = puller("pulls-all", &[SUPERUSERS]).await;
    let (_, stranger) = puller("pulls-none", &[]).await;
    let path = manifest(&world);
    for (client, what) in [
        (&leavers, "a team's member"),
        (&disableds, "another one"),
        (&superusers, "a superuser"),
        (&groups_client, "somebody in the group of a team"),
    ] {
        becomes(client, &path, 200, what).await;
    }
    assert_eq!(stranger.get(&path).await.status, 403);

    // All that ends ends at once, so that it is waited for together.
    by_group.is_in(&[]).await;
    Visitor::of(&signing_in, &by_group).await;
    let user = |person: &Person| format!("superuser/users/{}", person.name);
    assert_eq!(admin.delete(&format!("{dev}/members/{}", leaver.name)).await.0, 204);
    assert_eq!(admin.put(&user(&disabled), json!({"enabled": false})).await.0, 200);
    assert_eq!(admin.delete(&user(&superuser)).await.0, 204);
    for (client, status, what) in [
        (&leavers, 403, "who has left the team"),
        (&groups_client, 403, "who has left the group"),
        (&disableds, 401, "who is disabled"),
        (&superusers, 401, "who is deleted"),
    ] {
        becomes(client, &path, status, what).await;
    }
}

#[tokio::test]
async fn an_originals_name_leads_people_to_the_mirrors_of_their_groups_teams_alone() {
    let (hostile, home) = (World::new("a-hostile-node").await, World::new("person-node").await);
    let name = format!("acme/n{:016x}", rand::random::<u64>());
    let images = [Image::oci("amd64", &[layer(1, 10)]), Image::oci("amd64", &[layer(2, 20)])];
    for (world, image) in [&hostile, &home].into_iter().zip(&images) {
        world.create_mirror("x", json!({"external_reference": format!("docker.io/{name}")})).await;
        seed::image(&world.stack, &world.repository, "v1", image).await;
    }
    let (people, group) = (People::of_stack(), format!("nodes-{}", home.namespace));
    let dev = team(&home, "dev", "member").await;
    assert_eq!(admin(&home).post(&format!("{dev}/syncing"), json!({"group_name": group})).await.0, 200);
    let role = |world: &World| format!("repository/{}/permissions/team/dev", world.repository);
    assert_eq!(admin(&home).put(&role(&home), json!({"role": "read"})).await.0, 200);
    // An API that remembers nothing of which teams are bound: the group is kept at once.
    let api = Alone::with(&home.stack, &[]).await;
    let signing_in = home.at(&api.stack);
    let (member, victim) = (people.person("in-group", &[&group]).await, people.person("victim", &[]).await);
    // Both are let read the private mirror of somebody whom they never asked for it, and put into a team.
    let theirs = team(&hostile, "dev", "member").await;
    assert_eq!(admin(&hostile).put(&role(&hostile), json!({"role": "read"})).await.0, 200);
    let mut clients = Vec::new();
    for person in [&member, &victim] {
        let (_, code) = app_token(&Visitor::of(&signing_in, person).await).await;
        clients.push(Client::of(&home.stack).basic(&person.name, &code));
        grant(&hostile, person, "read").await;
        join(&hostile, &theirs, person).await;
    }
    let path = format!("/v2/{name}/manifests/v1?ns=docker.io");
    for client in &clients {
        becomes(client, &manifest(&hostile), 200, "by the mirror's own name they may").await;
    }
    becomes(&clients[0], &path, 200, "a team's that is bound to their group").await;
    assert_eq!(clients[0].get(&path).await.body, images[1].manifest, "theirs, and no other");
    let refused = clients[1].get(&path).await;
    let unknown = clients[1].get(&format!("/v2/{name}-none/manifests/v1?ns=docker.io")).await;
    assert_eq!((refused.status, refused.code()), (unknown.status, unknown.code()), "nobody learns that there is one");
    assert!((400..500).contains(&refused.status), "{refused:?}");
}
