//! The function's settings, and the clients that they lead to.

use std::{str::FromStr, time::Duration};

use aws_config::{
    BehaviorVersion, Region, SdkConfig, environment::EnvironmentVariableCredentialsProvider, retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_sdk_s3::config::SharedCredentialsProvider;
use moorage_domain::{TrustDomain, proven::UnknownTrustDomain, share::Quota};
use moorage_engine::{Engine, Settings, Shares};
use moorage_organizations::Organizations;
use moorage_schedule::{Invoker, Scheduler, SchedulerSettings};
use moorage_state::{SecretBox, Table};
use moorage_storage::{Storage, StorageRoot};
use moorage_upstream::{Guard, GuardError, Limits};

/// The unit of `BLOB_MEMORY_MEGABYTES`.
const MEGABYTE: u64 = 1024 * 1024;
/// The longest attempt of one S3 or DynamoDB request: a part of 8 MiB over a very slow network. Longer than that it is
/// stuck, and the SDK tries again.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);

/// A variable that is missing or cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    #[error("the environment variable {0} is not a whole number")]
    Number(&'static str),
    #[error("the environment variable {0} is malformed: {1}")]
    Trust(&'static str, UnknownTrustDomain),
    #[error("the environment variable SSRF_ALLOWED_HOSTS is malformed: {0}")]
    Guard(#[from] GuardError),
}

/// What the function does its work with.
pub(crate) struct Services {
    pub(crate) engine: Engine,
    pub(crate) organizations: Organizations,
}

/// The environment variables that the template sets.
pub(crate) struct Config {
    table: String,
    bucket: String,
    storage_root: String,
    /// Bytes of blobs in memory at any time, from the request to the registry until S3 has them.
    blob_memory: u64,
    scheduler: SchedulerSettings,
    tag_retention: Duration,
    settings: Settings,
    /// How many of an organization's repositories are synced at once.
    organization_syncs: usize,
    /// The most repositories of an organization; 0 for any number.
    repositories: u64,
}

impl Config {
    pub(crate) fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            table: required("TABLE")?,
            bucket: required("BUCKET")?,
            storage_root: optional("STORAGE_ROOT"),
            blob_memory: number::<u64>("BLOB_MEMORY_MEGABYTES")?.saturating_mul(MEGABYTE),
            scheduler: SchedulerSettings {
                group: required("SCHEDULE_GROUP")?,
                role_arn: required("SCHEDULE_ROLE_ARN")?,
                target_arn: required("SYNC_FUNCTION_ARN")?,
                dead_letter_arn: required("SCHEDULE_DEAD_LETTER_ARN")?,
            },
            tag_retention: seconds("RETENTION_SECONDS")?,
            settings: Settings {
                claim: seconds("CLAIM_SECONDS")?,
                retry_backoff: seconds("RETRY_BACKOFF_SECONDS")?,
                referrers_refresh: seconds("REFERRERS_REFRESH_SECONDS")?,
                verify_interval: seconds("VERIFY_SECONDS")?,
                min_bytes_per_hour: number("MIN_BYTES_PER_HOUR")?,
                repository_metrics: optional("REPOSITORY_METRICS") == "true",
                shares: Shares {
                    syncs: number("NAMESPACE_SYNCS")?,
                    quota: Quota { tags: number("MAX_TAGS")?, bytes: number("MAX_BYTES")? },
                },
                limits: Limits { concurrent_requests: number("REGISTRY_REQUESTS")?, ..Limits::default() },
                guard: Guard::new(&optional("SSRF_ALLOWED_HOSTS"))?,
                trust: trust("TRUST_DOMAIN")?,
            },
            organization_syncs: number("ORGANIZATION_SYNCS")?,
            repositories: number("MAX_REPOSITORIES")?,
        })
    }

    /// Builds the clients. They connect when they are first used.
    pub(crate) fn services(self) -> Services {
        let aws = aws();
        // An endpoint of one's own has no host name per bucket.
        let s3 = aws_sdk_s3::config::Builder::from(&aws).force_path_style(aws.endpoint_url().is_some()).build();
        let s3 = aws_sdk_s3::Client::from_conf(s3);
        let engine = Engine {
            table: Table::new(aws_sdk_dynamodb::Client::new(&aws), self.table).keep_past_tags(self.tag_retention),
            storage: Storage::new(s3, &self.bucket, StorageRoot::new(&self.storage_root), self.blob_memory),
            invoker: Invoker::new(aws_sdk_lambda::Client::new(&aws), &self.scheduler.target_arn),
            scheduler: Scheduler::new(aws_sdk_scheduler::Client::new(&aws), self.scheduler),
            // This function's role can only decrypt, for which no key has to be named.
            secrets: SecretBox::new(aws_sdk_kms::Client::new(&aws), String::new()),
            settings: self.settings,
        };
        let settings = moorage_organizations::Settings {
            claim: engine.settings.claim,
            retry_backoff: engine.settings.retry_backoff,
            syncs: self.organization_syncs,
            repositories: self.repositories,
            limits: engine.settings.limits.clone(),
            guard: engine.settings.guard.clone(),
        };
        let organizations = Organizations {
            table: engine.table.clone(),
            scheduler: engine.scheduler.clone(),
            invoker: engine.invoker.clone(),
            secrets: engine.secrets.clone(),
            settings,
        };
        Services { engine, organizations }
    }
}

/// What all clients have in common. Lambda gives a function its region and its credentials by the environment; a chain
/// of other sources of them (profiles, STS, metadata services) would only make the code larger.
fn aws() -> SdkConfig {
    let variable = |name| Some(optional(name)).filter(|value| !value.is_empty());
    let credentials = SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new());
    let mut aws = SdkConfig::builder();
    aws.set_region(variable("AWS_REGION").map(Region::new)).set_endpoint_url(variable("AWS_ENDPOINT_URL"));
    aws.behavior_version(BehaviorVersion::latest())
        .credentials_provider(credentials)
        .retry_config(RetryConfig::standard())
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build())
        .build()
}

fn required(name: &'static str) -> Result<String, ConfigError> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).ok_or(ConfigError::Missing(name))
}

fn optional(name: &'static str) -> String {
    std::env::var(name).unwrap_or_default()
}

fn trust(name: &'static str) -> Result<TrustDomain, ConfigError> {
    match optional(name).as_str() {
        "" => Ok(TrustDomain::default()),
        domain => domain.parse().map_err(|error| ConfigError::Trust(name, error)),
    }
}

fn seconds(name: &'static str) -> Result<Duration, ConfigError> {
    number(name).map(Duration::from_secs)
}

fn number<T: FromStr>(name: &'static str) -> Result<T, ConfigError> {
    required(name)?.parse().map_err(|_| ConfigError::Number(name))
}
