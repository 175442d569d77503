//! One request: what it asks for, who calls, and what comes of it; one line of log.

pub(crate) mod catalog;
pub(crate) mod page;
pub(crate) mod pull;
pub(crate) mod referrers;
pub(crate) mod route;
pub(crate) mod tags;

use std::{convert::Infallible, panic::AssertUnwindSafe, time::Instant};

use futures_util::FutureExt as _;
use lambda_http::{Body, Request, RequestExt as _, Response, http::header::CACHE_CONTROL, request::RequestContext};
use moorage_domain::{ExposeSecret as _, Timestamp};
use serde_json::json;

use self::{page::Query, route::Route};
use crate::{
    access::{Session, caller::Caller, scope::Scope, token},
    answer::Answer,
    error::PullError,
    registry::{Registry, now},
};

/// Answers a request. Never fails: every failure is an answer.
pub async fn handle(registry: &Registry, request: Request) -> Result<Response<Body>, Infallible> {
    let started = Instant::now();
    let (caller, result) = settled(Box::pin(respond(registry, &request))).await;
    match &result {
        Err(PullError::Unavailable(error)) => tracing::error!(error, "a service that is needed failed"),
        Err(PullError::Unservable(digest)) => tracing::error!(%digest, "the bucket holds what no sync brings"),
        _ => {}
    }
    let answer = result.unwrap_or_else(|error| error.answer(&url(registry, &request)));
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (method, path, gateway) = (request.method(), request.raw_http_path(), gateway(&request));
    tracing::info!(http.method = %method, http.path = path, http.status = answer.status(), caller = caller.name(), gateway, duration_ms, "answered");
    Ok(answer.into_response())
}

/// What an answer comes to, also if it panics: the answer of a function that fails would be API Gateway's, without the
/// headers that every answer of ours has.
async fn settled(
    responding: impl Future<Output = (Caller, Result<Answer, PullError>)>,
) -> (Caller, Result<Answer, PullError>) {
    let settled = AssertUnwindSafe(responding).catch_unwind().await;
    settled.unwrap_or((Caller::Anonymous, Err(PullError::Panicked)))
}

/// API Gateway's id of the request, under which its access log has it. That log has no path: API Gateway does not escape
/// what it writes there, and this log does.
fn gateway(request: &Request) -> Option<&str> {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.as_deref(),
        _ => None,
    }
}

async fn respond(registry: &Registry, request: &Request) -> (Caller, Result<Answer, PullError>) {
    let now = now();
    let route = match Route::parse(request.method(), request.raw_http_path()) {
        Ok(route) => route,
        Err(error) => return (Caller::Anonymous, Err(error)),
    };
    match registry.access.authenticate(request.headers(), now).await {
        Ok(session) => {
            let result = answer(registry, &route, &session, request, now).await;
            (session.caller, result)
        }
        Err(error) => (Caller::Anonymous, Err(challenged(error, &route))),
    }
}

/// What a client whose credentials do not hold is told: to get a token for what it asked, but where tokens are made.
fn challenged(error: PullError, route: &Route) -> PullError {
    match error {
        PullError::LoginFailed if *route != Route::Token => route.unauthorized(None),
        PullError::Unauthorized { problem, .. } => route.unauthorized(problem),
        error => error,
    }
}

async fn answer(
    registry: &Registry,
    route: &Route,
    session: &Session,
    request: &Request,
    now: Timestamp,
) -> Result<Answer, PullError> {
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let Some(repository) = route.repository() else {
        return match route {
            Route::Token => make_token(registry, session, &query, now).await,
            Route::Catalog => catalog::list(registry, session, &query, now).await,
            Route::Push(_) => Err(push(route, session)),
            _ => base(session),
        };
    };
    let owner = registry.access.pull(session, repository, now).await?;
    match route {
        Route::Tags(_) => tags::list(registry, &owner, &query).await,
        Route::Manifest(_, reference) => pull::manifest(registry, &owner, reference, request, now).await,
        Route::Blob(_, digest) => pull::blob(registry, &owner, digest, request, now).await,
        Route::Referrers(_, subject) => referrers::list(registry, &owner, subject, &query, now).await,
        Route::Base | Route::Token | Route::Catalog | Route::Push(_) => base(session),
    }
}

/// `GET /v2/`: where clients learn how to log in, and whether they are. Docker asks only here, so it is told although
/// public repositories need no login.
fn base(session: &Session) -> Result<Answer, PullError> {
    if session.is_bare() {
        return Err(PullError::Unauthorized { scope: None, problem: None });
    }
    Ok(Answer::json(200, &json!({})))
}

/// A request that would change something. Whoever is nobody may be somebody, and is told how to log in: some clients ask
/// so, to pull; whoever is somebody learns that nobody pushes here.
fn push(route: &Route, session: &Session) -> PullError {
    if session.caller != Caller::Anonymous {
        return PullError::ReadOnly;
    }
    route.unauthorized(if session.is_bare() { None } else { Some("insufficient_scope") })
}

/// `GET /v2/token?service=&scope=`, with a user name and password or without.
async fn make_token(
    registry: &Registry,
    session: &Session,
    query: &Query,
    now: Timestamp,
) -> Result<Answer, PullError> {
    let token = registry.access.token(session, Scope::parse_all(query.all("scope")), now).await?;
    let token = token.expose_secret();
    let body = json!({"token": token, "access_token": token, "expires_in": token::LIFETIME, "issued_at": now.iso()});
    Ok(Answer::json(200, &body).with(CACHE_CONTROL, "no-store"))
}

/// The registry's URL, for challenges: as it is set, else as it was called.
fn url(registry: &Registry, request: &Request) -> String {
    if !registry.public_url.is_empty() {
        return registry.public_url.clone();
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
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_answer_of_ours() {
        let (_, result) = settled(async { panic!("told to nobody") }).await;
        let response = result.unwrap_or_else(|error| error.answer("https://h")).into_response();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["x-content-type-options"]),
            (500, &"nosniff".parse().unwrap())
        );
        assert!(!format!("{:?}", response.body()).contains("told to nobody"));
    }
}
