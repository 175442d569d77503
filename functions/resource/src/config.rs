//! The function's settings, and the clients that they lead to.

use std::time::Duration;

use aws_config::SdkConfig;
use lambda_runtime::Error;
use moorage_client::Address;
use moorage_runtime::{Environment, SettingError, StackSecret, aws};
use moorage_state::Table;

use crate::{callback::Callback, registry::Registry, secrets::Secrets};

/// The longest attempt of one request to AWS. Longer than that it is stuck, and the SDK tries again.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// The environment variables that the template sets.
pub(crate) struct Config {
    public_url: String,
    admin_token: String,
    table: String,
    endpoint: String,
    aws: SdkConfig,
}

/// What invocations need.
pub(crate) struct Function {
    /// Where the management API is.
    pub(crate) api: Address,
    /// The token that it is called with.
    pub(crate) token: StackSecret,
    /// What clients pull from.
    pub(crate) registry: Registry,
    /// Who has made what.
    pub(crate) table: Table,
    pub(crate) secrets: Secrets,
    pub(crate) callback: Callback,
}

impl Config {
    pub(crate) fn read(environment: &Environment) -> Result<Self, SettingError> {
        environment.required("PUBLIC_URL")?;
        Ok(Self {
            public_url: environment.base_url("PUBLIC_URL"),
            admin_token: environment.required("ADMIN_TOKEN_SECRET_ARN")?,
            table: environment.required("TABLE")?,
            endpoint: environment.optional("AWS_ENDPOINT_URL"),
            aws: aws(environment, ATTEMPT_TIMEOUT),
        })
    }

    /// Builds the clients. They connect when they are first used.
    pub(crate) fn function(self) -> Result<Function, Error> {
        let secrets = aws_sdk_secretsmanager::Client::new(&self.aws);
        Ok(Function {
            // The template's own URL is https; a local stack's is on this machine.
            api: Address::parse(&self.public_url, false)?,
            token: StackSecret::new(secrets.clone(), self.admin_token.clone()),
            registry: Registry::at(&self.public_url),
            table: Table::new(aws_sdk_dynamodb::Client::new(&self.aws), self.table),
            secrets: Secrets::new(secrets, self.admin_token),
            callback: Callback::new(&self.endpoint)?,
        })
    }
}
