//! Answers.

use lambda_http::{Body, Response, http::header::CONTENT_TYPE};
use serde_json::Value;

/// What a call comes to. Quay answers with JSON or with nothing.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    /// A status with a JSON body.
    Json(u16, Value),
    /// 204.
    NoContent,
}

impl Answer {
    /// 200 with a body.
    pub(crate) fn ok(body: Value) -> Self {
        Self::Json(200, body)
    }

    /// 201 with the empty JSON string, as Quay answers where there is nothing to say.
    pub(crate) fn created() -> Self {
        Self::Json(201, Value::String(String::new()))
    }

    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::Json(status, _) => *status,
            Self::NoContent => 204,
        }
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let status = self.status();
        let body = match self {
            Self::Json(_, body) => Body::Text(body.to_string()),
            Self::NoContent => Body::Empty,
        };
        let response = Response::builder().status(status).header("cache-control", "no-store");
        let response = match body {
            Body::Empty => response,
            _ => response.header(CONTENT_TYPE, "application/json"),
        };
        response.body(body).unwrap_or_default()
    }
}
