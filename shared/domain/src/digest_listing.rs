//! Where a registry's own listing says what its tags point to, so that unchanged tags need not be asked for one by one.

use serde::{Deserialize, Serialize};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_wire() {
        for setting in DigestListing::ALL {
            assert_eq!(serde_json::to_string(&setting).unwrap(), format!("{:?}", setting.as_str()));
            assert_eq!(DigestListing::named(setting.as_str()), Some(setting));
        }
        assert_eq!(DigestListing::named("AUTO"), None);
    }
}
