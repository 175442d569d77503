//! One invocation: a notice, or messages of the queue.

use lambda_runtime::{Diagnostic, LambdaEvent};
use moorage_domain::ServiceError;
use moorage_notifications::{Notifier, NotifyError};

use crate::event::{Again, Answer, Event};

/// Does what has come. Each message that is to come again is named; the others are done.
pub(crate) async fn handle(notifier: &Notifier, event: LambdaEvent<Event>) -> Result<Answer, Diagnostic> {
    let mut answer = Answer::default();
    match event.payload {
        Event::Notice(notice) => notifier.tell(&notice).await.map_err(|error| diagnostic(&error))?,
        Event::Message(message) => notifier.deliver(*message).await.map_err(|error| diagnostic(&error))?,
        Event::Queue { records } => {
            for record in records {
                let delivered = match serde_json::from_str(&record.body) {
                    Ok(message) => notifier.deliver(message).await,
                    Err(error) => Err(error.into()),
                };
                if let Err(error) = delivered {
                    tracing::error!(message = record.message_id, %error, "a message comes again");
                    answer.batch_item_failures.push(Again { item_identifier: record.message_id });
                }
            }
        }
    }
    Ok(answer)
}

fn diagnostic(error: &NotifyError) -> Diagnostic {
    tracing::error!(%error, "nobody was told; it is tried again");
    let service = match error {
        NotifyError::State(error) => error.service(),
        NotifyError::Service(error) => Some(error),
        NotifyError::Secret(error) => error.service(),
        NotifyError::Unwritable(_) => None,
    };
    let error_type = service.and_then(ServiceError::portable_code).unwrap_or("NotifyError").to_owned();
    Diagnostic { error_type, error_message: error.to_string() }
}
