//! One request, from API Gateway or an Application Load Balancer: to what clients pull by, and back; one line of log.

use std::{convert::Infallible, time::Instant};

use lambda_http::{Body, Request, RequestExt as _, Response, request::RequestContext};
use moorage_distribution::{Registry, Request as Pull, answer};

/// The longest body of an answer, in bytes. An answer of Lambda has 6 MB at most, in which each byte may take two.
const LONGEST: usize = 3_000_000;
/// The same behind an Application Load Balancer, whose answers have 1 MB at most.
const LONGEST_BALANCED: usize = 500_000;

/// Answers a request. Never fails: every failure is an answer.
pub(crate) async fn handle(registry: &Registry, request: Request) -> Result<Response<Body>, Infallible> {
    let (started, context) = (Instant::now(), request.request_context_ref());
    let gateway = match context {
        Some(RequestContext::ApiGatewayV2(context)) => Some(context),
        _ => None,
    };
    let domain = gateway.map(|context| context.domain_name.as_deref().unwrap_or_default());
    let pull = Pull {
        method: request.method(),
        path: request.raw_http_path(),
        query: request.uri().query().unwrap_or_default(),
        headers: request.headers(),
        url: &domain.map(|domain| format!("https://{domain}")).unwrap_or_default(),
        longest: if matches!(context, Some(RequestContext::Alb(_))) { LONGEST_BALANCED } else { LONGEST },
    };
    let answered = answer(registry, &pull).await;
    // Under its id API Gateway's access log has the request. That log has no path: API Gateway does not escape what it writes
    // there, and this log does.
    let gateway = gateway.and_then(|context| context.request_id.as_deref());
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (status, caller, repository) = (answered.response.status().as_u16(), answered.caller, answered.repository);
    tracing::info!(http.method = %pull.method, http.path = pull.path, http.status = status, caller, repository, gateway, duration_ms, "answered");
    Ok(answered.response.map(|body| match String::from_utf8(body.into()) {
        Ok(text) if text.is_empty() => Body::Empty,
        Ok(text) => Body::Text(text),
        Err(error) => Body::Binary(error.into_bytes()),
    }))
}

#[cfg(test)]
mod tests;
