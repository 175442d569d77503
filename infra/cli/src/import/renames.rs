//! Organizations that have another name here.

use std::{collections::BTreeMap, str::FromStr};

use moorage_domain::{Namespace, RepositoryName, RobotName};

/// Organizations that have another name here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Renames(BTreeMap<Namespace, Namespace>);

/// One of them, as `OLD=NEW`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rename(Namespace, Namespace);

impl FromStr for Rename {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:.100} is not OLD=NEW, two names of organizations");
        let (old, new) = text.split_once('=').ok_or_else(wrong)?;
        Ok(Self(old.parse().map_err(|_| wrong())?, new.parse().map_err(|_| wrong())?))
    }
}

impl FromIterator<Rename> for Renames {
    fn from_iter<T: IntoIterator<Item = Rename>>(renames: T) -> Self {
        Self(renames.into_iter().map(|Rename(old, new)| (old, new)).collect())
    }
}

impl Renames {
    /// What an organization is called here.
    pub(crate) fn organization(&self, name: &Namespace) -> Namespace {
        self.0.get(name).unwrap_or(name).clone()
    }

    /// What a robot is called here.
    pub(crate) fn robot(&self, name: &RobotName) -> RobotName {
        RobotName::new(&self.organization(&name.namespace()), name.short()).unwrap_or_else(|_| name.clone())
    }

    /// What a repository is called here, which its organization's new name may make too long.
    pub(crate) fn repository(&self, namespace: &Namespace, name: &str) -> Result<RepositoryName, String> {
        let organization = self.organization(namespace);
        RepositoryName::new(organization.as_str(), name)
            .map_err(|_| format!("{organization}/{name} is no name that a repository can have here"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renames_reach_everything_of_an_organization() {
        let renames: Renames = ["old=new"].iter().map(|text| text.parse::<Rename>().unwrap()).collect();
        assert_eq!(renames.robot(&"old+bot".parse().unwrap()).as_str(), "new+bot");
        assert_eq!(renames.robot(&"other+bot".parse().unwrap()).as_str(), "other+bot");
        assert_eq!(renames.repository(&"old".parse().unwrap(), "a/b").unwrap().as_str(), "new/a/b");
        for text in ["old", "old=", "=new", "Old=new", "a=b=c"] {
            assert!(text.parse::<Rename>().is_err(), "{text}");
        }
    }
}
