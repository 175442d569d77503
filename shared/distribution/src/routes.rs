//! What a request asks for, who calls, and what comes of it.

pub(crate) mod catalog;
pub(crate) mod page;
pub(crate) mod pull;
pub(crate) mod referrers;
pub(crate) mod route;
pub(crate) mod tags;
pub(crate) mod token;

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use moorage_domain::Timestamp;
use moorage_state::now;
use serde_json::json;

use self::{page::Query, route::Route};
use crate::{
    access::{Session, caller::Caller, scope::Scope},
    answer::Answer,
    error::PullError,
    registry::Registry,
    request::{Answered, Request},
};

/// Answers a request. Never fails: every failure is an answer, and those that are nobody's fault outside are in the log.
pub async fn answer(registry: &Registry, request: &Request<'_>) -> Answered {
    let (caller, result) = settled(Box::pin(respond(registry, request))).await;
    if let Err(error) = &result {
        error.log();
    }
    let url = if registry.public_url.is_empty() { request.url } else { &registry.public_url };
    let answer = result.unwrap_or_else(|error| error.answer(url));
    Answered { caller: caller.name(), response: answer.into_response() }
}

/// What an answer comes to, also if it panics: the answer of a program that fails would be somebody else's, without
/// the headers that every answer of ours has.
async fn settled(
    responding: impl Future<Output = (Caller, Result<Answer, PullError>)>,
) -> (Caller, Result<Answer, PullError>) {
    let settled = AssertUnwindSafe(responding).catch_unwind().await;
    settled.unwrap_or((Caller::Anonymous, Err(PullError::Panicked)))
}

async fn respond(registry: &Registry, request: &Request<'_>) -> (Caller, Result<Answer, PullError>) {
    let now = now();
    let route = match Route::parse(request.method, request.path) {
        Ok(route) => route,
        Err(error) => return (Caller::Anonymous, Err(error)),
    };
    let query = Query::parse(request.query);
    let asked = if route == Route::Token { Scope::parse_all(query.all("scope")) } else { Vec::new() };
    let wanted = route.repository().or_else(|| asked.iter().find_map(Scope::repository));
    match registry.access.authenticate(request.headers, wanted, now).await {
        Ok(session) => {
            let result = follow(registry, &route, &session, (request, &query), now).await;
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

async fn follow(
    registry: &Registry,
    route: &Route,
    session: &Session,
    (request, query): (&Request<'_>, &Query),
    now: Timestamp,
) -> Result<Answer, PullError> {
    let Some(repository) = route.repository() else {
        return match route {
            Route::Token => token::make(registry, session, query, now).await,
            Route::Catalog => catalog::list(registry, session, query, now).await,
            Route::Push(_) => Err(push(route, session)),
            _ => base(session),
        };
    };
    let owner = registry.access.pull(session, repository, now).await?;
    match route {
        Route::Tags(_) => tags::list(registry, &owner, query).await,
        Route::Manifest(_, reference) => pull::manifest(registry, &owner, reference, request, now).await,
        Route::Blob(_, digest) => pull::blob(registry, &owner, digest, request, now).await,
        Route::Referrers(_, subject) => referrers::list(registry, &owner, subject, query, now).await,
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
