//! One request to a cloud, tried again where that may help.

use std::time::Duration;

use moorage_upstream::{Receivers, UpstreamError};
use rand::Rng as _;
use url::{Url, form_urlencoded::Serializer};

use crate::CloudError;

/// How often a question is asked.
const TRIES: u32 = 3;
/// The longest pause after the first try; it doubles. Each is at least half of it, drawn at random: syncs that start together
/// and are throttled together do not come back together.
const PAUSE: Duration = Duration::from_millis(500);
/// The largest answer: a token with many claims reaches some kilobytes.
const MAX_ANSWER: usize = 64 * 1024;
/// The codes by which AWS says that it was asked too often, with status 400: of its services by JSON, and by queries.
const THROTTLED: [&str; 4] = ["Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException"];
/// The longest code of a refusal that is told.
const MAX_CODE: usize = 64;

/// What forms are sent as.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// A request, and what is said of it where it fails.
pub(crate) struct Question {
    /// Who is asked.
    pub(crate) who: &'static str,
    /// For what.
    pub(crate) what: String,
    /// What there has to be that it is given.
    pub(crate) advice: String,
    pub(crate) url: Url,
    /// With the type of the body.
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
    /// Where a refusal says its code.
    pub(crate) code: fn(&[u8]) -> Option<String>,
}

impl Question {
    /// Asks, and gives the body of the answer.
    pub(crate) async fn ask(&self, servers: &Receivers) -> Result<Vec<u8>, CloudError> {
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            match self.ask_once(servers).await {
                Err(error) if is_passing(&error) => {}
                other => return other,
            }
            tokio::time::sleep(rand::rng().random_range(pause / 2..=pause)).await;
            pause *= 2;
        }
        self.ask_once(servers).await
    }

    async fn ask_once(&self, servers: &Receivers) -> Result<Vec<u8>, CloudError> {
        let asked = servers.ask(&self.url, &self.headers, self.body.clone().into_bytes(), MAX_ANSWER).await;
        let (who, what) = (self.who, self.what.clone());
        let (status, body) = asked.map_err(|error| CloudError::Unreachable { who, what: what.clone(), error })?;
        if (200..300).contains(&status) {
            return Ok(body);
        }
        let code = (self.code)(&body).filter(|code| is_code(code));
        let is_refusal = is_refusal(status, code.as_deref());
        let code = code.map_or_else(String::new, |code| format!(" ({code})"));
        Err(if is_refusal {
            CloudError::Denied { who, what, status, code, advice: self.advice.clone() }
        } else {
            CloudError::Failed { who, what, answer: format!("status {status}{code}") }
        })
    }

    /// That the answer is not what it has to be.
    pub(crate) fn unexpected(&self) -> CloudError {
        CloudError::Failed { who: self.who, what: self.what.clone(), answer: "without it".to_owned() }
    }
}

/// A form's body.
pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// Whether a cloud says no. One that asks to be left alone is asked again, as one that fails.
fn is_refusal(status: u16, code: Option<&str>) -> bool {
    (400..500).contains(&status) && status != 429 && !code.is_some_and(|code| THROTTLED.contains(&code))
}

fn is_passing(error: &CloudError) -> bool {
    use UpstreamError::{Connection, Timeout};
    matches!(error, CloudError::Failed { .. } | CloudError::Unreachable { error: Timeout(_) | Connection { .. }, .. })
}

/// Whether a text is a code, and not whatever else may be in its place.
fn is_code(text: &str) -> bool {
    (1..=MAX_CODE).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_too_often_is_not_refused() {
        for (status, code, expected) in [
            (400, Some("AccessDeniedException"), true),
            (403, Some("AccessDenied"), true),
            (401, None, true),
            (404, Some("<html>"), true),
            (400, Some("Throttling"), false),
            (400, Some("ThrottlingException"), false),
            (400, Some("RequestLimitExceeded"), false),
            (400, Some("TooManyRequestsException"), false),
            (429, None, false),
            (503, Some("AccessDenied"), false),
            (302, None, false),
        ] {
            assert_eq!(is_refusal(status, code), expected, "{status} {code:?}");
        }
    }
}
