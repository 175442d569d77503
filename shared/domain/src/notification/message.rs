//! What is said of an event in one line. Of Quay's events it is Quay's text.

use super::{
    event::Event,
    happening::{Happening, Moment},
};
use crate::{FailureReason, changes::ChangeKind, failure::Failure};

/// The message of an event, of what Quay says of the mirror: its reference and its patterns.
pub(super) fn message(event: Event, reference: &str, pattern: &str, happening: &Happening) -> String {
    let further = match event {
        Event::Started | Event::Success => return pattern.to_owned(),
        Event::Failed => return failed(reference, pattern, happening),
        Event::Changed => changed(happening),
        Event::Recovered => "everything is mirrored again".to_owned(),
        Event::Late => late(happening),
        Event::DeletionsHeld => happening.warning.map(crate::Warning::message).unwrap_or_default(),
        Event::Held => format!("{} tags wait at the gate", happening.held().count()),
        Event::SignatureRefused => format!("{} tags are not signed as the policy asks", happening.refused.len()),
        Event::Waiting => match happening.moment {
            Moment::Waiting { until, .. } => format!("waits for the registry until {until}"),
            _ => "waits for the registry".to_owned(),
        },
    };
    format!("{pattern}: {further}")
}

/// Quay's texts of failures.
fn failed(reference: &str, pattern: &str, happening: &Happening) -> String {
    let Some(failure) = happening.failure.as_ref().filter(|_| happening.failed.is_empty()) else {
        return format!("{pattern}: PARTIAL SYNC");
    };
    match failure.reason {
        FailureReason::InvalidSourceRegistry => "Source registry location is not allowed".to_owned(),
        FailureReason::Preempted => format!("'{reference}' job lost"),
        _ if *failure == Failure::fault() => format!("{pattern}: INTERNAL ERROR"),
        _ => format!("{pattern}: {}", failure.message),
    }
}

fn changed(happening: &Happening) -> String {
    let count = |kind: ChangeKind| happening.seen().filter(|change| change.change == kind).count();
    let kinds = [ChangeKind::Created, ChangeKind::Moved, ChangeKind::Deleted].map(|kind| (kind, count(kind)));
    let kinds = kinds.into_iter().filter(|(_, count)| *count > 0);
    let kinds: Vec<_> = kinds.map(|(kind, count)| format!("{count} {}", kind.as_str())).collect();
    format!("tags changed: {}", kinds.join(", "))
}

fn late(happening: &Happening) -> String {
    match happening.moment {
        Moment::Late { since, intervals } => {
            format!("no sync has mirrored everything since {since}, {intervals} intervals ago")
        }
        _ => "no sync has mirrored everything for a while".to_owned(),
    }
}
