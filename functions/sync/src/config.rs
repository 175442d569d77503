//! The function's settings, and the clients that they lead to.

use std::time::Duration;

use aws_config::SdkConfig;
use moorage_clouds::Clouds;
use moorage_domain::{
    AwsMeter, CloudRules, Guard,
    cloud::{CloudGrants, CloudStandIns},
    share::Quota,
};
use moorage_engine::{Engine, Settings, SyncShares};
use moorage_organizations::Organizations;
use moorage_runtime::{Environment, SettingError, aws};
use moorage_schedule::{Invoker, Scheduler, SchedulerSettings};
use moorage_state::{KmsCounter, SecretBox, Table, UnitCounter};
use moorage_storage::{RequestCounter, Storage, StorageRoot};
use moorage_upstream::Limits;

/// The unit of `BLOB_MEMORY_MEGABYTES`.
const MEGABYTE: u64 = 1024 * 1024;
/// What Lambda says that the function has, in megabytes.
const MEMORY: &str = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";
/// What of that blobs may take where nobody says how much: 11 of 16 parts, so that 512 MB have room for seven parts of an
/// upload of 48 MiB, and 128 MB for eleven of 8 MiB. The program itself reaches 35 MiB with ten thousand tags.
const FOR_BLOBS: (u64, u64) = (11, 16);
/// The least that blobs need: a part that comes and one that goes, in megabytes.
const LEAST_FOR_BLOBS: u64 = 16;
/// The longest attempt of one S3 or DynamoDB request: a part of 48 MiB over a very slow network. Longer than that it is
/// stuck, and the SDK tries again.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);

/// What the function does its work with.
pub(crate) struct Services {
    pub(crate) engine: Engine,
    pub(crate) organizations: Organizations,
    /// The stack's name in the metrics of its health; empty if nobody watches them.
    pub(crate) watched_as: String,
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
    clouds: CloudRules,
    settings: Settings,
    /// How many of an organization's repositories are synced at once.
    organization_syncs: usize,
    /// The most repositories of an organization; 0 for any number.
    repositories: u64,
    /// The function that tells what happens.
    events_function: String,
    /// The stack's name in the metrics of its health; empty if nobody watches them.
    watched_as: String,
    aws: SdkConfig,
}

impl Config {
    pub(crate) fn read(environment: &Environment) -> Result<Self, SettingError> {
        Ok(Self {
            table: environment.required("TABLE")?,
            bucket: environment.required("BUCKET")?,
            storage_root: environment.optional("STORAGE_ROOT"),
            blob_memory: blob_memory(environment)?,
            scheduler: SchedulerSettings::read(|name| environment.required(name))?,
            tag_retention: environment.seconds("RETENTION_SECONDS")?,
            clouds: CloudRules {
                grants: environment.parsed("CLOUD_GRANTS", CloudGrants::parse)?,
                stand_ins: environment.parsed("CLOUD_STAND_INS", CloudStandIns::parse)?,
            },
            settings: Settings {
                claim: environment.seconds("CLAIM_SECONDS")?,
                retry_backoff: environment.seconds("RETRY_BACKOFF_SECONDS")?,
                referrers_refresh: environment.seconds("REFERRERS_REFRESH_SECONDS")?,
                verify_interval: environment.seconds("VERIFY_SECONDS")?,
                min_bytes_per_hour: environment.number("MIN_BYTES_PER_HOUR")?,
                repository_metrics: environment.is_true("REPOSITORY_METRICS"),
                late_intervals: environment.number("LATE_INTERVALS")?,
                shares: SyncShares {
                    syncs: environment.number("NAMESPACE_SYNCS")?,
                    quota: Quota { tags: environment.number("MAX_TAGS")?, bytes: environment.number("MAX_BYTES")? },
                },
                limits: Limits { concurrent_requests: environment.number("REGISTRY_REQUESTS")?, ..Limits::default() },
                memory_mb: environment.number(MEMORY)?,
                guard: environment.parsed("SSRF_ALLOWED_HOSTS", Guard::new)?,
                trust: environment.parsed("TRUST_DOMAIN", str::parse)?,
            },
            organization_syncs: environment.number("ORGANIZATION_SYNCS")?,
            repositories: environment.number("MAX_REPOSITORIES")?,
            events_function: environment.required("EVENTS_FUNCTION_ARN")?,
            watched_as: environment.optional("WATCHED_AS"),
            aws: aws(environment, ATTEMPT_TIMEOUT),
        })
    }

    /// Builds the clients. They connect when they are first used.
    pub(crate) fn services(self) -> Services {
        let aws = self.aws;
        let meter = AwsMeter::default();
        let s3 = moorage_storage::s3_config(&aws).interceptor(RequestCounter::new(meter.clone()));
        let s3 = aws_sdk_s3::Client::from_conf(s3.build());
        let dynamodb = aws_sdk_dynamodb::config::Builder::from(&aws).interceptor(UnitCounter::new(meter.clone()));
        let dynamodb = aws_sdk_dynamodb::Client::from_conf(dynamodb.build());
        let kms = aws_sdk_kms::config::Builder::from(&aws).interceptor(KmsCounter::new(meter.clone()));
        let engine = Engine {
            table: Table::new(dynamodb, self.table).keep_past_tags(self.tag_retention),
            storage: Storage::new(s3, &self.bucket, StorageRoot::new(&self.storage_root), self.blob_memory),
            invoker: Invoker::new(aws_sdk_lambda::Client::new(&aws), &self.scheduler.target_arn),
            teller: Invoker::new(aws_sdk_lambda::Client::new(&aws), self.events_function),
            scheduler: Scheduler::new(aws_sdk_scheduler::Client::new(&aws), self.scheduler),
            // This function's role can only decrypt, for which no key has to be named.
            secrets: SecretBox::new(aws_sdk_kms::Client::from_conf(kms.build()), String::new()),
            clouds: Clouds::new(&aws, self.clouds, self.settings.guard.clone()),
            meter,
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
            clouds: engine.clouds.clone(),
            settings,
        };
        Services { engine, organizations, watched_as: self.watched_as }
    }
}

/// As much memory for blobs as is said, or, where that is nothing, as the function's memory leaves.
fn blob_memory(environment: &Environment) -> Result<u64, SettingError> {
    let megabytes = match environment.number("BLOB_MEMORY_MEGABYTES")? {
        0 => environment.number::<u64>(MEMORY)?.saturating_mul(FOR_BLOBS.0) / FOR_BLOBS.1,
        megabytes => megabytes.max(LEAST_FOR_BLOBS),
    };
    Ok(megabytes.saturating_mul(MEGABYTE))
}
