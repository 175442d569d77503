//! What requests are done with.

use moorage_client::{Address, ClientError};
use moorage_runtime::StackSecret;
use moorage_state::Table;

use crate::{callback::Callback, registry::Registry, secrets::Secrets};

/// What is to be known of the deployment.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// The URL of the management API and of the registry: https, or http to this machine.
    pub public_url: String,
    /// The ARN of the secret with the token that the API is called with.
    pub admin_token: String,
    /// The endpoint of AWS's services, empty if it is AWS's own. Where it is plain http, stacks are answered so, too.
    pub endpoint: String,
}

/// Does what stacks want. It connects when it is first used.
pub struct Resources {
    /// Where the management API is.
    pub(crate) api: Address,
    /// The token that it is called with.
    pub(crate) token: StackSecret,
    /// What clients pull from.
    pub(crate) registry: Registry,
    /// Who has made what.
    pub(crate) table: Table,
    /// What no template may hold.
    pub(crate) secrets: Secrets,
    /// Where answers go.
    pub(crate) callback: Callback,
}

impl Resources {
    /// With the table that knows who has made what, and with whoever has the secrets. Fails if the deployment's URL cannot be
    /// called.
    pub fn new(
        deployment: Deployment,
        table: Table,
        secrets: aws_sdk_secretsmanager::Client,
    ) -> Result<Self, ClientError> {
        Ok(Self {
            // The template's own URL is https; a local stack's is on this machine.
            api: Address::parse(&deployment.public_url, false)?,
            token: StackSecret::new(secrets.clone(), deployment.admin_token.clone()),
            registry: Registry::at(&deployment.public_url),
            table,
            secrets: Secrets::new(secrets, deployment.admin_token),
            callback: Callback::new(&deployment.endpoint),
        })
    }
}
