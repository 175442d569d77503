//! What a command is about.

use std::{fmt, str::FromStr};

use moorage_domain::{Namespace, RepositoryName};

/// A repository's mirror, or that of an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// `NAMESPACE/NAME`.
    Repository(RepositoryName),
    /// `NAME`.
    Organization(Namespace),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed =
            if text.contains('/') { text.parse().map(Self::Repository) } else { text.parse().map(Self::Organization) };
        parsed.map_err(|error| format!("{error}: a repository is NAMESPACE/NAME, an organization is NAME"))
    }
}

impl Target {
    /// The path of its mirror, below the API's.
    pub(crate) fn mirror(&self) -> String {
        match self {
            Self::Repository(name) => mirror_of(name),
            Self::Organization(name) => format!("organization/{name}/mirror"),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository(name) => name.fmt(f),
            Self::Organization(name) => name.fmt(f),
        }
    }
}

/// The path of a repository's mirror, below the API's.
pub(crate) fn mirror_of(repository: &RepositoryName) -> String {
    format!("repository/{repository}/mirror")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_makes_the_difference() {
        for (text, path) in [
            ("acme/app", "repository/acme/app/mirror"),
            ("acme/tools/app", "repository/acme/tools/app/mirror"),
            ("acme", "organization/acme/mirror"),
        ] {
            assert_eq!(text.parse::<Target>().unwrap().mirror(), path);
        }
        for text in ["", "Acme", "acme/", "acme/../x", "acme/app:latest"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
