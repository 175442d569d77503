//! Which events have happened, and who is told of them.
//!
//! Each event has happened once at most in whatever happens, and a notification is of one event: so it gets one message at
//! most. Of a run it gets one, however many attempts that takes, unless it asks for each.

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::{
    Notification,
    event::Event,
    event_config::{Bounded, Only, OnlyList, Ours},
    happening::{Ending, Happening, Moment},
};
use crate::{TagName, Timestamp, lists::Listed};

/// Whether a notification gets a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It does.
    Send,
    /// It does not.
    Quiet(Quiet),
}

/// Why a notification gets no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quiet {
    /// It is of another event.
    OtherEvent,
    /// It has failed too often.
    Off,
    /// The run goes on, and how it ends is told; or that it waits was told.
    NotTheEnd,
    /// Too few intervals have passed.
    NotLateYet,
    /// It was told, and nothing is better since.
    Told,
    /// `only` wants other runs.
    Only,
    /// `reasons` wants other ones.
    Reasons,
    /// `tags` wants others.
    Tags,
    /// `min_interval` has not passed.
    TooSoon,
}

/// The events that have happened.
pub fn events(happening: &Happening) -> Vec<Event> {
    Event::ALL.into_iter().filter(|event| has_happened(*event, happening)).collect()
}

fn has_happened(event: Event, happening: &Happening) -> bool {
    let ending = match happening.moment {
        Moment::Started => return event == Event::Started,
        Moment::Waiting { .. } => return event == Event::Waiting,
        Moment::Late { .. } => return event == Event::Late,
        Moment::Ended { ending, .. } => ending,
    };
    match event {
        Event::Started | Event::Waiting | Event::Late => false,
        Event::Success => ending == Ending::Success,
        // Quay tells of a failure when somebody cancels.
        Event::Failed => ending == Ending::Failure,
        Event::Recovered => happening.is_recovery(),
        Event::Changed => happening.seen().next().is_some(),
        Event::Held => happening.held().next().is_some(),
        Event::SignatureRefused => !happening.refused.is_empty(),
        Event::DeletionsHeld => happening.has_held_deletions(),
    }
}

/// Whether a notification gets a message of what has happened.
pub fn decide(notification: &Notification, happening: &Happening, now: Timestamp) -> Decision {
    quiet(notification, happening, now).map_or(Decision::Send, Decision::Quiet)
}

fn quiet(notification: &Notification, happening: &Happening, now: Timestamp) -> Option<Quiet> {
    let (event, ours) = (notification.event, notification.event_config.ours());
    if !has_happened(event, happening) {
        return Some(Quiet::OtherEvent);
    }
    if notification.is_off() {
        return Some(Quiet::Off);
    }
    if !is_the_end(happening) && ours.every_attempt != Some(true) {
        return Some(Quiet::NotTheEnd);
    }
    let filters = [
        (Quiet::Only, ours.only.as_ref().is_none_or(|OnlyList(list)| list.iter().any(|only| only.is(happening)))),
        (Quiet::Reasons, has_reason(ours, happening)),
        (Quiet::Tags, has_tag(ours, event, happening)),
    ];
    if let Some((quiet, _)) = filters.into_iter().find(|(_, passes)| !passes) {
        return Some(quiet);
    }
    let interval = ours.min_interval.map(|Bounded(seconds)| Duration::from_secs(seconds));
    if let Moment::Late { since, intervals } = happening.moment {
        if intervals < notification.event_config.intervals() {
            return Some(Quiet::NotLateYet);
        }
        // Whoever wants to be reminded says how often.
        if interval.is_none() && notification.last_sent.is_some_and(|sent| sent >= since) {
            return Some(Quiet::Told);
        }
    }
    let is_too_soon = |interval| notification.last_sent.is_some_and(|sent| now < sent.plus(interval));
    interval.is_some_and(is_too_soon).then_some(Quiet::TooSoon)
}

/// Whether it is told to those who want one message of a run.
fn is_the_end(happening: &Happening) -> bool {
    match happening.moment {
        Moment::Started => happening.attempt.is_first,
        Moment::Waiting { again, .. } => !again,
        Moment::Ended { ending: Ending::Failure, .. } => happening.attempt.is_last,
        Moment::Ended { ending: Ending::Success | Ending::Cancelled, .. } | Moment::Late { .. } => true,
    }
}

impl Only {
    fn is(self, happening: &Happening) -> bool {
        match self {
            Self::Failure => happening.is_failure(),
            Self::Change => happening.seen().next().is_some(),
            Self::Recovery => happening.is_recovery(),
        }
    }
}

fn has_reason(ours: &Ours, happening: &Happening) -> bool {
    let Some(Listed(wanted)) = &ours.reasons else { return true };
    happening.reasons().any(|reason| wanted.contains(&reason))
}

fn has_tag(ours: &Ours, event: Event, happening: &Happening) -> bool {
    let Some(globs) = &ours.tags else { return true };
    let about: Vec<&TagName> = match event {
        Event::Failed => happening.failed.iter().map(|failed| &failed.tag).collect(),
        Event::Changed => happening.seen().map(|change| &change.tag).collect(),
        Event::Held => happening.held().collect(),
        Event::SignatureRefused => happening.refused.iter().collect(),
        Event::Started | Event::Success | Event::Recovered | Event::Late | Event::DeletionsHeld | Event::Waiting => {
            Vec::new()
        }
    };
    about.is_empty() || globs.is_match(about.into_iter())
}
