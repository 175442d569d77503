//! Mirrors of repositories.

use moorage_domain::{
    DigestListing, ExternalReference, RobotName, RootRule, Selection,
    gate::{MinAge, OnMove},
    signature_policy::SignaturePolicy,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    registry_config::RegistryConfig,
    secret::SecretSource,
    settings::{Moment, nullable},
};

/// What a mirror is to be. `null` takes a setting away; one that is not there is left as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mirror {
    /// Whether it is synced on schedule; it is without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_enabled: Option<bool>,
    /// `host[:port]/path` of what it follows.
    pub external_reference: ExternalReference,
    /// The user there.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "nullable")]
    pub external_registry_username: Option<Option<String>>,
    /// The password there.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "nullable")]
    pub external_registry_password: Option<Option<SecretSource>>,
    /// How it is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_registry_config: Option<RegistryConfig>,
    /// Seconds between starts; a day without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync_interval: Option<u64>,
    /// From when on; a moment that is made of its name without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync_start_date: Option<Moment>,
    /// Which tags; all without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_rule: Option<TagRule>,
    /// Who writes: a robot of the same organization.
    pub robot_username: RobotName,
    /// Seconds that an answer of the registry may take; 300 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skopeo_timeout_interval: Option<u64>,
    /// Which architectures of an index are mirrored; all without it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "nullable")]
    pub architecture_filter: Option<Option<Vec<String>>>,
    /// How many tags one sync may delete.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "nullable")]
    pub deletion_limit: Option<Option<u64>>,
    /// After how many lists without it a tag goes of which nothing is known.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "nullable")]
    pub deletion_grace: Option<Option<u64>>,
    /// How much of the registry's allowance is left to others.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "nullable")]
    pub rate_limit_floor: Option<Option<u64>>,
    /// Where a listing says digests.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "nullable")]
    pub digest_listing: Option<Option<DigestListing>>,
    /// Which of the tags of the rule.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "nullable")]
    pub selection: Option<Option<Selection>>,
    /// How old images have to be.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "nullable")]
    pub min_age: Option<Option<MinAge>>,
    /// Which tags may move.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "nullable")]
    pub on_move: Option<Option<OnMove>>,
    /// Who has to have signed.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "nullable")]
    pub signature_policy: Option<Option<SignaturePolicy>>,
}

impl Mirror {
    /// A mirror with nothing but what has to be said.
    pub fn new(external_reference: ExternalReference, robot_username: RobotName) -> Self {
        Self {
            is_enabled: None,
            external_reference,
            external_registry_username: None,
            external_registry_password: None,
            external_registry_config: None,
            sync_interval: None,
            sync_start_date: None,
            root_rule: None,
            robot_username,
            skopeo_timeout_interval: None,
            architecture_filter: None,
            deletion_limit: None,
            deletion_grace: None,
            rate_limit_floor: None,
            digest_listing: None,
            selection: None,
            min_age: None,
            on_move: None,
            signature_policy: None,
        }
    }
}

/// `root_rule`, as the API has it: its kind, and its patterns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagRule(pub RootRule);

/// The kinds of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleKind {
    /// Globs.
    TagGlobCsv,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    rule_kind: RuleKind,
    rule_value: RootRule,
}

impl Serialize for TagRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Wire { rule_kind: RuleKind::TagGlobCsv, rule_value: self.0.clone() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TagRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Wire::deserialize(deserializer).map(|wire| Self(wire.rule_value))
    }
}
