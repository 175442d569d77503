//! Transitions: whatever has the state of syncs moves from one to the next atomically.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{
    Namespace, RepositoryName, Timestamp,
    status::{NotEligible, SyncState, SyncStatus},
};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::{Mirror, OrganizationMirror, StateError, Table, key::Key, table::conditional};

/// How often a transition is tried again after losing a race. Each loss means that somebody else got through, so a
/// handful is plenty.
const MAX_RACES: u32 = 8;

/// Why a transition did not happen.
#[derive(Debug, thiserror::Error)]
pub enum TransitionError {
    /// There is no mirror.
    #[error("there is no such mirror")]
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

/// An item with the state of syncs.
pub(crate) trait Stateful: DeserializeOwned {
    fn state(&self) -> &SyncState;
    fn with_state(self, state: SyncState) -> Self;
}

impl Stateful for Mirror {
    fn state(&self) -> &SyncState {
        &self.state
    }

    fn with_state(self, state: SyncState) -> Self {
        Self { state, ..self }
    }
}

impl Stateful for OrganizationMirror {
    fn state(&self) -> &SyncState {
        &self.state
    }

    fn with_state(self, state: SyncState) -> Self {
        Self { state, ..self }
    }
}

impl Table {
    /// Moves a mirror to the state that `decide` gives for it, atomically: where somebody else got in between,
    /// `decide` is asked again. Returns the mirror with its new state.
    pub async fn transition<F>(&self, repository: &RepositoryName, decide: F) -> Result<Mirror, TransitionError>
    where
        F: Fn(&Mirror) -> Result<SyncState, TransitionError>,
    {
        self.move_item(Key::Mirror(repository), decide).await
    }

    /// As [`Self::transition`], for an organization's mirror.
    pub async fn transition_organization<F>(
        &self,
        organization: &Namespace,
        decide: F,
    ) -> Result<OrganizationMirror, TransitionError>
    where
        F: Fn(&OrganizationMirror) -> Result<SyncState, TransitionError>,
    {
        let decide = |mirror: &OrganizationMirror| {
            if mirror.is_deleted {
                return Err(TransitionError::NotFound);
            }
            decide(mirror)
        };
        self.move_item(Key::OrganizationMirror(organization), decide).await
    }

    /// Extends the claim that `transaction` holds; [`TransitionError::ClaimLost`] if it no longer does. A claim that has
    /// expired `now` is lost, too, even if nobody has taken over: its holder may have been away for any time.
    pub async fn renew_claim(
        &self,
        repository: &RepositoryName,
        transaction: Uuid,
        now: Timestamp,
        expiration: Timestamp,
    ) -> Result<(), TransitionError> {
        self.renew(Key::Mirror(repository), transaction, now, expiration).await
    }

    /// As [`Self::renew_claim`], for an organization's mirror.
    pub async fn renew_organization_claim(
        &self,
        organization: &Namespace,
        transaction: Uuid,
        now: Timestamp,
        expiration: Timestamp,
    ) -> Result<(), TransitionError> {
        self.renew(Key::OrganizationMirror(organization), transaction, now, expiration).await
    }

    async fn move_item<T, F>(&self, key: Key<'_>, decide: F) -> Result<T, TransitionError>
    where
        T: Stateful,
        F: Fn(&T) -> Result<SyncState, TransitionError>,
    {
        for _ in 0..MAX_RACES {
            let before: T = self.get(key).await?.ok_or(TransitionError::NotFound)?;
            let next = decide(&before)?;
            let seen = before.state();
            let update = self.set(key, serde_dynamo::to_item(&next).map_err(StateError::from)?);
            // The start date may be changed by the API without rolling the transaction id.
            let update = update.condition_expression("#sync_transaction_id = :seen AND #sync_start_date = :start");
            let update = update
                .expression_attribute_values(":seen", AttributeValue::S(seen.sync_transaction_id.to_string()))
                .expression_attribute_values(":start", AttributeValue::N(seen.sync_start_date.unix().to_string()));
            match conditional(update).await {
                Ok(()) => return Ok(before.with_state(next)),
                Err(StateError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StateError::Conflict.into())
    }

    async fn renew(
        &self,
        key: Key<'_>,
        transaction: Uuid,
        now: Timestamp,
        expiration: Timestamp,
    ) -> Result<(), TransitionError> {
        let number = |at: Timestamp| AttributeValue::N(at.unix().to_string());
        let update = self.set(key, HashMap::from([("sync_expiration_date".into(), number(expiration))]));
        let update = update
            .condition_expression("#id = :id AND #status = :syncing AND #sync_expiration_date > :now")
            .expression_attribute_names("#id", "sync_transaction_id")
            .expression_attribute_names("#status", "sync_status")
            .expression_attribute_values(":id", AttributeValue::S(transaction.to_string()))
            .expression_attribute_values(":syncing", AttributeValue::S(SyncStatus::Syncing.as_str().to_owned()))
            .expression_attribute_values(":now", number(now));
        match conditional(update).await {
            Err(StateError::Conflict) => Err(TransitionError::ClaimLost),
            result => Ok(result?),
        }
    }
}
