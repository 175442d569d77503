//! A discovery: what becomes of an organization's repositories when its external namespace was listed. A pure function of
//! the list, the filters, and what was known before.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    RepositoryName, Timestamp,
    organization::{FilterError, OrganizationMirrorConfig},
    run::RunId,
};

/// The most repositories of one namespace: more would not fit one list in memory, nor one round into a day.
pub const MAX_REPOSITORIES: usize = 50_000;

/// A repository that a discovery has found before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscoveredRepository {
    /// The repository of ours.
    pub repository: RepositoryName,
    /// When it was found first.
    pub discovery_date: Timestamp,
    /// Why it is not mirrored at present, if it is not.
    pub skipped: Option<Skipped>,
    /// The last round in which its sync was queued.
    pub round: Option<RunId>,
}

/// Why a repository is not mirrored any more. Its images stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Skipped {
    /// The registry does not list it any more.
    Vanished,
    /// The filters leave it out.
    Filtered,
}

impl Skipped {
    /// For people.
    pub const fn message(self) -> &'static str {
        match self {
            Self::Vanished => "The external registry does not list the repository any more.",
            Self::Filtered => "The repository filters leave the repository out.",
        }
    }
}

/// What a discovery comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Discovery {
    /// The repositories to be mirrored that were not known before.
    pub new: BTreeSet<RepositoryName>,
    /// Those that were, as they are to be kept.
    pub known: Vec<DiscoveredRepository>,
    /// Names that no repository of ours can have.
    pub invalid: Vec<String>,
}

impl Discovery {
    /// What becomes of a listed namespace. A list without any repository is taken for a mistake, and skips nothing.
    pub fn of(
        config: &OrganizationMirrorConfig,
        listed: &BTreeSet<String>,
        known: Vec<DiscoveredRepository>,
    ) -> Result<Self, FilterError> {
        let (mut wanted, mut invalid) = (BTreeSet::new(), Vec::new());
        for name in config.repository_filters.select(listed.iter().map(String::as_str))? {
            // A name must do on both sides.
            match (config.repository(name), config.reference(name)) {
                (Ok(repository), Ok(_)) => drop(wanted.insert(repository)),
                _ => invalid.push(name.to_owned()),
            }
        }
        let judged = |repository: DiscoveredRepository| {
            let skipped = if listed.is_empty() {
                repository.skipped
            } else if wanted.contains(&repository.repository) {
                None
            } else if listed.contains(repository.repository.name()) {
                Some(Skipped::Filtered)
            } else {
                Some(Skipped::Vanished)
            };
            DiscoveredRepository { skipped, ..repository }
        };
        let known: Vec<_> = known.into_iter().map(judged).collect();
        let names: BTreeSet<_> = known.iter().map(|known| &known.repository).collect();
        let new = wanted.iter().filter(|repository| !names.contains(repository)).cloned().collect();
        Ok(Self { new, known, invalid })
    }

    /// How many repositories are mirrored from now on.
    pub fn active(&self) -> usize {
        self.new.len() + self.known.iter().filter(|known| known.skipped.is_none()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        mirror::{RegistryConfig, SyncPolicy},
        organization::RegistryKind,
    };

    fn config(filters: &[&str]) -> OrganizationMirrorConfig {
        OrganizationMirrorConfig {
            organization: "acme".parse().unwrap(),
            is_enabled: true,
            external_registry_type: RegistryKind::Harbor,
            external_registry_url: "https://harbor.example.com".parse().unwrap(),
            external_namespace: "library".into(),
            external_registry_username: None,
            external_registry_config: RegistryConfig::default(),
            repository_filters: filters.iter().map(ToString::to_string).collect::<Vec<_>>().try_into().unwrap(),
            robot: "acme+bot".parse().unwrap(),
            is_public: false,
            sync_interval: 3_600,
            skopeo_timeout: 300,
            policy: SyncPolicy::default(),
        }
    }

    fn known(name: &str, skipped: Option<Skipped>) -> DiscoveredRepository {
        let repository = format!("acme/{name}").parse().unwrap();
        DiscoveredRepository { repository, discovery_date: Timestamp::from_unix(1), skipped, round: None }
    }

    fn discover(filters: &[&str], listed: &[&str], known: Vec<DiscoveredRepository>) -> Discovery {
        let listed = listed.iter().map(ToString::to_string).collect();
        Discovery::of(&config(filters), &listed, known).unwrap()
    }

    #[test]
    fn repositories_come_go_and_come_back() {
        let before =
            vec![known("app", None), known("gone", None), known("lib-x", None), known("back", Some(Skipped::Vanished))];
        let found = discover(&["app", "back", "new*", "gone"], &["app", "back", "lib-x", "new/one"], before);
        assert_eq!(found.new, ["acme/new/one".parse().unwrap()].into());
        let expected = vec![
            known("app", None),
            known("gone", Some(Skipped::Vanished)),
            known("lib-x", Some(Skipped::Filtered)),
            known("back", None),
        ];
        assert_eq!(found.known, expected);
        assert_eq!(found.active(), 3);
    }

    #[test]
    fn a_list_of_nothing_skips_nothing() {
        let before = vec![known("app", None), known("gone", Some(Skipped::Vanished))];
        let found = discover(&[], &[], before.clone());
        assert_eq!((found.known, found.new.len()), (before, 0));
    }

    #[test]
    fn names_that_are_none_are_told() {
        let found = discover(&[], &["App", "ok", "../x", "a//b", ""], Vec::new());
        assert_eq!(found.new, ["acme/ok".parse().unwrap()].into());
        assert_eq!(found.invalid, ["", "../x", "App", "a//b"]);
        let mirror = config(&[]).mirror_of(&"acme/tools/x".parse().unwrap()).unwrap();
        assert_eq!(mirror.external_reference.as_str(), "harbor.example.com/library/tools/x");
        assert_eq!(mirror.root_rule.patterns(), ["*"]);
    }
}
