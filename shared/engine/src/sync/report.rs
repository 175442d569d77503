//! What a sync tells: the usage log, in Quay's words, and metrics, by Quay's names.

use moorage_domain::{
    Digest, RepositoryName, TagName, Timestamp, Warning,
    failure::Failure,
    mirror::MirrorConfig,
    plan::Cause,
    run::{Outcome, Run, RunStatus, TagOutcome},
    usage_log::{LogEntry, LogKind, SyncFields, pattern_message, sync_entry},
};
use moorage_runtime::{Metric, Unit, emit};
use moorage_state::now;

use crate::sync::tag_set::TagSet;

/// The longest list of tags in a log entry, in bytes: the entry must fit an item.
const TAGS_LENGTH: usize = 64 * 1024;

/// A sync began.
pub(crate) fn started(config: &MirrorConfig) -> LogEntry {
    entry(config, LogKind::RepoMirrorSyncStarted, SyncFields { verb: "start", ..SyncFields::default() })
}

/// What became of a tag, if it was tried: what is left alone is not logged, as in Quay, and what was copied or deleted is
/// logged with its record.
pub(crate) fn tag(config: &MirrorConfig, outcome: &TagOutcome) -> Option<LogEntry> {
    let (kind, ended) = match outcome.outcome {
        Outcome::Repaired => (LogKind::RepoMirrorSyncTagSuccess, "successful sync"),
        Outcome::Failed | Outcome::Refused => (LogKind::RepoMirrorSyncTagFailed, "failed to sync"),
        Outcome::Copied | Outcome::Pruned | Outcome::Unchanged | Outcome::Held | Outcome::Skipped => return None,
    };
    let fields = SyncFields {
        stdout: outcome.digest.as_ref().map(|digest| format!("copied {digest}")),
        stderr: outcome.failure.as_ref().map(|failure| explain(failure, failure.reason.advice_for_tag())),
        ..tried(config, &outcome.tag, ended)
    };
    Some(sync_entry(kind, now(), &config.repository, fields))
}

/// A tag was copied.
pub(crate) fn copied(config: &MirrorConfig, tag: &TagName, digest: &Digest) -> LogEntry {
    let stdout = Some(format!("copied {digest}"));
    let fields = SyncFields { stdout, ..tried(config, tag, "successful sync") };
    sync_entry(LogKind::RepoMirrorSyncTagSuccess, now(), &config.repository, fields)
}

fn tried(config: &MirrorConfig, tag: &TagName, ended: &str) -> SyncFields {
    SyncFields {
        verb: "finish",
        message: format!("Source 'docker://{}:{tag}' {ended}", config.external_reference),
        tag: Some(tag.to_string()),
        ..SyncFields::default()
    }
}

/// A tag was deleted. Quay has this kind of entry for what is deleted by hand.
pub(crate) fn deleted(config: &MirrorConfig, tag: &TagName, cause: Option<Cause>) -> LogEntry {
    let message = match cause {
        Some(Cause::Vanished) => "vanished: the registry no longer lists it",
        Some(Cause::Deselected) | None => "deselected: no pattern matches it, or its image",
    };
    let (message, tag) = (message.to_owned(), Some(tag.to_string()));
    let fields = SyncFields { verb: "delete", message, tag, ..SyncFields::default() };
    sync_entry(LogKind::DeleteTag, now(), &config.repository, fields)
}

/// A tag was turned back to what it was: to an image, or to nothing.
pub(crate) fn turned_back(config: &MirrorConfig, tag: &TagName, digest: Option<&Digest>) -> LogEntry {
    let (kind, message) = match digest {
        Some(digest) => (LogKind::RevertTag, format!("turned back to {digest}")),
        None => (LogKind::DeleteTag, "turned back: there was no such tag".to_owned()),
    };
    let fields = SyncFields { verb: "rollback", message, tag: Some(tag.to_string()), ..SyncFields::default() };
    sync_entry(kind, now(), &config.repository, fields)
}

/// Everything was mirrored.
pub(crate) fn succeeded(config: &MirrorConfig, tags: &[TagName]) -> LogEntry {
    let tags = if tags.is_empty() { "No tags matched".to_owned() } else { names(tags, &TagSet::default()) };
    let fields = SyncFields { verb: "end", tags: Some(tags), ..SyncFields::default() };
    entry(config, LogKind::RepoMirrorSyncSuccess, fields)
}

/// Something was left undone on purpose. Quay has no such entry.
pub(crate) fn warned(config: &MirrorConfig, warning: Warning) -> LogEntry {
    let fields = SyncFields { verb: "warn", stderr: Some(warning.message()), ..SyncFields::default() };
    entry(config, LogKind::RepoMirrorSyncWarning, fields)
}

/// A sync waits for its registry. Quay has no such entry.
pub(crate) fn waiting(config: &MirrorConfig, until: Timestamp) -> LogEntry {
    let message = format!(
        "the registry limits the rate of requests, or content that is wanted again was being deleted by a collector that \
         was killed: the sync goes on at {until}"
    );
    entry(
        config,
        LogKind::RepoMirrorSyncWarning,
        SyncFields { verb: "wait", stderr: Some(message), ..SyncFields::default() },
    )
}

/// Some tags failed.
pub(crate) fn failed_in_part(config: &MirrorConfig, tags: &[TagName], failed: &TagSet) -> LogEntry {
    let message = format!("{}: PARTIAL SYNC", pattern_message(&config.external_reference, &config.root_rule));
    let fields = SyncFields { verb: "lost", message, tags: Some(names(tags, failed)), ..SyncFields::default() };
    sync_entry(LogKind::RepoMirrorSyncFailed, now(), &config.repository, fields)
}

/// The sync failed before any tag was tried.
pub(crate) fn failed_as_a_whole(config: &MirrorConfig, failure: &Failure) -> LogEntry {
    let pattern = pattern_message(&config.external_reference, &config.root_rule);
    let message = format!("{pattern}: {}", failure.message);
    let fields = SyncFields {
        verb: "end",
        message,
        stderr: Some(explain(failure, failure.reason.advice())),
        ..SyncFields::default()
    };
    sync_entry(LogKind::RepoMirrorSyncFailed, now(), &config.repository, fields)
}

/// The sync was cancelled.
pub(crate) fn cancelled(config: &MirrorConfig) -> LogEntry {
    entry(config, LogKind::RepoMirrorSyncFailed, SyncFields { verb: "Cancelled", ..SyncFields::default() })
}

fn entry(config: &MirrorConfig, kind: LogKind, fields: SyncFields) -> LogEntry {
    let message = pattern_message(&config.external_reference, &config.root_rule);
    sync_entry(kind, now(), &config.repository, SyncFields { message, ..fields })
}

fn explain(failure: &Failure, advice: &str) -> String {
    format!("{}: {} ({advice})", failure.reason.as_str(), failure.message)
}

/// Quay's list of tags: `a, b(FAILED)`. One that is too long ends with how many there are.
fn names(tags: &[TagName], failed: &TagSet) -> String {
    let mut text = String::new();
    for tag in tags {
        if text.len() > TAGS_LENGTH {
            let (tags, failed) = (tags.len().to_string(), failed.len().to_string());
            text.extend([", … (", &tags, " tags, ", &failed, " FAILED)"]);
            break;
        }
        let separator = if text.is_empty() { "" } else { ", " };
        let suffix = if failed.contains(tag) { "(FAILED)" } else { "" };
        text.extend([separator, tag.as_str(), suffix]);
    }
    text
}

/// The metrics of a run that has ended. `current_at` is when the last sync began that mirrored everything: how old what
/// the repository shows may be.
pub(crate) fn metrics(repository: &RepositoryName, run: &Run, current_at: Timestamp, of_repository: bool) {
    let namespace = repository.namespace();
    let fields = [("namespace", namespace.as_str()), ("repository", repository.name())];
    emit(&fields, if of_repository { 2 } else { 1 }, &measured(run, current_at));
    if run.status != RunStatus::Success {
        let reason = run.failure.as_ref().map_or("", |failure| failure.reason.quay().as_str());
        let failures = [metric("quay_repository_mirror_sync_failures_total", Unit::Count, 1.0)];
        emit(&[("namespace", namespace.as_str()), ("reason", reason)], 2, &failures);
    }
}

fn metric(name: &'static str, unit: Unit, value: f64) -> Metric {
    Metric { name, unit, value }
}

/// What a run has counted; and where the mirror stands, if it was a sync of all of its tags: of that, others say nothing.
#[expect(clippy::cast_precision_loss, reason = "metrics are floating-point numbers")]
fn measured(run: &Run, current_at: Timestamp) -> Vec<Metric> {
    let since = |at: Timestamp| run.ended_at.map_or(0, |ended| ended.unix().saturating_sub(at.unix()));
    let upstream = run.progress.upstream;
    let mut measured = vec![
        metric("bytes_copied", Unit::Bytes, run.progress.bytes_copied as f64),
        metric("mirror_lag_seconds", Unit::Seconds, since(current_at) as f64),
        metric("tags_repaired", Unit::Count, run.progress.tags_repaired as f64),
        metric("upstream_requests", Unit::Count, upstream.requests as f64),
        metric("upstream_manifest_gets", Unit::Count, upstream.manifest_gets as f64),
        metric("upstream_retries", Unit::Count, upstream.retries as f64),
    ];
    if run.is_whole() {
        let succeeded = f64::from(u8::from(run.status == RunStatus::Success));
        measured.extend([
            metric("quay_repository_mirror_last_sync_status", Unit::None, succeeded),
            metric("quay_repository_mirror_sync_complete", Unit::None, succeeded),
            metric("quay_repository_mirror_last_sync_timestamp", Unit::Seconds, run.started_at.unix() as f64),
            metric("quay_repository_mirror_sync_duration_seconds", Unit::Seconds, since(run.started_at) as f64),
            metric("quay_repository_mirror_pending_tags", Unit::Count, run.progress.tags_failed as f64),
            metric("deletions_held", Unit::Count, run.warning.map_or(0, Warning::held) as f64),
        ]);
    }
    measured
}

#[cfg(test)]
mod tests {
    use moorage_domain::{
        run::{RunId, Trigger},
        target::Target,
    };
    use uuid::Uuid;

    use super::*;

    #[test]
    fn where_the_mirror_stands_only_a_sync_of_all_of_its_tags_says() {
        let (id, at) = (RunId(Uuid::nil()), Timestamp::from_unix(1_790_000_000));
        let whole = Run { status: RunStatus::Success, ..Run::new(id, Trigger::Schedule, at, false) };
        let hinted = Run { hinted: Some(vec!["v1".parse().unwrap()]), ..Run::new(id, Trigger::Webhook, at, false) };
        let turned = Run::of_rollback(id, Target { at, run_id: None, tags: None, by_organization: false }, at);
        let names = |run: &Run| measured(run, at).iter().map(|metric| metric.name).collect::<Vec<_>>();
        let of_mirror = |name: &&&str| name.starts_with("quay_repository_mirror") || **name == "deletions_held";
        assert_eq!(names(&whole).iter().filter(of_mirror).count(), 6);
        for run in [&hinted, &turned] {
            assert_eq!(names(run).iter().filter(of_mirror).count(), 0, "{run:?}");
            assert!(names(run).contains(&"upstream_requests"), "what it has asked counts");
        }
    }

    #[test]
    fn failed_tags_are_marked_as_quay_does() {
        let tags: Vec<TagName> = ["a", "b", "c"].iter().map(|tag| tag.parse().unwrap()).collect();
        assert_eq!(names(&tags, &tags[1..2].iter().collect()), "a, b(FAILED), c");
    }

    #[test]
    fn a_long_list_ends_with_numbers() {
        let tags: Vec<TagName> = (0..2_000).map(|n| format!("{n:0>128}").parse().unwrap()).collect();
        let text = names(&tags, &tags[500..].iter().collect());
        assert!(text.len() < TAGS_LENGTH + 300);
        assert!(text.ends_with("(FAILED), … (2000 tags, 1500 FAILED)"), "{}", &text[text.len() - 200..]);
    }
}
