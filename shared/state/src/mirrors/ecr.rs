//! Which mirrors copy from a repository of ECR: an entry for each, in the partition of that repository. ECR calls nobody's
//! webhook, and what EventBridge says of it names the repository alone.

use moorage_domain::{RepositoryName, webhook::EcrRepository};

use crate::{
    StateError, Table,
    key::{ecr_pk, prefix},
};

/// The most mirrors of one repository that are found. Each is a sync; the others have their schedules.
pub const MAX_ECR_MIRRORS: i32 = 100;

impl Table {
    /// The repositories whose mirrors copy from this one, [`MAX_ECR_MIRRORS`] at most.
    pub async fn mirrors_of_ecr(&self, source: &EcrRepository) -> Result<Vec<RepositoryName>, StateError> {
        self.found_by(ecr_pk(source), prefix::REPOSITORY, MAX_ECR_MIRRORS).await
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::{
        Client,
        operation::{
            query::QueryOutput,
            transact_write_items::{TransactWriteItemsInput, TransactWriteItemsOutput},
        },
    };
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};

    use super::*;
    use crate::{golden, key::Key, mirrors::found_by, table::Item, transaction::Transaction};

    fn repository(region: &str) -> EcrRepository {
        let reference = format!("123456789012.dkr.ecr.{region}.amazonaws.com/acme/app");
        EcrRepository::of(&reference.parse().unwrap()).unwrap()
    }

    fn table(rule: &Rule) -> Table {
        Table::new(mock_client!(aws_sdk_dynamodb, RuleMode::Sequential, [rule]), "table")
    }

    /// The partitions of what a transaction deletes and puts.
    fn written(request: &TransactWriteItemsInput) -> (Vec<String>, Vec<String>) {
        let pk = |item: &Item| item["pk"].as_s().unwrap().clone();
        let deleted = request.transact_items().iter().filter_map(|write| Some(pk(write.delete()?.key())));
        let put = request.transact_items().iter().filter_map(|write| Some(pk(write.put()?.item())));
        (deleted.collect(), put.collect())
    }

    #[tokio::test]
    async fn an_entry_follows_its_mirror() {
        const IN_HERE: &[&str] = &["ECR#123456789012/eu-west-1/acme/app"];
        const IN_THERE: &[&str] = &["ECR#123456789012/us-east-1/acme/app"];
        let (here, there, app) = (repository("eu-west-1"), repository("us-east-1"), "acme/app".parse().unwrap());
        let rows: [(_, _, &[&str], &[&str]); 5] = [
            (None, Some(&here), &[], IN_HERE),
            (Some(&here), Some(&here), &[], IN_HERE),
            (Some(&here), Some(&there), IN_HERE, IN_THERE),
            (Some(&here), None, IN_HERE, &[]),
            (None, None, &[], &[]),
        ];
        for (before, after, deleted, put) in rows {
            let rule = mock!(Client::transact_write_items)
                .match_requests(move |request| written(request) == (owned(deleted), owned(put)))
                .then_output(|| TransactWriteItemsOutput::builder().build());
            let table = table(&rule);
            let mut transaction = Transaction::new(&table);
            found_by::enter(&mut transaction, &app, (before, after), |it, of| Key::EcrMirror(it, of)).unwrap();
            transaction.commit().await.unwrap();
            assert_eq!(rule.num_calls(), 1, "{before:?} {after:?}");
        }
    }

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[tokio::test]
    async fn mirrors_are_found_by_where_they_copy_from_and_not_too_many() {
        let rule = mock!(Client::query)
            .match_requests(|request| {
                let pk = &request.expression_attribute_values().unwrap()[":pk"];
                let is_here = pk.as_s().unwrap() == "ECR#123456789012/eu-west-1/acme/app";
                is_here && request.limit() == Some(MAX_ECR_MIRRORS) && request.index_name().is_none()
            })
            .then_output(|| QueryOutput::builder().items(golden::read("EcrMirror")).build());
        let found = table(&rule).mirrors_of_ecr(&repository("eu-west-1")).await.unwrap();
        assert_eq!(found, ["acme/app".parse().unwrap()]);
    }
}
