//! The function's settings, and the clients that they lead to.

use std::time::Duration;

use aws_config::SdkConfig;
use moorage_collector::{Collector, Settings};
use moorage_runtime::{Environment, SettingError, aws};
use moorage_schedule::Invoker;
use moorage_state::Table;
use moorage_storage::{Storage, StorageRoot};

/// The longest attempt of one S3 or DynamoDB request. Longer than that it is stuck, and the SDK tries again.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

/// The most digests that are marked at once: 128 MiB of them, and as much again while links are listed, in a function of
/// 512 MB.
const MARKS: usize = 4 << 20;

/// The environment variables that the template sets.
pub(crate) struct Config {
    table: String,
    bucket: String,
    storage_root: String,
    grace: Duration,
    function_name: String,
    aws: SdkConfig,
}

/// What an invocation needs.
pub(crate) struct Function {
    pub(crate) collector: Collector,
    /// Of this very function, for collections that go on.
    pub(crate) invoker: Invoker,
}

impl Config {
    pub(crate) fn read(environment: &Environment) -> Result<Self, SettingError> {
        Ok(Self {
            table: environment.required("TABLE")?,
            bucket: environment.required("BUCKET")?,
            storage_root: environment.optional("STORAGE_ROOT"),
            grace: environment.seconds("GC_GRACE_SECONDS")?,
            // Set by Lambda itself.
            function_name: environment.required("AWS_LAMBDA_FUNCTION_NAME")?,
            aws: aws(environment, ATTEMPT_TIMEOUT),
        })
    }

    /// Builds the clients. They connect when they are first used.
    pub(crate) fn function(self) -> Function {
        let aws = self.aws;
        let s3 = aws_sdk_s3::Client::from_conf(moorage_storage::s3_config(&aws).build());
        Function {
            collector: Collector::new(
                Table::new(aws_sdk_dynamodb::Client::new(&aws), self.table),
                // It stores nothing, so it needs no memory for blobs.
                Storage::new(s3, &self.bucket, StorageRoot::new(&self.storage_root), 0),
                Settings { grace: self.grace, marks: MARKS },
            ),
            invoker: Invoker::new(aws_sdk_lambda::Client::new(&aws), self.function_name),
        }
    }
}
