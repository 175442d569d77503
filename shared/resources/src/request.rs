//! One request of a stack, which is answered whatever comes of it. CloudFormation would wait an hour for an
//! answer that does not come.

use std::{
    error::Error as _,
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use moorage_client::{Client, Limits};
use moorage_state::now;
use serde::Deserialize as _;
use serde_json::Value;

use crate::{
    answer::Outcome,
    callback::CallbackError,
    declared::{Declared, on_delete},
    event::{Event, RequestType, Sender},
    failure::Failure,
    kind::Kind,
    provision::{Begun, Done, Provisioner},
    resources::Resources,
};

/// What is kept of an invocation's time for the answer, unless that would be more than half of it.
const FOR_ANSWER: Duration = Duration::from_secs(20);
/// What is left between the last try to answer and the end of the invocation.
const MARGIN: Duration = Duration::from_secs(1);
/// The physical id of what was never made. Whoever deletes it deletes nothing.
const NOT_CREATED: &str = "moorage/not-created";
/// Who calls, for the API's logs.
const AGENT: &str = concat!("moorage-resource/", env!("CARGO_PKG_VERSION"));

/// Why a stack has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// The event says nobody who could be answered.
    #[error("the event is not what CloudFormation sends")]
    Event,
    /// The answer may not go there, or nobody took it.
    #[error(transparent)]
    Callback(#[from] CallbackError),
}

impl Resources {
    /// Does what an event says, and answers it before `end`, whatever came of it.
    pub async fn serve(&self, payload: &Value, end: Instant) -> Result<(), Unanswered> {
        let left = end.saturating_duration_since(Instant::now());
        let end = end.checked_sub(MARGIN.min(left)).unwrap_or(end);
        let until = end.checked_sub(FOR_ANSWER.min(left / 2)).unwrap_or(end);
        let sender = Sender::deserialize(payload).map_err(|_| {
            tracing::error!("an event has nobody who could be answered");
            Unanswered::Event
        })?;
        let url = self.callback.accept(&sender.response_url).map_err(|error| undelivered(&sender, error))?;
        let outcome = outcome(self, payload, &sender, until).await;
        self.callback.send(&url, &outcome.body(&sender), end).await.map_err(|error| undelivered(&sender, error))
    }
}

/// What comes of a request, by `until` at the latest.
async fn outcome(resources: &Resources, payload: &Value, sender: &Sender, until: Instant) -> Outcome {
    let begun = Begun::default();
    let event = Event::deserialize(payload).ok();
    let worked = match &event {
        Some(event) => in_time(work(resources, event, sender, until, &begun), until).await,
        None => Err(Failure::Event),
    };
    let (stack, resource) = (&sender.stack_id, &sender.logical_resource_id);
    let request = event.as_ref().map(|event| format!("{:?} {}", event.request_type, event.resource_type));
    match worked {
        Ok(Done { physical_id, data }) => {
            tracing::info!(stack, resource, request, physical_id, "a request of a stack is done");
            Outcome::Success { physical_id, data }
        }
        Err(failure) => {
            let cause = failure.source().map(ToString::to_string);
            tracing::warn!(stack, resource, request, error = %failure, cause, "a request of a stack failed");
            let before = event.and_then(|event| event.physical_resource_id);
            let physical_id = before.or_else(|| begun.get()).unwrap_or_else(|| NOT_CREATED.to_owned());
            Outcome::Failed { physical_id, reason: failure.to_string() }
        }
    }
}

/// Work that ends in time, whatever happens to it. What a panic says stays out of it: that may be anything.
async fn in_time<T>(work: impl Future<Output = Result<T, Failure>>, until: Instant) -> Result<T, Failure> {
    // Whatever is used afterwards are ids of what may have been made, which stay what they are.
    let caught = Box::pin(AssertUnwindSafe(work).catch_unwind());
    match tokio::time::timeout_at(until.into(), caught).await {
        Ok(Ok(worked)) => worked,
        Ok(Err(_)) => Err(Failure::Fault),
        Err(_) => Err(Failure::TimedOut),
    }
}

async fn work(
    resources: &Resources,
    event: &Event,
    sender: &Sender,
    until: Instant,
    begun: &Begun,
) -> Result<Done, Failure> {
    let kind = Kind::of(&event.resource_type);
    let physical_id = event.physical_resource_id.as_deref().unwrap_or_default();
    if event.request_type == RequestType::Delete && (physical_id == NOT_CREATED || kind.is_none()) {
        return Ok(Done { physical_id: physical_id.to_owned(), data: serde_json::Map::new() });
    }
    let kind = kind.ok_or_else(|| Failure::Type(event.resource_type.chars().take(100).collect()))?;
    let token = resources.token.get(now()).await?;
    let client = |limits| Client::new(resources.api.clone(), Some(&token), AGENT, limits);
    let patience =
        Limits { call: until.saturating_duration_since(Instant::now()), tries: u32::MAX, ..Limits::default() };
    let provisioner = Provisioner {
        client: &client(Limits::default())?,
        patient: &client(patience)?,
        table: &resources.table,
        secrets: &resources.secrets,
        registry: &resources.registry,
        resource: sender.resource(),
        begun,
    };
    let read = |properties| Declared::read(kind, properties, &provisioner.resource);
    match event.request_type {
        RequestType::Create => provisioner.create(&read(&event.resource_properties)?).await,
        RequestType::Update => {
            let after = read(&event.resource_properties)?;
            if after.target.to_string() == physical_id {
                // A stack goes back from properties that were never right, too.
                let before = read(&event.old_resource_properties).ok();
                provisioner.update(before.as_ref(), &after).await
            } else {
                provisioner.create(&after).await
            }
        }
        RequestType::Delete => {
            // What does not say how it ends was never made so.
            let how = on_delete(kind, &event.resource_properties)?;
            provisioner.delete(kind, physical_id, how).await?;
            Ok(Done { physical_id: physical_id.to_owned(), data: serde_json::Map::new() })
        }
    }
}

fn undelivered(sender: &Sender, error: CallbackError) -> Unanswered {
    let (stack, resource) = (&sender.stack_id, &sender.logical_resource_id);
    tracing::error!(stack, resource, request = sender.request_id, %error, "nobody could be answered");
    error.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn there_is_an_answer_in_time_whatever_happens() {
        let soon = || Instant::now() + Duration::from_millis(50);
        assert_eq!(in_time(async { Ok(7) }, soon()).await.ok(), Some(7));
        let panics = async {
            tokio::task::yield_now().await;
            panic!("hunter2");
        };
        let fault = in_time::<()>(panics, soon()).await.unwrap_err();
        assert!(matches!(fault, Failure::Fault) && !fault.to_string().contains("hunter2"));
        let late = in_time::<()>(std::future::pending(), soon()).await.unwrap_err();
        assert!(matches!(late, Failure::TimedOut));
    }
}
