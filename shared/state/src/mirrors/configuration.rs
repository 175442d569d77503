//! What a change of a mirror's configuration writes, be it a repository's or an organization's: everything but the state of
//! its syncs.

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{MirrorSecrets, Timestamp, status::SyncState};
use serde::Serialize;

use crate::{StateError, table::Item};

/// The attributes of a configuration.
#[derive(Serialize)]
struct Configuration<'a, C> {
    #[serde(flatten)]
    config: &'a C,
    #[serde(flatten)]
    secrets: &'a MirrorSecrets,
    /// Only a new one: a sync that is released meanwhile moves the one before.
    #[serde(skip_serializing_if = "Option::is_none")]
    sync_start_date: Option<Timestamp>,
}

/// A mirror as it is to be.
pub(crate) struct Changed<'a, C> {
    pub(crate) config: &'a C,
    pub(crate) secrets: &'a MirrorSecrets,
    pub(crate) state: &'a SyncState,
    /// The revision that the change was made from: `#config_revision = :seen` is for the condition.
    pub(crate) config_revision: u64,
    pub(crate) scheduled_revision: u64,
}

impl<C: Serialize> Changed<'_, C> {
    /// The update, and the values of its placeholders and of `:seen`.
    pub(crate) fn update(&self, before: &SyncState) -> Result<(String, Item), StateError> {
        let start = self.state.sync_start_date;
        let configuration = Configuration {
            config: self.config,
            secrets: self.secrets,
            sync_start_date: Some(start).filter(|start| *start != before.sync_start_date),
        };
        let mut attributes: Item = serde_dynamo::to_item(&configuration)?;
        let revision = |revision: u64| AttributeValue::N(revision.to_string());
        attributes.insert("config_revision".to_owned(), revision(self.config_revision + 1));
        attributes.insert("scheduled_revision".to_owned(), revision(self.scheduled_revision));
        let assignments: Vec<_> = attributes.keys().map(|name| format!("#{name} = :{name}")).collect();
        let mut values: Item = attributes.into_iter().map(|(name, value)| (format!(":{name}"), value)).collect();
        values.insert(":seen".to_owned(), revision(self.config_revision));
        Ok((format!("SET {}", assignments.join(", ")), values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        golden,
        mirrors::{mirror::Mirror, organization_mirror::OrganizationMirror},
    };

    /// The attributes that a change to what an item says writes.
    fn written<C: Serialize>(config: &C, secrets: &MirrorSecrets, state: &SyncState) -> Vec<String> {
        let changed = Changed { config, secrets, state, config_revision: 1, scheduled_revision: 1 };
        let (_, values) = changed.update(state).unwrap();
        let mut names: Vec<_> = values.into_keys().collect();
        names.sort();
        names
    }

    /// An update leaves attributes alone that it does not name.
    #[test]
    fn what_is_taken_away_is_written_as_nothing() {
        let read = |name: &str| serde_dynamo::from_item::<_, Mirror>(golden::read(name)).unwrap();
        let [plain, gated, signed] = ["Mirror.older", "Mirror.gate", "Mirror.signatures"].map(read);
        let of = |mirror: &Mirror| written(&mirror.config, &mirror.secrets, &mirror.state);
        assert_eq!(of(&plain), of(&gated));
        assert_eq!(of(&plain), of(&signed));
        let names = ["OrganizationMirror.older", "OrganizationMirror.gate", "OrganizationMirror.signatures"];
        let read = |name: &str| serde_dynamo::from_item::<_, OrganizationMirror>(golden::read(name)).unwrap();
        let [plain, gated, signed] = names.map(read);
        let of = |mirror: &OrganizationMirror| written(&mirror.config, &mirror.secrets, &mirror.state);
        assert_eq!(of(&plain), of(&gated));
        assert_eq!(of(&plain), of(&signed));
    }
}
