//! The function's settings, and the clients that they lead to.

use std::time::Duration;

use aws_config::SdkConfig;
use moorage_domain::Guard;
use moorage_notifications::{Notifier, Queue, Settings};
use moorage_runtime::{Environment, SettingError, aws};
use moorage_state::{SecretBox, Table};
use moorage_upstream::Receivers;

/// The longest attempt of one request to AWS. Longer than that it is stuck, and the SDK tries again.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// The environment variables that the template sets.
pub(crate) struct Config {
    table: String,
    queue: String,
    dead_letters: String,
    function_arn: String,
    public_url: String,
    guard: Guard,
    watched_as: String,
    aws: SdkConfig,
}

impl Config {
    pub(crate) fn read(environment: &Environment) -> Result<Self, SettingError> {
        Ok(Self {
            table: environment.required("TABLE")?,
            queue: environment.required("EVENTS_QUEUE_URL")?,
            dead_letters: environment.required("DEAD_LETTERS_URL")?,
            function_arn: environment.required("EVENTS_FUNCTION_ARN")?,
            public_url: environment.base_url("PUBLIC_URL"),
            watched_as: environment.optional("WATCHED_AS"),
            guard: environment.parsed("SSRF_ALLOWED_HOSTS", Guard::new)?,
            aws: aws(environment, ATTEMPT_TIMEOUT),
        })
    }

    /// Builds the clients. They connect when they are first used.
    pub(crate) fn notifier(self) -> Notifier {
        let aws = self.aws;
        let sqs = aws_sdk_sqs::Client::new(&aws);
        Notifier {
            table: Table::new(aws_sdk_dynamodb::Client::new(&aws), self.table),
            // This function's role can only decrypt, for which no key has to be named.
            secrets: SecretBox::new(aws_sdk_kms::Client::new(&aws), String::new()),
            queue: Queue::new(sqs, self.queue, self.dead_letters, self.function_arn),
            receivers: Receivers::new(self.guard),
            topics: aws_sdk_sns::Client::new(&aws),
            buses: aws_sdk_eventbridge::Client::new(&aws),
            settings: Settings { public_url: self.public_url, watched_as: self.watched_as },
        }
    }
}
