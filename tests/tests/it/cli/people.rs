//! People: who signs in, and who is named in documents.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use moorage_tests::{
    cli::Moorage,
    people::{People, Person, SUPERUSERS, claims},
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

/// For how long a code or an end is waited for.
const LIMIT: Duration = Duration::from_secs(60);

/// The command without a token.
fn nobody(world: &World) -> Moorage {
    Moorage::of(&world.stack.url, "")
}

/// What was said, without the lines that fit a terminal.
fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Signs somebody in by the code that the command shows.
async fn login(moorage: &Moorage, person: &Person) {
    let running = moorage.start_asking(&["login"]);
    let line = running.line_with("enter the code", LIMIT).await;
    person.approve(line.rsplit(' ').next().unwrap()).await;
    assert_eq!(running.end(LIMIT).await, 0);
}

/// The file of its sign-in, and what that has.
fn kept(moorage: &Moorage) -> (PathBuf, Value) {
    let files = fs::read_dir(moorage.sign_ins()).unwrap().map(|entry| entry.unwrap().path());
    let path = files.into_iter().find(|path| path.extension().is_some_and(|it| it == "json")).unwrap();
    let stored = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    (path, stored)
}

/// Has its token end, and its refresh token be another one if that is said.
fn end(moorage: &Moorage, refresh_token: Option<&str>) {
    let (path, mut stored) = kept(moorage);
    let mut said = claims(stored["id_token"].as_str().unwrap());
    (said["iat"], said["exp"]) = (2.into(), 1.into());
    stored["id_token"] = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(said.to_string())).into();
    if let Some(token) = refresh_token {
        stored["refresh_token"] = token.into();
    }
    fs::write(path, stored.to_string()).unwrap();
}

#[tokio::test]
async fn somebody_signs_in_by_a_code_and_out() {
    let (world, people) = (World::empty("cli-login").await, People::of_stack());
    let (moorage, person) = (nobody(&world), people.person("ann", &[]).await);
    let ran = moorage.run(&["whoami"]).await.ends(1);
    assert!(on_one_line(&ran.err).contains("nobody has signed in") && ran.err.contains("moorage login"), "{ran:?}");

    let running = moorage.start_asking(&["login"]);
    let line = running.line_with("enter the code", LIMIT).await;
    person.deny(line.rsplit(' ').next().unwrap()).await;
    assert_eq!(running.end(LIMIT).await, 1);
    assert_eq!(moorage.run(&["whoami"]).await.code, 1);

    login(&moorage, &person).await;
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(moorage.sign_ins()), mode(kept(&moorage).0)), (0o700, 0o600));
    let ran = moorage.run(&["whoami"]).await.ends(0);
    assert!(ran.out.starts_with(&person.name) && on_one_line(&ran.out).contains("has no role in any"), "{ran:?}");
    assert_eq!(moorage.json(&["whoami"]).await["username"], person.name.as_str());
    let checks = moorage.json(&["doctor"]).await;
    let of = |name: &str| {
        let checks = checks["checks"].as_array().unwrap().iter().filter(|check| check["check"] == name);
        checks.map(|check| check["result"].clone()).collect::<Vec<_>>()
    };
    assert_eq!((of("sign-in"), of("token")), (vec![json!("ok"), json!("ok")], vec![json!("ok")]), "{checks}");
    let admin = Moorage::new(&world.stack);
    assert!(admin.run(&["whoami"]).await.ends(0).out.starts_with("admin at "), "a token comes first");

    let ran = moorage.run(&["logout"]).await.ends(0);
    assert!(ran.out.contains("You are signed out"), "{ran:?}");
    assert_eq!(moorage.json(&["logout"]).await["result"], "not_signed_in");
    assert_eq!(moorage.run(&["whoami"]).await.code, 1);
}

#[tokio::test]
async fn a_sign_in_that_has_ended_is_renewed_once() {
    let (world, people) = (World::empty("cli-renew").await, People::of_stack());
    let (moorage, person) = (nobody(&world), people.person("ann", &[]).await);
    login(&moorage, &person).await;
    for _ in 0..2 {
        end(&moorage, None);
        let before = kept(&moorage).1;
        // Whoever comes second finds it renewed: the provider takes no refresh token twice.
        let runs = (0..4).map(|_| moorage.run(&["whoami"]));
        for ran in futures_util::future::join_all(runs).await {
            assert!(ran.ends(0).out.starts_with(&person.name));
        }
        let after = kept(&moorage).1;
        assert_ne!(after["id_token"], before["id_token"]);
        assert_eq!(after["token_endpoint"], before["token_endpoint"]);
    }
    end(&moorage, Some("made up"));
    let ran = moorage.run(&["whoami"]).await.ends(1);
    assert!(on_one_line(&ran.err).contains("the sign-in has ended") && ran.err.contains("moorage login"), "{ran:?}");
    assert_eq!(moorage.run(&["doctor"]).await.code, 1);
    let (path, _) = kept(&moorage);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let ran = moorage.run(&["whoami"]).await.ends(1);
    assert!(on_one_line(&ran.err).contains("can be read by others"), "{ran:?}");
}

/// A document of a world: a team of people, one of a group, and somebody's role.
fn document(world: &World, first: &str, second: &str, group: &str) -> String {
    let namespace = &world.namespace;
    format!(
        "organizations:
  {namespace}:
    robots:
      bot:
    teams:
      named: {{role: admin, members: [{first}, {second}, {namespace}+bot]}}
      bound: {{group: {group}, members: [{namespace}+bot]}}
repositories:
  {namespace}/app:
    permissions:
      users: {{{first}: read, {second}: write}}
"
    )
}

#[tokio::test]
async fn people_are_named_in_documents_and_waited_for() {
    let (world, people) = (World::empty("cli-people").await, People::of_stack());
    let group = format!("group-{}", world.namespace);
    let (first, second) = (people.person("ann", &[]).await, people.person("bob", &[&group]).await);
    let (admin, of_first, of_second) = (Moorage::new(&world.stack), nobody(&world), nobody(&world));
    login(&of_first, &first).await;
    admin.file("people.yaml", &document(&world, &first.name, &second.name, &group));
    let plan = admin.run(&["plan", "-f", "people.yaml"]).await.ends(2);
    let says = format!("{} has not signed in yet", second.name);
    assert!(on_one_line(&plan.out).contains(&says), "{plan:?}");
    let applied = admin.run(&["apply", "-f", "people.yaml", "--yes"]).await.ends(2);
    assert!(on_one_line(&applied.out).contains(" 0 failed"), "{applied:?}");
    let again = admin.json(&["apply", "-f", "people.yaml", "--yes"]).await;
    let waiting: Vec<_> =
        again["steps"].as_array().unwrap().iter().filter(|it| it["absent_users"].is_array()).collect();
    let shown: Vec<_> = waiting.iter().map(|it| (&it["kind"], &it["outcome"], &it["absent_users"][0])).collect();
    let name = json!(second.name);
    let expected = [("team", "unchanged"), ("permission", "waiting")].map(|(kind, it)| (json!(kind), json!(it)));
    assert_eq!(shown, expected.iter().map(|(kind, outcome)| (kind, outcome, &name)).collect::<Vec<_>>(), "{again}");
    let path = format!("repository/{}/permissions/user/", world.repository);
    let roles = world.call(Method::GET, &path, None).await.1;
    assert_eq!(
        (&roles["permissions"][&first.name]["role"], roles["permissions"].get(&second.name)),
        (&json!("read"), None)
    );

    login(&of_second, &second).await;
    let applied = admin.run(&["apply", "-f", "people.yaml", "--yes"]).await.ends(0);
    assert!(on_one_line(&applied.out).contains("2 done, 0 failed"), "{applied:?}");
    let _ = admin.run(&["plan", "-f", "people.yaml"]).await.ends(0);
    let members =
        world.call(Method::GET, &format!("organization/{}/team/bound/members", world.namespace), None).await.1;
    assert_eq!(members["synced"]["config"]["group_name"], group.as_str(), "{members}");
    let ran = of_first.run(&["whoami"]).await.ends(0);
    assert!(on_one_line(&ran.out).contains(&format!("admin in {}", world.namespace)), "{ran:?}");

    let free = document(&world, &first.name, &second.name, "null");
    admin.file("people.yaml", &free);
    let _ = admin.run(&["apply", "-f", "people.yaml", "--yes"]).await.ends(0);
    let _ = admin.run(&["plan", "-f", "people.yaml"]).await.ends(0);
    let less = format!("organizations: {{{0}: {{robots: {{bot: }}}}}}\nrepositories: {{{0}/app: }}\n", world.namespace);
    admin.file("less.yaml", &less);
    let _ = admin.run(&["apply", "-f", "less.yaml", "--prune", "--yes"]).await.ends(0);
    assert_eq!(world.call(Method::GET, &path, None).await.1["permissions"], json!({}));
}

#[tokio::test]
async fn superusers_end_what_people_may_and_people_make_their_own_tokens() {
    let (world, people) = (World::empty("cli-users").await, People::of_stack());
    let (boss, person) = (people.person("boss", &[SUPERUSERS]).await, people.person("ann", &[]).await);
    let (of_boss, of_person) = (nobody(&world), nobody(&world));
    login(&of_boss, &boss).await;
    login(&of_person, &person).await;
    assert!(of_boss.run(&["whoami"]).await.ends(0).out.contains("may do everything"));
    let users = of_boss.json(&["users", "list"]).await;
    let of = |name: &str| users["users"].as_array().unwrap().iter().find(|it| it["username"] == name).cloned();
    assert_eq!(of(&boss.name).unwrap()["super_user"], true);
    assert_eq!(of(&person.name).unwrap()["enabled"], true);
    assert_eq!(of_person.run(&["users", "list"]).await.code, 1);

    let made = of_person.run(&["app-token", "create", "laptop"]).await.ends(0);
    assert_eq!(made.out.lines().count(), 1, "the token is alone: {}", made.out.lines().count());
    let list = of_person.json(&["app-token", "list"]).await;
    let id = list["tokens"][0]["uuid"].as_str().unwrap().to_owned();
    assert!(!list.to_string().contains(made.out.trim()), "it is shown once");
    assert!(of_person.run(&["app-token", "list"]).await.ends(0).out.contains("laptop"));
    let _ = of_person.run(&["app-token", "delete", &id]).await.ends(0);
    assert_eq!(of_person.json(&["app-token", "list"]).await["tokens"], json!([]));

    let _ = of_boss.run(&["users", "disable", &person.name]).await.ends(0);
    let ran = of_person.run(&["whoami"]).await.ends(1);
    assert!(ran.err.contains("the sign-in is refused") && ran.err.contains("moorage login"), "{ran:?}");
    let _ = of_boss.run(&["users", "enable", &person.name]).await.ends(0);
    let _ = of_person.run(&["whoami"]).await.ends(0);
    assert_eq!(of_boss.run(&["users", "delete", &person.name]).await.code, 1, "it asks");
    let _ = of_boss.run(&["users", "delete", &person.name, "--yes"]).await.ends(0);
    let ran = of_boss.run(&["users", "delete", &person.name, "--yes"]).await.ends(1);
    assert!(ran.err.contains("has never signed in"), "{ran:?}");
}
