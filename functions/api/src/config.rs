//! The function's settings, and the clients that they lead to.

use std::time::Duration;

use aws_config::SdkConfig;
use moorage_domain::{
    CloudRules, Guard,
    cloud::{CloudGrants, CloudStandIns},
};
use moorage_identity::Issuers;
use moorage_management::{AdminToken, Api, ApiShares};
use moorage_runtime::{Environment, SettingError, StackSecret, aws};
use moorage_schedule::{Invoker, Scheduler, SchedulerSettings};
use moorage_state::{SecretBox, Table};

/// The longest attempt of one request: API Gateway gives up after 30 seconds, and a second attempt must fit.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(8);

/// The environment variables that the template sets.
pub(crate) struct Config {
    table: String,
    key_id: String,
    admin_token: String,
    token_key: String,
    public_url: String,
    tag_retention: Duration,
    guard: Guard,
    clouds: CloudRules,
    shares: ApiShares,
    late_intervals: u64,
    has_alarms: Option<bool>,
    scheduler: SchedulerSettings,
    /// The function that tells what happens.
    events_function: String,
    aws: SdkConfig,
}

impl Config {
    pub(crate) fn read(environment: &Environment) -> Result<Self, SettingError> {
        Ok(Self {
            table: environment.required("TABLE")?,
            key_id: environment.required("KMS_KEY_ID")?,
            admin_token: environment.required("ADMIN_TOKEN_SECRET_ARN")?,
            token_key: environment.required("TOKEN_KEY_SECRET_ARN")?,
            public_url: environment.base_url("PUBLIC_URL"),
            tag_retention: environment.seconds("RETENTION_SECONDS")?,
            guard: environment.parsed("SSRF_ALLOWED_HOSTS", Guard::new)?,
            clouds: CloudRules {
                grants: environment.parsed("CLOUD_GRANTS", CloudGrants::parse)?,
                stand_ins: environment.parsed("CLOUD_STAND_INS", CloudStandIns::parse)?,
            },
            shares: ApiShares {
                previews: environment.number("PREVIEWS")?,
                repositories: environment.number("MAX_REPOSITORIES")?,
            },
            late_intervals: environment.number("LATE_INTERVALS")?,
            has_alarms: environment.optional("ALARMS").parse().ok(),
            scheduler: SchedulerSettings::read(|name| environment.required(name))?,
            events_function: environment.required("EVENTS_FUNCTION_ARN")?,
            aws: aws(environment, ATTEMPT_TIMEOUT),
        })
    }

    /// Builds the clients. They connect when they are first used.
    pub(crate) fn api(self) -> Api {
        let aws = self.aws;
        Api {
            table: Table::new(aws_sdk_dynamodb::Client::new(&aws), self.table),
            secrets: SecretBox::new(aws_sdk_kms::Client::new(&aws), self.key_id),
            invoker: Invoker::new(aws_sdk_lambda::Client::new(&aws), &self.scheduler.target_arn),
            teller: Invoker::new(aws_sdk_lambda::Client::new(&aws), self.events_function),
            scheduler: Scheduler::new(aws_sdk_scheduler::Client::new(&aws), self.scheduler),
            admin_token: AdminToken::new(aws_sdk_secretsmanager::Client::new(&aws), self.admin_token),
            token_key: StackSecret::new(aws_sdk_secretsmanager::Client::new(&aws), self.token_key),
            issuers: Issuers::new(self.guard.clone()),
            public_url: self.public_url,
            guard: self.guard,
            clouds: self.clouds,
            shares: self.shares,
            late_intervals: self.late_intervals,
            has_alarms: self.has_alarms,
            tag_retention: self.tag_retention,
        }
    }
}
