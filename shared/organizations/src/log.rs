//! What an organization's mirror tells: entries of its organization's usage log, in Quay's words.

use moorage_domain::{
    RepositoryName, Timestamp, Warning,
    usage_log::{LogEntry, LogKind, organization_entry},
};
use moorage_state::{OrganizationMirror, now};

/// Names that one entry repeats.
const MOST_NAMES: usize = 20;

/// A round began.
pub(crate) fn started(mirror: &OrganizationMirror) -> LogEntry {
    let name = &mirror.config.organization;
    let message = format!("Starting repository discovery for organization '{name}'");
    entry(mirror, LogKind::OrgMirrorSyncStarted, "start", message)
}

/// A round found its repositories.
pub(crate) fn succeeded(mirror: &OrganizationMirror, repositories: usize, created: usize) -> LogEntry {
    let message = format!("Discovery completed: {repositories} repos discovered, {created} new");
    entry(mirror, LogKind::OrgMirrorSyncSuccess, "end", message)
}

/// A round failed.
pub(crate) fn failed(mirror: &OrganizationMirror, why: &str) -> LogEntry {
    let message = format!("Failed to fetch repositories from source: {why}");
    entry(mirror, LogKind::OrgMirrorSyncFailed, "end", message)
}

/// Not all of the repositories were turned back. Quay has no such entry.
pub(crate) fn not_turned_back(mirror: &OrganizationMirror, why: &str) -> LogEntry {
    entry(mirror, LogKind::OrgMirrorSyncFailed, "rollback", format!("The tags were not all turned back: {why}"))
}

/// A round waits for its registry. Quay has no such entry.
pub(crate) fn waiting(mirror: &OrganizationMirror, until: Timestamp) -> LogEntry {
    let message = format!("The registry limits the rate of requests: the discovery goes on at {until}");
    entry(mirror, LogKind::OrgMirrorSyncStarted, "wait", message)
}

/// A round goes without passwords that were dropped. Quay has no such entry.
pub(crate) fn warned(mirror: &OrganizationMirror, warning: Warning) -> LogEntry {
    entry(mirror, LogKind::OrgMirrorSyncStarted, "warn", warning.message())
}

/// The mirror was cancelled, and these many repositories with it.
pub(crate) fn cancelled(mirror: &OrganizationMirror, repositories: usize) -> LogEntry {
    let message = format!("Sync cancelled: {repositories} repos set to cancelled");
    entry(mirror, LogKind::OrgMirrorSyncFailed, "cancelled", message)
}

/// A repository was created.
pub(crate) fn created(mirror: &OrganizationMirror, repository: &RepositoryName) -> LogEntry {
    let message = format!("Repository '{repository}' created");
    let fields = fields(mirror, "create", message).into_iter().chain([("repo", repository.name().to_owned())]);
    organization_entry(LogKind::OrgMirrorRepoCreated, now(), &mirror.config.robot, fields)
}

/// Repositories could not be created, because of their names, or because there is something else of the name.
pub(crate) fn not_created(mirror: &OrganizationMirror, names: &[String], why: &str) -> LogEntry {
    let shown = names.iter().take(MOST_NAMES).map(|name| format!("'{name:.100}'")).collect::<Vec<_>>().join(", ");
    let more = names.len().saturating_sub(MOST_NAMES);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let message = format!("{why}: {shown}{more}");
    entry(mirror, LogKind::OrgMirrorRepoCreationFailed, "create", message)
}

fn entry(mirror: &OrganizationMirror, kind: LogKind, verb: &str, message: String) -> LogEntry {
    organization_entry(kind, now(), &mirror.config.robot, fields(mirror, verb, message))
}

fn fields(mirror: &OrganizationMirror, verb: &str, message: String) -> [(&'static str, String); 5] {
    let config = &mirror.config;
    [
        ("verb", verb.to_owned()),
        ("namespace", config.organization.to_string()),
        ("message", message),
        ("external_registry_url", config.external_registry_url.to_string()),
        ("external_namespace", config.external_namespace.clone()),
    ]
}
