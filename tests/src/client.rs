//! A client of our registry, as plain as can be: every header is the test's.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use moorage_domain::{Digest, RepositoryName};
use reqwest::{Method, header::HeaderMap};
use serde_json::Value;

use crate::{http, image::Image, stack::Stack, world::World};

/// How long a client that the emulator turned away comes again.
const THROTTLED: Duration = Duration::from_secs(60);

/// An answer, whole.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
}

impl Reply {
    /// A header; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The code of the first error in the body.
    pub fn code(&self) -> String {
        self.json()["errors"][0]["code"].as_str().unwrap_or_else(|| panic!("no error code: {self:?}")).to_owned()
    }
}

/// The registry at a URL, for one caller.
#[derive(Debug, Clone)]
pub struct Client {
    url: String,
    http: reqwest::Client,
    authorization: Option<String>,
}

impl Client {
    /// Anonymous.
    pub fn new(url: &str) -> Self {
        Self { url: url.to_owned(), http: http(), authorization: None }
    }

    /// Anonymous, at the stack's registry.
    pub fn of(stack: &Stack) -> Self {
        Self::new(&stack.url)
    }

    /// With a user name and password.
    #[must_use]
    pub fn basic(&self, user: &str, password: &str) -> Self {
        self.with(&format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
    }

    /// With a token.
    #[must_use]
    pub fn bearer(&self, token: &str) -> Self {
        self.with(&format!("Bearer {token}"))
    }

    /// With any `Authorization`.
    #[must_use]
    pub fn with(&self, authorization: &str) -> Self {
        Self { authorization: Some(authorization.to_owned()), ..self.clone() }
    }

    /// Sends a request; redirects are not followed. `path` is a path or a URL. The emulator runs a few functions at once
    /// and turns everybody else away, so that they have to come again.
    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
        let deadline = Instant::now() + THROTTLED;
        loop {
            let reply = self.try_send(method.clone(), path, headers).await;
            let is_ours = reply.headers.contains_key("docker-distribution-api-version");
            if is_ours || !matches!(reply.status, 429 | 503) || Instant::now() > deadline {
                return reply;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    async fn try_send(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.url) };
        let request = self.http.request(method, url);
        let authorization = self.authorization.as_ref().map(|value| ("authorization", value.as_str()));
        let headers = headers.iter().copied().chain(authorization);
        let request = headers.fold(request, |request, (name, value)| request.header(name, value));
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Reply { status, headers, body: response.bytes().await.unwrap().to_vec() }
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, &[]).await
    }

    /// `HEAD`.
    pub async fn head(&self, path: &str) -> Reply {
        self.send(Method::HEAD, path, &[]).await
    }

    /// `GET`, redirects followed as clients do: without the credentials.
    pub async fn fetch(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        let reply = self.send(Method::GET, path, headers).await;
        if reply.status != 307 {
            return reply;
        }
        Self::new(&self.url).send(Method::GET, reply.header("location"), headers).await
    }

    /// Asks the token server that a challenge names for what it asks, in this client's name.
    pub async fn answer(&self, challenge: &str) -> Reply {
        let parameters = parameters(challenge);
        let mut url: reqwest::Url = parameters["realm"].parse().unwrap();
        url.query_pairs_mut().append_pair("service", &parameters["service"]);
        if let Some(scope) = parameters.get("scope") {
            url.query_pairs_mut().append_pair("scope", scope);
        }
        self.get(url.as_str()).await
    }

    /// A token for these scopes, in this client's name.
    pub async fn token(&self, scopes: &[&str]) -> String {
        let query: Vec<_> = scopes.iter().map(|scope| format!("&scope={scope}")).collect();
        let reply = self.get(&format!("/v2/token?service=x{}", query.concat())).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["token"].as_str().unwrap().to_owned()
    }
}

/// Every endpoint of a repository that holds `image` as `v1`, and how it answers those who may pull.
pub fn endpoints(repository: &RepositoryName, image: &Image) -> [(String, u16); 5] {
    let blob = Digest::sha256(&image.blobs[1]);
    [
        (format!("/v2/{repository}/manifests/v1"), 200),
        (format!("/v2/{repository}/manifests/{}", image.digest()), 200),
        (format!("/v2/{repository}/blobs/{blob}"), 307),
        (format!("/v2/{repository}/tags/list"), 200),
        (format!("/v2/{repository}/referrers/{}", image.digest()), 200),
    ]
}

/// The scope of a token to pull with.
pub fn pull(repository: &RepositoryName) -> String {
    format!("repository:{repository}:pull")
}

/// The parameters of a Bearer challenge.
pub fn parameters(challenge: &str) -> BTreeMap<String, String> {
    let parameters = challenge.strip_prefix("Bearer ").unwrap_or_else(|| panic!("no Bearer challenge: {challenge:?}"));
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap();
        (name.to_owned(), value.trim_matches('"').to_owned())
    };
    // Their values are quoted, and may hold commas.
    parameters.split("\",").map(pair).collect()
}

impl World {
    /// A client of the registry with the credentials of the world's robot.
    pub async fn robot(&self) -> Client {
        Client::of(&self.stack).basic(&self.robot_name(), &self.robot_token().await)
    }

    /// The robot's full name.
    pub fn robot_name(&self) -> String {
        format!("{}+bot", self.namespace)
    }

    /// The robot's token.
    pub async fn robot_token(&self) -> String {
        let (_, robot) = self.call(Method::GET, &format!("organization/{}/robots/bot", self.namespace), None).await;
        robot["token"].as_str().unwrap().to_owned()
    }

    /// Gives the robot a role on the repository.
    pub async fn grant(&self, role: &str) {
        let path = format!("repository/{}/permissions/user/{}", self.repository, self.robot_name());
        assert_eq!(self.call(Method::PUT, &path, Some(serde_json::json!({"role": role}))).await.0, 200);
    }
}
