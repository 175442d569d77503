//! The client.

use std::sync::Arc;

use moorage_domain::{ExposeSecret as _, SecretString};
use reqwest::{
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, IF_MATCH},
    redirect::Policy,
};
use serde_json::Value;

use crate::{
    address::Address,
    answer::{Answer, ReadError},
    cause::innermost,
    credentials::Credentials,
    error::ClientError,
    limits::Limits,
    patience::Patience,
    request::{Method, Request},
};

/// Quay's words for what does not exist.
const NOT_FOUND: &str = "Not Found";

/// Calls the API of one deployment as one caller. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    address: Address,
    limits: Limits,
    credentials: Option<Arc<dyn Credentials>>,
}

impl Client {
    /// A client of a deployment; without a token it may read what is public. `agent` says who calls.
    pub fn new(
        address: Address,
        token: Option<&SecretString>,
        agent: &str,
        limits: Limits,
    ) -> Result<Self, ClientError> {
        let mut headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
        if let Some(token) = token {
            headers.insert(AUTHORIZATION, bearer(token)?);
        }
        let builder = reqwest::Client::builder().http1_only().user_agent(agent).default_headers(headers);
        let builder = builder.redirect(Policy::none()).connect_timeout(limits.connect);
        let builder = if address.is_direct() { builder.no_proxy() } else { builder };
        Ok(Self { http: builder.build().map_err(ClientError::Setup)?, address, limits, credentials: None })
    }

    /// The same of whoever has another token from time to time: it is asked for before each try.
    #[must_use]
    pub fn with(mut self, credentials: Arc<dyn Credentials>) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Where it calls.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Calls, and returns the answer if it is a success.
    pub async fn call(&self, request: &Request) -> Result<Answer, ClientError> {
        let answer = self.ask(request).await?;
        match answer.status {
            200..=299 => Ok(answer),
            _ => Err(self.failure(&request.path, &answer)),
        }
    }

    /// Calls, and returns the answer whatever its status; only what is temporary is tried again.
    pub async fn ask(&self, request: &Request) -> Result<Answer, ClientError> {
        let url = self.address.of(&request.path)?;
        let mut patience = Patience::new(self.limits);
        loop {
            let mut sent = self.http.request(method(request.method), url.clone()).timeout(patience.attempt());
            if let Some(credentials) = &self.credentials {
                sent = sent.header(AUTHORIZATION, bearer(&credentials.token().await?)?);
            }
            if let Some(body) = &request.body {
                sent = sent.header(CONTENT_TYPE, "application/json").body(body.to_string());
            }
            if let Some(tag) = request.if_match.as_deref().and_then(|tag| HeaderValue::from_str(tag).ok()) {
                sent = sent.header(IF_MATCH, tag);
            }
            let (result, pause) = match self.once(sent, &request.path).await {
                Ok(answer) => {
                    let pause = patience.after_answer(request, &answer);
                    (Ok(answer), pause)
                }
                Err(error) => {
                    let pause = patience.after_failure(request, &error);
                    (Err(error), pause)
                }
            };
            let Some(pause) = pause else { return result };
            tokio::time::sleep(pause).await;
        }
    }

    /// Reads a path.
    pub async fn get(&self, path: &str) -> Result<Value, ClientError> {
        Ok(self.call(&Request::new(Method::Get, path)).await?.body)
    }

    /// Reads a path; nothing if it does not exist.
    pub async fn find(&self, path: &str) -> Result<Option<Answer>, ClientError> {
        match self.call(&Request::new(Method::Get, path)).await {
            Err(ClientError::NotFound { .. }) => Ok(None),
            result => result.map(Some),
        }
    }

    async fn once(&self, sent: reqwest::RequestBuilder, path: &str) -> Result<Answer, ClientError> {
        let response = sent.send().await.map_err(|error| self.unreachable(&error))?;
        Answer::read(response, path, self.limits.answer).await.map_err(|error| match error {
            ReadError::Lost(error) => self.unreachable(&error),
            ReadError::Final(error) => error,
        })
    }

    fn unreachable(&self, error: &reqwest::Error) -> ClientError {
        let why = if error.is_timeout() { "it does not answer in time".to_owned() } else { innermost(error) };
        let host = self.address.host().to_owned();
        ClientError::Unreachable { host, why, is_unsent: error.is_connect() }
    }

    /// The failure that an answer of a path is, if its status is no success.
    pub fn failure(&self, path: &str, answer: &Answer) -> ClientError {
        let (status, message) = (answer.status, answer.message());
        let foreign = |why: String| ClientError::NotUnderstood { host: self.address.host().to_owned(), why };
        match status {
            300..=399 => foreign(format!("a redirect ({status}), and the token goes nowhere else")),
            401 => ClientError::Unauthorized { message: answer.reason() },
            403 => ClientError::Forbidden { message },
            404 if answer.body.is_object() => {
                ClientError::NotFound { path: path.to_owned(), message: Some(message).filter(|it| it != NOT_FOUND) }
            }
            429 | 500..=599 => ClientError::Unavailable { status, message },
            _ if !answer.body.is_object() => foreign(format!("{status} without the API's own words")),
            _ => ClientError::Refused { status, message },
        }
    }
}

fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Delete => reqwest::Method::DELETE,
    }
}

fn bearer(token: &SecretString) -> Result<HeaderValue, ClientError> {
    let bearer = format!("Bearer {}", token.expose_secret().trim());
    let mut value = HeaderValue::from_str(&bearer).map_err(|_| ClientError::Token)?;
    value.set_sensitive(true);
    Ok(value)
}
