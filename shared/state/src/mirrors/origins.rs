//! Which mirrors copy from a repository of an external registry: an entry for each, in the partition of that repository. By
//! it clients are answered that name the original.

use moorage_domain::{Namespace, Origin, RepositoryName};

use crate::{
    StateError, Table,
    key::{origin_pk, prefix},
};

/// The most mirrors of one repository that are found at once, by name: a hundred kilobytes of entries, which one request reads.
/// Where more tenants mirror the same image, those of a namespace are still found by it.
pub const MAX_ORIGIN_MIRRORS: i32 = 1_000;

impl Table {
    /// The repositories whose mirrors copy from this one, all or those of a namespace, by name, [`MAX_ORIGIN_MIRRORS`] at most.
    /// Whether they still do, the mirrors say.
    pub async fn mirrors_of_origin(
        &self,
        origin: &Origin,
        of: Option<&Namespace>,
    ) -> Result<Vec<RepositoryName>, StateError> {
        let prefix = of.map_or_else(|| prefix::REPOSITORY.to_owned(), |of| format!("{}{of}/", prefix::REPOSITORY));
        self.found_by(origin_pk(origin), &prefix, MAX_ORIGIN_MIRRORS).await
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
    async fn an_entry_follows_its_mirror_and_knows_all_spellings() {
        const IN_HUB: &[&str] = &["ORIGIN#registry-1.docker.io/library/nginx"];
        const IN_QUAY: &[&str] = &["ORIGIN#quay.io/acme/app"];
        let origin = |text: &str| text.parse::<Origin>().unwrap();
        let (hub, other, quay) =
            (origin("docker.io/nginx"), origin("index.docker.io/library/nginx"), origin("quay.io/acme/app"));
        let rows: [(_, _, &[&str], &[&str]); 4] = [
            (None, Some(&hub), &[], IN_HUB),
            (Some(&hub), Some(&other), &[], IN_HUB),
            (Some(&hub), Some(&quay), IN_HUB, IN_QUAY),
            (Some(&quay), None, IN_QUAY, &[]),
        ];
        for (before, after, deleted, put) in rows {
            let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
            let expected = (owned(deleted), owned(put));
            let rule = mock!(Client::transact_write_items)
                .match_requests(move |request| written(request) == expected)
                .then_output(|| TransactWriteItemsOutput::builder().build());
            let table = table(&rule);
            let mut transaction = Transaction::new(&table);
            found_by::enter(&mut transaction, &"acme/app".parse().unwrap(), (before, after), |it, of| {
                Key::OriginMirror(it, of)
            })
            .unwrap();
            transaction.commit().await.unwrap();
            assert_eq!(rule.num_calls(), 1, "{before:?} {after:?}");
        }
    }

    #[tokio::test]
    async fn mirrors_are_found_by_where_they_copy_from_and_not_too_many() {
        for (of, prefix) in [(None, "REPOSITORY#"), (Some("acme".parse().unwrap()), "REPOSITORY#acme/")] {
            let rule = mock!(Client::query)
                .match_requests(move |request| {
                    let value =
                        |name: &str| request.expression_attribute_values().unwrap()[name].as_s().unwrap().clone();
                    let is_here = value(":pk") == "ORIGIN#registry-1.docker.io/library/nginx" && value(":sk") == prefix;
                    is_here && request.limit() == Some(MAX_ORIGIN_MIRRORS) && request.index_name().is_none()
                })
                .then_output(|| QueryOutput::builder().items(golden::read("OriginMirror")).build());
            let origin = "docker.io/nginx".parse().unwrap();
            let found = table(&rule).mirrors_of_origin(&origin, of.as_ref()).await.unwrap();
            assert_eq!(found, ["acme/app".parse().unwrap()]);
        }
    }
}
