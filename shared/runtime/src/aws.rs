//! What all clients of AWS have in common.

use std::time::Duration;

use aws_config::{
    BehaviorVersion, Region, SdkConfig, environment::EnvironmentVariableCredentialsProvider, retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_sdk_secretsmanager::config::SharedCredentialsProvider;

use crate::environment::Environment;

/// The configuration of a function's clients: region, credentials and endpoint as the environment has them, the SDK's
/// standard retries, and no attempt that takes longer than `attempt`.
///
/// Lambda gives a function its region and its credentials by the environment; a chain of other sources of them
/// (profiles, STS, metadata services) would only make the code larger.
pub fn aws(environment: &Environment, attempt: Duration) -> SdkConfig {
    let variable = |name| environment.get(name).map(str::to_owned);
    let credentials = SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new());
    let mut aws = SdkConfig::builder();
    aws.set_region(variable("AWS_REGION").map(Region::new)).set_endpoint_url(variable("AWS_ENDPOINT_URL"));
    aws.behavior_version(BehaviorVersion::latest())
        .credentials_provider(credentials)
        .retry_config(RetryConfig::standard())
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(attempt).build())
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn region_and_endpoint_are_the_environments() {
        let variables = [("AWS_REGION", "eu-central-1"), ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")];
        let environment = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
        let aws = aws(&environment, Duration::from_secs(8));
        assert_eq!(aws.region().map(AsRef::as_ref), Some("eu-central-1"));
        assert_eq!(aws.endpoint_url(), Some("http://127.0.0.1:4566"));
        let timeouts = aws.timeout_config().unwrap();
        assert_eq!(timeouts.operation_attempt_timeout(), Some(Duration::from_secs(8)));
    }
}
