//! What a registry says at its root, `/v2/`: how to log in, if at all.

use reqwest::{Method, header::HeaderMap};
use url::Url;

use crate::{
    UpstreamError,
    challenge::{self, Challenge},
    http::Http,
    retry,
    transport::{Recipient, Request},
};

/// What is read of the answer to `/v2/`, of which only the challenge counts.
const MAX_BODY: usize = 16 * 1024;

/// What `/v2/` challenges by; nothing if it does not. Fails where it does not say: it is too busy, or does not answer.
pub(crate) async fn challenges(registry: &Url, http: &Http) -> Result<Vec<Challenge>, UpstreamError> {
    let mut url = registry.clone();
    url.set_path("/v2/");
    url.set_query(None);
    let ping = Request { method: Method::GET, url, headers: HeaderMap::new(), body: None, to: Recipient::Registry };
    match http.fetch(&ping, MAX_BODY, "the answer to /v2/").await {
        Ok(answer) if answer.head.status.is_server_error() || retry::is_transient(answer.head.status) => {
            Err(answer.into_error(&ping.url))
        }
        Ok(answer) if answer.head.is_own => Ok(challenge::of(&answer.head.headers)),
        Err(error) if error.is_transient() || matches!(error, UpstreamError::RateLimited { .. }) => Err(error),
        Ok(_) | Err(_) => Ok(Vec::new()),
    }
}
