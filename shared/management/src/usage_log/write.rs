//! What is written to the usage logs: entries of what was done by hand, in the name of who did it.

use moorage_domain::{
    Namespace, RepositoryName, RobotName,
    usage_log::{LogEntry, LogKind},
};
use moorage_state::{LogOf, now};
use serde_json::{Map, Value};

use crate::{access::caller::Caller, api::Api, http::call::Call};

impl Api {
    /// Adds entries to the usage logs of a repository and of its namespace, in the caller's name. What they are about has
    /// happened, so a table that fails here does not fail the call.
    pub(crate) async fn log(
        &self,
        call: &Call,
        repository: &RepositoryName,
        entries: Vec<(LogKind, Map<String, Value>)>,
    ) {
        let entries: Vec<_> =
            entries.into_iter().map(|(kind, metadata)| entry_of(call, repository, kind, metadata)).collect();
        if let Err(error) = self.table.add_log_to_both(repository, &entries).await {
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
        self.log_object(call, namespace, kind, object(metadata)).await;
    }

    /// The same, with whatever metadata.
    pub(crate) async fn log_object(
        &self,
        call: &Call,
        namespace: &Namespace,
        kind: LogKind,
        metadata: Map<String, Value>,
    ) {
        self.add(namespace, entry(call, namespace, (kind, metadata))).await;
    }

    /// Adds an entry to the usage log of a robot's namespace, in the robot's name.
    pub(crate) async fn log_robot<const N: usize>(
        &self,
        call: &Call,
        robot: &RobotName,
        kind: LogKind,
        metadata: [(&str, Value); N],
    ) {
        let namespace = robot.namespace();
        let entry = entry(call, &namespace, (kind, object(metadata)));
        self.add(&namespace, LogEntry { performer: Some(robot.to_string()), ..entry }).await;
    }

    async fn add(&self, namespace: &Namespace, entry: LogEntry) {
        if let Err(error) = self.table.add_log_of(LogOf::Namespace(namespace), &[entry]).await {
            tracing::warn!(%namespace, %error, "could not write the usage log");
        }
    }
}

/// An entry of the usage logs of a repository and of its namespace, in the name of who calls.
pub(crate) fn entry_of(
    call: &Call,
    repository: &RepositoryName,
    kind: LogKind,
    mut metadata: Map<String, Value>,
) -> LogEntry {
    metadata.insert("repo".into(), repository.name().into());
    entry(call, &repository.namespace(), (kind, metadata))
}

/// An entry of the usage log, in the name of who calls.
fn entry(call: &Call, namespace: &Namespace, (kind, mut metadata): (LogKind, Map<String, Value>)) -> LogEntry {
    metadata.insert("namespace".into(), namespace.as_str().into());
    metadata.insert("user-agent".into(), call.user_agent.clone().into());
    if let Caller::Token(token) = &call.caller {
        metadata.insert("token_id".into(), token.id.to_string().into());
    }
    LogEntry { kind, datetime: now(), metadata, performer: Some(call.caller.user().to_owned()), ip: call.ip.clone() }
}

/// An object of these fields.
pub(crate) fn object<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
