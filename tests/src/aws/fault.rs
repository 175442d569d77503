//! What can happen to a request.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;

use super::request::Service;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Who asks is killed, and nothing was done.
    KillBefore,
    /// Who asks is killed after it was done, and before it is known.
    KillAfter,
    /// Who asks is frozen, and nothing was done: when it is thawed, the connection is gone.
    FreezeBefore,
    /// Who asks is frozen after it was done: when it is thawed, the connection is gone, and the answer with it.
    FreezeAfter,
    /// The connection breaks, and nothing was done.
    LoseRequest,
    /// The connection breaks after it was done.
    LoseAnswer,
    /// It is refused.
    Refuse(Refusal),
    /// It is done later.
    Delay(Duration),
}

/// How AWS refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// S3 has too much to do: 503.
    SlowDown,
    /// Something failed: 500.
    Internal,
    /// Too many requests: 400 or 429, by the service.
    Throttled,
    /// Another request is under way: 409 of S3, a transaction's conflict of DynamoDB.
    Conflict,
}

impl Refusal {
    /// The answer, in the service's own words.
    pub fn answer(self, service: Service) -> hyper::Response<Full<Bytes>> {
        if service == Service::S3 {
            let (status, code) = match self {
                Self::SlowDown | Self::Throttled => (503, "SlowDown"),
                Self::Internal => (500, "InternalError"),
                Self::Conflict => (409, "OperationAborted"),
            };
            let body = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>by plan</Message></Error>"
            );
            return respond(status, "application/xml", code, body);
        }
        let (status, code) = match self {
            Self::SlowDown => (503, "ServiceUnavailableException"),
            Self::Internal => (500, "InternalServerError"),
            Self::Throttled if service == Service::DynamoDb => (400, "ThrottlingException"),
            Self::Throttled => (429, "TooManyRequestsException"),
            Self::Conflict => (400, "TransactionConflictException"),
        };
        let body = format!("{{\"__type\":\"{code}\",\"message\":\"by plan\"}}");
        respond(status, "application/x-amz-json-1.0", code, body)
    }
}

fn respond(status: u16, kind: &str, code: &str, body: String) -> hyper::Response<Full<Bytes>> {
    let response = hyper::Response::builder().status(status).header("content-type", kind);
    response.header("x-amzn-errortype", code).body(Full::new(body.into())).unwrap()
}
