//! ECR, which calls no webhooks: EventBridge tells of what is pushed to it, with account and region, by which the mirrors of
//! a repository are found.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Hint, sender::Pushed};
use crate::{
    ExternalReference,
    cloud::{EcrRegistry, is_place},
    object::Object,
};

/// The longest name of a repository, which is ECR's own limit.
const NAME_LENGTH: usize = 256;

/// A repository of ECR, under whichever of its registry's names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EcrRepository(String);

impl EcrRepository {
    /// The repository of an account and a region; nothing if they cannot be such.
    fn new(account: &str, region: &str, name: &str) -> Option<Self> {
        let is_name = (1..=NAME_LENGTH).contains(&name.len());
        (is_place(account, region) && is_name).then(|| Self(format!("{account}/{region}/{name}")))
    }

    /// The one that a mirror copies from, if it is ECR's.
    pub fn of(reference: &ExternalReference) -> Option<Self> {
        let host = reference.host().to_ascii_lowercase();
        let EcrRegistry { account, region, .. } = EcrRegistry::of(&host)?;
        Self::new(account, region, reference.path())
    }
}

impl fmt::Display for EcrRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What EventBridge says of ECR, in its envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EcrEvent {
    #[serde(rename = "detail-type")]
    kind: String,
    source: String,
    account: Option<String>,
    region: Option<String>,
    detail: Object<EcrDetail>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct EcrDetail {
    result: Option<String>,
    action_type: Option<String>,
    repository_name: Option<String>,
    image_tag: Option<String>,
}

impl EcrEvent {
    /// The repository and the tag that were pushed; nothing of any other event.
    pub(super) fn pushed(self) -> Pushed {
        let Object(detail) = self.detail;
        let is_push = self.kind == "ECR Image Action"
            && self.source == "aws.ecr"
            && detail.action_type.as_deref() == Some("PUSH")
            && detail.result.as_deref() == Some("SUCCESS");
        let pushed = (detail.repository_name, detail.image_tag.into_iter().collect());
        is_push.then_some(pushed).into_iter().collect()
    }

    /// Where something was pushed, and what there is to ask for; nothing if nothing was, or nothing that has a tag.
    pub fn hint(self) -> Option<(EcrRepository, Hint)> {
        let name = self.detail.0.repository_name.as_deref()?;
        let repository = EcrRepository::new(self.account.as_deref()?, self.region.as_deref()?, name)?;
        let hint = Some(Hint::of(&self.pushed())).filter(|hint| !hint.is_empty())?;
        Some((repository, hint))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event(changes: &[(&str, Value)]) -> Value {
        let mut event = json!({
            "version": "0", "id": "13cde686-328b-6117-af20-0e5566167482", "detail-type": "ECR Image Action",
            "source": "aws.ecr", "account": "123456789012", "time": "2026-11-16T01:54:34Z", "region": "eu-west-1",
            "resources": [],
            "detail": {
                "result": "SUCCESS", "repository-name": "acme/app", "action-type": "PUSH", "image-tag": "v1.2",
                "image-digest": "sha256:7f5b2640fe6fb4f46592dfd3410c4a79dac4f89e4782432e0378abcd1234abcd",
            },
        });
        for (field, value) in changes {
            *event.pointer_mut(field).unwrap() = value.clone();
        }
        event
    }

    #[test]
    fn what_is_pushed_leads_to_the_mirrors_of_its_repository() {
        let read = |event: Value| serde_json::from_value::<EcrEvent>(event).unwrap().hint();
        let (repository, hint) = read(event(&[])).unwrap();
        assert_eq!(repository.to_string(), "123456789012/eu-west-1/acme/app");
        assert_eq!(hint, Hint::of(&[(Some("acme/app".to_owned()), vec!["v1.2".to_owned()])]));
        for (field, value) in [
            ("/detail/action-type", json!("DELETE")),
            ("/detail/result", json!("FAILURE")),
            ("/detail/image-tag", Value::Null),
            ("/detail/image-tag", json!("not a tag")),
            ("/detail/repository-name", Value::Null),
            ("/detail/repository-name", json!("x".repeat(257))),
            ("/detail-type", json!("ECR Image Scan")),
            ("/source", json!("custom")),
            ("/account", json!("12345678901")),
            ("/region", json!("eu/west")),
        ] {
            assert_eq!(read(event(&[(field, value.clone())])), None, "{field} {value}");
        }
        assert!(serde_json::from_value::<EcrEvent>(json!({"detail-type": "x", "source": "y", "detail": []})).is_err());
    }

    #[test]
    fn a_registry_of_ecr_has_several_names() {
        let of = |text: &str| EcrRepository::of(&text.parse().unwrap()).map(|repository| repository.to_string());
        let expected = Some("123456789012/us-east-1/acme/app".to_owned());
        for host in [
            "123456789012.dkr.ecr.us-east-1.amazonaws.com",
            "123456789012.DKR.ECR.us-east-1.amazonaws.com:443",
            "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com",
            "123456789012.dkr-ecr.us-east-1.on.aws",
            "123456789012.dkr-ecr-fips.us-east-1.on.aws",
        ] {
            assert_eq!(of(&format!("{host}/acme/app")), expected, "{host}");
        }
        let china = of("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/app");
        assert_eq!(china.as_deref(), Some("123456789012/cn-north-1/app"));
        for other in [
            "public.ecr.aws/acme/app",
            "quay.io/acme/app",
            "123456789012.dkr.ecr.us-east-1.amazonaws.com.example.com/app",
            "x.123456789012.dkr.ecr.us-east-1.amazonaws.com/app",
            "123456789012.dkr.ecr.a.b.amazonaws.com/app",
            "1234.dkr.ecr.us-east-1.amazonaws.com/app",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
