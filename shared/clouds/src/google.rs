//! Tokens of Google's registries: AWS's signature says who the function is, Google's token service takes it for a token, and
//! that for one of the service account.

use std::time::SystemTime;

use moorage_domain::{
    Credentials, ExposeSecret as _, SecretString,
    cloud::{ServiceAccount, WorkloadProvider},
};
use moorage_upstream::Receivers;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::{
    CloudError,
    aws::Aws,
    question::{FORM, Question, form},
    sign::{Scope, signature},
};

const GOOGLE: &str = "Google";
/// Google's token servers.
const TOKENS: &str = "https://sts.googleapis.com/";
const ACCOUNTS: &str = "https://iamcredentials.googleapis.com/";
/// The user whose password is a token.
const USER: &str = "oauth2accesstoken";
/// What the tokens are for; what they may is the service account's.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// How long the token lasts: longer than an invocation, and than any place that opens a registry.
const LIFETIME: &str = "1200s";
/// The header that binds a signed question to the provider that it is meant for.
const TARGET: &str = "x-goog-cloud-target-resource";
/// What a URL may hold as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[derive(Deserialize)]
struct Exchanged {
    access_token: SecretString,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Impersonated {
    access_token: SecretString,
}

/// A token for a service account's registries.
pub(crate) async fn login(
    aws: &Aws,
    (provider, account): (&WorkloadProvider, &ServiceAccount),
    (servers, stand_in): (&Receivers, Option<&Url>),
) -> Result<Credentials, CloudError> {
    let audience = format!("//iam.googleapis.com/{provider}");
    let subject = subject_token(aws, &audience).await?;
    let question = Question {
        who: GOOGLE,
        what: "a token for the sync function's role".to_owned(),
        advice: format!("{provider} has to know the function's AWS account, and its condition the role"),
        url: at(stand_in, TOKENS, "v1/token")?,
        headers: vec![("content-type", FORM.to_owned())],
        body: form(&[
            ("audience", &audience),
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("scope", SCOPE),
            ("subject_token", subject.expose_secret()),
            ("subject_token_type", "urn:ietf:params:aws:token-type:aws4_request"),
        ]),
        code,
    };
    let answer = question.ask(servers).await?;
    let exchanged: Exchanged = serde_json::from_slice(&answer).map_err(|_| question.unexpected())?;
    let question = Question {
        what: format!("a token for {account}"),
        advice: format!("{account} has to give the function's role roles/iam.workloadIdentityUser"),
        url: at(stand_in, ACCOUNTS, &format!("v1/projects/-/serviceAccounts/{account}:generateAccessToken"))?,
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("authorization", format!("Bearer {}", exchanged.access_token.expose_secret())),
        ],
        body: json!({"scope": [SCOPE], "lifetime": LIFETIME}).to_string(),
        ..question
    };
    let answer = question.ask(servers).await?;
    let token: Impersonated = serde_json::from_slice(&answer).map_err(|_| question.unexpected())?;
    Ok(Credentials { username: USER.to_owned(), password: token.access_token })
}

/// A question to AWS who the function is, signed and not sent: Google sends it.
async fn subject_token(aws: &Aws, audience: &str) -> Result<SecretString, CloudError> {
    let host = aws.sts_host();
    let url = format!("https://{host}?Action=GetCallerIdentity&Version=2011-06-15");
    let target = [(TARGET, audience.to_owned())];
    let scope = Scope { service: "sts", region: aws.region() };
    let signed = signature((&url, &target, ""), scope, &aws.own().await?, SystemTime::now())?;
    let all = target.into_iter().chain([("host", host)]).chain(signed);
    let headers: Vec<_> = all.map(|(key, value)| json!({"key": key, "value": value})).collect();
    let question = json!({"url": url, "method": "POST", "headers": headers}).to_string();
    Ok(utf8_percent_encode(&question, PLAIN).to_string().into())
}

fn at(stand_in: Option<&Url>, server: &str, path: &str) -> Result<Url, CloudError> {
    let base = stand_in.map_or(server, Url::as_str);
    let url = Url::parse(base).and_then(|base| base.join(&format!("/{path}")));
    url.map_err(|_| CloudError::Failed { who: GOOGLE, what: "a token".to_owned(), answer: "at no address".to_owned() })
}

/// The code of `OAuth2`, or that of Google's APIs.
fn code(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let error = body.get("error")?;
    error.as_str().or_else(|| error.get("status")?.as_str()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_googles_unless_something_stands_in() {
        let path = "v1/projects/-/serviceAccounts/a@b.iam.gserviceaccount.com:generateAccessToken";
        assert_eq!(at(None, ACCOUNTS, path).unwrap().as_str(), format!("{ACCOUNTS}{path}"));
        assert_eq!(at(None, TOKENS, "v1/token").unwrap().as_str(), "https://sts.googleapis.com/v1/token");
        let stand_in = "http://localhost:9/".parse().unwrap();
        assert_eq!(at(Some(&stand_in), TOKENS, "v1/token").unwrap().as_str(), "http://localhost:9/v1/token");
    }

    #[test]
    fn a_refusal_has_a_code() {
        assert_eq!(code(br#"{"error":"invalid_grant","error_description":"x"}"#).as_deref(), Some("invalid_grant"));
        let denied = br#"{"error":{"code":403,"message":"x","status":"PERMISSION_DENIED"}}"#;
        assert_eq!(code(denied).as_deref(), Some("PERMISSION_DENIED"));
        assert_eq!(code(b"{}"), None);
    }
}
