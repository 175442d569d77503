//! Where a registry's own listing says what its tags point to, so that unchanged tags need not be asked for one by one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{ExternalReference, Timestamp};

/// How long a registry is taken to have no listing that was tried in vain: a registry that gets one is seldom, and each try
/// costs some requests.
const NO_LISTING_LIFE: Duration = Duration::from_secs(7 * 86_400);

/// A mirror's setting. Ours, not Quay's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DigestListing {
    /// By what the registry itself shows.
    #[default]
    Auto,
    /// Nowhere: each tag is asked for.
    Off,
    /// In the list of tags, as Google's registries have it.
    TagsList,
    /// Quay's API, which another Moorage has, too.
    Quay,
    /// Harbor's API.
    Harbor,
    /// Docker Hub's API.
    DockerHub,
}

impl DigestListing {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Auto, Self::Off, Self::TagsList, Self::Quay, Self::Harbor, Self::DockerHub];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Off => "off",
            Self::TagsList => "tags_list",
            Self::Quay => "quay",
            Self::Harbor => "harbor",
            Self::DockerHub => "docker_hub",
        }
    }

    /// The one of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }
}

/// That a registry has no listing that says digests: all that are known were tried in vain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoListing {
    reference: ExternalReference,
    since: Timestamp,
    /// Whether the registry tells by HEAD what tags point to, whoever asks: then it can be asked for some of them at once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    heads: bool,
}

impl NoListing {
    /// As it turned out now.
    pub fn found(reference: ExternalReference, now: Timestamp) -> Self {
        Self { reference, since: now, heads: false }
    }

    /// With whether the registry tells by HEAD what tags point to, without a login.
    #[must_use]
    pub fn with_heads(self, heads: bool) -> Self {
        Self { heads, ..self }
    }

    /// Whether it does so.
    pub fn heads(&self) -> bool {
        self.heads
    }

    /// Whether that is still believed of what a mirror has as its source by now.
    pub fn holds(&self, reference: &ExternalReference, now: Timestamp) -> bool {
        self.reference == *reference && now < self.since.plus(NO_LISTING_LIFE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_without_a_listing_may_get_one() {
        let [app, other] = ["r.example.com/lib/app", "r.example.com/lib/other"].map(|it| it.parse().unwrap());
        let (at, week) = (Timestamp::from_unix, 7 * 86_400);
        let found = NoListing::found(app, at(10));
        assert!(found.holds(&found.reference, at(10)) && found.holds(&found.reference, at(9 + week)));
        assert!(!found.holds(&found.reference, at(10 + week)) && !found.holds(&other, at(10)));
        let (before, heads) = (serde_json::to_value(&found).unwrap(), found.with_heads(true));
        assert!(before.get("heads").is_none() && heads.heads(), "an earlier one says nothing of it");
        assert_eq!(serde_json::from_value::<NoListing>(before).unwrap().with_heads(true), heads);
    }

    #[test]
    fn names_are_those_of_the_wire() {
        for setting in DigestListing::ALL {
            assert_eq!(serde_json::to_string(&setting).unwrap(), format!("{:?}", setting.as_str()));
            assert_eq!(DigestListing::named(setting.as_str()), Some(setting));
        }
        assert_eq!(DigestListing::named("AUTO"), None);
    }
}
