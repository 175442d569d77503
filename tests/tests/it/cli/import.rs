//! `import`: from another Moorage, which is a Quay to it, and from files.

use moorage_tests::{
    cli::Moorage,
    http,
    image::{Image, layer},
    world::{World, outcome},
};
use reqwest::Method;
use serde_json::{Value, json};

/// What a mirror's upstream asks for; nothing may show it.
const PASSWORD: &str = "hunter2-of-the-upstream";

async fn push(world: &World, tag: &str) {
    let image = Image::oci("amd64", &[layer(rand::random(), 300)]);
    image.push(&format!("http://{}", world.stack.upstream), &world.path, tag).await;
}

/// A world whose organization has everything that an import takes, and the tokens of its robots.
async fn furnished(name: &str) -> (World, Vec<String>) {
    let world = World::new(name).await;
    let namespace = &world.namespace;
    push(&world, "v1").await;
    push(&world, "edge").await;
    let login = json!({"external_registry_username": "somebody", "external_registry_password": PASSWORD});
    let rule = json!({"root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["v*"]}});
    let mut body = rule;
    body.as_object_mut().unwrap().extend(login.as_object().unwrap().clone());
    world.create_mirror(&world.stack.upstream, body).await;
    let put = async |path: String, body: Value| {
        let (status, answer) = world.call(Method::PUT, &path, Some(body)).await;
        assert!(status < 300, "{path}: {answer}");
        answer
    };
    let robot = json!({"description": "of the clusters", "unstructured_metadata": {"team": "web"}});
    put(format!("organization/{namespace}/robots/pull"), robot).await;
    put(format!("organization/{namespace}/team/readers"), json!({"role": "member"})).await;
    put(format!("organization/{namespace}/team/readers/members/{namespace}+pull"), json!({})).await;
    put(format!("repository/{}/permissions/team/readers", world.repository), json!({"role": "read"})).await;
    let notification = json!({"event": "repo_mirror_sync_failed", "method": "slack", "title": "to the team",
                              "config": {"url": "http://127.0.0.1:1/hunter2-of-the-channel"}, "eventConfig": {}});
    let path = format!("repository/{}/notification/", world.repository);
    assert_eq!(world.call(Method::POST, &path, Some(notification)).await.0, 201);
    let list = format!("organization/{namespace}/robots?token=true");
    let (_, robots) = world.call(Method::GET, &list, None).await;
    let tokens = robots["robots"].as_array().unwrap().iter();
    let tokens = tokens.map(|robot| robot["token"].as_str().unwrap().to_owned()).collect();
    (world, tokens)
}

/// The command, which shows none of these.
fn moorage(world: &World, tokens: &[String]) -> Moorage {
    let variable = format!("PASSWORD_OF_SOMEBODY_AT_{}", world.stack.upstream.replace(['.', ':'], "_"));
    let moorage = Moorage::new(&world.stack).secret(&variable, PASSWORD).secret("OTHER", "hunter2-of-the-channel");
    tokens.iter().enumerate().fold(moorage, |it, (at, token)| it.secret(&format!("TOKEN_{at}"), token))
}

async fn token_of(world: &World, short: &str) -> String {
    let path = format!("organization/{}/robots/{short}", world.namespace);
    world.call(Method::GET, &path, None).await.1["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_quay_moves_with_the_tokens_of_its_robots() {
    let (source, tokens) = furnished("quay").await;
    let namespace = format!("{}-new", source.namespace);
    let here = World { repository: format!("{namespace}/app").parse().unwrap(), namespace, ..source.clone() };
    let moorage = moorage(&source, &tokens);
    let file = moorage.file("quay.token", &source.stack.token).display().to_string();
    let rename = format!("{}={}", source.namespace, here.namespace);
    let from = ["import", "quay", "--from", &source.stack.url, "--from-token-file", &file];
    let from = [&from[..], &["--organization", &source.namespace, "--rename", &rename]].concat();

    let out = moorage.file("mirrors.yaml", "");
    let dry = moorage.run(&[&from[..], &["--out", "mirrors.yaml"]].concat()).await.ends(2);
    assert!(dry.out.contains("impossible.") && dry.out.contains("PASSWORD_OF_SOMEBODY"), "{}", dry.out);
    let document = std::fs::read_to_string(&out).unwrap();
    assert!(document.contains("external_registry_password"), "{document}");
    for secret in tokens.iter().map(String::as_str).chain([PASSWORD, "hunter2-of-the-channel"]) {
        assert!(!document.contains(secret), "{document}");
    }
    assert_eq!(here.call(Method::GET, &format!("organization/{}", here.namespace), None).await.0, 404, "it was dry");

    let apply = [&from[..], &["--apply", "--yes"]].concat();
    let applied = moorage.json(&apply).await;
    assert_eq!(applied["counts"]["impossible"], 0, "{applied:#}");
    assert_eq!(applied["applied"]["counts"]["create"], 8, "{applied:#}");
    for short in ["bot", "pull"] {
        assert_eq!(token_of(&here, short).await, token_of(&source, short).await, "{short}");
    }
    let (mirror, there) = (here.mirror().await, source.mirror().await);
    assert_eq!((&mirror["is_enabled"], &mirror["root_rule"]), (&json!(false), &there["root_rule"]));
    let preview = moorage.json(&["preview", here.repository.as_str(), "--action", "copy"]).await;
    assert_eq!(preview["counts"]["copy"], 1, "{preview}");
    let run = here.sync().await;
    assert_eq!((&run["status"], &outcome(&run, "v1")["outcome"]), (&json!("SUCCESS"), &json!("copied")), "{run}");
    // The token that is in the clusters' pull secrets, by the team's role.
    let manifest = format!("{}/v2/{}/manifests/v1", here.stack.url, here.repository);
    let pull = |token: String| http().get(&manifest).basic_auth(format!("{}+pull", here.namespace), Some(token)).send();
    assert_eq!(pull(token_of(&source, "pull").await).await.unwrap().status(), 200);
    assert_eq!(pull(token_of(&source, "bot").await).await.unwrap().status(), 401);

    // Somebody has looked, and has it on. That stays, and so does everything else.
    here.change_mirror(json!({"is_enabled": true})).await;
    let again = moorage.json(&apply).await;
    let unchanged = json!({"create": 0, "change": 0, "remove": 0, "unchanged": 8, "impossible": 0});
    assert_eq!((&again["applied"]["counts"], &again["applied"]["left"]), (&unchanged, &json!([])), "{again:#}");
    assert_eq!(here.mirror().await["is_enabled"], true);
    let told = moorage.run(&apply).await.ends(2);
    assert!(told.out.contains("Everything is as declared."), "{}", told.out);

    let path = format!("organization/{}/robots/pull/regenerate", here.namespace);
    assert_eq!(here.call(Method::POST, &path, None).await.0, 200);
    assert_ne!(token_of(&here, "pull").await, token_of(&source, "pull").await);
    let other = moorage.json(&apply).await;
    assert_eq!(other["applied"]["left"].as_array().unwrap().len(), 1, "{other:#}");
    let _ = moorage.run(&[&apply[..], &["--rotate-secrets"]].concat()).await.ends(2);
    assert_eq!(token_of(&here, "pull").await, token_of(&source, "pull").await);
}

#[tokio::test]
async fn what_a_quay_has_is_what_it_has() {
    let (world, tokens) = furnished("same").await;
    let moorage = moorage(&world, &tokens);
    let file = moorage.file("quay.token", &world.stack.token).display().to_string();
    let from = ["import", "quay", "--from", &world.stack.url, "--from-token-file", &file, "--organization"];
    let apply = [&from[..], &[&world.namespace, "--enable", "--spread", "0", "--apply", "--yes"]].concat();
    // Moved onto itself, everything means the same, and there is nothing to do.
    let ran = moorage.run(&apply).await.ends(0);
    assert!(ran.out.contains("Everything is as declared."), "{}", ran.out);
    let missing = moorage.run(&[&from[..], &["no-such-organization"]].concat()).await.ends(1);
    assert!(missing.err.contains("no organization"), "{missing:?}");
    let read = world.token(Some(&world.namespace), "read").await;
    let weak = moorage.file("weak.token", &read).display().to_string();
    let from = ["import", "quay", "--from", &world.stack.url, "--from-token-file", &weak, "--organization"];
    let refused = moorage.run(&[&from[..], &[&world.namespace]].concat()).await.ends(1);
    assert!(refused.err.contains("token"), "{refused:?}");
}

#[tokio::test]
async fn a_file_of_regsyncs_becomes_mirrors() {
    let world = World::empty("regsync").await;
    for tag in ["v1.0", "v1.1-rc.1", "v2.0", "edge"] {
        push(&world, tag).await;
    }
    let (namespace, upstream) = (&world.namespace, &world.stack.upstream);
    let moorage = Moorage::new(&world.stack).secret("UNUSED", "hunter2-in-the-file");
    let config = format!(
        "creds:
  - {{registry: '{upstream}', tls: disabled, user: somebody, pass: hunter2-in-the-file}}
defaults: {{schedule: '0 3 * * *'}}
sync:
  - {{source: '{upstream}/{namespace}/app', target: registry.example.com/{namespace}/app, type: repository,
     tags: {{allow: ['v[0-9.]+(-.*)?'], deny: ['.*-rc.*']}}}}
  - {{source: '{upstream}/{namespace}/app:edge', target: 'registry.example.com/{namespace}/app:edge', type: image}}
"
    );
    moorage.file("regsync.yaml", &config);
    let import = ["import", "regsync", "regsync.yaml", "--apply", "--yes"];
    let applied = moorage.json(&import).await;
    assert_eq!(applied["counts"], json!({"imported": 2, "changed": 1, "impossible": 0}), "plain http: {applied:#}");
    assert_eq!(world.mirror().await["is_enabled"], false);
    let run = world.sync().await;
    assert_eq!(run["status"], "SUCCESS", "{run}");
    let mut tags: Vec<_> = run["tags"].as_array().unwrap().iter().map(|tag| tag["tag"].as_str().unwrap()).collect();
    tags.sort_unstable();
    assert_eq!(tags, ["edge", "v1.0", "v2.0"]);
    let again = moorage.json(&import).await;
    assert_eq!(again["applied"]["counts"]["unchanged"], 4, "{again:#}");
    moorage.file("broken.yaml", "sync: hunter2-in-the-file\n");
    let broken = moorage.run(&["import", "regsync", "broken.yaml"]).await.ends(1);
    assert!(broken.err.contains("broken.yaml:1:"), "{broken:?}");
}
