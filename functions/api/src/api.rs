//! What every call has at hand.

use std::time::{Duration, Instant};

use futures_util::future::join;
use moorage_domain::{
    Guard, Namespace, RepositoryName,
    usage_log::{LogEntry, LogKind},
};
use moorage_schedule::{Invoker, Scheduler};
use moorage_state::{ADMIN, LogOf, SecretBox, StateError, Table};
use serde_json::{Map, Value};

use crate::{auth::AdminToken, caller::Caller, error::ApiError, share::Shares};

/// Clients and settings.
pub(crate) struct Api {
    pub(crate) table: Table,
    pub(crate) secrets: SecretBox,
    pub(crate) scheduler: Scheduler,
    pub(crate) invoker: Invoker,
    pub(crate) admin_token: AdminToken,
    pub(crate) public_url: String,
    pub(crate) guard: Guard,
    /// What one namespace may take.
    pub(crate) shares: Shares,
    /// How long deleted tags can be brought back.
    pub(crate) tag_retention: Duration,
}

/// One call: everything of the request that endpoints use.
#[derive(Debug, Default)]
pub(crate) struct Call {
    pub(crate) caller: Caller,
    pub(crate) body: Vec<u8>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) ip: Option<String>,
    pub(crate) user_agent: Option<String>,
    /// The API's URL.
    pub(crate) host: String,
}

/// The largest body. Quay's largest request, a mirror with a long rule, stays far below it.
pub(crate) const MAX_BODY: usize = 256 * 1024;

impl Call {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Result<Value, ApiError> {
        if self.body.is_empty() {
            return Err(ApiError::InvalidRequest("Missing JSON body".into()));
        }
        serde_json::from_slice(&self.body).map_err(|_| ApiError::InvalidRequest("The body is not valid JSON".into()))
    }

    /// The body as a JSON object.
    pub(crate) fn object(&self) -> Result<Map<String, Value>, ApiError> {
        match self.json()? {
            Value::Object(object) => Ok(object),
            other => Err(ApiError::InvalidRequest(format!("{} is not of type 'object'", crate::field::repr(&other)))),
        }
    }

    /// As [`Self::object`], where a body may be left out.
    pub(crate) fn optional_object(&self) -> Result<Map<String, Value>, ApiError> {
        if self.body.is_empty() { Ok(Map::new()) } else { self.object() }
    }

    /// A parameter of the query; of several the first.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that is on or off, read as Quay does.
    pub(crate) fn flag(&self, name: &str, default: bool) -> bool {
        let off = |value: &str| matches!(value, "false" | "False" | "FALSE" | "0" | "" | "null");
        self.query(name).map_or(default, |value| !off(value))
    }

    /// `limit`, between 1 and `most`.
    pub(crate) fn limit(&self, default: i32, most: i32) -> Result<i32, ApiError> {
        let Some(text) = self.query("limit") else { return Ok(default) };
        let limit = text.parse().ok().filter(|limit| (1..=most).contains(limit));
        limit.ok_or_else(|| ApiError::InvalidRequest(format!("limit must be a number from 1 to {most}")))
    }

    /// A number, or nothing; other texts are refused.
    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.query(name) else { return Ok(None) };
        let wrong = |_| ApiError::InvalidRequest(format!("{name} must be a number"));
        text.parse().map(Some).map_err(wrong)
    }

    /// Where the page before ended, as [`Table`] said it; `is_ours` tells whether that can be.
    pub(crate) fn next_page(&self, is_ours: impl Fn(&str) -> bool) -> Result<Option<&str>, ApiError> {
        match self.query("next_page") {
            Some(page) if !is_ours(page) => Err(ApiError::InvalidRequest("next_page is not a page".into())),
            page => Ok(page),
        }
    }

    /// An entry of the usage log, in the caller's name.
    fn entry(&self, namespace: &Namespace, (kind, mut metadata): (LogKind, Map<String, Value>)) -> LogEntry {
        metadata.insert("namespace".into(), namespace.as_str().into());
        metadata.insert("user-agent".into(), self.user_agent.clone().into());
        if let Caller::Token(token) = &self.caller {
            metadata.insert("token_id".into(), token.id.to_string().into());
        }
        LogEntry { kind, datetime: now(), metadata, performer: Some(ADMIN.into()), ip: self.ip.clone() }
    }
}

impl Api {
    /// Adds entries to the usage logs of a repository and of its namespace, in the caller's name. What they are about has
    /// happened, so a table that fails here does not fail the call.
    pub(crate) async fn log(
        &self,
        call: &Call,
        repository: &RepositoryName,
        entries: Vec<(LogKind, Map<String, Value>)>,
    ) {
        let namespace = repository.namespace();
        let entry = |(kind, mut metadata): (LogKind, Map<String, Value>)| {
            metadata.insert("repo".into(), repository.name().into());
            call.entry(&namespace, (kind, metadata))
        };
        let entries: Vec<_> = entries.into_iter().map(entry).collect();
        let logs = [LogOf::Repository(repository), LogOf::Namespace(&namespace)];
        let [ours, theirs] = logs.map(|log| self.table.add_log_of(log, &entries));
        let (ours, theirs) = join(ours, theirs).await;
        if let Err(error) = ours.and(theirs) {
            tracing::warn!(%repository, %error, "could not write the usage log");
        }
    }

    /// Adds an entry to the usage log of a namespace.
    pub(crate) async fn log_namespace<const N: usize>(
        &self,
        call: &Call,
        namespace: &Namespace,
        kind: LogKind,
        metadata: [(&str, Value); N],
    ) {
        let entry = call.entry(namespace, (kind, object(metadata)));
        if let Err(error) = self.table.add_log_of(LogOf::Namespace(namespace), &[entry]).await {
            tracing::warn!(%namespace, %error, "could not write the usage log");
        }
    }
}

/// How long a call waits for whoever has a repository to themselves: a collector or a change of a tag, for some seconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(300);

/// The patience of one call.
#[derive(Debug)]
pub(crate) struct Patience(Instant);

impl Patience {
    /// From now on.
    pub(crate) fn begin() -> Self {
        Self(Instant::now() + PATIENCE)
    }

    /// Whether to try again what came out so: after a pause, while the repository is locked.
    pub(crate) async fn again<T>(&self, result: &Result<T, StateError>) -> bool {
        let waits = matches!(result, Err(StateError::Locked)) && Instant::now() < self.0;
        if waits {
            tokio::time::sleep(PAUSE).await;
        }
        waits
    }
}

/// An object of these fields.
pub(crate) fn object<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

pub(crate) use moorage_state::now;
