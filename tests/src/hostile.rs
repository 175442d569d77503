//! A registry that lies by plan. It writes its answers byte by byte itself, so that it may also lie where an HTTP library
//! would not let it: in lengths, and in headers that never end. Floods are made while they are sent, and end when the
//! client leaves.

pub mod answer;
pub mod flood;
mod wire;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use moorage_domain::Digest;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub use self::answer::Answer;
use crate::{image::Image, proxy::tls};

/// The most requests that are kept: a flood of them is counted only.
const MOST_ASKED: usize = 20_000;

/// A request, as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The headers, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Asked {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether it holds `text` anywhere.
    pub fn holds(&self, text: &str) -> bool {
        let mut texts = self.headers.iter().map(|(_, value)| value).chain([&self.path, &self.body]);
        texts.any(|found| found.contains(text))
    }
}

type Plan = Arc<dyn Fn(&Asked) -> Option<Answer> + Send + Sync>;

#[derive(Default)]
struct State {
    /// The later ones come first.
    plans: Vec<Plan>,
    /// Honest documents by path: their media types and bytes.
    documents: HashMap<String, (&'static str, Bytes)>,
    /// Honest tags by repository.
    tags: BTreeMap<String, BTreeSet<String>>,
    asked: Vec<Asked>,
    count: usize,
}

/// The registry; its address is what a mirror's reference begins with.
#[derive(Clone)]
pub struct Hostile {
    /// Host and port.
    pub address: String,
    /// With the scheme.
    pub url: String,
    /// The port.
    pub port: u16,
    state: Arc<Mutex<State>>,
}

impl Hostile {
    /// One that speaks plain http.
    pub async fn start() -> Self {
        Self::listen(None).await
    }

    /// One with TLS, and a certificate that nobody vouches for.
    pub async fn start_tls() -> Self {
        Self::listen(Some(tls::acceptor())).await
    }

    async fn listen(tls: Option<tokio_rustls::TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let address = format!("127.0.0.1:{port}");
        let hostile = Self { url: format!("{scheme}://{address}"), address, port, state: Arc::default() };
        let served = hostile.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (tls, served) = (tls.clone(), served.clone());
                tokio::spawn(async move {
                    let answer = |asked: &Asked| served.answer(asked);
                    // A client that leaves is what some tests wait for.
                    let _ = match tls {
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => wire::serve(stream, answer).await,
                            Err(error) => Err(error),
                        },
                        None => wire::serve(stream, answer).await,
                    };
                });
            }
        });
        hostile
    }

    /// Has an honest image under a tag.
    pub fn hold(&self, path: &str, tag: &str, image: &Image) {
        self.hold_by_digest(path, image);
        let mut state = self.state.lock().unwrap();
        let manifest = (image.media_type, Bytes::from(image.manifest.clone()));
        state.documents.insert(format!("/v2/{path}/manifests/{tag}"), manifest);
        drop(state);
        self.list(path, tag);
    }

    /// Has an honest image that no tag points to.
    pub fn hold_by_digest(&self, path: &str, image: &Image) {
        let mut state = self.state.lock().unwrap();
        for image in image.all() {
            let manifest = (image.media_type, Bytes::from(image.manifest.clone()));
            state.documents.insert(format!("/v2/{path}/manifests/{}", image.digest()), manifest);
            for blob in &image.blobs {
                let key = format!("/v2/{path}/blobs/{}", Digest::sha256(blob));
                state.documents.insert(key, ("application/octet-stream", blob.clone().into()));
            }
        }
    }

    /// Says by the referrers API that nothing refers to anything.
    pub fn refer_to_nothing(&self) {
        self.always("GET", "/referrers/", || Answer::referrers(&[]));
    }

    /// Says by the referrers API what refers to an image: these descriptors.
    pub fn refer(&self, subject: &Image, descriptors: Vec<Value>) {
        self.always("GET", &format!("/referrers/{}", subject.digest()), move || Answer::referrers(&descriptors));
    }

    /// Lists a tag that it need not have.
    pub fn list(&self, path: &str, tag: &str) {
        self.state.lock().unwrap().tags.entry(path.to_owned()).or_default().insert(tag.to_owned());
    }

    /// Answers requests of this method (any, if empty) whose path holds this text by `plan`, where that answers at all.
    /// What is planned later is asked first.
    pub fn plan(
        &self,
        method: &'static str,
        path: &str,
        plan: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static,
    ) {
        let path = path.to_owned();
        let plan = move |asked: &Asked| {
            let matches = (method.is_empty() || asked.method == method) && asked.path.contains(&path);
            if matches { plan(asked) } else { None }
        };
        self.state.lock().unwrap().plans.insert(0, Arc::new(plan));
    }

    /// As [`Self::plan`], always the same.
    pub fn always(&self, method: &'static str, path: &str, answer: impl Fn() -> Answer + Send + Sync + 'static) {
        self.plan(method, path, move |_| Some(answer()));
    }

    /// Refuses whoever comes to a repository without this `Authorization`, by this challenge.
    pub fn refuse_without(&self, path: &str, authorization: &str, challenge: &str) {
        let (authorization, challenge) = (authorization.to_owned(), challenge.to_owned());
        self.plan("", &format!("/v2/{path}/"), move |asked| {
            let is_known = asked.header("authorization") == Some(&authorization);
            (!is_known).then(|| Answer::new(401).header("www-authenticate", &challenge))
        });
    }

    /// Gives a token for this user's password, and to nobody else.
    pub fn give_token(&self, user: &str, password: &str, token: &str) {
        let (basic, token) = (basic(user, password), token.to_owned());
        self.plan("GET", "/token", move |asked| {
            let is_known = asked.header("authorization") == Some(&basic);
            let token = json!({"token": token, "expires_in": 300});
            Some(if is_known { Answer::json(&token) } else { Answer::new(401) })
        });
    }

    /// Ends all lies.
    pub fn repent(&self) {
        self.state.lock().unwrap().plans.clear();
    }

    /// The requests since the last call.
    pub fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }

    /// How many requests there were in all.
    pub fn count(&self) -> usize {
        self.state.lock().unwrap().count
    }

    /// Whether a password ever came, in any form that a client might give it.
    pub fn heard(&self, user: &str, password: &str) -> bool {
        let form: String = form_encoded(password);
        let secrets = [basic(user, password).replace("Basic ", ""), form, password.to_owned()];
        let state = self.state.lock().unwrap();
        state.asked.iter().any(|asked| secrets.iter().any(|secret| asked.holds(secret)))
    }

    fn answer(&self, asked: &Asked) -> Answer {
        let (plans, honest) = {
            let mut state = self.state.lock().unwrap();
            state.count += 1;
            let honest = state.honest(asked);
            let plans = state.plans.clone();
            if state.asked.len() < MOST_ASKED {
                state.asked.push(asked.clone());
            }
            (plans, honest)
        };
        // A plan may take its time, or ask this registry something.
        plans.iter().find_map(|plan| plan(asked)).unwrap_or(honest)
    }
}

impl State {
    fn honest(&self, asked: &Asked) -> Answer {
        let path = asked.path.split('?').next().unwrap_or_default();
        // skopeo looks first whether this is a registry.
        if path == "/v2/" {
            return Answer::json(&json!({}));
        }
        if let Some(repository) = path.strip_prefix("/v2/").and_then(|path| path.strip_suffix("/tags/list")) {
            let tags = self.tags.get(repository).cloned().unwrap_or_default();
            return Answer::json(&json!({"name": repository, "tags": tags}));
        }
        let Some((media_type, bytes)) = self.documents.get(path) else { return Answer::new(404) };
        let answer = Answer::new(200).header("content-type", media_type).body(bytes.clone());
        answer.header("docker-content-digest", &Digest::sha256(bytes).to_string())
    }
}

/// A user name and password as HTTP's Basic scheme sends them.
pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn form_encoded(text: &str) -> String {
    let url = reqwest::Url::parse_with_params("http://x/", [("p", text)]).unwrap();
    url.query().unwrap_or_default().trim_start_matches("p=").to_owned()
}
