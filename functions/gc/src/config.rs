//! The function's settings, and the clients that they lead to.

use std::{str::FromStr, time::Duration};

use aws_config::timeout::TimeoutConfig;
use moorage_collector::{Collector, Settings};
use moorage_schedule::Invoker;
use moorage_state::Table;
use moorage_storage::{Storage, StorageRoot};

/// The longest attempt of one S3 or DynamoDB request. Longer than that it is stuck, and the SDK tries again.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

/// A variable that is missing or cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    #[error("the environment variable {0} is not a whole number")]
    Number(&'static str),
}

/// The environment variables that the template sets.
pub(crate) struct Config {
    table: String,
    bucket: String,
    storage_root: String,
    grace: Duration,
    function_name: String,
}

/// What an invocation needs.
pub(crate) struct Function {
    pub(crate) collector: Collector,
    /// Of this very function, for collections that go on.
    pub(crate) invoker: Invoker,
}

impl Config {
    pub(crate) fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            table: required("TABLE")?,
            bucket: required("BUCKET")?,
            storage_root: std::env::var("STORAGE_ROOT").unwrap_or_default(),
            grace: seconds("GC_GRACE_SECONDS")?,
            // Set by Lambda itself.
            function_name: required("AWS_LAMBDA_FUNCTION_NAME")?,
        })
    }

    /// Builds the clients. They connect when they are first used.
    pub(crate) async fn function(self) -> Function {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
        let aws = aws_config::from_env().timeout_config(timeouts).load().await;
        // An endpoint of one's own has no host name per bucket.
        let s3 = aws_sdk_s3::config::Builder::from(&aws).force_path_style(aws.endpoint_url().is_some()).build();
        let s3 = aws_sdk_s3::Client::from_conf(s3);
        Function {
            collector: Collector {
                table: Table::new(aws_sdk_dynamodb::Client::new(&aws), self.table),
                // It stores nothing, so it needs no memory for blobs.
                storage: Storage::new(s3, &self.bucket, StorageRoot::new(&self.storage_root), 0),
                settings: Settings { grace: self.grace },
            },
            invoker: Invoker::new(aws_sdk_lambda::Client::new(&aws), self.function_name),
        }
    }
}

fn required(name: &'static str) -> Result<String, ConfigError> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).ok_or(ConfigError::Missing(name))
}

fn seconds(name: &'static str) -> Result<Duration, ConfigError> {
    u64::from_str(&required(name)?).map(Duration::from_secs).map_err(|_| ConfigError::Number(name))
}
