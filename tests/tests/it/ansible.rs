//! What the Ansible collection `infra.quay_configuration` sends, in its order: a whole set-up, and once more with nothing
//! left to change.

use moorage_tests::{http, world::World};
use reqwest::Method;
use serde_json::{Value, json};

/// The collection's client: a content type on every request, slashes and all.
struct Ansible<'a> {
    world: &'a World,
    token: String,
}

impl Ansible<'_> {
    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let request = http().request(method.clone(), format!("{}/api/v1/{path}", self.world.stack.url));
        let request = request.header("content-type", "application/json").header("accept", "application/json");
        let request = request.header("authorization", format!("Bearer {}", self.token));
        let request = match body {
            Some(body) => request.body(body.to_string()),
            None => request,
        };
        let response = request.send().await.unwrap();
        let (status, bytes) = (response.status().as_u16(), response.bytes().await.unwrap());
        assert!(!matches!(status, 401 | 403 | 405 | 500..), "{method} {path}: {status} is fatal to it");
        // It reads JSON or nothing.
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        (status, body)
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.call(Method::GET, path, None).await
    }

    /// What every module does first.
    async fn begin(&self) {
        let (status, user) = self.get("user/").await;
        assert_eq!((status, &user["username"]), (200, &json!("admin")));
    }
}

#[tokio::test]
async fn a_playbook_sets_everything_up_and_then_changes_nothing() {
    let world = World::new("ansible").await;
    let (org, repo) = (format!("{}-set-up", world.namespace), "app");
    let first =
        json!({"username": "admin", "password": world.stack.token, "access_token": true, "email": "a@example.com"});
    let (status, first) = world.send(Method::POST, "user/initialize", None, Some(first.to_string().into_bytes())).await;
    assert_eq!(status, 200, "{first}");
    let ansible = Ansible { world: &world, token: first["access_token"].as_str().unwrap().to_owned() };
    assert!(play(&ansible, &org, repo).await > 5);
    let before = state(&ansible, &org, repo).await;
    assert_eq!(play(&ansible, &org, repo).await, 0, "the second play changes nothing");
    assert_eq!(state(&ansible, &org, repo).await, before);

    // Changes of the mirror: what differs, and the whole registry configuration with it.
    let path = format!("repository/{org}/{repo}/mirror");
    let change = json!({"sync_interval": 7_200, "external_registry_config": registry_config()});
    assert_eq!(ansible.call(Method::PUT, &path, Some(change)).await, (201, json!("")));
    let (_, mirror) = ansible.get(&path).await;
    assert_eq!((&mirror["sync_interval"], &mirror["external_registry_config"]), (&json!(7_200), &registry_config()));
    assert_eq!(mirror["sync_status"], "NEVER_RUN");
    let sync = ansible.call(Method::POST, &format!("{path}/sync-now"), Some(json!({}))).await;
    assert_eq!(sync, (204, Value::Null));

    // And away with it.
    assert_eq!(ansible.call(Method::DELETE, &format!("repository/{org}/{repo}"), None).await, (204, Value::Null));
    let robot = format!("organization/{org}/robots/mirror");
    assert_eq!(ansible.call(Method::DELETE, &robot, None).await, (204, Value::Null));
    assert_eq!(ansible.call(Method::DELETE, &format!("organization/{org}"), None).await, (204, Value::Null));
    for path in [format!("organization/{org}"), format!("user/robots/{org}"), format!("repository/{org}/{repo}")] {
        assert!(matches!(ansible.get(&path).await.0, 400 | 404), "{path}");
    }
    let search = format!("entities/{org}?includeOrgs=False&includeTeams=False");
    assert_eq!(ansible.get(&search).await, (200, json!({"results": []})));
}

fn registry_config() -> Value {
    json!({
        "verify_tls": true, "unsigned_images": false,
        "proxy": {"http_proxy": null, "https_proxy": "http://proxy.example.com:3128", "no_proxy": null},
    })
}

/// What the modules compare.
async fn state(ansible: &Ansible<'_>, org: &str, repo: &str) -> Vec<Value> {
    let mut state = Vec::new();
    for path in [
        format!("organization/{org}"),
        format!("organization/{org}/robots/mirror"),
        format!("repository/{org}/{repo}"),
        format!("repository/{org}/{repo}/permissions/user/"),
        format!("repository/{org}/{repo}/mirror"),
    ] {
        let (status, body) = ansible.get(&path).await;
        assert_eq!(status, 200, "{path}");
        state.push(body);
    }
    state
}

/// One run of the playbook; returns how much it changed.
async fn play(ansible: &Ansible<'_>, org: &str, repo: &str) -> usize {
    let mut changes = 0;
    // quay_organization
    ansible.begin().await;
    let path = format!("organization/{org}");
    let (status, organization) = ansible.get(&path).await;
    if status == 404 {
        let body = json!({"name": org, "email": "org@example.com"});
        assert_eq!(ansible.call(Method::POST, "organization/", Some(body)).await, (201, json!("Created")));
        changes += 1;
    } else if organization["email"] != "org@example.com" {
        let answer = ansible.call(Method::PUT, &path, Some(json!({"email": "org@example.com"}))).await;
        assert_eq!(answer.0, 200);
        changes += 1;
    }
    // quay_robot
    ansible.begin().await;
    assert_eq!(ansible.get(&path).await.0, 200);
    let robot = format!("{path}/robots/mirror");
    if matches!(ansible.get(&robot).await.0, 400 | 404) {
        let (status, created) = ansible.call(Method::PUT, &robot, Some(json!({"description": "mirrors"}))).await;
        assert_eq!((status, &created["name"]), (201, &json!(format!("{org}+mirror"))));
        changes += 1;
    }
    // quay_repository
    ansible.begin().await;
    assert!(ansible.get(&path).await.1["teams"].is_object());
    let repository = format!("repository/{org}/{repo}");
    let (status, found) = ansible.get(&repository).await;
    if status == 404 {
        let body = json!({
            "namespace": org, "repository": repo, "repo_kind": "image", "description": "", "visibility": "private",
        });
        assert_eq!(ansible.call(Method::POST, "repository", Some(body)).await.0, 201);
        changes += 1;
    }
    if found["state"] != "MIRROR" {
        let answer =
            ansible.call(Method::PUT, &format!("{repository}/changestate"), Some(json!({"state": "MIRROR"}))).await;
        assert_eq!(answer, (200, json!({"success": true})));
        changes += 1;
    }
    let teams = ansible.get(&format!("{repository}/permissions/team/")).await;
    assert_eq!(teams, (200, json!({"permissions": {}})));
    let name = format!("{org}+mirror");
    let (_, users) = ansible.get(&format!("{repository}/permissions/user/")).await;
    if users["permissions"][&name]["role"] != "admin" {
        assert_eq!(ansible.get(&robot).await.0, 200);
        let role = format!("{repository}/permissions/user/{name}");
        assert_eq!(ansible.call(Method::PUT, &role, Some(json!({"role": "admin"}))).await.1["role"], "admin");
        changes += 1;
    }
    changes + mirror(ansible, &repository, &name, registry_config()).await
}

#[tokio::test]
async fn the_password_of_a_proxy_is_sent_again_and_changes_nothing() {
    let world = World::new("ansible-proxy").await;
    let ansible = Ansible { world: &world, token: world.stack.token.clone() };
    let (repository, robot) = (format!("repository/{}", world.repository), format!("{}+bot", world.namespace));
    let config = |url: &str| {
        let proxy = json!({"http_proxy": null, "https_proxy": url, "no_proxy": "localhost"});
        json!({"verify_tls": true, "unsigned_images": false, "proxy": proxy})
    };
    let (real, masked) = ("http://user:hunter2@proxy.example.com:3128", "http://user:********@proxy.example.com:3128");
    let play = async |url: &str| mirror(&ansible, &repository, &robot, config(url)).await;
    assert_eq!(play(real).await, 1);
    let (_, created) = ansible.get(&format!("{repository}/mirror")).await;
    assert_eq!(created["external_registry_config"], config(masked));
    // The collection compares texts: equal would be the password alone, which nobody is shown. It sends it again.
    assert_eq!(play(real).await, 1);
    assert_eq!(ansible.get(&format!("{repository}/mirror")).await, (200, created.clone()), "and nothing changes");
    // A playbook with the mask, or without the proxy, for which the collection takes what it finds, sees no change.
    assert_eq!(play(masked).await, 0);
    let change = json!({"external_registry_config": created["external_registry_config"], "sync_interval": 86_400});
    assert_eq!(ansible.call(Method::PUT, &format!("{repository}/mirror"), Some(change)).await.0, 201);
    assert_eq!(ansible.get(&format!("{repository}/mirror")).await, (200, created));
}

/// `quay_repository_mirror`: compares key by key, and sends what differs.
async fn mirror(ansible: &Ansible<'_>, repository: &str, robot: &str, config: Value) -> usize {
    ansible.begin().await;
    let path = format!("{repository}/mirror");
    let wanted = json!({
        "is_enabled": true, "robot_username": robot, "external_reference": "registry.example.com/library/app",
        "root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["v*", "latest", "a?"]}, "sync_interval": 86_400,
        "sync_start_date": "2099-01-01T00:00:00Z", "skopeo_timeout_interval": 300,
        "external_registry_username": null, "external_registry_config": config,
    });
    let (status, found) = ansible.get(&path).await;
    if status == 404 {
        assert_eq!(ansible.call(Method::POST, &path, Some(wanted)).await, (201, json!("")));
        return 1;
    }
    let differs = wanted.as_object().unwrap().iter().filter(|(key, value)| found[key.as_str()] != **value);
    let differs: serde_json::Map<_, _> = differs.map(|(key, value)| (key.clone(), value.clone())).collect();
    if differs.is_empty() {
        return 0;
    }
    assert_eq!(ansible.call(Method::PUT, &path, Some(Value::Object(differs))).await.0, 201);
    1
}
