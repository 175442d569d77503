//! Mirrors: their configuration, and the transitions of their state.

use std::collections::HashMap;

use aws_sdk_dynamodb::{operation::update_item::builders::UpdateItemFluentBuilder, types::AttributeValue};
use moorage_domain::{
    RepositoryName, Timestamp,
    mirror::MirrorConfig,
    status::{NotEligible, SyncState},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Ciphertext, StateError, Table,
    key::Key,
    table::{Item, conditional},
};

/// How often a transition or a change is tried again after losing a race. Each loss means that somebody else got
/// through, so a handful is plenty.
const MAX_RACES: u32 = 8;

/// A mirror as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mirror {
    /// What is copied from where, how, and when.
    #[serde(flatten)]
    pub config: MirrorConfig,
    /// The password at the external registry.
    pub external_registry_password: Option<Ciphertext>,
    /// Where it stands.
    #[serde(flatten)]
    pub state: SyncState,
    /// When it was created.
    pub created: Timestamp,
    /// Counts changes of the configuration, so that two at once cannot undo each other.
    pub config_revision: u64,
}

/// What a change of a mirror may touch: everything but the sync's own state.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Configuration<'a> {
    #[serde(flatten)]
    config: &'a MirrorConfig,
    external_registry_password: &'a Option<Ciphertext>,
    sync_start_date: Timestamp,
}

/// A mirror to be created.
#[derive(Debug)]
pub struct NewMirror {
    /// What is copied from where, how, and when.
    pub config: MirrorConfig,
    /// The password at the external registry.
    pub external_registry_password: Option<Ciphertext>,
    /// The first start.
    pub sync_start_date: Timestamp,
}

/// Why a transition did not happen.
#[derive(Debug, thiserror::Error)]
pub enum TransitionError {
    /// There is no mirror.
    #[error("the repository has no mirror")]
    NotFound,
    /// The state does not allow it.
    #[error(transparent)]
    NotEligible(#[from] NotEligible),
    /// The claim is no longer ours: the sync was cancelled or taken over.
    #[error("the claim was lost")]
    ClaimLost,
    /// The table failed.
    #[error(transparent)]
    State(#[from] StateError),
}

impl Table {
    /// Creates a mirror; [`StateError::Conflict`] if the repository has one.
    pub async fn create_mirror(&self, mirror: NewMirror, now: Timestamp) -> Result<Mirror, StateError> {
        let mirror = Mirror {
            state: SyncState::new(mirror.sync_start_date, Uuid::new_v4()),
            config: mirror.config,
            external_registry_password: mirror.external_registry_password,
            created: now,
            config_revision: 1,
        };
        self.create(Key::Mirror(&mirror.config.repository), &mirror).await?;
        Ok(mirror)
    }

    /// Reads a mirror.
    pub async fn mirror(&self, repository: &RepositoryName) -> Result<Option<Mirror>, StateError> {
        self.get(Key::Mirror(repository)).await
    }

    /// Changes a mirror's configuration, password and next start to what `changed` holds, if the mirror is still at
    /// the revision that `changed` was made from; else [`StateError::Conflict`]. A running sync is not disturbed: it
    /// goes on with the configuration that it started with.
    pub async fn change_mirror(&self, changed: &Mirror) -> Result<(), StateError> {
        let configuration = Configuration {
            config: &changed.config,
            external_registry_password: &changed.external_registry_password,
            sync_start_date: changed.state.sync_start_date,
        };
        let seen = AttributeValue::N(changed.config_revision.to_string());
        let next = AttributeValue::N((changed.config_revision + 1).to_string());
        let mut attributes: Item = serde_dynamo::to_item(&configuration)?;
        attributes.insert("config_revision".to_owned(), next);
        let update = self.set(Key::Mirror(&changed.config.repository), attributes);
        let update = update.condition_expression("#config_revision = :seen").expression_attribute_values(":seen", seen);
        conditional(update).await
    }

    /// Moves a mirror to the state that `decide` gives for it, atomically: where somebody else got in between,
    /// `decide` is asked again. Returns the mirror with its new state.
    pub async fn transition<F>(&self, repository: &RepositoryName, decide: F) -> Result<Mirror, TransitionError>
    where
        F: Fn(&Mirror) -> Result<SyncState, TransitionError>,
    {
        for _ in 0..MAX_RACES {
            let mirror = self.mirror(repository).await?.ok_or(TransitionError::NotFound)?;
            let next = decide(&mirror)?;
            let seen = &mirror.state;
            let update = self.set(Key::Mirror(repository), serde_dynamo::to_item(&next).map_err(StateError::from)?);
            // The start date may be changed by the API without rolling the transaction id.
            let update = update.condition_expression("#sync_transaction_id = :seen AND #sync_start_date = :start");
            let update = update
                .expression_attribute_values(":seen", AttributeValue::S(seen.sync_transaction_id.to_string()))
                .expression_attribute_values(":start", AttributeValue::N(seen.sync_start_date.unix().to_string()));
            match conditional(update).await {
                Ok(()) => return Ok(Mirror { state: next, ..mirror }),
                Err(StateError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StateError::Conflict.into())
    }

    /// Extends the claim that `transaction` holds; [`TransitionError::ClaimLost`] if it no longer does.
    pub async fn renew_claim(
        &self,
        repository: &RepositoryName,
        transaction: Uuid,
        expiration: Timestamp,
    ) -> Result<(), TransitionError> {
        let expiration = AttributeValue::N(expiration.unix().to_string());
        let update = self.set(Key::Mirror(repository), HashMap::from([("sync_expiration_date".into(), expiration)]));
        let update = update.condition_expression("#id = :id").expression_attribute_names("#id", "sync_transaction_id");
        let update = update.expression_attribute_values(":id", AttributeValue::S(transaction.to_string()));
        match conditional(update).await {
            Err(StateError::Conflict) => Err(TransitionError::ClaimLost),
            result => Ok(result?),
        }
    }

    /// An update that sets `attributes`, each under its own name as placeholder.
    fn set(&self, key: Key<'_>, attributes: Item) -> UpdateItemFluentBuilder {
        let mut update = self.update(key);
        let mut assignments = Vec::with_capacity(attributes.len());
        for (name, value) in attributes {
            assignments.push(format!("#{name} = :{name}"));
            update = update
                .expression_attribute_names(format!("#{name}"), &name)
                .expression_attribute_values(format!(":{name}"), value);
        }
        update.update_expression(format!("SET {}", assignments.join(", ")))
    }
}
