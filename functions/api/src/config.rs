//! The function's settings, and the clients that they lead to.

use std::{str::FromStr, time::Duration};

use aws_config::timeout::TimeoutConfig;
use moorage_domain::{Guard, GuardError};
use moorage_management::{AdminToken, Api, Shares};
use moorage_schedule::{Invoker, Scheduler, SchedulerSettings};
use moorage_state::{SecretBox, Table};

/// The longest attempt of one request: API Gateway gives up after 30 seconds, and a second attempt must fit.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(8);

/// A variable that is missing or cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    #[error("the environment variable SSRF_ALLOWED_HOSTS is malformed: {0}")]
    Guard(#[from] GuardError),
    #[error("the environment variable {0} is not a whole number")]
    Number(&'static str),
}

/// The environment variables that the template sets.
pub(crate) struct Config {
    table: String,
    key_id: String,
    admin_token: String,
    public_url: String,
    tag_retention: Duration,
    guard: Guard,
    shares: Shares,
    scheduler: SchedulerSettings,
}

impl Config {
    pub(crate) fn from_env() -> Result<Self, ConfigError> {
        let optional = |name| std::env::var(name).unwrap_or_default();
        Ok(Self {
            table: required("TABLE")?,
            key_id: required("KMS_KEY_ID")?,
            admin_token: required("ADMIN_TOKEN_SECRET_ARN")?,
            public_url: optional("PUBLIC_URL").trim_end_matches('/').to_owned(),
            tag_retention: seconds("RETENTION_SECONDS")?,
            guard: Guard::new(&optional("SSRF_ALLOWED_HOSTS"))?,
            shares: Shares { previews: number("PREVIEWS")?, repositories: number("MAX_REPOSITORIES")? },
            scheduler: SchedulerSettings {
                group: required("SCHEDULE_GROUP")?,
                role_arn: required("SCHEDULE_ROLE_ARN")?,
                target_arn: required("SYNC_FUNCTION_ARN")?,
                dead_letter_arn: required("SCHEDULE_DEAD_LETTER_ARN")?,
            },
        })
    }

    /// Builds the clients. They connect when they are first used.
    pub(crate) async fn api(self) -> Api {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
        let aws = aws_config::from_env().timeout_config(timeouts).load().await;
        Api {
            table: Table::new(aws_sdk_dynamodb::Client::new(&aws), self.table),
            secrets: SecretBox::new(aws_sdk_kms::Client::new(&aws), self.key_id),
            invoker: Invoker::new(aws_sdk_lambda::Client::new(&aws), &self.scheduler.target_arn),
            scheduler: Scheduler::new(aws_sdk_scheduler::Client::new(&aws), self.scheduler),
            admin_token: AdminToken::new(aws_sdk_secretsmanager::Client::new(&aws), self.admin_token),
            public_url: self.public_url,
            guard: self.guard,
            shares: self.shares,
            tag_retention: self.tag_retention,
        }
    }
}

fn required(name: &'static str) -> Result<String, ConfigError> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).ok_or(ConfigError::Missing(name))
}

fn seconds(name: &'static str) -> Result<Duration, ConfigError> {
    number(name).map(Duration::from_secs)
}

fn number<T: FromStr>(name: &'static str) -> Result<T, ConfigError> {
    required(name)?.parse().map_err(|_| ConfigError::Number(name))
}
