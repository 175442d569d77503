//! The function's settings, and the clients that they lead to.

use std::time::Duration;

use aws_config::SdkConfig;
use moorage_resources::{ClientError, Deployment, Resources};
use moorage_runtime::{Environment, SettingError, aws};
use moorage_state::Table;

/// The longest attempt of one request to AWS. Longer than that it is stuck, and the SDK tries again.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// The environment variables that the template sets.
pub(crate) struct Config {
    deployment: Deployment,
    table: String,
    aws: SdkConfig,
}

impl Config {
    pub(crate) fn read(environment: &Environment) -> Result<Self, SettingError> {
        environment.required("PUBLIC_URL")?;
        let deployment = Deployment {
            public_url: environment.base_url("PUBLIC_URL"),
            admin_token: environment.required("ADMIN_TOKEN_SECRET_ARN")?,
            endpoint: environment.optional("AWS_ENDPOINT_URL"),
        };
        Ok(Self { deployment, table: environment.required("TABLE")?, aws: aws(environment, ATTEMPT_TIMEOUT) })
    }

    /// Builds the clients. They connect when they are first used.
    pub(crate) fn resources(self) -> Result<Resources, ClientError> {
        let table = Table::new(aws_sdk_dynamodb::Client::new(&self.aws), self.table);
        Resources::new(self.deployment, table, aws_sdk_secretsmanager::Client::new(&self.aws))
    }
}
