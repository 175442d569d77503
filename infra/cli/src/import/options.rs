//! How to import.

use moorage_domain::{Namespace, RepositoryName, RobotName, Timestamp};

use crate::import::renames::Renames;

/// How to import.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// The organization of what has none.
    pub(crate) organization: Option<Namespace>,
    /// Organizations that have another name here.
    pub(crate) renames: Renames,
    /// The short name of the robots that write, where the source has none.
    pub(crate) robot: String,
    /// Whether mirrors start as they do in the source; otherwise none of them does.
    pub(crate) is_enabled: bool,
    /// Over how many seconds starts are spread that the source has at the same time.
    pub(crate) spread: u64,
    /// Now.
    pub(crate) now: Timestamp,
}

impl Options {
    /// The robot that writes in an organization.
    pub(crate) fn robot(&self, organization: &Namespace) -> Result<RobotName, String> {
        RobotName::new(organization, &self.robot).map_err(|_| format!("{} is no name of a robot", self.robot))
    }

    /// What a repository is here that has this path where the tool copies to: its first part is the organization.
    pub(crate) fn target(&self, path: &str) -> Result<RepositoryName, String> {
        let wrong = || format!("{path:.200} is no name that a repository can have here");
        let (organization, name) = match (path.split_once('/'), &self.organization) {
            (Some((organization, name)), _) => (organization.parse().map_err(|_| wrong())?, name),
            (None, Some(organization)) => (organization.clone(), path),
            (None, None) => return Err(format!("{path:.200} is in no organization: say in which, by --organization")),
        };
        self.renames.repository(&organization, name)
    }
}
