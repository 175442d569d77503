//! Answers, read no further than their limit.

use moorage_domain::Timestamp;
use reqwest::{
    Response,
    header::{CONTENT_TYPE, DATE, ETAG, HeaderMap, HeaderName, RETRY_AFTER},
};
use serde_json::Value;

use crate::error::ClientError;

/// The longest message that is shown, in characters: more is the page of something else.
const MESSAGE: usize = 500;

/// What was answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body; null if there is none, and a text if it is not JSON.
    pub body: Value,
    /// The entity tag, if there is one.
    pub etag: Option<String>,
    /// When it was answered, by the API's clock.
    pub date: Option<Timestamp>,
    /// The seconds after which to call again.
    pub(crate) retry_after: Option<u64>,
}

impl Answer {
    /// Reads an answer of at most so many bytes.
    pub(crate) async fn read(mut response: Response, path: &str, limit: usize) -> Result<Self, ReadError> {
        let too_large = || ReadError::Final(ClientError::TooLarge { path: path.to_owned(), limit });
        let status = response.status().as_u16();
        let headers = response.headers();
        let retry_after = text(headers, &RETRY_AFTER).and_then(|text| text.trim().parse().ok());
        let date = text(headers, &DATE).and_then(moment);
        let etag = text(headers, &ETAG).map(str::to_owned);
        let is_json = text(headers, &CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/json"));
        if response.content_length().is_some_and(|length| length > u64::try_from(limit).unwrap_or(u64::MAX)) {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(ReadError::Lost)? {
            if bytes.len() + chunk.len() > limit {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        let body = match serde_json::from_slice(&bytes) {
            _ if bytes.is_empty() => Value::Null,
            Ok(body) if is_json => body,
            _ => String::from_utf8_lossy(&bytes).into_owned().into(),
        };
        Ok(Self { status, body, etag, date, retry_after })
    }

    /// What a failure says: Quay's errors have one of several forms.
    pub(crate) fn message(&self) -> String {
        let said = ["detail", "error_message", "message"].into_iter().find_map(|name| self.said(name));
        said.unwrap_or_else(|| "without a reason".to_owned())
    }

    /// Why a caller is not known, if that is said: it is of people's sign-ins alone.
    pub(crate) fn reason(&self) -> Option<String> {
        self.said("message").filter(|reason| !reason.is_empty())
    }

    fn said(&self, name: &str) -> Option<String> {
        let said: String = self.body.get(name)?.as_str()?.chars().filter(|it| !it.is_control()).take(MESSAGE).collect();
        // It becomes a part of a sentence.
        Some(said.trim_end_matches('.').to_owned())
    }
}

/// Why an answer could not be read.
pub(crate) enum ReadError {
    /// The connection was lost.
    Lost(reqwest::Error),
    /// What no other try changes.
    Final(ClientError),
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Parses `Sun, 06 Nov 1994 08:49:37 GMT`.
fn moment(text: &str) -> Option<Timestamp> {
    let rfc = time::format_description::well_known::Rfc2822;
    let date = time::OffsetDateTime::parse(&text.replace("GMT", "+0000"), &rfc).ok()?;
    Some(Timestamp::from_unix(date.unix_timestamp()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn dates_are_those_of_http() {
        assert_eq!(moment("Sun, 06 Nov 1994 08:49:37 GMT").unwrap().iso(), "1994-11-06T08:49:37Z");
        assert_eq!(moment("yesterday"), None);
    }

    #[test]
    fn each_form_of_an_error_says_why() {
        let said = |body: Value| Answer { status: 400, body, etag: None, date: None, retry_after: None }.message();
        for body in [json!({"detail": "no"}), json!({"message": "no"}), json!({"error_message": "n\no"})] {
            assert_eq!(said(body), "no");
        }
        assert_eq!(said("<html>".into()), "without a reason");
        assert_eq!(said(json!({"detail": "x".repeat(2000)})).len(), MESSAGE);
    }
}
