//! What all of it is done with.

use moorage_state::{SecretBox, Table};
use moorage_upstream::Receivers;

use crate::queue::Queue;

/// What is to be known of the stack.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its own URL, for links.
    pub public_url: String,
    /// Its name in the metrics of its health; empty if nobody watches them.
    pub watched_as: String,
}

/// Tells people of what happens.
#[derive(Debug, Clone)]
pub struct Notifier {
    /// What happened, and who wants to know.
    pub table: Table,
    /// For what messages are signed with.
    pub secrets: SecretBox,
    /// Messages on their way.
    pub queue: Queue,
    /// For webhooks.
    pub receivers: Receivers,
    /// For topics.
    pub topics: aws_sdk_sns::Client,
    /// For buses.
    pub buses: aws_sdk_eventbridge::Client,
    /// What is to be known of the stack.
    pub settings: Settings,
}
