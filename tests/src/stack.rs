//! The stack under test, from the environment that `make test` sets.

use aws_config::SdkConfig;

/// Where the stack is.
#[derive(Debug, Clone)]
pub struct Stack {
    /// The API's URL.
    pub url: String,
    /// The admin token.
    pub token: String,
    /// The bucket.
    pub bucket: String,
    /// The table.
    pub table: String,
    /// The sync function.
    pub sync_function: String,
    /// The garbage collector's function.
    pub gc_function: String,
    /// The registry's function.
    pub registry_function: String,
    /// The API's function.
    pub api_function: String,
    /// The mirrors' schedules.
    pub schedule_group: String,
    /// Host and port of the external registry.
    pub upstream: String,
    /// The AWS clients' settings.
    pub aws: SdkConfig,
}

impl Stack {
    /// The stack that the environment names.
    pub async fn from_env() -> Self {
        let variable = |name| {
            std::env::var(name)
                .unwrap_or_else(|_| panic!("{name} is not set: these tests need a stack, run `make test`"))
        };
        Self {
            url: variable("MOORAGE_URL"),
            token: variable("MOORAGE_TOKEN"),
            bucket: variable("MOORAGE_BUCKET"),
            table: variable("MOORAGE_TABLE"),
            sync_function: variable("MOORAGE_SYNC_FUNCTION"),
            gc_function: variable("MOORAGE_GC_FUNCTION"),
            registry_function: variable("MOORAGE_REGISTRY_FUNCTION"),
            api_function: variable("MOORAGE_API_FUNCTION"),
            schedule_group: variable("MOORAGE_SCHEDULE_GROUP"),
            upstream: variable("MOORAGE_UPSTREAM"),
            aws: aws_config::from_env().load().await,
        }
    }

    /// S3, as the stack has it.
    pub fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.aws).force_path_style(true).build();
        aws_sdk_s3::Client::from_conf(config)
    }

    /// The emulator's address.
    pub fn endpoint(&self) -> &str {
        self.aws.endpoint_url().expect("AWS_ENDPOINT_URL is set")
    }
}
