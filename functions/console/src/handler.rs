//! One request, from API Gateway or an Application Load Balancer, and its answer; one line of log.

use std::time::Instant;

use lambda_http::{Body, Request, RequestExt as _, Response, request::RequestContext};

use crate::answer::answer;

/// Answers a request. Never fails: every failure is an answer.
pub(crate) fn handle(request: &Request) -> Response<Body> {
    let started = Instant::now();
    let (method, path) = (request.method(), request.raw_http_path());
    let answered = answer(method, path, request.headers());
    // Under its id API Gateway's access log has the request.
    let gateway = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.as_deref(),
        _ => None,
    };
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let status = answered.status().as_u16();
    tracing::info!(http.method = %method, http.path = path, http.status = status, gateway, duration_ms, "answered");
    answered.map(|body| match std::str::from_utf8(body) {
        Ok("") => Body::Empty,
        Ok(text) => Body::from(text),
        Err(_) => Body::from(body),
    })
}
