//! `plan` and `apply`.

use moorage_tests::{cli::Moorage, world::World};
use reqwest::Method;
use serde_json::{Value, json};

/// A document of a world: its organization, a robot besides, a mirror with a notification.
fn document(world: &World, interval: u64) -> String {
    let (namespace, upstream) = (&world.namespace, &world.stack.upstream);
    format!(
        "organizations:
  {namespace}:
    robots:
      bot:
      pull: {{description: pulls}}
    teams:
      readers: {{members: [{namespace}+pull]}}
repositories:
  {namespace}/app:
    visibility: private
    mirror:
      external_reference: {upstream}/{namespace}/app
      external_registry_username: somebody
      external_registry_password: {{env: PASSWORD}}
      external_registry_config: {{verify_tls: false}}
      robot_username: {namespace}+bot
      sync_interval: {interval}
      sync_start_date: 2099-01-01T00:00:00Z
      root_rule: {{rule_kind: tag_glob_csv, rule_value: [\"v*\"]}}
    permissions:
      robots: {{{namespace}+pull: read}}
      teams: {{readers: read}}
    notifications:
      - title: to the team
        event: repo_mirror_sync_failed
        method: webhook
        config: {{url: 'http://127.0.0.1:1/x', secret: {{env: HOOK_SECRET}}}}
"
    )
}

fn moorage(world: &World) -> Moorage {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    Moorage::new(&world.stack).secret("PASSWORD", "hunter2-of-the-cli").secret("HOOK_SECRET", secret)
}

/// What becomes of an element, in a plan.
fn action<'a>(plan: &'a Value, kind: &str, name: &str) -> &'a Value {
    let steps = plan["steps"].as_array().unwrap();
    let is_it = |step: &&Value| step["kind"] == kind && step["name"] == name;
    steps.iter().find(is_it).unwrap_or_else(|| panic!("no {kind} {name} in {plan}"))
}

#[tokio::test]
async fn a_document_is_applied_once() {
    let world = World::empty("apply").await;
    let moorage = moorage(&world);
    moorage.file("mirrors.yaml", &document(&world, 86_400));
    let plan = moorage.run(&["plan", "-f", "mirrors.yaml"]).await.ends(2);
    assert!(plan.out.contains(&format!("+ mirror {}", world.repository)), "{}", plan.out);
    assert!(plan.out.contains("(secret from the variable PASSWORD)"), "{}", plan.out);
    let unasked = moorage.run(&["apply", "-f", "mirrors.yaml"]).await.ends(1);
    assert!(unasked.err.contains("nothing was done"), "{unasked:?}");
    assert_eq!(world.call(Method::GET, &world.mirror_path(""), None).await.0, 404);

    let applied = moorage.run(&["apply", "-f", "mirrors.yaml", "--yes"]).await.ends(0);
    assert!(applied.out.contains("7 done, 0 failed, 0 not tried."), "{}", applied.out);
    assert_eq!(world.mirror().await["sync_start_date"], "2099-01-01T00:00:00Z");
    let path = format!("repository/{}/notification/", world.repository);
    let (_, notifications) = world.call(Method::GET, &path, None).await;
    assert_eq!(notifications["notifications"][0]["signed"], true, "the secret has arrived: {notifications}");

    let again = moorage.run(&["apply", "-f", "mirrors.yaml", "--yes"]).await.ends(0);
    assert!(again.out.contains("Everything is as declared."), "{}", again.out);
    let plan = moorage.json(&["plan", "-f", "mirrors.yaml"]).await;
    assert_eq!(plan["counts"], json!({"create": 0, "change": 0, "remove": 0, "unchanged": 9, "impossible": 0}));

    moorage.file("mirrors.yaml", &document(&world, 3_600));
    let plan = moorage.json(&["plan", "-f", "mirrors.yaml"]).await;
    let fields = &action(&plan, "mirror", world.repository.as_str())["fields"];
    assert_eq!(fields, &json!([{"field": "sync_interval", "from": 86_400, "to": 3_600}]), "no password with it");
    let applied = moorage.json(&["apply", "-f", "mirrors.yaml", "--yes"]).await;
    assert_eq!(action(&applied, "mirror", world.repository.as_str())["outcome"], "done");
    assert_eq!(world.mirror().await["sync_interval"], 3_600);
    let rotated = moorage.json(&["plan", "-f", "mirrors.yaml", "--rotate-secrets"]).await;
    assert_eq!(
        action(&rotated, "mirror", world.repository.as_str())["fields"],
        json!([{"field": "external_registry_password", "secret": {"env": "PASSWORD"}}])
    );
}

#[tokio::test]
async fn what_is_not_declared_goes_if_it_is_asked_for() {
    let world = World::empty("prune").await;
    let moorage = moorage(&world);
    moorage.file("all.yaml", &document(&world, 86_400));
    let _ = moorage.run(&["apply", "-f", "all.yaml", "--yes"]).await.ends(0);
    let less = format!("organizations:\n  {}:\n    robots:\n      bot:\n", world.namespace);
    moorage.file("less.yaml", &less);
    let _ = moorage.run(&["plan", "-f", "less.yaml"]).await.ends(0);
    let plan = moorage.run(&["plan", "-f", "less.yaml", "--prune"]).await.ends(2);
    for gone in ["mirror", "team", "robot"] {
        assert!(plan.out.contains(&format!("- {gone} {}", world.namespace)), "{}", plan.out);
    }
    assert!(!plan.out.contains("- repository") && !plan.out.contains("+bot"), "{}", plan.out);
    let _ = moorage.run(&["apply", "-f", "less.yaml", "--prune", "--yes"]).await.ends(0);
    assert_eq!(world.call(Method::GET, &world.mirror_path(""), None).await.0, 404);
    let (status, repository) = world.call(Method::GET, &format!("repository/{}", world.repository), None).await;
    assert_eq!((status, &repository["state"]), (200, &json!("NORMAL")), "what was mirrored stays");
    let _ = moorage.run(&["plan", "-f", "less.yaml", "--prune"]).await.ends(0);
}

#[tokio::test]
async fn a_mistake_is_shown_where_it_is() {
    let moorage = Moorage::of("http://127.0.0.1:1", "unused-token").secret("PASSWORD", "hunter2-of-the-cli");
    for (document, place, says) in [
        ("repositories:\n  acme/app:\n    mirorr: {}\n", "wrong.yaml:3:", "mirorr"),
        ("repositories:\n  acme/App: {}\n", "wrong.yaml:2:", "repository name"),
        ("organizations:\n  acme:\n    teams:\n      dev: {role: owner}\n", "wrong.yaml:4:", "owner"),
        ("organizations: [\n", "wrong.yaml:", ""),
    ] {
        moorage.file("wrong.yaml", document);
        let ran = moorage.run(&["plan", "-f", "wrong.yaml"]).await.ends(1);
        assert!(ran.err.contains(place) && ran.err.contains(says), "{document}: {ran:?}");
    }
    // Whoever writes a password here does not read it in a log.
    let mirror = "repositories:\n  acme/app:\n    mirror:\n      external_reference: quay.io/a/b\n      \
                  robot_username: acme+bot\n      external_registry_password: hunter2-of-the-cli\n";
    moorage.file("wrong.yaml", mirror);
    let ran = moorage.run(&["plan", "-f", "wrong.yaml"]).await.ends(1);
    assert!(ran.err.contains("wrong.yaml:6:") && ran.err.contains("named"), "{ran:?}");
    moorage.file("twice.yaml", "repositories:\n  acme/app: {description: a}\n");
    moorage.file("other.yaml", "repositories:\n  acme/app: {description: b}\n");
    let ran = moorage.run(&["plan", "-f", "twice.yaml", "-f", "other.yaml"]).await.ends(1);
    assert!(ran.err.contains("declared twice"), "{ran:?}");
}

#[tokio::test]
async fn what_fails_holds_up_only_what_needs_it() {
    let world = World::empty("half").await;
    let moorage = moorage(&world);
    let namespace = &world.namespace;
    let mirror =
        |robot: &str| format!("mirror: {{external_reference: 127.0.0.1:1/x, robot_username: {namespace}+{robot}}}");
    let bad = "notifications: [{title: x, event: repo_mirror_sync_failed, method: webhook, config: {url: 'http://127.0.0.1:1/x'}}]";
    let document = format!(
        "repositories:
  {namespace}/good: {{{}}}
  {namespace}/other: {{{}}}
  {namespace}-none/app: {{{bad}}}
",
        mirror("bot"),
        mirror("nobody"),
    );
    moorage.file("mirrors.yaml", &document);
    let ran = moorage.run(&["apply", "-f", "mirrors.yaml", "--yes"]).await.ends(1);
    assert!(ran.out.contains("3 done, 2 failed, 1 not tried."), "{}", ran.out);
    let out = ran.out.replace('\n', " ");
    assert!(out.contains(&format!("notification {namespace}-none/app x was not tried")), "{out}");
    assert!(out.contains(&format!("mirror {namespace}/other failed")), "{out}");
    // What is neither declared nor there was seen before.
    let planned = moorage.run(&["plan", "-f", "mirrors.yaml"]).await.ends(1).out.replace('\n', " ");
    for needed in [format!("the organization {namespace}-none"), format!("the robot {namespace}+nobody")] {
        let words = planned.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(&format!("it needs {needed}, which is neither declared nor there")), "{words}");
    }
    assert_eq!(world.call(Method::GET, &format!("repository/{namespace}/good/mirror"), None).await.0, 200);

    // A secret that is not there is noticed before anything is sent.
    let world = World::empty("no-secret").await;
    let moorage = Moorage::new(&world.stack);
    moorage.file("mirrors.yaml", &self::document(&world, 86_400));
    let planned = moorage.run(&["plan", "-f", "mirrors.yaml"]).await.ends(1);
    for variable in ["PASSWORD", "HOOK_SECRET"] {
        let said = format!("needs a secret: the variable {variable} is not set");
        assert!(planned.out.replace('\n', " ").contains(&said), "{planned:?}");
    }
    assert_eq!(moorage.json(&["plan", "-f", "mirrors.yaml"]).await["missing_secrets"][0]["kind"], "mirror");
    let ran = moorage.run(&["apply", "-f", "mirrors.yaml", "--yes"]).await.ends(1);
    assert!(ran.err.replace('\n', " ").contains("is not set"), "{ran:?}");
    assert_eq!(world.call(Method::GET, &format!("repository/{}", world.repository), None).await.0, 404);
}
