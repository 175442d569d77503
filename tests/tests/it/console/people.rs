//! People who sign in with the company's provider: how they come, how they go, and what they see.

use moorage_tests::{
    browser::{Browser, DESKTOP, PHONE},
    image::{Image, layer},
    people::{By, People, Person, SUPERUSERS, claims},
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::pages::{axe, check};

/// What a sign-in is called in the tab, until it has ended.
const BEGUN: &str = "moorage-sign-in";

fn host(people: &People) -> &str {
    people.issuer.trim_start_matches("http://")
}

/// Signs in as people do: here, and then at the provider.
async fn sign_in(browser: &Browser, people: &People, person: &Person) {
    browser.click(&format!("Sign in with {}", host(people))).await;
    let (login, password) = person.login();
    browser.find("input[name=login]").await.send_keys(login).await.unwrap();
    browser.find("input[name=password]").await.send_keys(password).await.unwrap();
    browser.click("Sign in").await;
}

/// A browser in which somebody has signed in.
async fn signed_in(world: &World, people: &People, person: &Person) -> Browser {
    let browser = Browser::new(&world.stack, DESKTOP).await;
    sign_in(&browser, people, person).await;
    browser.see("#bar", &person.name).await;
    browser
}

/// Has the stack know somebody, as a first sign-in does.
async fn known(world: &World, person: &Person) {
    let (status, user) = world.send(Method::GET, "user/", Some(&person.token().await), None).await;
    assert_eq!((status, &user["username"]), (200, &json!(person.name)), "{user}");
}

/// What is kept in the tab.
async fn kept(browser: &Browser) -> Value {
    browser.script("return {...sessionStorage}", json!([])).await
}

/// What is wrong for somebody, on a wide window and on a phone.
async fn judged(browser: &Browser, what: &str) -> Vec<String> {
    let mut found = check(browser, &axe(), what).await;
    browser.resize(PHONE).await;
    let wider = browser.script("return document.documentElement.scrollWidth - innerWidth", json!([])).await;
    if wider.as_i64().unwrap() > 0 {
        found.push(format!("{what} is {wider} pixels wider than the phone"));
    }
    browser.resize(DESKTOP).await;
    found
}

#[tokio::test]
async fn people_sign_in_at_their_provider_and_come_back_to_where_they_were() {
    let (world, people) = (World::new("console-person").await, People::of_stack());
    let person = people.person("ada", &[]).await;
    let browser = Browser::new(&world.stack, DESKTOP).await;
    browser.go("organizations").await;
    browser.see(".sign-in", &format!("Sign in with {}", host(&people))).await;
    let mut found = judged(&browser, "the sign-in page").await;
    sign_in(&browser, &people, &person).await;
    browser.see("#bar", &person.name).await;
    browser.see("h1", "Organizations").await;

    // What they are known by is in the tab, and nowhere else.
    let seen = "return [location.href, document.cookie, JSON.stringify(localStorage), performance.getEntriesByType('navigation')[0].type]";
    let seen = browser.script(seen, json!([])).await;
    assert_eq!(seen[0], json!(format!("{}#/organizations", people.redirect_uri)));
    let tab = kept(&browser).await;
    let token = tab["moorage-token"].as_str().unwrap();
    assert!(tab.get(BEGUN).is_none() && !seen.to_string().contains(token), "{seen}");
    let said = claims(token);
    assert_eq!((&said["sub"], &said["aud"]), (&json!(person.subject), &json!("moorage")));

    // Who they are; with the tokens for their clients.
    browser.click(&person.name).await;
    browser.see("h1", &person.name).await;
    browser.click("Create an app token").await;
    browser.fill("title", "my laptop").await;
    browser.click("Create").await;
    browser.see("dialog", &format!("docker login -u {}", person.name)).await;
    found.extend(judged(&browser, "an app token").await);
    browser.click("Close").await;
    browser.see("tbody", "my laptop").await;
    found.extend(judged(&browser, "one's own page").await);
    browser.click("Revoke my laptop").await;
    browser.click("Revoke").await;
    browser.see("main .empty", "There are none.").await;

    browser.click("Sign out").await;
    browser.see("h1", "Moorage").await;
    assert_eq!(kept(&browser).await, json!({}));
    assert!(found.is_empty(), "{found:#?}");
    browser.close().await;
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_signs_nobody_in() {
    let (world, people) = (World::new("console-state").await, People::of_stack());
    let person = people.person("eve", &[]).await;
    let code = person.code().await;
    let browser = Browser::new(&world.stack, DESKTOP).await;
    let asked = "return performance.getEntriesByType('resource').filter((it) => it.name.endsWith('/signin/oidc')).length";
    // Somebody else's code, with a state of theirs; as an attacker sends it, to have others work in his name.
    browser.back(&format!("code={}&state=theirs", code.code)).await;
    browser.see(".problem", "was not begun in this tab").await;
    assert_eq!(browser.script("return location.search", json!([])).await, json!(""));
    assert_eq!(browser.script(asked, json!([])).await, json!(0), "nothing is exchanged");

    // Also while one is under way, which goes on.
    browser.click(&format!("Sign in with {}", host(&people))).await;
    browser.find("input[name=login]").await;
    browser.back(&format!("code={}&state=theirs", code.code)).await;
    browser.see(".problem", "was not begun in this tab").await;
    let begun: Value = serde_json::from_str(kept(&browser).await[BEGUN].as_str().unwrap()).unwrap();
    let state = begun["state"].as_str().unwrap();
    browser.back(&format!("code={}&state={state}&iss=https%3A%2F%2Fother.example", code.code)).await;
    browser.see(".problem", "Another provider has answered").await;
    browser.back(&format!("error=access_denied&error_description=%3Cb%3Eno&state={state}")).await;
    browser.see(".problem", "The provider refused: access_denied").await;
    assert_eq!(browser.script(asked, json!([])).await, json!(0), "nothing is exchanged");
    // The right state with a code of another sign-in: the provider refuses it, as the verifier is not that one's.
    browser.back(&format!("code={}&state={state}", code.code)).await;
    browser.see(".problem", "invalid_grant").await;
    assert!(kept(&browser).await.get("moorage-token").is_none());

    // Whoever is signed in stays so.
    sign_in(&browser, &people, &person).await;
    browser.see("#bar", &person.name).await;
    browser.back(&format!("code={}&state=theirs", code.code)).await;
    browser.see("#bar", &person.name).await;
    browser.close().await;
}

#[tokio::test]
async fn a_token_of_another_sign_in_is_not_kept() {
    let (world, people) = (World::new("console-nonce").await, People::of_stack());
    let person = people.person("ada", &[]).await;
    let browser = Browser::new(&world.stack, DESKTOP).await;
    browser.see(".sign-in", &format!("Sign in with {}", host(&people))).await;
    let other = "const real = Storage.prototype.setItem;
        Storage.prototype.setItem = function (key, text) {
          real.call(this, key, text.replace(/\"nonce\":\"[^\"]+\"/, '\"nonce\":\"another\"'));
        }";
    browser.script(other, json!([])).await;
    sign_in(&browser, &people, &person).await;
    browser.see(".problem", "has answered another sign-in").await;
    assert_eq!(kept(&browser).await, json!({}));
    browser.close().await;
}

#[tokio::test]
async fn a_sign_in_ends_unless_it_can_be_renewed() {
    let (world, people) = (World::new("console-ended").await, People::of_stack());
    let person = people.person("ada", &[]).await;
    let tokens = person.tokens().await;
    let past = json!({"sub": person.subject, "preferred_username": person.name, "iat": 1_000, "exp": 2_000});
    let ended = people.forged(past, By::Own).await;
    let browser = Browser::new(&world.stack, DESKTOP).await;
    let keep = "sessionStorage.setItem('moorage-token', arguments[0]);
        if (arguments[1]) sessionStorage.setItem('moorage-renewal', JSON.stringify({at: 0, refresh_token: arguments[1]}))";
    browser.script(keep, json!([ended, null])).await;
    browser.go("health").await;
    browser.refresh().await;
    browser.see(".problem", "Your sign-in has ended").await;
    assert_eq!(kept(&browser).await, json!({}));

    browser.script(keep, json!([ended, tokens.refresh])).await;
    browser.refresh().await;
    browser.see("#bar", &person.name).await;
    assert_ne!(kept(&browser).await["moorage-token"], json!(ended));
    // Whoever runs the deployment ends it, too.
    let user = format!("superuser/users/{}", person.name);
    let disabled = world.call(Method::PUT, &user, Some(json!({"enabled": false}))).await;
    assert_eq!(disabled.0, 200, "{}", disabled.1);
    browser.go("organizations").await;
    browser.see(".problem", "Your sign-in has ended").await;
    browser.close().await;
}

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
    for screen in [format!("{organization}/teams"), format!("{organization}/repositories"), format!("{repository}/information")] {
        browser.go(&screen).await;
        browser.see("main", "r").await;
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
        (format!("{organization}/teams"), "Teams"),
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
    moorage_tests::eventually("the name is suggested", std::time::Duration::from_secs(20), async || {
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
    assert!(!browser.may("Add a person").await, "who is in it is the group's");
    found.extend(judged(&browser, "teams").await);
    // Whoever is in the group is in the team.
    let follower = people.person("fay", &[&group]).await;
    let other = signed_in(&world, &people, &follower).await;
    other.go("organizations").await;
    other.see("tbody", &world.namespace).await;
    other.close().await;
    browser.click("Stop following by readers").await;
    browser.click("Stop").await;
    browser.see("main", "Add a person").await;
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
    moorage_tests::eventually("they are enabled", std::time::Duration::from_secs(20), async || {
        (enabled().await == json!(true)).then_some(())
    })
    .await;
    let own = browser.script(
        "return document.querySelectorAll('[aria-label=\"Disable ' + arguments[0] + '\"]').length",
        json!([superuser.name]),
    );
    assert_eq!(own.await, json!(0), "nobody locks themselves out");
    browser.click(&format!("Delete {}", person.name)).await;
    browser.see("dialog", "somebody else").await;
    browser.click("Delete").await;
    moorage_tests::eventually("they are gone", std::time::Duration::from_secs(20), async || {
        (!browser.text("tbody").await.contains(&person.name)).then_some(())
    })
    .await;
    assert!(found.is_empty(), "{found:#?}");
    browser.close().await;
}
