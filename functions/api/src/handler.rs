//! One request: who calls, what for, and what comes of it; one line of log.

use std::{convert::Infallible, time::Instant};

use lambda_http::{Body, Request, RequestExt as _, Response, http::header::USER_AGENT, request::RequestContext};
use url::form_urlencoded;

use crate::{
    answer::Answer,
    api::{Api, Call, MAX_BODY},
    error::{ApiError, describe},
    mirror, organization, permission, repository, robot,
    route::Route,
    runs, usage_log,
};

/// The longest user agent that the usage log keeps, in characters.
const USER_AGENT_LENGTH: usize = 256;

/// Answers a request. Never fails: every failure is an answer.
pub(crate) async fn handle(api: &Api, request: Request) -> Result<Response<Body>, Infallible> {
    let started = Instant::now();
    let method = request.method().clone();
    let path = request.raw_http_path().to_owned();
    let host = host(api, &request);
    let route = Route::parse(&method, &path);
    let result = match &route {
        Ok(route) => answer(api, route, request).await,
        // Whether a path exists is no secret: the API's description says so.
        Err(ApiError::MethodNotAllowed) => Err(ApiError::MethodNotAllowed),
        Err(_) => Err(ApiError::NotFound),
    };
    if let Err(ApiError::Unavailable(error)) = &result {
        tracing::error!(error, "a service that is needed failed");
    }
    let answer = result.unwrap_or_else(|error| error.answer(&host));
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(http.method = %method, http.path = path, http.status = answer.status(), duration_ms, "answered");
    Ok(answer.into_response())
}

async fn answer(api: &Api, route: &Route, request: Request) -> Result<Answer, ApiError> {
    if !route.is_public() {
        api.admin_token.check(request.headers()).await?;
    }
    let call = call(request)?;
    match route {
        Route::DescribeError(kind) => describe(kind).map(Answer::ok).ok_or(ApiError::NotFound),
        Route::User => Ok(organization::user()),
        Route::CreateOrganization => organization::create(api, &call).await,
        Route::Organization(name) => organization::get(api, name).await,
        Route::ChangeOrganization(name) => organization::change(api, name, &call).await,
        Route::Robots(organization) => robot::list(api, organization, &call).await,
        Route::Robot(organization, short) => robot::get(api, organization, short).await,
        Route::CreateRobot(organization, short) => robot::create(api, organization, short, &call).await,
        Route::CreateRepository => repository::create(api, &call).await,
        Route::Repository(name) => repository::get(api, name, &call).await,
        Route::ChangeState(name) => repository::change_state(api, name, &call).await,
        Route::TeamPermissions(repository) => permission::teams(api, repository).await,
        Route::Permissions(repository) => permission::list(api, repository).await,
        Route::Permission(repository, user) => permission::get(api, repository, user).await,
        Route::ChangePermission(repository, user) => permission::change(api, repository, user, &call).await,
        Route::Mirror(repository) => mirror::get(api, repository).await,
        Route::CreateMirror(repository) => mirror::create(api, repository, &call).await,
        Route::ChangeMirror(repository) => mirror::change(api, repository, &call).await,
        Route::SyncNow(repository) => mirror::sync_now(api, repository, &call).await,
        Route::SyncCancel(repository) => mirror::sync_cancel(api, repository, &call).await,
        Route::Verify(repository) => mirror::verify(api, repository, &call).await,
        Route::Runs(repository) => runs::list(api, repository, &call).await,
        Route::Run(repository, run) => runs::get(api, repository, run).await,
        Route::Logs(repository) => usage_log::list(api, repository, &call).await,
    }
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
    Ok(Call { body, query, ip, user_agent })
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
