//! All of AWS that a look at a mirror needs.

use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
};
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

/// An AWS that has one mirror and one secret. It notes what it is asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Aws {
    asked: Arc<Mutex<Vec<String>>>,
    /// What its targets begin with that it denies; nothing if it denies none.
    denied: Option<&'static str>,
}

impl Aws {
    /// One that denies the targets that begin with `service`.
    pub(super) fn denying(service: &'static str) -> Self {
        Self { denied: Some(service), ..Self::default() }
    }

    /// What leads to it.
    pub(super) fn config(&self) -> SdkConfig {
        let connector = SharedHttpConnector::new(self.clone());
        let credentials = SharedCredentialsProvider::new(Credentials::new("a", "b", None, None, "test"));
        SdkConfig::builder()
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .region(Region::new("us-east-1"))
            .credentials_provider(credentials)
            .behavior_version(BehaviorVersion::latest())
            .build()
    }

    /// What it was asked for since this was called the last time.
    pub(super) fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

impl HttpConnector for Aws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let denied = json!({"__type": "AccessDeniedException", "Message": "arn is told to nobody"});
        let (status, body) = match target {
            _ if self.denied.is_some_and(|service| target.starts_with(service)) => (400, denied),
            "secretsmanager.GetSecretValue" => (200, json!({"SecretString": "secret"})),
            // The services that have no targets.
            "" => (403, denied),
            _ => (200, json!({ "Item": mirror() })),
        };
        self.asked.lock().unwrap().push(target.to_owned());
        let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body.to_string()));
        response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
        HttpConnectorFuture::ready(Ok(response))
    }
}

/// The mirror of `a/b`, as DynamoDB has it.
fn mirror() -> Value {
    let id = "00000000-0000-0000-0000-000000000000";
    attributes(&json!({
        "repository": "a/b", "is_enabled": true, "external_reference": "quay.io/a/b", "external_registry_username": null,
        "external_registry_config": {}, "root_rule": ["*"], "sync_interval": 86_400, "robot": "a+bot",
        "skopeo_timeout_interval": 300, "architecture_filter": [], "deletion_limit": null,
        "external_registry_password": null, "sync_status": "NEVER_RUN", "sync_transaction_id": id,
        "sync_expiration_date": null, "sync_retries_remaining": 3, "sync_start_date": 0, "sync_run_id": null,
        "last_complete": null, "sync_warning": null, "created": 0, "config_revision": 1, "scheduled_revision": 1,
    }))
}

fn attributes(object: &Value) -> Value {
    let fields = object.as_object().unwrap();
    Value::Object(fields.iter().map(|(name, value)| (name.clone(), attribute(value))).collect())
}

/// A value as DynamoDB has it.
fn attribute(value: &Value) -> Value {
    match value {
        Value::Null => json!({"NULL": true}),
        Value::Bool(value) => json!({"BOOL": value}),
        Value::Number(value) => json!({"N": value.to_string()}),
        Value::String(value) => json!({"S": value}),
        Value::Array(values) => json!({"L": values.iter().map(attribute).collect::<Vec<_>>()}),
        Value::Object(_) => json!({"M": attributes(value)}),
    }
}
