//! The mirrors of which a sync has begun, or is pending, the queued syncs, and the repositories that were deleted: an index
//! of the table has these, and nothing else. The same write that changes a state puts it there or takes it out, so that it
//! cannot be left out, and the others are not read.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{Namespace, RepositoryName, run::RunId};

use crate::{
    StateError, Table,
    error::failed,
    key::{PK, SK, prefix},
    table::Item,
};

/// The index, as the template names it.
const INDEX: &str = "active";
/// Its partition key. Only items that have the attribute are in the index.
pub(crate) const ATTRIBUTE: &str = "active";
/// The partition of repositories' mirrors.
pub(crate) const MIRRORS: &str = "MIRRORS";
/// The partition of organizations' mirrors.
pub(crate) const ORGANIZATIONS: &str = "ORGANIZATIONS";
/// The partition of queued syncs.
pub(crate) const TURNS: &str = "TURNS";
/// The partition of runs that have ended, until whoever is to be told has been.
pub(crate) const UNTOLD: &str = "UNTOLD";
/// The partition of webhooks of which something waits for a sync.
pub(crate) const WEBHOOKS: &str = "WEBHOOKS";
/// The partition of repositories that were deleted, until nothing of them is left.
pub(crate) const PURGES: &str = "PURGES";

impl Table {
    /// The repositories of whose mirrors a sync has begun, or is pending. The index is some moments behind the table:
    /// whoever is to do something about a mirror reads it.
    pub async fn active_mirrors(&self) -> Result<Vec<RepositoryName>, StateError> {
        self.active(MIRRORS, |pk, _| pk.strip_prefix(prefix::REPOSITORY_PK)?.parse().ok()).await
    }

    /// As [`Self::active_mirrors`], of organizations' mirrors and their discoveries.
    pub async fn active_organization_mirrors(&self) -> Result<Vec<Namespace>, StateError> {
        self.active(ORGANIZATIONS, |pk, _| pk.strip_prefix(prefix::NAMESPACE_PK)?.parse().ok()).await
    }

    /// The organizations of which syncs are queued.
    pub async fn organizations_with_queues(&self) -> Result<BTreeSet<Namespace>, StateError> {
        let queued = self.active(TURNS, |pk, _| pk.strip_prefix(prefix::NAMESPACE_PK)?.parse().ok()).await?;
        Ok(queued.into_iter().collect())
    }

    /// The repositories that were deleted, and of which something is left. Those from before the index had them are not among
    /// them.
    pub async fn repositories_to_purge(&self) -> Result<Vec<RepositoryName>, StateError> {
        let name = |pk: &str, sk: &str| {
            let namespace: Namespace = pk.strip_prefix(prefix::NAMESPACE_PK)?.parse().ok()?;
            RepositoryName::new(namespace.as_str(), sk.strip_prefix(prefix::REPOSITORY)?).ok()
        };
        self.active(PURGES, name).await
    }

    /// The repositories of whose webhooks something waits for a sync.
    pub async fn webhooks_to_serve(&self) -> Result<Vec<RepositoryName>, StateError> {
        self.active(WEBHOOKS, |pk, _| pk.strip_prefix(prefix::REPOSITORY_PK)?.parse().ok()).await
    }

    /// The runs that have ended, and of which nobody has been told yet.
    pub async fn untold_runs(&self) -> Result<Vec<(RepositoryName, RunId)>, StateError> {
        let run = |pk: &str, sk: &str| {
            let repository = pk.strip_prefix(prefix::REPOSITORY_PK)?.parse().ok()?;
            Some((repository, RunId(sk.strip_prefix(prefix::RUN)?.parse().ok()?)))
        };
        self.active(UNTOLD, run).await
    }

    async fn active<T>(&self, partition: &str, name: impl Fn(&str, &str) -> Option<T>) -> Result<Vec<T>, StateError> {
        let (mut found, mut start) = (Vec::new(), None::<Item>);
        loop {
            let query = self.client.query().table_name(&self.name).index_name(INDEX);
            let query = query.key_condition_expression("#active = :active");
            let query = query.expression_attribute_names("#active", ATTRIBUTE);
            let query = query.expression_attribute_values(":active", AttributeValue::S(partition.to_owned()));
            let page = query.set_exclusive_start_key(start).send().await.map_err(failed)?;
            let keys = page.items.into_iter().flatten();
            found.extend(keys.filter_map(|item| name(item.get(PK)?.as_s().ok()?, item.get(SK)?.as_s().ok()?)));
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::{
        Client,
        operation::{
            get_item::GetItemOutput, query::QueryOutput, update_item::UpdateItemInput, update_item::UpdateItemOutput,
        },
    };
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
    use uuid::Uuid;

    use super::*;
    use crate::{golden::read, now};

    fn table(rules: &[&Rule]) -> Table {
        Table::new(mock_client!(aws_sdk_dynamodb, RuleMode::Sequential, rules), "table")
    }

    fn key(pk: &str) -> Item {
        let sk = if pk.starts_with("NS#") { "REPOSITORY#gone/x" } else { "MIRROR" };
        [(PK, pk), (SK, sk)].map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned()))).into()
    }

    #[tokio::test]
    async fn the_index_is_read_to_its_end() {
        let page = |pks: &'static [&'static str], next: bool| {
            let rule = mock!(Client::query).match_requests(move |request| {
                request.index_name() == Some(INDEX) && request.exclusive_start_key().is_none() == next
            });
            rule.then_output(move || {
                let items = pks.iter().map(|pk| key(pk)).collect();
                let last = next.then(|| key("REPO#acme/app"));
                QueryOutput::builder().set_items(Some(items)).set_last_evaluated_key(last).build()
            })
        };
        let (first, last) = (page(&["REPO#acme/app"], true), page(&["REPO#acme/lib/x", "NS#other"], false));
        let names = table(&[&first, &last]).active_mirrors().await.unwrap();
        assert_eq!(names, ["acme/app".parse().unwrap(), "acme/lib/x".parse().unwrap()]);
        let (first, last) = (page(&["NS#acme", "REPO#acme/app"], true), page(&[], false));
        let names = table(&[&first, &last]).repositories_to_purge().await.unwrap();
        assert_eq!(names, ["acme/gone/x".parse().unwrap()]);
    }

    #[tokio::test]
    async fn a_mirror_is_in_the_index_while_a_sync_has_begun_or_is_pending() {
        let found =
            || mock!(Client::get_item).then_output(|| GetItemOutput::builder().set_item(Some(read("Mirror"))).build());
        let written = |is_active: bool| {
            let rule = mock!(Client::update_item).match_requests(move |request: &UpdateItemInput| {
                let values = request.expression_attribute_values().unwrap();
                let update = request.update_expression().unwrap();
                let names = request.expression_attribute_names().unwrap();
                let is_set = values.get(":active") == Some(&AttributeValue::S(MIRRORS.to_owned()));
                is_set == is_active
                    && update.contains("#active = :active") == is_active
                    && update.ends_with(" REMOVE #active") != is_active
                    && names["#active"] == ATTRIBUTE
            });
            rule.then_output(|| UpdateItemOutput::builder().build())
        };
        let (get, asked, again, cancelled) = (found(), written(true), found(), written(false));
        let (table, app) = (table(&[&get, &asked, &again, &cancelled]), "acme/app".parse().unwrap());
        let late = now();
        table.transition(&app, |mirror| Ok(mirror.state.sync_now(late, Uuid::nil())?)).await.unwrap();
        table.transition(&app, |mirror| Ok(mirror.state.cancel(Uuid::nil())?)).await.unwrap();
        assert_eq!((asked.num_calls(), cancelled.num_calls()), (1, 1));
    }
}
