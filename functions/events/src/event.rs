//! What the function is invoked with.

use moorage_domain::notification::{Message, Notice};
use serde::{Deserialize, Serialize};

/// One of these.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Event {
    /// SQS's: messages of the queue.
    Queue {
        /// Some of them.
        #[serde(rename = "Records")]
        records: Vec<Record>,
    },
    /// That something happened.
    Notice(Notice),
    /// A message that was given up, and that somebody has tried again.
    Message(Box<Message>),
}

/// One message of the queue.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    /// SQS's name of it.
    pub(crate) message_id: String,
    /// Itself.
    pub(crate) body: String,
}

/// What SQS is answered: which of the messages are to come again.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer {
    pub(crate) batch_item_failures: Vec<Again>,
}

/// One of them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Again {
    pub(crate) item_identifier: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_comes_is_told_apart() {
        let read = |event| serde_json::from_value::<Event>(event).unwrap();
        let queue = json!({"Records": [{"messageId": "1", "body": "{}", "eventSource": "aws:sqs"}]});
        assert!(matches!(read(queue), Event::Queue { records } if records[0].message_id == "1"));
        let late = json!({"notice": "late", "repository": "acme/app"});
        assert!(matches!(read(late), Event::Notice(Notice::Late { .. })));
        let again = Answer { batch_item_failures: vec![Again { item_identifier: "1".to_owned() }] };
        assert_eq!(serde_json::to_value(again).unwrap(), json!({"batchItemFailures": [{"itemIdentifier": "1"}]}));
    }
}
