//! Transitions: whatever has the state of syncs moves from one to the next atomically.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{
    Namespace, RepositoryName, Timestamp,
    mirror::RepositoryState,
    status::{NotEligible, SyncState, SyncStatus},
};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::{
    Race, StateError, Table,
    clock::moment,
    expression::Change,
    key::Key,
    mirrors::{active, mirror::Mirror, organization_mirror::OrganizationMirror},
    organizations::generation::id_is,
    repositories::{
        lock_condition::{QUIET, UNLOCKED, at_present},
        repository::Repository,
    },
    table::{Item, conditional},
    transaction::{Committed, Transaction},
};

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
    State(StateError),
}

impl From<StateError> for TransitionError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Closed => Self::ClaimLost,
            error => Self::State(error),
        }
    }
}

/// An item with the state of syncs.
pub(crate) trait Stateful: DeserializeOwned {
    /// Where the index has it while a sync of it has begun, or is pending.
    const ACTIVE: &'static str;
    fn state(&self) -> &SyncState;
    /// The revision of its configuration.
    fn revision(&self) -> u64;
    fn with_state(self, state: SyncState) -> Self;
}

impl Stateful for Mirror {
    const ACTIVE: &'static str = active::MIRRORS;

    fn state(&self) -> &SyncState {
        &self.state
    }

    fn revision(&self) -> u64 {
        self.config_revision
    }

    fn with_state(self, state: SyncState) -> Self {
        Self { state, ..self }
    }
}

impl Stateful for OrganizationMirror {
    const ACTIVE: &'static str = active::ORGANIZATIONS;

    fn state(&self) -> &SyncState {
        &self.state
    }

    fn revision(&self) -> u64 {
        self.config_revision
    }

    fn with_state(self, state: SyncState) -> Self {
        Self { state, ..self }
    }
}

/// A claim that is extended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Renewal {
    /// Its transaction id.
    pub(crate) transaction: Uuid,
    pub(crate) now: Timestamp,
    /// When it is to end.
    pub(crate) expiration: Timestamp,
    /// Whether its holder has got somewhere: then those who were killed before do not count any more.
    pub(crate) has_moved: bool,
}

/// The move from one state to the next, on condition that nobody else has moved the item.
struct Move {
    update: String,
    condition: String,
    values: Item,
}

impl Move {
    fn new<T: Stateful>(item: &T, next: &SyncState) -> Result<Self, StateError> {
        let before = item.state();
        let mut attributes: Item = serde_dynamo::to_item(next)?;
        let is_active = matches!(next.sync_status, SyncStatus::Syncing | SyncStatus::SyncNow);
        if is_active {
            attributes.insert(active::ATTRIBUTE.to_owned(), AttributeValue::S(T::ACTIVE.to_owned()));
        }
        let assignments: Vec<_> = attributes.keys().map(|name| format!("#{name} = :{name}")).collect();
        let mut values: Item = attributes.into_iter().map(|(name, value)| (format!(":{name}"), value)).collect();
        values.insert(":seen".to_owned(), AttributeValue::S(before.sync_transaction_id.to_string()));
        values.insert(":start".to_owned(), moment(before.sync_start_date));
        values.insert(":revision".to_owned(), AttributeValue::N(item.revision().to_string()));
        // The start date and the configuration may be changed by the API without rolling the transaction id.
        let mut condition = "#sync_transaction_id = :seen AND #sync_start_date = :start".to_owned();
        condition.push_str(" AND #config_revision = :revision");
        // So is a claim renewed: one that is at this very moment has not expired, and what it leaves behind must not be
        // taken for shorter than it is.
        if let Some(expiration) = before.sync_expiration_date {
            condition.push_str(" AND #sync_expiration_date = :expiration");
            values.insert(":expiration".to_owned(), moment(expiration));
        }
        let gone = if is_active { String::new() } else { format!(" REMOVE #{}", active::ATTRIBUTE) };
        Ok(Self { update: format!("SET {}{gone}", assignments.join(", ")), condition, values })
    }
}

impl Table {
    /// Moves a mirror to the state that `decide` gives for it, atomically: where somebody else got in between,
    /// `decide` is asked again. Returns the mirror with its new state.
    pub async fn transition<F>(&self, repository: &RepositoryName, decide: F) -> Result<Mirror, TransitionError>
    where
        F: Fn(&Mirror) -> Result<SyncState, TransitionError>,
    {
        self.move_alone(Key::Mirror(repository), None, decide).await
    }

    /// As [`Self::transition`], by a mirror that was read before: it is read again only if it is not so any more, or if
    /// `decide` refuses what was read.
    pub async fn transition_from<F>(&self, seen: Mirror, decide: F) -> Result<Mirror, TransitionError>
    where
        F: Fn(&Mirror) -> Result<SyncState, TransitionError>,
    {
        let repository = seen.config.repository.clone();
        self.move_alone(Key::Mirror(&repository), Some(seen), decide).await
    }

    /// Ends the sync of a repository that is no mirror's any more, as if it had been cancelled: none begins, or goes on in
    /// another invocation, as long as that is so, and one that was asked for would stay pending for ever. Nothing is changed
    /// if there is none.
    pub async fn withdraw_sync(&self, repository: &RepositoryName) -> Result<(), StateError> {
        match self.transition(repository, |mirror| Ok(mirror.state.cancel(Uuid::new_v4())?)).await {
            Ok(_) | Err(TransitionError::NotEligible(_) | TransitionError::NotFound) => Ok(()),
            Err(TransitionError::ClaimLost) => Err(StateError::Conflict),
            Err(TransitionError::State(error)) => Err(error),
        }
    }

    /// Moves a mirror to the state of a claimed one, as [`Self::transition_from`], and only if the repository is `of`, is a
    /// mirror's, and nobody has it to themselves: then it is [`NotEligible::Locked`].
    pub async fn claim<F>(&self, of: &Repository, seen: &Mirror, decide: F) -> Result<Mirror, TransitionError>
    where
        F: Fn(&Mirror) -> Result<SyncState, TransitionError>,
    {
        let name = &of.repository;
        let (id, value) = id_is(of.id)?;
        let which = format!("attribute_exists(#pk) AND {id} AND NOT #is_deleted = :true");
        let open = format!("{which} AND #state IN (:mirror, :found) AND {UNLOCKED} AND {QUIET}");
        let mut values = Item::from([(":id".to_owned(), value), (":true".to_owned(), AttributeValue::Bool(true))]);
        for (name, state) in [(":mirror", RepositoryState::Mirror), (":found", RepositoryState::OrgMirror)] {
            let state = serde_dynamo::to_attribute_value(state).map_err(StateError::from)?;
            values.insert(name.to_owned(), state);
        }
        let write = |moved: Move| {
            let (open, mut values) = (&open, values.clone());
            values.extend(at_present());
            async move {
                let mut transaction = Transaction::new(self);
                let change = Change { update: &moved.update, condition: &moved.condition };
                transaction.update(Key::Mirror(name), change, moved.values)?;
                transaction.check(Key::Repository(name), open, values)?;
                match transaction.commit().await? {
                    Committed::Yes => Ok(true),
                    Committed::Refused(0) => Ok(false),
                    Committed::Refused(_) => Err(self.why_not_claimed(of).await?),
                }
            }
        };
        // Boxed, as below: it holds some mirrors.
        Box::pin(self.move_item(Key::Mirror(name), Some(seen.clone()), decide, write)).await
    }

    async fn why_not_claimed(&self, of: &Repository) -> Result<TransitionError, StateError> {
        let found = self.repository(&of.repository).await?.filter(|found| found.id == of.id);
        Ok(match found {
            None => TransitionError::NotFound,
            Some(found) if !found.state.is_mirror() => NotEligible::NotMirror.into(),
            Some(_) => NotEligible::Locked.into(),
        })
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
        self.move_alone(Key::OrganizationMirror(organization), None, decide).await
    }

    /// Extends the claim that a transaction holds; [`TransitionError::ClaimLost`] if it no longer does. A claim that has
    /// expired now is lost, too, even if nobody has taken over: its holder may have been away for any time.
    pub(crate) async fn renew_claim(
        &self,
        repository: &RepositoryName,
        renewal: Renewal,
    ) -> Result<(), TransitionError> {
        self.renew(Key::Mirror(repository), renewal).await
    }

    /// As [`Self::renew_claim`], for an organization's mirror.
    pub(crate) async fn renew_organization_claim(
        &self,
        organization: &Namespace,
        renewal: Renewal,
    ) -> Result<(), TransitionError> {
        self.renew(Key::OrganizationMirror(organization), renewal).await
    }

    /// Moves an item, whatever becomes of others.
    async fn move_alone<T, F>(&self, key: Key<'_>, seen: Option<T>, decide: F) -> Result<T, TransitionError>
    where
        T: Stateful,
        F: Fn(&T) -> Result<SyncState, TransitionError>,
    {
        let write = |moved: Move| async move {
            let change = Change { update: &moved.update, condition: &moved.condition };
            match conditional(self.change(key, change, moved.values)).await {
                Ok(()) => Ok(true),
                Err(StateError::Conflict) => Ok(false),
                Err(error) => Err(error.into()),
            }
        };
        Box::pin(self.move_item(key, seen, decide, write)).await
    }

    /// Moves an item to the state that `decide` gives for it, as it was `seen` before, or else as it is. `write` tells whether
    /// nobody else got in between; else `decide` is asked again.
    async fn move_item<T, F, W, Written>(
        &self,
        key: Key<'_>,
        seen: Option<T>,
        decide: F,
        write: W,
    ) -> Result<T, TransitionError>
    where
        T: Stateful,
        F: Fn(&T) -> Result<SyncState, TransitionError>,
        W: Fn(Move) -> Written,
        Written: Future<Output = Result<bool, TransitionError>>,
    {
        let mut race = Race::begin();
        // Nobody is refused by what was so a moment ago. Who is let by it has it compared when it is written.
        let mut seen = seen.filter(|seen| decide(seen).is_ok());
        loop {
            let before: T = match seen.take() {
                Some(seen) => seen,
                None => self.get(key).await?.ok_or(TransitionError::NotFound)?,
            };
            let next = decide(&before)?;
            if write(Move::new(&before, &next)?).await? {
                return Ok(before.with_state(next));
            }
            race.lost().await?;
        }
    }

    async fn renew(&self, key: Key<'_>, renewal: Renewal) -> Result<(), TransitionError> {
        let Renewal { transaction, now, expiration, has_moved } = renewal;
        let number = |at: Timestamp| AttributeValue::N(at.unix().to_string());
        let mut attributes = HashMap::from([("sync_expiration_date".to_owned(), number(expiration))]);
        if has_moved {
            attributes.insert("sync_interruptions".to_owned(), AttributeValue::N("0".to_owned()));
        }
        let update = self.set(key, attributes);
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

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::{
        Client,
        config::retry::RetryConfig,
        operation::{get_item::GetItemOutput, update_item::UpdateItemOutput},
    };
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};

    use super::*;
    use crate::{golden::read, now};

    fn mirror() -> Mirror {
        serde_dynamo::from_item(read("Mirror")).unwrap()
    }

    fn cancelled() -> Mirror {
        Mirror { state: mirror().state.sync_now(now(), Uuid::nil()).unwrap().cancel(Uuid::nil()).unwrap(), ..mirror() }
    }

    fn found() -> Rule {
        mock!(Client::get_item).then_output(|| GetItemOutput::builder().set_item(Some(read("Mirror"))).build())
    }

    /// The table's answer to a move of the mirror of the golden item: that it is done, or that it is not so any more.
    fn moved(is_so: bool) -> Rule {
        let revision = AttributeValue::N(mirror().config_revision.to_string());
        let written = mock!(Client::update_item).match_requests(move |request| {
            let condition = request.condition_expression().unwrap();
            let values = request.expression_attribute_values().unwrap();
            condition.contains("#config_revision = :revision") && values[":revision"] == revision
        });
        if is_so {
            return written.then_output(|| UpdateItemOutput::builder().build());
        }
        let body = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}"#;
        written.sequence().http_status(400, Some(body.into())).build()
    }

    fn sync_now(mirror: &Mirror) -> Result<SyncState, TransitionError> {
        match mirror.state.sync_status {
            SyncStatus::Cancel => Err(NotEligible::Cancelled.into()),
            _ => Ok(mirror.state.sync_now(now(), Uuid::nil())?),
        }
    }

    /// What becomes of Sync Now by what was read before, and whether the table was asked for all that it has answers to.
    async fn asked(seen: Mirror, answers: &[Rule]) -> (bool, bool) {
        let rules: Vec<_> = answers.iter().collect();
        let client = mock_client!(aws_sdk_dynamodb, RuleMode::Sequential, &rules, |config| {
            config.retry_config(RetryConfig::disabled())
        });
        let asked = Table::new(client, "table").transition_from(seen, sync_now).await;
        let status = asked.map(|mirror| mirror.state.sync_status);
        (matches!(status, Ok(SyncStatus::SyncNow)), answers.iter().all(|rule| rule.num_calls() == 1))
    }

    #[tokio::test]
    async fn what_was_read_before_is_read_again_only_where_that_matters() {
        assert_eq!(asked(mirror(), &[moved(true)]).await, (true, true));
        assert_eq!(asked(mirror(), &[moved(false), found(), moved(true)]).await, (true, true), "it was another one");
        assert_eq!(asked(cancelled(), &[found(), moved(true)]).await, (true, true), "it is not cancelled any more");
        let still = mock!(Client::get_item)
            .then_output(|| GetItemOutput::builder().set_item(serde_dynamo::to_item(cancelled()).ok()).build());
        assert_eq!(asked(cancelled(), &[still]).await, (false, true), "it still is");
    }
}
