//! The body of an event: Quay's fields, and ours beside them. Everything that grows with a mirror is bounded, so that a body
//! fits into a message of SQS, SNS or EventBridge (256 KiB).

#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use super::{
    event::Event,
    happening::{Happening, Moment},
    message::message,
};
use crate::{ExternalReference, RepositoryName, RootRule, run::Run, usage_log::pattern_message};

/// The longest message, in bytes. Quay has no limit; a rule has a thousand patterns.
const MAX_MESSAGE: usize = 4 * 1024;
/// The most failed tags that are listed: with their messages each takes up to 700 bytes.
const MAX_FAILED: usize = 50;
/// The longest message of one of them, in bytes: as long as the run keeps it.
const MAX_FAILURE: usize = 400;
/// The most changed tags that are listed: with their digests each takes up to 600 bytes.
const MAX_CHANGED: usize = 100;
/// The most names of other tags.
const MAX_NAMES: usize = 100;
/// Quay's message of a test.
const TEST: &str = "TEST NOTIFICATION";

/// Where something has happened.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The repository.
    pub repository: &'a RepositoryName,
    /// The stack's own URL, without a path.
    pub public_url: &'a str,
    /// What is mirrored.
    pub reference: &'a ExternalReference,
    /// Which tags of it.
    pub rule: &'a RootRule,
}

/// The body of an event.
pub fn body(event: Event, place: Place<'_>, happening: &Happening, run: Option<&Run>) -> Value {
    let pattern = pattern_message(place.reference, place.rule);
    let text = message(event, place.reference.as_str(), &pattern, happening);
    let mut body = quays(event, place.repository, base(place.public_url), &cut(&text, MAX_MESSAGE));
    let mut add = |key: &str, value: Value| drop(body.insert(key.to_owned(), value));
    if let Some(run) = run {
        add("run_id", json!(run.run_id));
        add("trigger", json!(run.trigger));
        add("status", json!(run.status));
        add("started_at", json!(run.started_at.iso()));
        add("ended_at", json!(run.ended_at.map(crate::Timestamp::iso)));
        add("tags", counts(run));
        let bytes = &run.progress;
        add("bytes", json!({"total": bytes.bytes_total, "done": bytes.bytes_done, "copied": bytes.bytes_copied}));
    }
    if let Some(failure) = &happening.failure {
        let text = cut(&failure.message, MAX_FAILURE);
        add("failure", json!({"reason": failure.reason, "message": text, "advice": failure.reason.advice()}));
    }
    if let Some(warning) = happening.warning {
        add("warning", json!({"reason": warning.reason(), "tags": warning.tags(), "message": warning.message()}));
    }
    match happening.moment {
        Moment::Late { since, intervals } => {
            add("last_success", json!(since.iso()));
            add("intervals", json!(intervals));
        }
        Moment::Waiting { until, .. } => add("waiting_until", json!(until.iso())),
        Moment::Started | Moment::Ended { .. } => {}
    }
    let failed = happening.failed.iter().map(|failed| {
        let failure = &failed.failure;
        json!({"tag": failed.tag, "reason": failure.reason, "message": cut(&failure.message, MAX_FAILURE)})
    });
    list("failed_tags", failed, MAX_FAILED, &mut add);
    list("changed_tags", happening.seen().map(|change| json!(change)), MAX_CHANGED, &mut add);
    list("held_tags", happening.held().map(|tag| json!(tag)), MAX_NAMES, &mut add);
    list("refused_tags", happening.refused.iter().map(|tag| json!(tag)), MAX_NAMES, &mut add);
    add("link", json!(link(place, run)));
    Value::Object(body)
}

/// The body of a test.
pub fn sample(event: Event, repository: &RepositoryName, public_url: &str) -> Value {
    Value::Object(quays(event, repository, base(public_url), TEST))
}

/// Quay's fields, and the event's name, which Quay leaves out.
fn quays(event: Event, repository: &RepositoryName, url: &str, message: &str) -> Map<String, Value> {
    let host = url.split_once("://").map_or(url, |(_, host)| host);
    let fields = [
        ("repository", repository.to_string()),
        ("namespace", repository.namespace().to_string()),
        ("name", repository.name().to_owned()),
        ("docker_url", format!("{host}/{repository}")),
        ("homepage", format!("{url}/repository/{repository}")),
        ("message", message.to_owned()),
        ("event", event.to_string()),
    ];
    fields.into_iter().map(|(key, value)| (key.to_owned(), Value::String(value))).collect()
}

/// Where the console shows it.
fn link(place: Place<'_>, run: Option<&Run>) -> String {
    let query = run.map(|run| format!("?run={}", run.run_id)).unwrap_or_default();
    format!("{}/console#/repository/{}/mirroring{query}", base(place.public_url), place.repository)
}

fn base(public_url: &str) -> &str {
    public_url.trim_end_matches('/')
}

fn counts(run: &Run) -> Value {
    let progress = &run.progress;
    json!({
        "total": progress.tags_total,
        "done": progress.tags_done,
        "copied": progress.tags_copied,
        "unchanged": progress.tags_unchanged,
        "repaired": progress.tags_repaired,
        "skipped": progress.tags_skipped,
        "failed": progress.tags_failed,
        "held": progress.tags_held,
        "deleted": progress.tags_pruned,
    })
}

/// Some of many, with how many there are; nothing of none.
fn list(key: &str, entries: impl Iterator<Item = Value>, most: usize, add: &mut impl FnMut(&str, Value)) {
    let mut entries = entries.fuse();
    let listed: Vec<_> = entries.by_ref().take(most).collect();
    if !listed.is_empty() {
        add(&format!("{key}_total"), json!(listed.len() + entries.count()));
        add(key, Value::Array(listed));
    }
}

/// As much of a text as is told.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", text.get(..end).unwrap_or_default())
}
