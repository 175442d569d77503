//! Writes that need the claim of a mirror.

use moorage_domain::RepositoryName;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    Table,
    key::Key,
    mirrors::transition::TransitionError,
    transaction::{Committed, Transaction},
};

impl Table {
    /// Writes an item, whatever was there, if `claim` is still the repository's; [`TransitionError::ClaimLost`] if not.
    pub(crate) async fn put_claimed<T: Serialize>(
        &self,
        repository: &RepositoryName,
        claim: Uuid,
        key: Key<'_>,
        value: &T,
    ) -> Result<(), TransitionError> {
        let mut transaction = Transaction::new(self);
        transaction.expect_claim(repository, claim)?;
        transaction.put(key, value)?;
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(_) => Err(TransitionError::ClaimLost),
        }
    }

    /// Deletes an item, if there is one and `claim` is still the repository's; [`TransitionError::ClaimLost`] if not.
    pub(crate) async fn delete_claimed(
        &self,
        repository: &RepositoryName,
        claim: Uuid,
        key: Key<'_>,
    ) -> Result<(), TransitionError> {
        let mut transaction = Transaction::new(self);
        transaction.expect_claim(repository, claim)?;
        transaction.delete(key, None)?;
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(_) => Err(TransitionError::ClaimLost),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use aws_sdk_dynamodb::{
        Client,
        operation::transact_write_items::{TransactWriteItemsError, TransactWriteItemsInput},
        types::{AttributeValue, CancellationReason, error::TransactionCanceledException},
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
        let client = mock_client!(aws_sdk_dynamodb, RuleMode::MatchAny, [&*refused]);
        let table = Table::new(client, "table");
        let upload = serde_dynamo::from_item::<_, UploadItem>(read("Upload")).unwrap().upload;
        let (digest, at) = (upload.digest.clone(), Timestamp::from_unix(0));
        let run = Run::new(RunId(Uuid::nil()), Trigger::SyncNow, at, false);
        let learnt: Learnt = serde_json::from_str(read("Learnt")["text"].as_s().unwrap()).unwrap();
        for lost in [
            table.put_upload(&app, upload, claim, at).await,
            table.delete_upload(&app, &digest, claim).await,
            table.put_learnt(&app, (&run, &learnt), claim, at).await,
            table.put_referrers_checked(&app, ReferrersChecked::default(), claim).await,
        ] {
            assert!(matches!(lost, Err(TransitionError::ClaimLost)), "{lost:?}");
        }
        assert_eq!(refused.num_calls(), 4);
    }
}
