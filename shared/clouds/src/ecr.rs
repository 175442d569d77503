//! Tokens of ECR's registries.

use aws_credential_types::Credentials as Keys;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use moorage_domain::{
    CloudRefusal, Credentials, Namespace,
    cloud::{EcrRegistry, RoleArn, partition},
};
use serde_json::Value;

use crate::{
    CloudError,
    aws::{AWS, Aws, Service},
    question::Question,
    sign::Scope,
};

/// The gallery, which has one registry for all accounts, and an API of its own in one region.
const PUBLIC: &str = "public.ecr.aws";
const PUBLIC_API: &str = "api.ecr-public.us-east-1.amazonaws.com";
const PUBLIC_REGION: &str = "us-east-1";
/// What ECR's requests are sent as.
const JSON: &str = "application/x-amz-json-1.1";

/// A token for a registry, as the function's role or as one that it assumes. It lasts for twelve hours, far longer than any
/// invocation.
pub(crate) async fn login(
    aws: &Aws,
    (namespace, role): (&Namespace, Option<&RoleArn>),
    authority: &str,
) -> Result<Credentials, CloudError> {
    let authority = authority.to_ascii_lowercase();
    let host = authority.split(':').next().unwrap_or_default();
    let registry = EcrRegistry::of(host);
    let (id, service, target, region, api) = match &registry {
        Some(registry) => {
            let target = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";
            ("ECR", "ecr", target, registry.region, registry.api.clone())
        }
        None if host == PUBLIC => {
            let target = "SpencerFrontendService.GetAuthorizationToken";
            ("ECR PUBLIC", "ecr-public", target, PUBLIC_REGION, PUBLIC_API.to_owned())
        }
        // What stands in for one is of the function's own region.
        None => {
            let api = format!("api.ecr.{}.amazonaws.com", aws.region());
            ("ECR", "ecr", "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken", aws.region(), api)
        }
    };
    check_partition(host, region, aws.region())?;
    let keys: Keys = match role {
        Some(role) => aws.assume(role, namespace).await?,
        None => aws.own().await?,
    };
    let scope = Scope { service, region };
    let advice = match role {
        Some(role) => format!("{role} has to allow {service}:GetAuthorizationToken"),
        None => "the parameter CloudRepositories has to name what the sync function's role may read".to_owned(),
    };
    let mut question = Question {
        who: AWS,
        what: format!("a token for {host}"),
        advice,
        url: aws.url(&Service { id, host: &api })?,
        headers: vec![("content-type", JSON.to_owned()), ("x-amz-target", target.to_owned())],
        body: "{}".to_owned(),
        code,
    };
    let answer = aws.ask(&mut question, scope, &keys).await?;
    read(&answer).ok_or_else(|| question.unexpected())
}

/// Fails if a registry is where the function's role is nobody: no request is signed for there.
fn check_partition(host: &str, region: &str, own: &str) -> Result<(), CloudRefusal> {
    if partition(region) == partition(own) {
        return Ok(());
    }
    Err(CloudRefusal::OtherPartition { host: host.to_owned(), region: own.to_owned() })
}

/// The user and the password that a token holds.
fn read(answer: &[u8]) -> Option<Credentials> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    // The gallery gives one, the others a list of one.
    let data = &answer["authorizationData"];
    let token = data.get("authorizationToken").or_else(|| data.get(0)?.get("authorizationToken"))?.as_str()?;
    let pair = String::from_utf8(BASE64.decode(token).ok()?).ok()?;
    let (username, password) = pair.split_once(':')?;
    Some(Credentials { username: username.to_owned(), password: password.into() })
}

/// The type of an error, without what is before it.
fn code(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let text = body.get("__type")?.as_str()?;
    Some(text.rsplit('#').next().unwrap_or(text).to_owned())
}

#[cfg(test)]
mod tests {
    use moorage_domain::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_token_is_a_user_and_a_password() {
        // AWS:hunter2
        for answer in [
            r#"{"authorizationData":[{"authorizationToken":"QVdTOmh1bnRlcjI=","expiresAt":1.7e9}]}"#,
            r#"{"authorizationData":{"authorizationToken":"QVdTOmh1bnRlcjI="}}"#,
        ] {
            let found = read(answer.as_bytes()).unwrap();
            assert_eq!((found.username.as_str(), found.password.expose_secret()), ("AWS", "hunter2"));
            assert!(!format!("{found:?}").contains("hunter2"));
        }
        for answer in ["", "{}", r#"{"authorizationData":[]}"#, r#"{"authorizationData":[{"authorizationToken":"!"}]}"#]
        {
            assert!(read(answer.as_bytes()).is_none(), "{answer}");
        }
    }

    #[test]
    fn a_role_is_somebody_in_its_partition_alone() {
        for (region, own, expected) in [
            ("eu-west-1", "us-east-1", true),
            ("cn-north-1", "cn-northwest-1", true),
            ("us-gov-west-1", "us-gov-east-1", true),
            ("cn-north-1", "eu-west-1", false),
            ("us-east-1", "us-gov-east-1", false),
            ("us-gov-east-1", "us-east-1", false),
        ] {
            assert_eq!(check_partition("host", region, own).is_ok(), expected, "{region} {own}");
        }
    }

    #[test]
    fn a_refusal_has_a_code() {
        let said = br#"{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"User: arn:aws:x"}"#;
        assert_eq!(code(said).as_deref(), Some("AccessDeniedException"));
        assert_eq!(code(b"<html>"), None);
    }
}
