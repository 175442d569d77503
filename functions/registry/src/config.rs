//! The function's settings, and the clients that they lead to.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_s3::config::ResponseChecksumValidation;
use moorage_distribution::{Access, Alias, Content, NodeNamespaces, Provider, Registry};
use moorage_runtime::{Environment, SettingError, StackSecret, aws};
use moorage_state::Table;
use moorage_storage::{Storage, StorageRoot};

/// The longest attempt of one request: API Gateway gives up after 30 seconds, and a second attempt must fit.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(8);
/// Memory for blobs on their way into the bucket: nothing is written here.
const NO_MEMORY: u64 = 0;

/// The environment variables that the template sets.
pub(crate) struct Config {
    table: String,
    bucket: String,
    storage_root: String,
    token_key: String,
    admin_token: String,
    public_url: String,
    nodes: NodeNamespaces,
    provider: Option<Provider>,
    aws: SdkConfig,
}

impl Config {
    pub(crate) fn read(environment: &Environment) -> Result<Self, SettingError> {
        let superusers = environment.parsed("OIDC_SUPERUSER_GROUP", |name| name.parse().map(Some))?;
        Ok(Self {
            table: environment.required("TABLE")?,
            bucket: environment.required("BUCKET")?,
            storage_root: environment.optional("STORAGE_ROOT"),
            token_key: environment.required("TOKEN_KEY_SECRET_ARN")?,
            admin_token: environment.required("ADMIN_TOKEN_SECRET_ARN")?,
            public_url: environment.base_url("PUBLIC_URL"),
            nodes: environment.parsed("NODE_NAMESPACES", str::parse)?,
            provider: Provider::new(&environment.optional("OIDC_ISSUER"), superusers),
            aws: aws(environment, ATTEMPT_TIMEOUT),
        })
    }

    /// Builds the clients. They connect when they are first used.
    pub(crate) fn registry(self) -> Registry {
        let aws = self.aws;
        // A digest says more of content than a checksum, which presigned URLs would have to ask for by a header that
        // clients do not send.
        let s3 =
            moorage_storage::s3_config(&aws).response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        let root = StorageRoot::new(&self.storage_root);
        let storage = |s3: aws_sdk_s3::config::Builder| {
            Storage::new(aws_sdk_s3::Client::from_conf(s3.build()), &self.bucket, root.clone(), NO_MEMORY)
        };
        let other_name = |url: &str| storage(s3.clone().endpoint_url(url));
        let alias = aws.endpoint_url().and_then(|endpoint| Alias::of(endpoint, other_name));
        let secrets = aws_sdk_secretsmanager::Client::new(&aws);
        Registry {
            content: Content::new(storage(s3), alias),
            access: Access::new(
                Table::new(aws_sdk_dynamodb::Client::new(&aws), self.table),
                (StackSecret::new(secrets.clone(), self.token_key), StackSecret::new(secrets, self.admin_token)),
                self.nodes,
                self.provider,
            ),
            public_url: self.public_url,
        }
    }
}
