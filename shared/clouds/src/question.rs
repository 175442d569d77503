//! One request to a cloud, tried again where that may help.

use std::time::Duration;

use moorage_upstream::{Receivers, UpstreamError};
use url::{Url, form_urlencoded::Serializer};

use crate::CloudError;

/// How often a question is asked.
const TRIES: u32 = 3;
/// The pause after the first try; it doubles.
const PAUSE: Duration = Duration::from_millis(500);
/// The largest answer: a token with many claims reaches some kilobytes.
const MAX_ANSWER: usize = 64 * 1024;
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
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        self.ask_once(servers).await
    }

    async fn ask_once(&self, servers: &Receivers) -> Result<Vec<u8>, CloudError> {
        let asked = servers.ask(&self.url, &self.headers, self.body.clone().into_bytes(), MAX_ANSWER).await;
        let (who, what) = (self.who, self.what.clone());
        let (status, body) = asked.map_err(|error| CloudError::Unreachable { who, what: what.clone(), error })?;
        let code =
            || (self.code)(&body).filter(|code| is_code(code)).map_or_else(String::new, |code| format!(" ({code})"));
        match status {
            200..300 => Ok(body),
            // A cloud that asks to be left alone is asked again, as one that fails.
            400..500 if status != 429 => {
                Err(CloudError::Denied { who, what, status, code: code(), advice: self.advice.clone() })
            }
            _ => Err(CloudError::Failed { who, what, answer: format!("status {status}{}", code()) }),
        }
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

fn is_passing(error: &CloudError) -> bool {
    use UpstreamError::{Connection, Timeout};
    matches!(error, CloudError::Failed { .. } | CloudError::Unreachable { error: Timeout(_) | Connection { .. }, .. })
}

/// Whether a text is a code, and not whatever else may be in its place.
fn is_code(text: &str) -> bool {
    (1..=MAX_CODE).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}
