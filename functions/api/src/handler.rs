//! From Lambda's event to a request, and from its answer to Lambda's.

use std::convert::Infallible;

use lambda_http::{Body, Request, RequestExt as _, Response, http, request::RequestContext as LambdaContext};
use moorage_management::{Api, RequestContext};

/// Answers one event.
pub(crate) async fn handle(api: &Api, event: Request) -> Result<Response<Body>, Infallible> {
    let context = context(&event);
    let (parts, body) = event.into_parts();
    let body = match body {
        Body::Text(text) => text.into_bytes(),
        Body::Binary(bytes) => bytes,
        _ => Vec::new(),
    };
    let answer = moorage_management::answer(api, &context, http::Request::from_parts(parts, body)).await;
    Ok(answer.map(answered))
}

/// What API Gateway says of a request.
fn context(event: &Request) -> RequestContext {
    let path = event.raw_http_path().to_owned();
    match event.request_context_ref() {
        Some(LambdaContext::ApiGatewayV2(context)) => RequestContext {
            path,
            source_ip: context.http.source_ip.clone(),
            request_id: context.request_id.clone(),
            domain_name: context.domain_name.clone(),
        },
        _ => RequestContext { path, ..RequestContext::default() },
    }
}

/// A body for Lambda, which takes text as it is, and everything else only in base64.
fn answered(body: Vec<u8>) -> Body {
    if body.is_empty() {
        return Body::Empty;
    }
    String::from_utf8(body).map_or_else(|error| Body::Binary(error.into_bytes()), Body::Text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_sent_as_it_is() {
        assert!(matches!(answered(Vec::new()), Body::Empty));
        assert!(matches!(answered(b"{}".to_vec()), Body::Text(text) if text == "{}"));
        assert!(matches!(answered(vec![0x1f, 0x8b]), Body::Binary(bytes) if bytes == [0x1f, 0x8b]));
    }
}
