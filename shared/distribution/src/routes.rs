//! What a request asks for, who calls, and what comes of it.

pub(crate) mod catalog;
pub(crate) mod original;
pub(crate) mod page;
pub(crate) mod pull;
pub(crate) mod referrers;
pub(crate) mod route;
pub(crate) mod tags;
pub(crate) mod token;

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt as _;
use moorage_domain::{Owner, RepositoryName, Timestamp};
use moorage_state::now;
use serde_json::json;

use self::{
    page::Query,
    pull::called,
    route::{Route, Wanted},
};
use crate::{
    access::{Session, caller::Caller, scope::Scope},
    answer::{Answer, NAMESPACE},
    error::{PullError, service},
    registry::Registry,
    request::{Answered, Request},
};

/// Answers a request. Never fails: every failure is an answer, and those that are nobody's fault outside are in the log.
pub async fn answer(registry: &Registry, request: &Request<'_>) -> Answered {
    let query = Query::parse(request.query);
    let url = if registry.public_url.is_empty() { request.url } else { &registry.public_url };
    let host = taken_for(request, &query, url);
    let route = Route::parse(request.method, request.path, host.as_deref());
    // Only of what was understood, which can be sent.
    let host = route.as_ref().ok().and_then(|route| route.wanted()?.host().map(str::to_owned));
    let (caller, result) = match route {
        Ok(route) => settled(Box::pin(respond(registry, &route, (request, &query)))).await,
        Err(error) => (Caller::Anonymous, Err(error)),
    };
    if let Err(error) = &result {
        error.log();
    }
    let answer = result.unwrap_or_else(|error| error.answer(url));
    let answer = if let Some(host) = host { answer.with(NAMESPACE, &host) } else { answer };
    let repository = answer.repository().map(ToString::to_string).unwrap_or_default();
    Answered { caller: caller.name(), repository, response: answer.into_response() }
}

/// The registry that the client takes us for, if it is another one: by `ns`, or else by the header of the same meaning, which
/// can be set where a query cannot. Anything may be in it.
fn taken_for(request: &Request<'_>, query: &Query, url: &str) -> Option<String> {
    let header = request.headers.get(NAMESPACE).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let host = query.get("ns").map(str::to_owned).or_else(|| header.map(std::borrow::Cow::into_owned))?;
    let is_ours = [service(url), called(request)].iter().any(|ours| ours.eq_ignore_ascii_case(&host));
    (!host.is_empty() && !is_ours).then_some(host)
}

/// What an answer comes to, also if it panics: the answer of a program that fails would be somebody else's, without
/// the headers that every answer of ours has.
async fn settled(
    responding: impl Future<Output = (Caller, Result<Answer, PullError>)>,
) -> (Caller, Result<Answer, PullError>) {
    let settled = AssertUnwindSafe(responding).catch_unwind().await;
    settled.unwrap_or((Caller::Anonymous, Err(PullError::Panicked)))
}

async fn respond(
    registry: &Registry,
    route: &Route,
    (request, query): (&Request<'_>, &Query),
) -> (Caller, Result<Answer, PullError>) {
    let now = now();
    let wanted = wanted(route, query);
    match registry.access.authenticate(request.headers, wanted.as_ref(), now).await {
        Ok(session) => {
            let result = follow(registry, route, &session, (request, query), now).await;
            (session.caller, result)
        }
        Err(error) => (Caller::Anonymous, Err(challenged(error, route))),
    }
}

/// The repository that a request is about, as far as it says so: which mirrors there are of an original depends on who asks.
fn wanted(route: &Route, query: &Query) -> Option<RepositoryName> {
    match route.wanted() {
        Some(Wanted::Repository(name)) => Some(name.clone()),
        None if *route == Route::Token => {
            let asked = Scope::parse_all(query.all("scope"));
            asked.iter().find_map(Scope::repository).cloned()
        }
        Some(Wanted::Original { .. }) | None => None,
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
    match route.wanted() {
        Some(wanted @ Wanted::Repository(repository)) => {
            let owner = registry.access.pull(session, repository, now).await?;
            of_repository(registry, (route, wanted), &owner, (request, query), now).await
        }
        Some(wanted @ Wanted::Original { origin, .. }) => {
            original::answer(registry, (route, wanted, origin), session, (request, query), now).await
        }
        None => match route {
            Route::Token => token::make(registry, session, query, now).await,
            Route::Catalog => catalog::list(registry, session, query, now).await,
            Route::Push(_) => Err(push(route, session)),
            _ => base(session),
        },
    }
}

/// What a repository answers that the caller may pull from. The client calls it `wanted`.
async fn of_repository(
    registry: &Registry,
    (route, wanted): (&Route, &Wanted),
    owner: &Arc<Owner>,
    (request, query): (&Request<'_>, &Query),
    now: Timestamp,
) -> Result<Answer, PullError> {
    let answer = match route {
        Route::Tags(_) => tags::list(registry, owner, wanted, query).await,
        Route::Manifest(_, reference) => pull::manifest(registry, owner, reference, request, now).await,
        Route::Blob(_, digest) => pull::blob(registry, owner, digest, request, now).await,
        Route::Referrers(_, subject) => referrers::list(registry, owner, (wanted, subject), query, now).await,
        Route::Base | Route::Token | Route::Catalog | Route::Push(_) => Err(PullError::NoEndpoint),
    };
    answer.map(|answer| answer.of(&owner.repository))
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
    use http::{HeaderMap, HeaderName};

    use super::*;

    #[test]
    fn a_client_says_for_whom_it_takes_us() {
        let asked = |query: &str, headers: &[(&'static str, &str)]| {
            let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
            let headers: HeaderMap = headers.collect();
            let (method, path, url, longest) = (&http::Method::GET, "/v2/a/b/tags/list", "", 0);
            let request = Request { method, path, query, headers: &headers, url, longest };
            taken_for(&request, &Query::parse(query), "https://moorage.example.com:8443/x")
        };
        let hub = Some("docker.io".to_owned());
        let header = [("oci-namespace", "quay.io")];
        assert_eq!(asked("n=3&ns=docker.io", &[]), hub);
        assert_eq!(asked("ns=docker.io", &header), hub, "the query is what the specification has");
        assert_eq!(asked("ns=", &header), Some("quay.io".to_owned()));
        for (query, headers) in [
            ("", &[][..]),
            ("ns=", &[]),
            ("", &[("oci-namespace", "")]),
            // We are not another one.
            ("ns=Moorage.example.com:8443", &[]),
            ("ns=own.example.com", &[("host", "own.example.com")]),
            ("ns=own.example.com", &[("host", "inside"), ("x-forwarded-host", "own.example.com")]),
        ] {
            assert_eq!(asked(query, headers), None, "{query} {headers:?}");
        }
    }

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
