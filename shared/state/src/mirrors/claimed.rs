//! Writes that need the claim of a mirror. Whether it is still there, the mirror says, which a transaction looks at. That
//! takes as many units again as the mirror is large, and is in the way of others that look at it: of what is written often,
//! the first write alone does so, and says by which claim it was.

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::RepositoryName;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    StateError, Table,
    key::Key,
    mirrors::transition::TransitionError,
    transaction::{Committed, Transaction},
};

/// The attribute in which an item says by which claim it was written.
const CLAIM: &str = "claim";

impl Table {
    /// Writes an item, whatever was there, if `claim` is still the repository's; [`TransitionError::ClaimLost`] if not.
    pub(crate) async fn put_claimed<T: Serialize>(
        &self,
        repository: &RepositoryName,
        claim: Uuid,
        key: Key<'_>,
        value: &T,
    ) -> Result<(), TransitionError> {
        self.by_claim(repository, claim, |transaction| transaction.put(key, value)).await
    }

    /// As [`Self::put_claimed`], of an item with the attribute `claim`. Where `claim` has written what is there, nobody has
    /// taken it over since: it is replaced without asking the mirror.
    pub(crate) async fn put_own<T: Serialize>(
        &self,
        repository: &RepositoryName,
        claim: Uuid,
        key: Key<'_>,
        value: &T,
    ) -> Result<(), TransitionError> {
        match self.put_if(key, value, "#mine = :mine", (CLAIM, by(claim))).await {
            Err(StateError::Conflict) => self.put_claimed(repository, claim, key, value).await,
            result => Ok(result?),
        }
    }

    /// As [`Self::delete_claimed`], of an item with the attribute `claim`: as [`Self::put_own`] replaces it.
    pub(crate) async fn delete_own(
        &self,
        repository: &RepositoryName,
        claim: Uuid,
        key: Key<'_>,
    ) -> Result<(), TransitionError> {
        match self.delete_if(key, "claim = :mine", (":mine", by(claim))).await {
            Err(StateError::Conflict) => self.delete_claimed(repository, claim, key).await,
            result => Ok(result?),
        }
    }

    /// Deletes an item, if there is one and `claim` is still the repository's; [`TransitionError::ClaimLost`] if not.
    pub(crate) async fn delete_claimed(
        &self,
        repository: &RepositoryName,
        claim: Uuid,
        key: Key<'_>,
    ) -> Result<(), TransitionError> {
        self.by_claim(repository, claim, |transaction| transaction.delete(key, None)).await
    }

    /// Commits what is added to a transaction if `claim` is still the repository's.
    async fn by_claim(
        &self,
        repository: &RepositoryName,
        claim: Uuid,
        add: impl FnOnce(&mut Transaction<'_>) -> Result<(), StateError>,
    ) -> Result<(), TransitionError> {
        let mut transaction = Transaction::new(self);
        transaction.expect_claim(repository, claim)?;
        add(&mut transaction)?;
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(_) => Err(TransitionError::ClaimLost),
        }
    }
}

fn by(claim: Uuid) -> AttributeValue {
    AttributeValue::S(claim.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use aws_sdk_dynamodb::{
        Client,
        operation::{
            delete_item::{DeleteItemError, DeleteItemOutput},
            put_item::{PutItemError, PutItemOutput},
            transact_write_items::{TransactWriteItemsError, TransactWriteItemsInput},
        },
        types::{
            CancellationReason,
            error::{ConditionalCheckFailedException, TransactionCanceledException},
        },
    };
    use aws_smithy_mocks::{RuleMode, mock, mock_client};
    use moorage_domain::{
        Timestamp,
        learnt::Learnt,
        run::{Run, RunId, Trigger},
    };

    use super::*;
    use crate::{ReferrersChecked, golden::read, runs::upload::UploadItem};

    /// Whether a transaction looks at the claim of `acme/app` before it writes anything.
    fn looks_at_the_claim(request: &TransactWriteItemsInput, claim: Uuid) -> bool {
        let check = request.transact_items()[0].condition_check();
        check.is_some_and(|check| {
            check.key() == &Key::Mirror(&"acme/app".parse().unwrap()).attributes()
                && check.condition_expression() == "#id = :id"
                && check.expression_attribute_values().unwrap()[":id"] == AttributeValue::S(claim.to_string())
        })
    }

    #[tokio::test]
    async fn a_run_that_lost_its_claim_leaves_its_successors_notes_alone() {
        let (claim, app) = (Uuid::new_v4(), "acme/app".parse().unwrap());
        let refused = mock!(Client::transact_write_items).match_requests(move |it| looks_at_the_claim(it, claim));
        let refused = refused.then_error(|| {
            let reason = CancellationReason::builder().code("ConditionalCheckFailed").build();
            let cancelled = TransactionCanceledException::builder().cancellation_reasons(reason).build();
            TransactWriteItemsError::TransactionCanceledException(cancelled)
        });
        let refused = Arc::new(refused);
        let not_mine = || ConditionalCheckFailedException::builder().build();
        let put = mock!(Client::put_item).then_error(move || PutItemError::ConditionalCheckFailedException(not_mine()));
        let delete =
            mock!(Client::delete_item).then_error(move || DeleteItemError::ConditionalCheckFailedException(not_mine()));
        let client = mock_client!(aws_sdk_dynamodb, RuleMode::MatchAny, [&*refused, &put, &delete]);
        let table = Table::new(client, "table");
        let upload = serde_dynamo::from_item::<_, UploadItem>(read("Upload")).unwrap().upload;
        let (digest, at) = (upload.digest.clone(), Timestamp::from_unix(0));
        let run = Run::new(RunId(Uuid::nil()), Trigger::SyncNow, at, false);
        let learnt: Learnt = serde_json::from_str(read("Learnt")["text"].as_s().unwrap()).unwrap();
        for lost in [
            table.begin_upload(&app, upload.clone(), claim, at).await,
            table.put_upload(&app, upload, claim, at).await,
            table.give_up_upload(&app, &digest, claim).await,
            table.delete_upload(&app, &digest, claim).await,
            table.put_learnt(&app, (&run, &learnt), claim, at).await,
            table.put_referrers_checked(&app, ReferrersChecked::default(), claim).await,
        ] {
            assert!(matches!(lost, Err(TransitionError::ClaimLost)), "{lost:?}");
        }
        assert_eq!(refused.num_calls(), 6);
        assert_eq!((put.num_calls(), delete.num_calls()), (1, 1), "neither was this claim's");
    }

    #[tokio::test]
    async fn what_nobody_has_taken_over_is_written_without_asking_the_mirror() {
        let (claim, app) = (Uuid::new_v4(), "acme/app".parse().unwrap());
        let put = mock!(Client::put_item).match_requests(move |it| {
            it.condition_expression() == Some("#mine = :mine")
                && it.expression_attribute_names().unwrap()["#mine"] == CLAIM
                && it.expression_attribute_values().unwrap()[":mine"] == by(claim)
                && it.item().unwrap()[CLAIM] == by(claim)
        });
        let put = put.then_output(|| PutItemOutput::builder().build());
        let delete = mock!(Client::delete_item).match_requests(move |it| {
            it.condition_expression() == Some("claim = :mine")
                && it.expression_attribute_values().unwrap()[":mine"] == by(claim)
        });
        let delete = delete.then_output(|| DeleteItemOutput::builder().build());
        let client = mock_client!(aws_sdk_dynamodb, RuleMode::MatchAny, [&put, &delete]);
        let table = Table::new(client, "table");
        let upload = serde_dynamo::from_item::<_, UploadItem>(read("Upload")).unwrap().upload;
        let digest = upload.digest.clone();
        table.put_upload(&app, upload, claim, Timestamp::from_unix(0)).await.unwrap();
        table.delete_upload(&app, &digest, claim).await.unwrap();
        assert_eq!((put.num_calls(), delete.num_calls()), (1, 1));
    }
}
