//! The function's settings, and the clients that they lead to.

use std::time::Duration;

use aws_config::SdkConfig;
use moorage_domain::{
    CloudRules, Guard,
    cloud::{CloudGrants, CloudStandIns},
};
use moorage_identity::Issuers;
use moorage_management::{AdminToken, Api, ApiShares, BoundTeams, Provider, ProviderSettings};
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
    provider: OidcSettings,
    /// The function that tells what happens.
    events_function: String,
    aws: SdkConfig,
}

/// The identity provider that people sign in with; nothing is set if nobody can.
struct OidcSettings {
    issuer: String,
    client_id: String,
    client_secret: String,
    user_claim: String,
    groups_claim: String,
    superuser_group: String,
    scopes: String,
}

impl OidcSettings {
    /// As the template sets them, with its defaults where they are not set.
    fn read(environment: &Environment) -> Self {
        let or = |name, default: &str| {
            let value = environment.optional(name);
            if value.is_empty() { default.to_owned() } else { value }
        };
        Self {
            issuer: environment.optional("OIDC_ISSUER"),
            client_id: environment.optional("OIDC_CLIENT_ID"),
            client_secret: environment.optional("OIDC_CLIENT_SECRET_ARN"),
            user_claim: or("OIDC_USER_CLAIM", "preferred_username"),
            groups_claim: or("OIDC_GROUPS_CLAIM", "groups"),
            superuser_group: environment.optional("OIDC_SUPERUSER_GROUP"),
            scopes: or("OIDC_SCOPES", "openid profile email"),
        }
    }

    /// The provider, if one is set. Settings that let nobody in are told in the log, and keep nobody else out: holders of
    /// tokens call as before.
    fn provider(self, aws: &SdkConfig, guard: &Guard) -> Option<Provider> {
        if self.issuer.is_empty() && self.client_id.is_empty() {
            return None;
        }
        let secret = |id| StackSecret::new(aws_sdk_secretsmanager::Client::new(aws), id);
        let settings = ProviderSettings {
            issuer: self.issuer,
            client_id: self.client_id,
            client_secret: Some(self.client_secret).filter(|id| !id.is_empty()).map(secret),
            user_claim: self.user_claim,
            groups_claim: self.groups_claim,
            superuser_group: self.superuser_group,
            scopes: self.scopes,
        };
        match Provider::new(settings, guard) {
            Ok(provider) => Some(provider),
            Err(error) => {
                tracing::error!(%error, "nobody can sign in: the settings of the identity provider are wrong");
                None
            }
        }
    }
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
            provider: OidcSettings::read(environment),
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
            provider: self.provider.provider(&aws, &self.guard),
            bound_teams: BoundTeams::default(),
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
