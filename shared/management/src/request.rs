//! One request: who calls, what for, and what comes of it; one line of log.

use std::{borrow::Cow, panic::AssertUnwindSafe, time::Instant};

use ::http::{
    HeaderMap, HeaderName, Request, Response,
    header::{CONTENT_TYPE, IF_MATCH, USER_AGENT},
};
use futures_util::FutureExt as _;
use url::form_urlencoded;

use crate::{
    access::{caller::Access, identify::identify},
    api::Api,
    endpoints::ENDPOINTS,
    http::{
        answer::Answer,
        call::{Call, MAX_BODY},
        endpoint::{Arguments, Endpoint, Parameters},
        error::ApiError,
        route,
    },
    robot::exchange,
};

/// GitHub's signature of a delivery.
const SIGNATURE: HeaderName = HeaderName::from_static("x-hub-signature-256");
/// The longest user agent that the usage log keeps, in characters.
const USER_AGENT_LENGTH: usize = 256;

/// What is known of a request beside itself.
#[derive(Debug, Clone, Default)]
pub struct RequestContext {
    /// The path as it was called, still encoded.
    pub path: String,
    /// The address that it came from.
    pub source_ip: Option<String>,
    /// API Gateway's id of the request, under which its access log has it. That log has no path: API Gateway does not
    /// escape what it writes there, and this log does.
    pub request_id: Option<String>,
    /// The name of the host that was called.
    pub domain_name: Option<String>,
}

/// Answers a request, and logs that as one line. It never fails: every failure is an answer.
pub async fn answer(api: &Api, context: &RequestContext, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
    let started = Instant::now();
    let method = request.method().clone();
    let host = host(api, context);
    let answered = async {
        if context.path == exchange::PATH {
            let headers = request.headers().clone();
            let call = Call { ip: context.source_ip.clone(), ..call(request)? };
            return Box::pin(exchange::exchange(api, &method, &headers, &call)).await;
        }
        // Whether a path exists is no secret: the API's description says so.
        let (endpoint, parameters) = route::find(ENDPOINTS, &method, &context.path)?;
        run(api, endpoint, &parameters, context, &host, request).await
    };
    let result = settled(answered).await;
    match &result {
        Err(ApiError::Unavailable(error)) => tracing::error!(error, "a service that is needed failed"),
        Err(ApiError::Service(failure)) => {
            tracing::error!(error = failure.message, code = failure.code, "a service that is needed failed");
        }
        Err(error @ ApiError::Undecryptable) => tracing::error!(%error, "a secret cannot be decrypted"),
        _ => {}
    }
    let answer = result.unwrap_or_else(|error| error.answer(&host));
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    // The id of a webhook is a secret, and no log has it.
    let (path, gateway) = (route::logged(&context.path), &context.request_id);
    tracing::info!(http.method = %method, http.path = %path, http.status = answer.status(), gateway, duration_ms, "answered");
    answer.into_response()
}

/// What an answer comes to, also if it panics: the answer of a function that fails would be API Gateway's, without the
/// headers that every answer of ours has.
async fn settled(answering: impl Future<Output = Result<Answer, ApiError>>) -> Result<Answer, ApiError> {
    AssertUnwindSafe(answering).catch_unwind().await.unwrap_or(Err(ApiError::Panicked))
}

/// Lets an endpoint answer whom it is for.
async fn run(
    api: &Api,
    endpoint: &Endpoint,
    parameters: &Parameters,
    context: &RequestContext,
    host: &str,
    request: Request<Vec<u8>>,
) -> Result<Answer, ApiError> {
    let caller = identify(api, request.headers()).await?;
    let mut role = None;
    match endpoint.access {
        Access::Anyone => {}
        Access::Known if caller.is_known() => {}
        Access::Known => return Err(caller.refused()),
        Access::Repository(least) => role = caller.require_on(&api.table, parameters.repository()?, least).await?,
        Access::Namespace(role) => caller.require(&parameters.namespace()?, role)?,
        Access::Organization(least) => caller.require_place(&parameters.namespace()?, least)?,
        Access::Superuser => caller.require_superuser()?,
    }
    let call = Call { caller, role, ip: context.source_ip.clone(), host: host.to_owned(), ..call(request)? };
    (endpoint.run)(&Arguments { api, call: &call, parameters, endpoints: ENDPOINTS }).await
}

/// Reduces a request to what endpoints use.
fn call(request: Request<Vec<u8>>) -> Result<Call, ApiError> {
    let query = request.uri().query().unwrap_or_default();
    let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let user_agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    let user_agent = user_agent.map(|agent| agent.chars().take(USER_AGENT_LENGTH).collect());
    let if_match = request.headers().get_all(IF_MATCH).iter().map(|list| String::from_utf8_lossy(list.as_bytes()));
    // Of one that is not text nothing is known but that it names none of ours.
    let if_match = if_match.reduce(|all, more| format!("{all},{more}").into()).map(Cow::into_owned);
    let (content_type, signature) = (text(request.headers(), &CONTENT_TYPE), text(request.headers(), &SIGNATURE));
    let body = request.into_body();
    if body.len() > MAX_BODY {
        return Err(ApiError::TooLarge(MAX_BODY));
    }
    Ok(Call { body, query, user_agent, if_match, content_type, signature, ..Call::default() })
}

/// A header's value. One that is not text is not what anybody sends, and of several the first counts.
fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// The API's URL, for links: as it is set, else as it was called.
fn host(api: &Api, context: &RequestContext) -> String {
    if !api.public_url.is_empty() {
        return api.public_url.clone();
    }
    context.domain_name.as_ref().map(|name| format!("https://{name}")).unwrap_or_default()
}

#[cfg(test)]
mod tests;
