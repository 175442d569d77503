//! Tokens of Azure's registries: a token of AWS's says who the function is, Microsoft's directory takes it for one of the
//! application, and the registry that for one of its own.

use moorage_domain::{Credentials, ExposeSecret as _, SecretString};
use moorage_upstream::Receivers;
use serde::Deserialize;
use serde_json::Value;
use url::Url;
use uuid::Uuid;

use crate::{
    CloudError,
    aws::Aws,
    question::{FORM, Question, form},
};

const MICROSOFT: &str = "Microsoft";
/// Microsoft's directory.
const DIRECTORY: &str = "https://login.microsoftonline.com/";
/// Whom the function's token is for, as Microsoft asks for it.
const AUDIENCE: &str = "api://AzureADTokenExchange";
/// What the application's token is for.
const SCOPE: &str = "https://containerregistry.azure.net/.default";
/// The user whose password is a token.
const USER: &str = "00000000-0000-0000-0000-000000000000";

#[derive(Deserialize)]
struct OfDirectory {
    access_token: SecretString,
}

#[derive(Deserialize)]
struct OfRegistry {
    refresh_token: SecretString,
}

/// Where the registry is, and what stands in for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) authority: &'a str,
    pub(crate) servers: &'a Receivers,
    /// In the place of Microsoft's directory.
    pub(crate) stand_in: Option<&'a Url>,
    /// Whether the registry stands in for one of Azure's, and is spoken to by plain http.
    pub(crate) is_plain: bool,
}

/// A token for a registry.
pub(crate) async fn login(
    aws: &Aws,
    (tenant, client): (Uuid, Uuid),
    place: Place<'_>,
) -> Result<Credentials, CloudError> {
    let identity = aws.identity_token(AUDIENCE).await?;
    let (tenant, client) = (tenant.to_string(), client.to_string());
    let question = Question {
        who: MICROSOFT,
        what: format!("a token for the application {client}"),
        advice: "the application has to have a federated credential with the account's issuer, the ARN of the sync \
                 function's role as its subject, and Microsoft's usual audience"
            .to_owned(),
        url: at(place.stand_in.map_or(DIRECTORY, Url::as_str), &format!("{tenant}/oauth2/v2.0/token"))?,
        headers: vec![("content-type", FORM.to_owned())],
        body: form(&[
            ("grant_type", "client_credentials"),
            ("client_id", &client),
            ("scope", SCOPE),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", identity.expose_secret()),
        ]),
        code: code_of_directory,
    };
    let answer = question.ask(place.servers).await?;
    let token: OfDirectory = serde_json::from_slice(&answer).map_err(|_| question.unexpected())?;
    let scheme = if place.is_plain { "http" } else { "https" };
    let question = Question {
        what: format!("a token for {}", place.authority),
        advice: "the application has to have the role AcrPull there".to_owned(),
        url: at(&format!("{scheme}://{}/", place.authority), "oauth2/exchange")?,
        body: form(&[
            ("grant_type", "access_token"),
            ("service", &service(place.authority)),
            ("tenant", &tenant),
            ("access_token", token.access_token.expose_secret()),
        ]),
        code: code_of_registry,
        ..question
    };
    let answer = question.ask(place.servers).await?;
    let token: OfRegistry = serde_json::from_slice(&answer).map_err(|_| question.unexpected())?;
    Ok(Credentials { username: USER.to_owned(), password: token.refresh_token })
}

/// A registry as its own tokens name it: in lower case, and without the port of https.
fn service(authority: &str) -> String {
    let authority = authority.to_ascii_lowercase();
    authority.strip_suffix(":443").map_or_else(|| authority.clone(), str::to_owned)
}

fn at(base: &str, path: &str) -> Result<Url, CloudError> {
    let url = Url::parse(base).and_then(|base| base.join(path));
    url.map_err(|_| CloudError::Failed {
        who: MICROSOFT,
        what: "a token".to_owned(),
        answer: "at no address".to_owned(),
    })
}

/// The number by which Microsoft's documentation knows an error.
fn code_of_directory(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let number = body.get("error_codes").and_then(|codes| codes.get(0)?.as_u64());
    number.map(|number| format!("AADSTS{number}")).or_else(|| body.get("error")?.as_str().map(str::to_owned))
}

fn code_of_registry(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    body.get("errors")?.get(0)?.get("code")?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_microsofts_and_the_registry() {
        let token = at(DIRECTORY, "11111111-2222-4333-8444-555555555555/oauth2/v2.0/token").unwrap();
        let expected = "https://login.microsoftonline.com/11111111-2222-4333-8444-555555555555/oauth2/v2.0/token";
        assert_eq!(token.as_str(), expected);
        let exchange = at("https://company.azurecr.io/", "oauth2/exchange").unwrap();
        assert_eq!(exchange.as_str(), "https://company.azurecr.io/oauth2/exchange");
    }

    #[test]
    fn a_registry_is_named_as_it_names_itself() {
        for (authority, expected) in [
            ("Company.azurecr.io", "company.azurecr.io"),
            ("company.AZURECR.io:443", "company.azurecr.io"),
            ("localhost:5443", "localhost:5443"),
        ] {
            assert_eq!(service(authority), expected);
        }
    }

    #[test]
    fn a_refusal_has_a_code() {
        let said = br#"{"error":"invalid_client","error_codes":[700213],"error_description":"AADSTS700213: x"}"#;
        assert_eq!(code_of_directory(said).as_deref(), Some("AADSTS700213"));
        assert_eq!(code_of_directory(br#"{"error":"invalid_client"}"#).as_deref(), Some("invalid_client"));
        let said = br#"{"errors":[{"code":"UNAUTHORIZED","message":"x"}]}"#;
        assert_eq!(code_of_registry(said).as_deref(), Some("UNAUTHORIZED"));
        assert_eq!(code_of_registry(b"<html>"), None);
    }
}
