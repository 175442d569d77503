//! When a message is tried again that was not delivered.

use std::time::Duration;

use super::notice::Message;
use crate::Timestamp;

/// The pauses before each further try. Together they are less than a day: a receiver may be away for a night.
const PAUSES: [Duration; 10] = [
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(15 * 60),
    Duration::from_secs(60 * 60),
    Duration::from_secs(2 * 3_600),
    Duration::from_secs(4 * 3_600),
    Duration::from_secs(4 * 3_600),
    Duration::from_secs(6 * 3_600),
    Duration::from_secs(6 * 3_600),
];
/// The same for somebody who tries a notification, and looks at what comes of it.
const TEST_PAUSES: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(10)];

impl Message {
    /// The message for its next try; nothing if there is none.
    #[must_use]
    pub fn again(self, now: Timestamp) -> Option<Self> {
        let pauses: &[Duration] = if self.is_test { &TEST_PAUSES } else { &PAUSES };
        let tried = usize::try_from(self.tries).unwrap_or(usize::MAX);
        let pause = pauses.get(tried)?;
        Some(Self { tries: self.tries.saturating_add(1), due: now.plus(*pause), ..self })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::notification::{Event, Owner};

    #[test]
    fn a_message_is_tried_for_a_day_with_longer_and_longer_pauses() {
        let made = Timestamp::from_unix(0);
        let mut message = Message {
            owner: Owner::Repository("acme/app".parse().unwrap()),
            uuid: Uuid::nil(),
            id: "msg_1".to_owned(),
            event: Event::Failed,
            body: json!({}),
            made,
            tries: 0,
            due: made,
            is_test: false,
        };
        let (mut last, mut count) = (Duration::ZERO, 1);
        while let Some(next) = message.clone().again(message.due) {
            let pause = Duration::from_secs(u64::try_from(next.due.unix() - message.due.unix()).unwrap());
            assert!(pause >= last);
            (last, message, count) = (pause, next, count + 1);
        }
        let day = 86_400;
        assert!(count == 11 && message.due.unix() <= day && message.due.unix() > day / 2, "{count} {}", message.due);
        let test = Message { tries: 2, is_test: true, ..message };
        assert_eq!(test.again(made), None);
    }
}
