//! The field `credentials` of an external registry: a cloud's login in place of a user name and a password. It is no secret.

use moorage_domain::{
    CloudLogin, CloudRefusal, CloudWay, MirrorSecrets, Namespace,
    cloud::Exposure,
    mirror::{CREDENTIALS, RegistryConfig},
};
use serde_json::{Map, Value};

use crate::{api::Api, http::error::ApiError};

/// What a body says of it: nothing, that there is none, or one.
pub(crate) fn parse(sent: &Map<String, Value>) -> Result<Option<Option<CloudLogin>>, ApiError> {
    match sent.get(CREDENTIALS) {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(None)),
        Some(login @ Value::Object(_)) => match serde_json::from_value(login.clone()) {
            Ok(login) => Ok(Some(Some(login))),
            Err(error) => Err(ApiError::InvalidRequest(format!("{CREDENTIALS}: {error}"))),
        },
        Some(_) => Err(ApiError::InvalidRequest(format!("{CREDENTIALS} must be an object or null"))),
    }
}

/// Where a mirror copies from, and what it is to have for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    /// Whether the registry's URL says plain http.
    pub(crate) is_plain: bool,
    /// The registry's host, with its port if it has one.
    pub(crate) authority: &'a str,
    pub(crate) config: &'a RegistryConfig,
    pub(crate) username: Option<&'a str>,
    pub(crate) secrets: &'a MirrorSecrets,
}

/// Fails if a namespace may not have the login that its mirror is to have, or not there.
pub(crate) fn check(api: &Api, namespace: &Namespace, source: Source<'_>) -> Result<(), ApiError> {
    let Source { is_plain, authority, config, username, secrets } = source;
    let Some(login) = config.cloud().map_err(|error| refused(&error))? else { return Ok(()) };
    if username.is_some_and(|name| !name.is_empty()) {
        return Err(refused(&CloudRefusal::Twice("external_registry_username")));
    }
    if secrets.external_registry_password.is_some() {
        return Err(refused(&CloudRefusal::Twice("external_registry_password")));
    }
    let way = CloudWay {
        authority,
        exposure: is_plain.then_some(Exposure::PlainHttp).or(config.exposure()).or(secrets
            .tls
            .ca_bundle
            .as_ref()
            .map(|_| Exposure::OwnAuthorities)),
    };
    api.clouds.check(namespace, &login, way).map_err(|error| refused(&error))
}

/// The answer that says why a login may not be.
pub(crate) fn refused(error: &CloudRefusal) -> ApiError {
    ApiError::InvalidRequest(error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_said_of_it() {
        let said = |value: Value| parse(value.as_object().unwrap()).map_err(|error| error.to_string());
        assert_eq!(said(json!({})), Ok(None));
        assert_eq!(said(json!({"credentials": null})), Ok(Some(None)));
        assert_eq!(said(json!({"credentials": {"type": "ecr"}})), Ok(Some(Some(CloudLogin::Ecr { role_arn: None }))));
        for (sent, why) in [
            (json!("ecr"), "credentials must be an object or null"),
            (json!({"type": "quay"}), "credentials: unknown variant `quay`, expected one of `ecr`, `google`, `azure`"),
            (json!({"type": "ecr", "role_arn": "x"}), "credentials: it must be arn:aws:iam::ACCOUNT:role/NAME"),
            (json!({"type": "ecr", "external_id": "x"}), "credentials: unknown field `external_id`"),
        ] {
            let error = said(json!({"credentials": sent})).unwrap_err();
            assert!(error.starts_with(why), "{error}");
        }
    }
}
