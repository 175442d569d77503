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
