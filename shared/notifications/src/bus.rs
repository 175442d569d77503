//! Every run that ends, on the account's bus, whoever listens.

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use moorage_domain::{ServiceError, run::Run};
use serde_json::Value;

use crate::{error::NotifyError, notifier::Notifier, queue::service};

/// What our events are from.
pub(crate) const SOURCE: &str = "moorage";
/// What they are.
const ENDED: &str = "Mirror Sync Ended";

impl Notifier {
    /// Puts the end of a run on the account's own bus.
    pub(crate) async fn announce(&self, run: &Run, body: &Value) -> Result<(), NotifyError> {
        tracing::debug!(run.id = %run.run_id, "the run's end goes to the bus");
        self.put_event(None, ENDED, body).await
    }

    /// Puts an event on a bus: the account's own if none is named.
    pub(crate) async fn put_event(
        &self,
        bus: Option<&str>,
        detail_type: &str,
        detail: &Value,
    ) -> Result<(), NotifyError> {
        let entry = PutEventsRequestEntry::builder().source(SOURCE).detail_type(detail_type);
        let entry = entry.detail(detail.to_string()).set_event_bus_name(bus.map(str::to_owned)).build();
        let answer = self.buses.put_events().entries(entry).send().await;
        let answer = answer.map_err(|error| service("EventBridge", error))?;
        // One entry that is not taken is told of in an answer that succeeds.
        let refused =
            answer.entries.into_iter().flatten().find_map(|entry| entry.error_code.map(|it| (it, entry.error_message)));
        match refused {
            None => Ok(()),
            Some((code, message)) => {
                let said = std::io::Error::other(message.unwrap_or_else(|| "it does not say why".to_owned()));
                Err(ServiceError::new("EventBridge", Some(code), None, said).into())
            }
        }
    }
}
