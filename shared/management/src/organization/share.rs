//! A namespace's share of what asks registries while somebody waits.

use std::{future::ready, time::Duration};

use moorage_domain::{
    Namespace,
    task::{Task, TaskAnswer},
};
use moorage_state::{Slot, SlotKind, SlotsOf, Vacancy, free_slot, now};

use crate::{api::Api, http::error::ApiError};

/// How long a slot is held at most, for calls that do not give it up: API Gateway waits no longer for a call.
const CALL: Duration = Duration::from_secs(30);

/// Seconds after which a call should be repeated that found no free slot.
const RETRY_AFTER: u64 = 5;

/// Has the sync function do a task that asks a registry, if the namespace may have another one now.
pub(crate) async fn ask_registry(api: &Api, namespace: &Namespace, task: &Task) -> Result<TaskAnswer, ApiError> {
    let slot = take_slot(api, namespace).await?;
    let answer = api.invoker.ask(task).await;
    if let Some(slot) = slot
        && let Err(error) = api.table.leave_slot(namespace, SlotKind::Previews, &slot).await
    {
        tracing::warn!(%namespace, %error, "a slot was not given up: it ends by itself");
    }
    Ok(answer?)
}

/// A slot; none if there is no limit.
async fn take_slot(api: &Api, namespace: &Namespace) -> Result<Option<Slot>, ApiError> {
    let most = api.shares.previews;
    let of = SlotsOf { namespace, kind: SlotKind::Previews, count: most };
    let choose = |slots: Vec<Slot>| {
        let free = free_slot(&slots, most, |slot| slot.until > now());
        ready(Ok(free.map_or(Vacancy::None, Vacancy::Slot)))
    };
    match api.table.take_slot(of, "", CALL, choose).await? {
        Vacancy::Slot(slot) => Ok(Some(slot)),
        Vacancy::NotNeeded => Ok(None),
        Vacancy::None => {
            let message =
                format!("The namespace has the {most} previews at once that it may have (Previews). Try again.");
            Err(ApiError::TooMany(message, RETRY_AFTER))
        }
    }
}
