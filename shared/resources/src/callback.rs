//! Where the answer goes: a presigned URL of CloudFormation's, which is asked for nothing else.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use moorage_domain::{ExposeSecret as _, SecretString};
use reqwest::{Client, StatusCode, redirect::Policy};
use tokio::sync::OnceCell;
use url::{Host, Url};

/// How long one try may take: S3 answers a put of some kilobytes in tens of milliseconds.
const ATTEMPT: Duration = Duration::from_secs(5);
/// The pause before the second try; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(200);

/// Why nobody was answered. None of them has the URL: it is signed.
#[derive(Debug, thiserror::Error)]
pub enum CallbackError {
    /// It is no URL.
    #[error("the ResponseURL is not one")]
    Malformed,
    /// It is not https, and does not lead to this machine.
    #[error("the ResponseURL is not https")]
    Plain,
    /// There is no client for it.
    #[error("nothing can be sent to the ResponseURL")]
    NoClient(#[source] reqwest::Error),
    /// It does not take the answer.
    #[error("the ResponseURL answered with {0}")]
    Refused(StatusCode),
    /// Nobody has taken it by the end.
    #[error("the ResponseURL did not take the answer in time")]
    Unreachable,
}

/// Sends answers.
pub(crate) struct Callback {
    /// Made when it is first used: it reads the authorities that are trusted, which takes longer than the function's start.
    http: OnceCell<Client>,
    /// The host that may be called without TLS: where all of AWS is on this machine.
    plain: Option<Host>,
}

impl Callback {
    /// With the endpoint of AWS's services, if it is not AWS's own; empty if it is.
    pub(crate) fn new(endpoint: &str) -> Self {
        let endpoint = Url::parse(endpoint).ok().filter(|url| url.scheme() == "http");
        let plain = endpoint.and_then(|url| url.host().map(|host| host.to_owned()));
        Self { http: OnceCell::new(), plain: plain.map(here) }
    }

    async fn http(&self) -> Result<&Client, CallbackError> {
        // Nothing is followed: whoever signed the URL has said where the answer goes.
        let builder = || Client::builder().http1_only().redirect(Policy::none()).no_proxy().timeout(ATTEMPT);
        self.http.get_or_try_init(async || builder().build()).await.map_err(CallbackError::NoClient)
    }

    /// The URL, if answers may go there.
    pub(crate) fn accept(&self, url: &SecretString) -> Result<Url, CallbackError> {
        let url = Url::parse(url.expose_secret()).map_err(|_| CallbackError::Malformed)?;
        let host = url.host().map(|host| here(host.to_owned())).ok_or(CallbackError::Malformed)?;
        match url.scheme() {
            "https" => Ok(url),
            "http" if self.plain.as_ref() == Some(&host) => Ok(url),
            _ => Err(CallbackError::Plain),
        }
    }

    /// Puts the answer there, again and again until it is taken, refused, or the time is up. The same answer twice does no harm.
    pub(crate) async fn send(&self, url: &Url, body: &[u8], until: Instant) -> Result<(), CallbackError> {
        let (http, mut pause, mut last) = (self.http().await?, PAUSE, CallbackError::Unreachable);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            // A content type would have to be signed, too.
            let sent = http.put(url.clone()).body(body.to_vec()).timeout(ATTEMPT.min(left)).send().await;
            match sent.map(|answer| answer.status()) {
                Ok(status) if status.is_success() => return Ok(()),
                Ok(status) if !is_temporary(status) => return Err(CallbackError::Refused(status)),
                Ok(status) => last = CallbackError::Refused(status),
                Err(_) => {}
            }
            if Instant::now() + pause >= until {
                return Err(last);
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }
}

fn is_temporary(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}

/// All names of this machine are one.
fn here(host: Host) -> Host {
    let is_here = match &host {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => IpAddr::V4(*address).is_loopback(),
        Host::Ipv6(address) => IpAddr::V6(*address).is_loopback(),
    };
    if is_here { Host::Ipv4(Ipv4Addr::LOCALHOST) } else { host }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(endpoint: &str, url: &str) -> bool {
        Callback::new(endpoint).accept(&url.to_owned().into()).is_ok()
    }

    #[test]
    fn answers_go_by_tls_or_stay_on_this_machine() {
        let presigned = "https://cloudformation-custom-resource-response-useast1.s3.amazonaws.com/x?X-Amz-Signature=s";
        for (endpoint, url, is_accepted) in [
            ("", presigned, true),
            ("", "http://bucket.s3.amazonaws.com/x", false),
            ("", "http://localhost:4566/x", false),
            ("https://aws.example.com", "http://aws.example.com/x", false),
            ("http://127.0.0.1:4566", presigned, true),
            ("http://127.0.0.1:4566", "http://localhost:4566/_ministack/cfn-response/x", true),
            ("http://localhost:4566", "http://[::1]:4570/x", true),
            ("http://127.0.0.1:4566", "http://example.com/x", false),
            ("http://aws:4566", "http://aws:4566/x", true),
            ("http://aws:4566", "http://localhost:4566/x", false),
            ("http://aws:4566", "ftp://aws:4566/x", false),
            ("", "not a url", false),
            ("", "file:///etc/passwd", false),
        ] {
            assert_eq!(accepts(endpoint, url), is_accepted, "{endpoint} {url}");
        }
    }

    #[test]
    fn errors_do_not_hold_what_is_signed() {
        let callback = Callback::new("");
        let error = callback.accept(&String::from("http://h/x?X-Amz-Signature=secret").into()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"));
    }
}
