//! Messages on their way.

use std::time::Duration;

use aws_sdk_sqs::Client;
use moorage_domain::{ServiceError, notification::Message};
use moorage_state::now;
use serde_json::json;

use crate::error::NotifyError;

/// The longest pause that SQS has. A longer one is made of several.
const LONGEST: Duration = Duration::from_secs(900);

/// The queue, and where lies what was given up.
#[derive(Debug, Clone)]
pub struct Queue {
    client: Client,
    url: String,
    dead_letters: String,
    /// The function that takes messages out of it, as dead letters name it.
    function_arn: String,
}

impl Queue {
    /// By the URLs of both.
    pub fn new(client: Client, url: String, dead_letters: String, function_arn: String) -> Self {
        Self { client, url, dead_letters, function_arn }
    }

    /// Puts a message in, which comes out when it is due, or before.
    pub(crate) async fn put(&self, message: &Message) -> Result<(), NotifyError> {
        let pause = u64::try_from(message.due.unix().saturating_sub(now().unix())).unwrap_or_default();
        let pause = i32::try_from(pause.min(LONGEST.as_secs())).unwrap_or_default();
        let body = serde_json::to_string(message)?;
        // A group is no order here, but a tenant: one that has many messages delays nobody else's.
        let group = message.owner.namespace().to_string();
        let request = self.client.send_message().queue_url(&self.url).message_group_id(group);
        let sent = request.message_body(body).delay_seconds(pause).send().await;
        sent.map(drop).map_err(|error| service("SQS", error).into())
    }

    /// Keeps a message that nobody took, as Lambda keeps what a function fails at.
    pub(crate) async fn bury(&self, message: &Message, why: &str) -> Result<(), NotifyError> {
        let context = json!({"functionArn": self.function_arn, "condition": "RetriesExhausted"});
        let answer = json!({"errorType": "NotDelivered", "errorMessage": why});
        let body = json!({"requestContext": context, "requestPayload": message, "responsePayload": answer});
        let sent = self.client.send_message().queue_url(&self.dead_letters).message_body(body.to_string()).send().await;
        sent.map(drop).map_err(|error| service("SQS", error).into())
    }
}

/// A failure of a service.
pub(crate) fn service<E, R>(name: &'static str, error: aws_sdk_sqs::error::SdkError<E, R>) -> ServiceError
where
    E: std::error::Error + Send + Sync + 'static + aws_sdk_sqs::error::ProvideErrorMetadata,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    use aws_sdk_sqs::error::ProvideErrorMetadata as _;
    let code = error.code().map(str::to_owned);
    ServiceError::new(name, code, None, error)
}
