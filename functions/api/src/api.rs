//! What every call has at hand.

use std::time::{SystemTime, UNIX_EPOCH};

use moorage_domain::{
    Guard, RepositoryName, Timestamp,
    usage_log::{LogEntry, LogKind},
};
use moorage_schedule::{Invoker, Scheduler};
use moorage_state::{SecretBox, Table};
use serde_json::{Map, Value};

use crate::{auth::AdminToken, error::ApiError};

/// Clients and settings.
pub(crate) struct Api {
    pub(crate) table: Table,
    pub(crate) secrets: SecretBox,
    pub(crate) scheduler: Scheduler,
    pub(crate) invoker: Invoker,
    pub(crate) admin_token: AdminToken,
    pub(crate) public_url: String,
    pub(crate) guard: Guard,
}

/// One call: everything of the request that endpoints use.
#[derive(Debug, Default)]
pub(crate) struct Call {
    pub(crate) body: Vec<u8>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) ip: Option<String>,
    pub(crate) user_agent: Option<String>,
}

/// In whose name calls with the admin token act.
pub(crate) const ADMIN: &str = "admin";
/// The largest body. Quay's largest request, a mirror with a long rule, stays far below it.
pub(crate) const MAX_BODY: usize = 256 * 1024;

impl Call {
    /// The body as a JSON object.
    pub(crate) fn object(&self) -> Result<Map<String, Value>, ApiError> {
        if self.body.is_empty() {
            return Err(ApiError::InvalidRequest("Missing JSON body".into()));
        }
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(other) => {
                Err(ApiError::InvalidRequest(format!("{} is not of type 'object'", crate::field::repr(&other))))
            }
            Err(_) => Err(ApiError::InvalidRequest("The body is not valid JSON".into())),
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
}

impl Api {
    /// Adds entries to the usage log of a repository, in the caller's name. What they are about has happened, so a
    /// table that fails here does not fail the call.
    pub(crate) async fn log(
        &self,
        call: &Call,
        repository: &RepositoryName,
        entries: Vec<(LogKind, Map<String, Value>)>,
    ) {
        let entry = |(kind, mut metadata): (LogKind, Map<String, Value>)| {
            metadata.insert("namespace".into(), repository.namespace().as_str().into());
            metadata.insert("repo".into(), repository.name().into());
            metadata.insert("user-agent".into(), call.user_agent.clone().into());
            LogEntry { kind, datetime: now(), metadata, performer: Some(ADMIN.into()), ip: call.ip.clone() }
        };
        let entries: Vec<_> = entries.into_iter().map(entry).collect();
        if let Err(error) = self.table.add_log(repository, &entries).await {
            tracing::warn!(%repository, %error, "could not write the usage log");
        }
    }
}

/// Now, in whole seconds.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
