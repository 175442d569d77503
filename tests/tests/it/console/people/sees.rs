//! What people see, and what is done for them.

use std::time::Duration;

use moorage_tests::{
    browser::Browser,
    eventually,
    image::{Image, layer},
    people::{People, SUPERUSERS},
    world::World,
};
use reqwest::Method;
use serde_json::json;

use super::{judged, known, signed_in};

/// How long what was asked for may take.
const SOON: Duration = Duration::from_secs(20);
/// How long it may take that a team follows a group: each environment of the API reads that twice a minute.
const FOLLOWED: Duration = Duration::from_secs(60);

/// A mirror, synced once, and a team with nobody in it.
async fn mirrored(name: &str) -> World {
    let world = World::new(name).await;
    let upstream = format!("http://{}", world.stack.upstream);
    Image::oci("amd64", &[layer(rand::random(), 1_000)]).push(&upstream, &world.path, "v1").await;
    world.create_mirror(&world.stack.upstream.clone(), json!({})).await;
    world.sync().await;
    let team = format!("organization/{}/team/readers", world.namespace);
    let made = world.call(Method::PUT, &team, Some(json!({"role": "member"}))).await;
    assert_eq!(made.0, 200, "{}", made.1);
    world
}

/// All that a person may follow a link to: none of it fails, and nothing of it is refused.
async fn walk(browser: &Browser, screens: &[(String, &str)]) -> Vec<String> {
    let mut found = Vec::new();
    for (screen, text) in screens {
        browser.go(screen).await;
        browser.see("main", text).await;
        let said = browser.text("main").await;
        let problems = browser.text("main .problem, main .wrong").await;
        if said.contains("may not do that") || !problems.trim_matches([' ', '|']).is_empty() {
            found.push(format!("{screen}: {problems}"));
        }
        found.extend(judged(browser, screen).await);
    }
    found
}

#[tokio::test]
async fn a_member_of_a_team_sees_what_the_team_may() {
    let (world, people) = (mirrored("console-member").await, People::of_stack());
    let person = people.person("mia", &[]).await;
    known(&world, &person).await;
    let member = format!("organization/{}/team/readers/members/{}", world.namespace, person.name);
    assert_eq!(world.call(Method::PUT, &member, None).await.0, 200);
    let role = format!("repository/{}/permissions/team/readers", world.repository);
    assert_eq!(world.call(Method::PUT, &role, Some(json!({"role": "read"}))).await.0, 200);

    let browser = signed_in(&world, &people, &person).await;
    browser.see("tbody", "In sync").await;
    let bar = browser.text("#bar").await;
    assert!(!bar.contains("Tokens") && !bar.contains("Logs") && !bar.contains("Users"), "{bar}");
    let (repository, organization) =
        (format!("repository/{}", world.repository), format!("organization/{}", world.namespace));
    let screens = [
        (String::new(), "In sync"),
        ("organizations".to_owned(), world.namespace.as_str()),
        ("health".to_owned(), "healthy"),
        ("account".to_owned(), "App tokens"),
        (format!("{repository}/information"), "docker pull"),
        (format!("{repository}/tags"), "v1"),
        (format!("{repository}/history"), "Now"),
        (format!("{organization}/repositories"), "app"),
        (format!("{organization}/teams"), "readers"),
    ];
    let mut found = walk(&browser, &screens).await;
    for screen in [format!("{repository}/mirroring"), format!("{organization}/logs"), "tokens".into(), "users".into()] {
        browser.go(&screen).await;
        browser.see("main .notice", "You may not").await;
    }
    browser.go(&format!("{repository}/tags")).await;
    browser.click("v1").await;
    browser.see(".details", "Nothing is attached").await;
    for (screen, text) in [
        (format!("{organization}/teams"), "readers"),
        (format!("{organization}/repositories"), "app"),
        (format!("{repository}/information"), "docker pull"),
    ] {
        browser.go(&screen).await;
        browser.see("main", text).await;
        let buttons = browser.text("main button").await.replace("Copy", "");
        if !buttons.trim_matches([' ', '|']).is_empty() {
            found.push(format!("{screen} offers {buttons}"));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
    browser.close().await;
}

#[tokio::test]
async fn a_role_on_one_repository_is_for_that_one() {
    let (world, people) = (mirrored("console-one").await, People::of_stack());
    let person = people.person("rob", &[]).await;
    known(&world, &person).await;
    let role = format!("repository/{}/permissions/user/{}", world.repository, person.name);
    assert_eq!(world.call(Method::PUT, &role, Some(json!({"role": "read"}))).await.0, 200);
    let browser = signed_in(&world, &people, &person).await;
    let (repository, organization) =
        (format!("repository/{}", world.repository), format!("organization/{}", world.namespace));
    let screens = [
        (String::new(), "In sync"),
        ("organizations".to_owned(), "Organizations"),
        ("health".to_owned(), "Health"),
        (format!("{repository}/information"), "docker pull"),
        (format!("{repository}/tags"), "v1"),
        (format!("{organization}/repositories"), "app"),
        (format!("{organization}/teams"), "You may not see the teams"),
    ];
    let found = walk(&browser, &screens).await;
    assert!(found.is_empty(), "{found:#?}");
    assert!(!browser.text(".tabs").await.contains("Mirroring"));

    // An administrator of this repository alone has all of it.
    assert_eq!(world.call(Method::PUT, &role, Some(json!({"role": "admin"}))).await.0, 200);
    let screens = [
        (format!("{repository}/information"), "Edit the description"),
        (format!("{repository}/mirroring"), "1 of 1 tag"),
        (format!("{repository}/logs"), "Mirror"),
        (format!("{repository}/settings"), "Delete this repository"),
    ];
    let found = walk(&browser, &screens).await;
    assert!(found.is_empty(), "{found:#?}");
    // Robots are not shown to them, and one is named.
    let puller = format!("{}+puller", world.namespace);
    let made =
        world.call(Method::PUT, &format!("organization/{}/robots/puller", world.namespace), Some(json!({}))).await;
    assert_eq!(made.0, 201, "{}", made.1);
    browser.click("Add a permission…").await;
    browser.choose("robot", "+").await;
    browser.see("dialog", "ask them for a name").await;
    browser.fill("name", &puller).await;
    browser.click("Choose").await;
    browser.click("Add").await;
    browser.see("tbody", &puller).await;
    browser.close().await;
}

#[tokio::test]
async fn people_get_roles_and_teams_follow_groups() {
    let (world, people) = (mirrored("console-roles-of").await, People::of_stack());
    let person = people.person("zoe", &[]).await;
    known(&world, &person).await;
    let superuser = people.person("root", &[SUPERUSERS]).await;
    let browser = signed_in(&world, &people, &superuser).await;

    browser.go(&format!("repository/{}/settings", world.repository)).await;
    browser.click("Add a permission…").await;
    assert!(!browser.may("Add").await, "nobody is named");
    browser.choose("kind", "user").await;
    browser.fill("user", "nobody-of-this-name").await;
    browser.click("Add").await;
    browser.see("dialog .wrong, dialog .problem", "Invalid username").await;
    browser.fill("user", &person.name).await;
    let suggested = format!("datalist option[value='{}']", person.name);
    let there = "return document.querySelectorAll(arguments[0]).length";
    eventually("the name is suggested", SOON, async || {
        (browser.script(there, json!([suggested])).await == json!(1)).then_some(())
    })
    .await;
    let mut found = judged(&browser, "a permission").await;
    browser.click("Add").await;
    browser.see("[aria-label=Permissions]", &person.name).await;
    browser.see("[aria-label=Permissions]", "Person").await;
    let role = format!("repository/{}/permissions/user/{}", world.repository, person.name);
    let (_, given) = world.call(Method::GET, &role, None).await;
    assert_eq!((&given["role"], &given["is_robot"]), (&json!("read"), &json!(false)), "{given}");

    browser.go(&format!("organization/{}/teams", world.namespace)).await;
    browser.click("Add a person to readers").await;
    browser.fill("who", &person.name).await;
    browser.click("Add").await;
    browser.see("[aria-label='Members of readers']", &person.name).await;
    browser.click(&format!("Remove {}", person.name)).await;
    browser.click("Remove").await;
    browser.see("main .empty", "There is nobody in it.").await;
    let group = format!("group-{}", world.namespace);
    browser.click("Follow a group… by readers").await;
    browser.fill("group_name", &group).await;
    found.extend(judged(&browser, "a group").await);
    browser.click("Follow").await;
    browser.see("main", &group).await;
    let add = "[aria-label='Add a person to readers']";
    assert_eq!(browser.script(there, json!([add])).await, json!(0), "who is in it is the group's");
    found.extend(judged(&browser, "teams").await);
    // Whoever is in the group is in the team.
    let follower = people.person("fay", &[&group]).await;
    let other = signed_in(&world, &people, &follower).await;
    other.go("organizations").await;
    eventually("whoever is in the group is in the team", FOLLOWED, async || {
        other.refresh().await;
        other.see("h1", "Organizations").await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        other.text("tbody").await.contains(&world.namespace).then_some(())
    })
    .await;
    other.close().await;
    browser.click("Stop following by readers").await;
    browser.click("Stop").await;
    browser.find(add).await;
    assert!(found.is_empty(), "{found:#?}");
    browser.close().await;
}

#[tokio::test]
async fn whoever_may_do_everything_sees_all_people() {
    let (world, people) = (World::new("console-users").await, People::of_stack());
    let person = people.person("aaa", &[]).await;
    known(&world, &person).await;
    let superuser = people.person("root", &[SUPERUSERS]).await;
    let browser = signed_in(&world, &people, &superuser).await;
    let enabled = async || {
        let (_, user) = world.call(Method::GET, &format!("superuser/users/{}", person.name), None).await;
        user["enabled"].clone()
    };
    browser.click("Users").await;
    browser.see("tbody", &person.name).await;
    let found = judged(&browser, "users").await;
    browser.click(&format!("Disable {}", person.name)).await;
    browser.click("Disable").await;
    browser.see("tbody", "Disabled").await;
    assert_eq!(enabled().await, json!(false));
    browser.click(&format!("Enable {}", person.name)).await;
    eventually("they are enabled", SOON, async || (enabled().await == json!(true)).then_some(())).await;
    let own = browser.script(
        "return document.querySelectorAll('[aria-label=\"Disable ' + arguments[0] + '\"]').length",
        json!([superuser.name]),
    );
    assert_eq!(own.await, json!(0), "nobody locks themselves out");
    browser.click(&format!("Delete {}", person.name)).await;
    browser.see("dialog", "somebody else").await;
    browser.click("Delete").await;
    eventually("they are gone", SOON, async || (!browser.text("tbody").await.contains(&person.name)).then_some(()))
        .await;
    assert!(found.is_empty(), "{found:#?}");
    browser.close().await;
}
