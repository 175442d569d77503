//! A request, and what comes of it.

use bytes::Bytes;
use http::{HeaderMap, Method, Response};

/// A request, as whoever passes it on has it.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its path as the client sent it, percent-encoded.
    pub path: &'a str,
    /// Its query, without the question mark; empty if there is none.
    pub query: &'a str,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// The URL that the client called, without a path; empty if nobody knows. It is told to clients if the registry has
    /// no URL of its own.
    pub url: &'a str,
    /// The longest body that can be passed back, in bytes. A manifest that is longer comes from S3.
    pub longest: usize,
}

/// What comes of a request.
#[derive(Debug)]
pub struct Answered {
    /// The name of who called, for the log: empty for nobody.
    pub caller: String,
    /// The repository that has answered, for the log: empty if none has. Of a mirror that is asked for by its original only this
    /// says which it is.
    pub repository: String,
    /// What the client gets. The answer to `HEAD` has the body of the one to `GET`.
    pub response: Response<Bytes>,
}
