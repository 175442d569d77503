//! One test's world: an organization, a robot, a repository and its mirror, through the API as a user would.

use std::time::Duration;

use moorage_domain::{
    RepositoryName,
    run::{SyncRequest, Trigger},
    task::{Task, TaskAnswer},
};
use rand::Rng;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::{eventually, http, image::Image, stack::Stack, table};

/// How long a sync may take before a test gives up: generous, because many tests share two cores.
pub const SYNC_LIMIT: Duration = Duration::from_secs(90);

/// A test's own corner of the stack.
#[derive(Debug, Clone)]
pub struct World {
    /// The stack.
    pub stack: Stack,
    /// The organization: the test's name and something random.
    pub namespace: String,
    /// The mirrored repository.
    pub repository: RepositoryName,
    /// The repository's path at the external registry, of the same name.
    pub path: String,
}

impl World {
    /// An organization with a robot `bot` and a repository `app`.
    pub async fn new(name: &str) -> Self {
        let world = Self::empty(name).await;
        let repository = json!({
            "namespace": world.namespace, "repository": "app", "visibility": "private", "description": "", "repo_kind": "image",
        });
        assert_eq!(world.call(Method::POST, "repository", Some(repository)).await.0, 201);
        world
    }

    /// An organization with a robot `bot`.
    pub async fn empty(name: &str) -> Self {
        let stack = Stack::from_env().await;
        let namespace = format!("{name}-{:08x}", rand::rng().random::<u32>());
        let repository = RepositoryName::new(&namespace, "app").unwrap();
        let world = Self { stack, path: format!("{namespace}/app"), namespace, repository };
        let created = world.call(Method::POST, "organization/", Some(json!({"name": world.namespace}))).await;
        assert_eq!(created, (201, json!("Created")));
        let robots = format!("organization/{}/robots/bot", world.namespace);
        assert_eq!(world.call(Method::PUT, &robots, None).await.0, 201);
        world
    }

    /// The same in a copy of the stack.
    #[must_use]
    pub fn at(&self, stack: &Stack) -> Self {
        Self { stack: stack.clone(), ..self.clone() }
    }

    /// Calls the API with the admin token.
    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let body = body.map(|body| body.to_string().into_bytes());
        self.send(method, path, Some(&self.stack.token), body).await
    }

    /// Calls the API with any token and body.
    pub async fn send(&self, method: Method, path: &str, token: Option<&str>, body: Option<Vec<u8>>) -> (u16, Value) {
        let response = self.answer(method, path, token, body).await;
        let status = response.status().as_u16();
        let bytes = response.bytes().await.unwrap();
        // What does not even reach the API is answered by the gateway, in HTML.
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into());
        (status, body)
    }

    /// Calls the API, and returns the answer as it came.
    pub async fn answer(&self, method: Method, path: &str, token: Option<&str>, body: Option<Vec<u8>>) -> Response {
        let request = http().request(method, format!("{}/api/v1/{path}", self.stack.url));
        let request = request.header("content-type", "application/json");
        let request = match token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        };
        request.body(body.unwrap_or_default()).send().await.unwrap()
    }

    /// The entity tag that GET answers with.
    pub async fn entity_tag(&self, path: &str) -> String {
        let answer = self.answer(Method::GET, path, Some(&self.stack.token), None).await;
        assert_eq!(answer.status(), 200);
        answer.headers()["etag"].to_str().unwrap().to_owned()
    }

    /// Changes what has one of these entity tags.
    pub async fn change_if(&self, path: &str, tags: &str, body: Value) -> (u16, Value) {
        let request = http().put(format!("{}/api/v1/{path}", self.stack.url)).header("if-match", tags);
        let request = request.header("content-type", "application/json").bearer_auth(&self.stack.token);
        let response = request.body(body.to_string()).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// A new token for the namespace (none for all), through the API.
    pub async fn token(&self, namespace: Option<&str>, role: &str) -> String {
        let body = json!({"description": "test", "namespace": namespace, "role": role});
        let (status, token) = self.call(Method::POST, "tokens", Some(body)).await;
        assert_eq!(status, 201, "{token}");
        token["token"].as_str().unwrap().to_owned()
    }

    /// Quay's answer of the shape that most errors have.
    pub fn problem(&self, status: u16, kind: &str, detail: &str) -> (u16, Value) {
        let url = format!("{}/api/v1/error/{kind}", self.stack.url);
        let body = json!({
            "detail": detail, "error_message": detail, "error_type": kind, "title": kind, "type": url, "status": status,
        });
        (status, body)
    }

    /// The path of something below the mirror.
    pub fn mirror_path(&self, what: &str) -> String {
        format!("repository/{}/mirror{what}", self.repository)
    }

    /// What a mirror of this world is made of; it starts far ahead, so that only Sync Now starts it.
    pub fn mirror_body(&self, registry: &str) -> Value {
        json!({
            "external_reference": format!("{registry}/{}", self.path),
            "external_registry_config": {"verify_tls": false},
            "sync_interval": 86_400,
            "sync_start_date": "2099-01-01T00:00:00Z",
            "root_rule": {"rule_kind": "tag_glob_csv", "rule_value": ["*"]},
            "skopeo_timeout_interval": 300,
            "robot_username": format!("{}+bot", self.namespace),
        })
    }

    /// Creates a mirror of `registry`, with `changes` to [`Self::mirror_body`].
    pub async fn create_mirror(&self, registry: &str, changes: Value) {
        let mut body = self.mirror_body(registry);
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let created = self.call(Method::POST, &self.mirror_path(""), Some(body)).await;
        assert_eq!(created, (201, json!("")));
    }

    /// Changes the mirror.
    pub async fn change_mirror(&self, changes: Value) {
        assert_eq!(self.call(Method::PUT, &self.mirror_path(""), Some(changes)).await, (201, json!("")));
    }

    /// The mirror as the API shows it.
    pub async fn mirror(&self) -> Value {
        let (status, mirror) = self.call(Method::GET, &self.mirror_path(""), None).await;
        assert_eq!(status, 200, "{mirror}");
        mirror
    }

    /// Asks for a sync.
    pub async fn sync_now(&self) {
        let asked = self.call(Method::POST, &self.mirror_path("/sync-now"), Some(json!({}))).await;
        assert_eq!(asked, (204, json!("")));
    }

    /// Waits until the mirror has one of these statuses.
    pub async fn wait_for(&self, statuses: &[&str]) -> String {
        eventually(&format!("{} gets {statuses:?}", self.repository), SYNC_LIMIT, async || {
            let status = self.mirror().await["sync_status"].as_str().unwrap().to_owned();
            statuses.contains(&status.as_str()).then_some(status)
        })
        .await
    }

    /// Syncs, and returns the run with its tags.
    pub async fn sync(&self) -> Value {
        self.sync_now().await;
        self.wait_for(&["SUCCESS", "FAIL", "CANCEL"]).await;
        self.last_run().await
    }

    /// The runs, newest first.
    pub async fn runs(&self) -> Vec<Value> {
        let (status, runs) = self.call(Method::GET, &self.mirror_path("/runs?limit=100"), None).await;
        assert_eq!(status, 200, "{runs}");
        runs["runs"].as_array().unwrap().clone()
    }

    /// The newest run with its tags.
    pub async fn last_run(&self) -> Value {
        let id = self.runs().await.first().expect("there is a run")["run_id"].as_str().unwrap().to_owned();
        let (status, run) = self.call(Method::GET, &self.mirror_path(&format!("/runs/{id}")), None).await;
        assert_eq!(status, 200, "{run}");
        run
    }

    /// The usage log, newest first, from all of its pages.
    pub async fn log(&self) -> Vec<Value> {
        let path = format!("repository/{}/logs", self.repository);
        let (mut entries, mut query) = (Vec::new(), String::new());
        loop {
            let (status, page) = self.call(Method::GET, &format!("{path}{query}"), None).await;
            assert_eq!(status, 200, "{page}");
            entries.extend(page["logs"].as_array().unwrap().clone());
            let Some(next) = page["next_page"].as_str() else { return entries };
            let url = reqwest::Url::parse_with_params(&self.stack.url, [("next_page", next)]).unwrap();
            query = format!("?{}", url.query().unwrap());
        }
    }

    /// What the mirror says that refers to an image.
    pub async fn referrers(&self, subject: &Image) -> Vec<String> {
        let reply = self.robot().await.get(&format!("/v2/{}/referrers/{}", self.repository, subject.digest())).await;
        let manifests = reply.json()["manifests"].as_array().unwrap().clone();
        manifests.iter().map(|entry| entry["digest"].as_str().unwrap().to_owned()).collect()
    }

    /// Lets half a day pass since the last time the registry was asked for referrers.
    pub async fn forget_the_last_check(&self) {
        table::delete(&self.stack, &table::Key::referrers(&self.repository)).await;
    }

    /// Invokes the sync function as Scheduler and Sync Now do.
    pub async fn invoke(&self, trigger: Trigger) {
        let request = SyncRequest { repository: self.repository.clone(), trigger };
        let payload = aws_sdk_lambda::primitives::Blob::new(serde_json::to_vec(&request).unwrap());
        let invoke = aws_sdk_lambda::Client::new(&self.stack.aws).invoke().function_name(&self.stack.sync_function);
        invoke.invocation_type("Event".into()).payload(payload).send().await.unwrap();
    }
}

impl World {
    /// Has the sync function do a task, as the stack's own schedule does.
    pub async fn task(&self, task: &Task) -> TaskAnswer {
        let payload = aws_sdk_lambda::primitives::Blob::new(serde_json::to_vec(task).unwrap());
        let invoke = aws_sdk_lambda::Client::new(&self.stack.aws).invoke().function_name(&self.stack.sync_function);
        let answer = invoke.payload(payload).send().await.unwrap();
        serde_json::from_slice(answer.payload.unwrap().as_ref()).unwrap()
    }
}

/// What became of one tag in a run.
pub fn outcome<'a>(run: &'a Value, tag: &str) -> &'a Value {
    let tags = run["tags"].as_array().unwrap();
    tags.iter().find(|outcome| outcome["tag"] == tag).unwrap_or_else(|| panic!("no outcome of {tag} in {run}"))
}
