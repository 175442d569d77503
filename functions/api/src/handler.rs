//! One request: who calls, what for, and what comes of it; one line of log.

use std::{convert::Infallible, time::Instant};

use lambda_http::{Body, Request, RequestExt as _, Response, http::header::USER_AGENT, request::RequestContext};
use url::form_urlencoded;

use crate::{
    answer::Answer,
    api::{Api, Call, MAX_BODY},
    auth,
    caller::Access,
    endpoint::{Context, Endpoint, Parameters},
    error::ApiError,
    route,
};

/// The longest user agent that the usage log keeps, in characters.
const USER_AGENT_LENGTH: usize = 256;

/// Answers a request. Never fails: every failure is an answer.
pub(crate) async fn handle(api: &Api, request: Request) -> Result<Response<Body>, Infallible> {
    let started = Instant::now();
    let method = request.method().clone();
    let path = request.raw_http_path().to_owned();
    let host = host(api, &request);
    let result = match route::find(&method, &path) {
        Ok((endpoint, parameters)) => answer(api, endpoint, &parameters, request, &host).await,
        // Whether a path exists is no secret: the API's description says so.
        Err(error) => Err(error),
    };
    if let Err(ApiError::Unavailable(error)) = &result {
        tracing::error!(error, "a service that is needed failed");
    }
    let answer = result.unwrap_or_else(|error| error.answer(&host));
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(http.method = %method, http.path = path, http.status = answer.status(), duration_ms, "answered");
    Ok(answer.into_response())
}

async fn answer(
    api: &Api,
    endpoint: &Endpoint,
    parameters: &Parameters,
    request: Request,
    host: &str,
) -> Result<Answer, ApiError> {
    let caller = auth::identify(&api.admin_token, &api.table, request.headers()).await?;
    match endpoint.access {
        Access::Anyone => {}
        Access::Known if caller.is_known() => {}
        Access::Known => return Err(caller.refused()),
        Access::Repository(role) => caller.require_on(api, parameters.repository()?, role).await?,
        Access::Namespace(role) => caller.require(&parameters.namespace()?, role)?,
        Access::Superuser => caller.require_superuser()?,
    }
    let call = Call { caller, host: host.to_owned(), ..call(request)? };
    (endpoint.run)(&Context { api, call: &call, parameters }).await
}

/// Reduces a request to what endpoints use.
fn call(request: Request) -> Result<Call, ApiError> {
    let query = request.uri().query().unwrap_or_default();
    let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let user_agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    let user_agent = user_agent.map(|agent| agent.chars().take(USER_AGENT_LENGTH).collect());
    let ip = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.clone(),
        _ => None,
    };
    let body = match request.into_body() {
        Body::Text(text) => text.into_bytes(),
        Body::Binary(bytes) => bytes,
        _ => Vec::new(),
    };
    if body.len() > MAX_BODY {
        return Err(ApiError::TooLarge(MAX_BODY));
    }
    Ok(Call { body, query, ip, user_agent, ..Call::default() })
}

/// The API's URL, for links: as it is set, else as it was called.
fn host(api: &Api, request: &Request) -> String {
    if !api.public_url.is_empty() {
        return api.public_url.clone();
    }
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => {
            format!("https://{}", context.domain_name.as_deref().unwrap_or_default())
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader, Read as _, Write as _},
        net::TcpListener,
        sync::{Arc, Mutex},
        time::Duration,
    };

    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
    use lambda_http::http::header::AUTHORIZATION;
    use moorage_domain::Guard;
    use moorage_schedule::{Invoker, Scheduler, SchedulerSettings};
    use moorage_state::{SecretBox, Table};
    use serde_json::{Value, json};

    use super::*;
    use crate::auth::AdminToken;

    /// A value as DynamoDB has it.
    fn attribute(value: &Value) -> Value {
        match value {
            Value::Null => json!({"NULL": true}),
            Value::Bool(value) => json!({"BOOL": value}),
            Value::Number(value) => json!({"N": value.to_string()}),
            Value::String(value) => json!({"S": value}),
            Value::Array(values) => json!({"L": values.iter().map(attribute).collect::<Vec<_>>()}),
            Value::Object(fields) => json!({"M": attributes(fields)}),
        }
    }

    fn attributes(fields: &serde_json::Map<String, Value>) -> Value {
        Value::Object(fields.iter().map(|(name, value)| (name.clone(), attribute(value))).collect())
    }

    /// All of AWS: it has one mirror and one secret, and notes what it is asked for.
    fn aws() -> (SdkConfig, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, asked) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let noted = Arc::clone(&asked);
        let id = "00000000-0000-0000-0000-000000000000";
        let mirror = json!({
            "repository": "a/b", "is_enabled": true, "external_reference": "quay.io/a/b", "external_registry_username": null,
            "external_registry_config": {}, "root_rule": ["*"], "sync_interval": 86_400, "robot": "a+bot",
            "skopeo_timeout_interval": 300, "architecture_filter": [], "deletion_limit": null,
            "external_registry_password": null, "sync_status": "NEVER_RUN", "sync_transaction_id": id,
            "sync_expiration_date": null, "sync_retries_remaining": 3, "sync_start_date": 0, "sync_run_id": null,
            "last_complete": null, "sync_warning": null, "created": 0, "config_revision": 1, "scheduled_revision": 1,
        });
        let item = attributes(mirror.as_object().unwrap());
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let (noted, item) = (Arc::clone(&noted), item.clone());
                std::thread::spawn(move || {
                    let mut connection = BufReader::new(connection.unwrap());
                    loop {
                        let (mut target, mut length, mut line) = (String::new(), 0, String::new());
                        while connection.read_line(&mut line).is_ok_and(|read| read > 2) {
                            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
                            match name.to_lowercase().as_str() {
                                "x-amz-target" => value.trim().clone_into(&mut target),
                                "content-length" => length = value.trim().parse().unwrap(),
                                _ => {}
                            }
                            line.clear();
                        }
                        if target.is_empty() {
                            return;
                        }
                        connection.read_exact(&mut vec![0; length]).unwrap();
                        let body = match target.as_str() {
                            "secretsmanager.GetSecretValue" => json!({"SecretString": "secret"}),
                            _ => json!({"Item": item}),
                        };
                        noted.lock().unwrap().push(target);
                        let (body, kind) = (body.to_string(), "application/x-amz-json-1.0");
                        let head = format!(
                            "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
                            body.len()
                        );
                        connection.get_mut().write_all((head + &body).as_bytes()).unwrap();
                    }
                });
            }
        });
        let credentials = SharedCredentialsProvider::new(Credentials::new("a", "b", None, None, "test"));
        let config = SdkConfig::builder().endpoint_url(format!("http://{address}")).region(Region::new("us-east-1"));
        let config = config.credentials_provider(credentials).behavior_version(BehaviorVersion::latest());
        (config.build(), asked)
    }

    #[tokio::test]
    async fn a_warm_look_at_a_mirror_is_one_read_of_the_table() {
        let (aws, asked) = aws();
        let settings = SchedulerSettings {
            group: String::new(),
            role_arn: String::new(),
            target_arn: String::new(),
            dead_letter_arn: String::new(),
        };
        let api = Api {
            table: Table::new(aws_sdk_dynamodb::Client::new(&aws), "table"),
            secrets: SecretBox::new(aws_sdk_kms::Client::new(&aws), "key"),
            invoker: Invoker::new(aws_sdk_lambda::Client::new(&aws), "sync"),
            scheduler: Scheduler::new(aws_sdk_scheduler::Client::new(&aws), settings),
            admin_token: AdminToken::new(aws_sdk_secretsmanager::Client::new(&aws), "token".to_owned()),
            public_url: String::new(),
            guard: Guard::default(),
            tag_retention: Duration::ZERO,
        };
        let look = async || {
            let mut request = Request::new(Body::Empty).with_raw_http_path("/api/v1/repository/a/b/mirror");
            request.headers_mut().insert(AUTHORIZATION, "Bearer secret".parse().unwrap());
            let Ok(answer) = handle(&api, request).await;
            assert_eq!(answer.status(), 200, "{:?}", answer.body());
            std::mem::take(&mut *asked.lock().unwrap())
        };
        assert_eq!(look().await, ["secretsmanager.GetSecretValue", "DynamoDB_20120810.GetItem"]);
        assert_eq!(look().await, ["DynamoDB_20120810.GetItem"]);
    }
}
