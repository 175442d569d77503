//! One request: who calls, what for, and what comes of it; one line of log.

use std::{convert::Infallible, panic::AssertUnwindSafe, time::Instant};

use futures_util::FutureExt as _;
use lambda_http::{Body, Request, RequestExt as _, Response, http::header::USER_AGENT, request::RequestContext};
use url::form_urlencoded;

use crate::{
    access::{auth, caller::Access},
    api::{Api, Call, MAX_BODY},
    http::{
        answer::Answer,
        endpoint::{Context, Endpoint, Parameters},
        error::ApiError,
        route,
    },
};

/// The longest user agent that the usage log keeps, in characters.
const USER_AGENT_LENGTH: usize = 256;

/// Answers a request. Never fails: every failure is an answer.
pub async fn handle(api: &Api, request: Request) -> Result<Response<Body>, Infallible> {
    let started = Instant::now();
    let method = request.method().clone();
    let path = request.raw_http_path().to_owned();
    let (host, gateway) = (host(api, &request), gateway(&request));
    let answered = async {
        // Whether a path exists is no secret: the API's description says so.
        let (endpoint, parameters) = route::find(&method, &path)?;
        answer(api, endpoint, &parameters, request, &host).await
    };
    let result = settled(answered).await;
    if let Err(ApiError::Unavailable(error)) = &result {
        tracing::error!(error, "a service that is needed failed");
    }
    let answer = result.unwrap_or_else(|error| error.answer(&host));
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(http.method = %method, http.path = path, http.status = answer.status(), gateway, duration_ms, "answered");
    Ok(answer.into_response())
}

/// What an answer comes to, also if it panics: the answer of a function that fails would be API Gateway's, without the
/// headers that every answer of ours has.
async fn settled(answering: impl Future<Output = Result<Answer, ApiError>>) -> Result<Answer, ApiError> {
    AssertUnwindSafe(answering).catch_unwind().await.unwrap_or(Err(ApiError::Panicked))
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

/// API Gateway's id of the request, under which its access log has it. That log has no path: API Gateway does not escape
/// what it writes there, and this log does.
fn gateway(request: &Request) -> Option<String> {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone(),
        _ => None,
    }
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
    use crate::{access::auth::AdminToken, organization::share::Shares};

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

    fn api(aws: &SdkConfig) -> Api {
        let settings = SchedulerSettings {
            group: String::new(),
            role_arn: String::new(),
            target_arn: String::new(),
            dead_letter_arn: String::new(),
        };
        Api {
            table: Table::new(aws_sdk_dynamodb::Client::new(aws), "table"),
            secrets: SecretBox::new(aws_sdk_kms::Client::new(aws), "key"),
            invoker: Invoker::new(aws_sdk_lambda::Client::new(aws), "sync"),
            scheduler: Scheduler::new(aws_sdk_scheduler::Client::new(aws), settings),
            admin_token: AdminToken::new(aws_sdk_secretsmanager::Client::new(aws), "token".to_owned()),
            public_url: String::new(),
            guard: Guard::default(),
            shares: Shares::default(),
            tag_retention: Duration::ZERO,
        }
    }

    /// What every answer must say, whatever else it says.
    fn check(what: &str, answer: &Response<Body>) {
        let header = |name: &str| answer.headers().get(name).map_or("", |value| value.to_str().unwrap());
        assert_eq!(header("x-content-type-options"), "nosniff", "{what}");
        assert!(header("strict-transport-security").starts_with("max-age=63072000"), "{what}");
        assert!(header("cache-control").contains("no-store"), "{what}");
    }

    #[tokio::test]
    async fn every_answer_has_the_headers_that_protect_it() {
        let (aws, _) = aws();
        let api = api(&aws);
        let ask = async |method: &str, path: &str, token: Option<&str>, body: &str| {
            let mut request = Request::new(body.into()).with_raw_http_path(path);
            *request.method_mut() = method.parse().unwrap();
            if let Some(token) = token {
                request.headers_mut().insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
            }
            let Ok(answer) = handle(&api, request).await;
            check(&format!("{method} {path} {}", answer.status()), &answer);
            answer.status().as_u16()
        };
        let mut statuses = std::collections::BTreeSet::new();
        for endpoint in crate::endpoints::all() {
            let path = format!("/api/v1/{}", endpoint.path.replace("{repository}", "a/b").replace(['{', '}'], ""));
            let large = " ".repeat(MAX_BODY + 1);
            for (token, body) in [(None, ""), (Some("wrong"), "{}"), (Some("secret"), ""), (Some("secret"), &large)] {
                statuses.insert(ask(endpoint.method, &path, token, body).await);
            }
        }
        for path in ["/", "/api/v1/nothing", "/api/v1/repository/a/b/mirror/%00\"\\"] {
            statuses.insert(ask("PATCH", path, Some("secret"), "").await);
        }
        statuses.insert(ask("PATCH", "/api/v1/user/", Some("secret"), "").await);
        for status in [200, 400, 401, 404, 405, 413] {
            assert!(statuses.contains(&status), "{status} was among {statuses:?}");
        }
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_of_ours() {
        let panicking = async { panic!("told to nobody") };
        let answer = settled(panicking).await.unwrap_or_else(|error| error.answer("")).into_response();
        check("a panic", &answer);
        assert_eq!((answer.status().as_u16(), format!("{:?}", answer.body()).contains("told to nobody")), (500, false));
        let unsendable = Answer::NotAllowed("GET\n".into(), json!({})).into_response();
        check("an answer that cannot be sent", &unsendable);
        assert_eq!(unsendable.status(), 500);
    }

    #[tokio::test]
    async fn a_warm_look_at_a_mirror_is_one_read_of_the_table() {
        let (aws, asked) = aws();
        let api = api(&aws);
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
