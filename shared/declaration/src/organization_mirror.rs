//! Mirrors of whole organizations.

use moorage_domain::{
    DigestListing, RobotName, Selection,
    gate::{MinAge, OnMove},
    organization::{RegistryKind, RegistryUrl, RepositoryFilters},
    signature_policy::SignaturePolicy,
};
use serde::{Deserialize, Serialize};

use crate::{
    registry_config::RegistryConfig,
    repository::Visibility,
    secret::SecretSource,
    settings::{Moment, nullable},
};

/// What an organization's mirror is to be. `null` takes a setting away; one that is not there is left as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrganizationMirror {
    /// Whether rounds start on schedule; they do without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_enabled: Option<bool>,
    /// How the registry lists its repositories. It cannot be changed.
    pub external_registry_type: RegistryKind,
    /// `https://host[:port]`.
    pub external_registry_url: RegistryUrl,
    /// The namespace there.
    pub external_namespace: String,
    /// The user there.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "nullable")]
    pub external_registry_username: Option<Option<String>>,
    /// The password there.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "nullable")]
    pub external_registry_password: Option<Option<SecretSource>>,
    /// How it is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_registry_config: Option<RegistryConfig>,
    /// Globs over names of repositories; all without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_filters: Option<RepositoryFilters>,
    /// Who writes: a robot of the organization.
    pub robot_username: RobotName,
    /// Of the repositories that are found; private without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
    /// Seconds between rounds; a day without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync_interval: Option<u64>,
    /// From when on; a moment that is made of its name without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync_start_date: Option<Moment>,
    /// Seconds that an answer of the registry may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skopeo_timeout: Option<u64>,
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
    /// Which of the tags.
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
