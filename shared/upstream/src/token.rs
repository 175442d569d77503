//! Token servers: how they are asked, and what they answer (distribution's token specification, and `OAuth2`).

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use moorage_domain::{Credentials, ExposeSecret as _, SecretString};
use reqwest::{
    Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue},
};
use serde_json::{Map, Value};
use url::Url;

use crate::{
    UpstreamError,
    address::display,
    http::Http,
    scopes::Scopes,
    tls,
    transport::{Recipient, Request, sensitive},
};

/// The largest answer of a token server. Tokens with many claims reach some kilobytes.
const MAX_TOKEN_BODY: usize = 64 * 1024;
/// How long a token lasts whose server does not say (distribution's token specification).
const DEFAULT_LIFETIME: Duration = Duration::from_secs(60);
/// A token is replaced so long before it ends that a request sent with it still arrives in time.
pub(crate) const REFRESH_MARGIN: Duration = Duration::from_secs(10);
/// No token is trusted for longer, whatever its server says.
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// A token server, as a challenge names it.
pub(crate) struct Server<'a> {
    pub(crate) realm: Url,
    pub(crate) service: Option<&'a str>,
    /// Whether it is the registry itself.
    pub(crate) is_registry: bool,
}

/// What a token server says.
enum Answered {
    /// A token as a header, and how long it lasts.
    Token(HeaderValue, Duration),
    /// None, with this status.
    Refused(StatusCode),
}

impl Server<'_> {
    /// Fetches a token, and tells how long it lasts; where the token server does not give one for all scopes together, for
    /// fewer. A wrong password is not tried again.
    pub(crate) async fn fetch(
        &self,
        scopes: &mut Scopes,
        credentials: Option<&Credentials>,
        http: &Http,
    ) -> Result<(HeaderValue, Duration), UpstreamError> {
        let mut left = scopes.sets();
        loop {
            let refused = match self.ask(&scopes.asked(), credentials, http).await? {
                Answered::Token(header, lifetime) => return Ok((header, lifetime)),
                Answered::Refused(status) => status,
            };
            left = left.saturating_sub(1);
            if left == 0 || refused == StatusCode::UNAUTHORIZED {
                let (name, status) = (display(&self.realm), refused.as_u16());
                let whom = if credentials.is_some() { "the credentials" } else { "a token to who has no credentials" };
                return Err(UpstreamError::Auth(format!("{name} refused {whom} with status {status}")));
            }
            scopes.turn();
        }
    }

    /// Asks for a token for some scopes: by GET, and by `OAuth2`'s POST where the server does not know the GET.
    async fn ask(
        &self,
        scopes: &[&str],
        credentials: Option<&Credentials>,
        http: &Http,
    ) -> Result<Answered, UpstreamError> {
        let mut url = self.realm.clone();
        let account = credentials.map(|credentials| ("account", credentials.username.as_str()));
        let service = self.service.map(|service| ("service", service));
        let scope = scopes.iter().map(|scope| ("scope", *scope));
        url.query_pairs_mut().extend_pairs(account).extend_pairs(service).extend_pairs(scope);
        let headers = HeaderMap::from_iter(credentials.and_then(basic).map(|basic| (AUTHORIZATION, basic)));
        let get = Request { method: Method::GET, url, headers, body: None, to: self.recipient() };
        let what = "the token server's answer";
        let mut answer = http.fetch(&get, MAX_TOKEN_BODY, what).await?;
        let knows_no_get = matches!(answer.head.status.as_u16(), 404 | 405 | 501);
        if let Some(credentials) = credentials.filter(|_| knows_no_get) {
            answer = http.fetch(&self.oauth2(scopes, credentials), MAX_TOKEN_BODY, what).await?;
        }
        if !self.is_registry {
            // How long another server than the registry wants to be left alone is not for it to say.
            answer.head.headers.clear();
        }
        let status = answer.head.status;
        let is_of_tls = tls::refusal(status.as_u16(), &answer.body).is_some();
        if matches!(status.as_u16(), 400 | 401 | 403 | 422) && !is_of_tls {
            return Ok(Answered::Refused(status));
        }
        if !status.is_success() {
            return Err(answer.into_error(&self.realm));
        }
        let token = token(&answer.body).map(|(header, lifetime)| Answered::Token(header, lifetime));
        token.ok_or_else(|| UpstreamError::Protocol(format!("{} answered without a token", display(&self.realm))))
    }

    fn oauth2(&self, scopes: &[&str], credentials: &Credentials) -> Request {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "password")
            .append_pair("client_id", "moorage")
            .append_pair("scope", &scopes.join(" "))
            .extend_pairs(self.service.map(|service| ("service", service)))
            .append_pair("username", &credentials.username)
            .append_pair("password", credentials.password.expose_secret());
        let content_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, content_type)]);
        let (url, to) = (self.realm.clone(), self.recipient());
        Request { method: Method::POST, url, headers, body: Some(form.finish()), to }
    }

    fn recipient(&self) -> Recipient {
        Recipient::TokenServer { is_registry: self.is_registry }
    }
}

/// User name and password as HTTP's Basic scheme sends them (RFC 7617). Either may be empty.
pub(crate) fn basic(credentials: &Credentials) -> Option<HeaderValue> {
    let pair = format!("{}:{}", credentials.username, credentials.password.expose_secret());
    sensitive(&format!("Basic {}", BASE64.encode(pair)))
}

/// The token of a server's answer as a header, and how long it lasts, within bounds. Keys are read as Go reads them.
pub(crate) fn token(body: &[u8]) -> Option<(HeaderValue, Duration)> {
    let answer: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let field = |name: &str| answer.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let text = |name: &str| field(name)?.as_str().filter(|token| !token.is_empty());
    let token = SecretString::from(format!("Bearer {}", text("token").or_else(|| text("access_token"))?));
    let lifetime = field("expires_in").and_then(seconds).unwrap_or(DEFAULT_LIFETIME);
    Some((sensitive(token.expose_secret())?, lifetime.clamp(REFRESH_MARGIN * 2, MAX_LIFETIME)))
}

/// A number of seconds, which some servers write as text, and some as a fraction.
fn seconds(value: &Value) -> Option<Duration> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    // What is negative, and what is no number, is none; what is too large lasts as long as any.
    if number > MAX_LIFETIME.as_secs_f64() { Some(MAX_LIFETIME) } else { Duration::try_from_secs_f64(number).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_in_every_form() {
        for (body, expected, lifetime) in [
            (r#"{"token":"t"}"#, Some("Bearer t"), 60),
            (r#"{"access_token":"t","expires_in":300}"#, Some("Bearer t"), 300),
            (r#"{"token":"","access_token":"t","expires_in":null}"#, Some("Bearer t"), 60),
            (r#"{"token":null,"access_token":"t","expires_in":"300"}"#, Some("Bearer t"), 300),
            (r#"{"token":"a","access_token":"b","expires_in":0}"#, Some("Bearer a"), 20),
            (r#"{"token":"a","token":"b","expires_in":-1}"#, Some("Bearer b"), 60),
            (r#"{"Token":"t","Expires_In":3599.5,"issued_at":7}"#, Some("Bearer t"), 3599),
            (r#"{"token":"t","expires_in":1e300}"#, Some("Bearer t"), 86_400),
            (r#"{"token":"t","expires_in":"NaN"}"#, Some("Bearer t"), 60),
            (r#"{"token":"t","expires_in":{}}"#, Some("Bearer t"), 60),
            (r#"{"token":7}"#, None, 0),
            (r#"{"token":"a\nb"}"#, None, 0),
            ("{}", None, 0),
            ("[]", None, 0),
        ] {
            let found = token(body.as_bytes());
            let found = found.as_ref().map(|(header, lifetime)| (header.to_str().unwrap(), lifetime.as_secs()));
            assert_eq!(found, expected.map(|token| (token, lifetime)), "{body}");
        }
    }
}
