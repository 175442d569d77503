//! Answers.

use ::http::{
    HeaderValue, Response, StatusCode,
    header::{
        ALLOW, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, RETRY_AFTER, STRICT_TRANSPORT_SECURITY,
        X_CONTENT_TYPE_OPTIONS,
    },
};
use serde_json::Value;

/// For how many seconds a browser that got an answer uses https only: two years, what browsers' preload lists ask for.
/// Browsers ignore this over plain http, as on a local stack.
const TRANSPORT: HeaderValue = HeaderValue::from_static("max-age=63072000; includeSubDomains");
/// A body is what its media type says, and nothing else.
const NO_SNIFFING: HeaderValue = HeaderValue::from_static("nosniff");
/// No cache may keep an answer: any may hold a secret, and each is meant for its caller alone.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-cache, no-store, must-revalidate");
/// Seconds after which a call should be repeated that found something in use: it mostly succeeds then.
const LATER: &str = "5";

/// What a call comes to. Quay answers with JSON or with nothing; files are credentials in a tool's own format.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    /// A status with a JSON body.
    Json(u16, Value),
    /// 200 with a JSON body that has an entity tag.
    Entity(String, Value),
    /// 204.
    NoContent,
    /// 200 with something else than JSON.
    File(File),
    /// 503 with a JSON body and `Retry-After`, for a call that mostly succeeds some seconds later.
    Later(Value),
    /// 405 with the methods that are allowed, and a JSON body.
    NotAllowed(String, Value),
    /// 429 with the seconds after which to try again, and a JSON body.
    TooMany(u64, Value),
}

/// A body that is not JSON, or not the API's own.
#[derive(Debug, PartialEq)]
pub(crate) struct File {
    /// Its media type.
    pub(crate) content_type: &'static str,
    /// What it is to be called, if it is to be kept.
    pub(crate) name: Option<String>,
    /// Its content.
    pub(crate) content: Vec<u8>,
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
            Self::File(_) | Self::Entity(..) => 200,
            Self::Later(_) => 503,
            Self::NotAllowed(..) => 405,
            Self::TooMany(..) => 429,
        }
    }

    pub(crate) fn into_response(self) -> Response<Vec<u8>> {
        let response = Response::builder().status(self.status());
        let json = |body: &Value| body.to_string().into_bytes();
        let response = match self {
            Self::Json(_, body) => response.header(CONTENT_TYPE, "application/json").body(json(&body)),
            Self::Entity(tag, body) => {
                response.header(CONTENT_TYPE, "application/json").header(ETAG, tag).body(json(&body))
            }
            Self::Later(body) => {
                response.header(CONTENT_TYPE, "application/json").header(RETRY_AFTER, LATER).body(json(&body))
            }
            Self::NoContent => response.body(Vec::new()),
            Self::NotAllowed(methods, body) => {
                response.header(CONTENT_TYPE, "application/json").header(ALLOW, methods).body(json(&body))
            }
            Self::TooMany(seconds, body) => {
                response.header(CONTENT_TYPE, "application/json").header(RETRY_AFTER, seconds).body(json(&body))
            }
            Self::File(file) => {
                let response = response.header(CONTENT_TYPE, file.content_type);
                let response = match file.name {
                    // A file's name holds only letters, digits, hyphens and points.
                    Some(name) => response.header(CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
                    None => response,
                };
                response.body(file.content)
            }
        };
        let mut response = response.unwrap_or_else(|_| {
            let mut broken = Response::default();
            *broken.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            broken
        });
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, NO_STORE);
        headers.insert(STRICT_TRANSPORT_SECURITY, TRANSPORT);
        headers.insert(X_CONTENT_TYPE_OPTIONS, NO_SNIFFING);
        response
    }
}
