//! What all clients of AWS have in common.

use std::{collections::HashMap, time::Duration};

use aws_config::{
    BehaviorVersion, Region, SdkConfig, environment::EnvironmentVariableCredentialsProvider, retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_sdk_secretsmanager::config::SharedCredentialsProvider;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

use crate::environment::Environment;

/// Where the services are, if not where AWS has them: `AWS_ENDPOINT_URL`, and `AWS_ENDPOINT_URL_DYNAMODB` and the like
/// for a single one.
const ENDPOINT: &str = "AWS_ENDPOINT_URL";

/// The configuration of a function's clients: region, credentials and endpoints as the environment has them, the SDK's
/// standard retries, and no attempt that takes longer than `attempt`.
///
/// Lambda gives a function its region and its credentials by the environment; a chain of other sources of them
/// (profiles, STS, metadata services) would only make the code larger.
pub fn aws(environment: &Environment, attempt: Duration) -> SdkConfig {
    let variable = |name| environment.get(name).map(str::to_owned);
    let credentials = SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new());
    let mut aws = SdkConfig::builder();
    aws.set_region(variable("AWS_REGION").map(Region::new)).set_endpoint_url(variable(ENDPOINT));
    aws.behavior_version(BehaviorVersion::latest())
        .credentials_provider(credentials)
        .service_config(Endpoints(environment.beginning(ENDPOINT)))
        .retry_config(RetryConfig::standard())
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(attempt).build())
        .build()
}

/// The endpoints of single services, by the names of their variables.
#[derive(Debug)]
struct Endpoints(HashMap<String, String>);

impl LoadServiceConfig for Endpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().replace([' ', '-'], "_").to_uppercase();
        self.0.get(&format!("{}_{service}", key.env())).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn region_and_endpoint_are_the_environments() {
        let variables = [
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:4567"),
        ];
        let environment = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
        let aws = aws(&environment, Duration::from_secs(8));
        assert_eq!(aws.region().map(AsRef::as_ref), Some("eu-central-1"));
        assert_eq!(aws.endpoint_url(), Some("http://127.0.0.1:4566"));
        let of = |service| {
            let key = ServiceConfigKey::builder().service_id(service).env(ENDPOINT).profile("endpoint_url").build();
            aws.service_config().unwrap().load_config(key.unwrap())
        };
        assert_eq!(of("Secrets Manager"), Some("http://127.0.0.1:4567".to_owned()));
        assert_eq!(of("DynamoDB"), None, "it is where all are");
        let timeouts = aws.timeout_config().unwrap();
        assert_eq!(timeouts.operation_attempt_timeout(), Some(Duration::from_secs(8)));
    }
}
