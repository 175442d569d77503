//! All mirrors at a glance: an index of the table has them, with what is told of many at once, and nothing else.

use std::collections::HashSet;

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{
    MirrorOf, Namespace, Remedy, RepositoryName, Timestamp, Warning,
    discovery::DiscoveredRepository,
    health::Seen,
    run::RunId,
    status::{RecentRuns, SyncState, SyncStatus},
};
use serde::{Deserialize, Deserializer, de::Error as _};
use uuid::Uuid;

use crate::{
    StateError, Table,
    error::failed,
    expression::Change,
    key::{Key, PK, SK, prefix},
    mirrors::{
        mirror::{LISTED, Mirror},
        organization_mirror::OrganizationMirror,
    },
    table::{Item, conditional, readable},
};

/// The index, as the template names it.
pub(crate) const INDEX: &str = "mirrors";
/// Its partition key. Only items that have the attribute are in the index.
pub(crate) const ATTRIBUTE: &str = "listed";
/// Queries for one page: DynamoDB answers with a megabyte at most, and a thousand mirrors are about one.
const QUERIES: usize = 2;

/// A mirror as the index has it, of a repository or of a whole organization.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ListedMirror {
    /// Whose it is.
    #[serde(rename = "pk", deserialize_with = "owner")]
    pub of: MirrorOf,
    /// What a repository mirrors. What an organization mirrors the index has no room for.
    #[serde(default)]
    pub external_reference: Option<String>,
    /// Whether its schedule runs.
    pub is_enabled: bool,
    /// Seconds between scheduled starts.
    pub sync_interval: u64,
    /// Whether its organization's mirror has made it.
    #[serde(default)]
    pub is_discovered: bool,
    /// When it was created.
    pub created: Timestamp,
    sync_status: SyncStatus,
    sync_start_date: Timestamp,
    sync_retries_remaining: u32,
    #[serde(default)]
    sync_expiration_date: Option<Timestamp>,
    #[serde(default)]
    sync_handed_over: bool,
    #[serde(default)]
    sync_waiting_until: Option<Timestamp>,
    #[serde(default)]
    sync_run_id: Option<RunId>,
    #[serde(default)]
    sync_warning: Option<Warning>,
    #[serde(default)]
    last_success: Option<Timestamp>,
    #[serde(default)]
    last_ended: Option<Timestamp>,
    #[serde(default)]
    last_failure: Option<String>,
    #[serde(default)]
    last_remedy: Option<Remedy>,
    #[serde(default)]
    last_tags: Option<u64>,
    #[serde(default)]
    recent_runs: RecentRuns,
}

/// Mirrors: those of organizations first, each by name.
#[derive(Debug, Clone, PartialEq)]
pub struct MirrorPage {
    /// They.
    pub mirrors: Vec<ListedMirror>,
    /// Whose the last one is, if there may be more behind it.
    pub next: Option<MirrorOf>,
}

impl ListedMirror {
    /// Where it stands, as far as the index knows.
    pub fn state(&self) -> SyncState {
        SyncState {
            sync_status: self.sync_status,
            sync_expiration_date: self.sync_expiration_date,
            sync_handed_over: self.sync_handed_over,
            sync_retries_remaining: self.sync_retries_remaining,
            sync_waiting_until: self.sync_waiting_until,
            sync_run_id: self.sync_run_id,
            sync_warning: self.sync_warning,
            last_success: self.last_success,
            last_ended: self.last_ended,
            last_failure: self.last_failure.clone(),
            last_remedy: self.last_remedy,
            last_tags: self.last_tags,
            recent_runs: self.recent_runs.clone(),
            ..SyncState::new(self.sync_start_date, Uuid::nil())
        }
    }

    /// Whether it has been without success for more than `intervals` of its intervals, with no regard to whether its
    /// organization's mirror syncs it.
    pub fn is_late(&self, intervals: u64, now: Timestamp) -> bool {
        let (is_enabled, sync_interval, created) = (self.is_enabled, self.sync_interval, self.created);
        Seen { name: self.of.name(), is_enabled, sync_interval, state: &self.state(), created }.is_late(intervals, now)
    }
}

impl Table {
    /// Up to `limit` mirrors behind `after`, of one namespace or of all. The index is some moments behind the table. There may
    /// be fewer although there are more behind them.
    pub async fn mirrors(
        &self,
        namespace: Option<&Namespace>,
        limit: usize,
        after: Option<&MirrorOf>,
    ) -> Result<MirrorPage, StateError> {
        // Of one namespace the index has the repositories in a row; its own mirror is read by itself.
        let own = namespace.filter(|_| after.is_none());
        let mut items = match own {
            Some(namespace) => self.get_items(vec![Key::OrganizationMirror(namespace).attributes()]).await?,
            None => Vec::new(),
        };
        items.retain(|item| item.contains_key(ATTRIBUTE));
        let mut start = after.filter(|after| namespace.is_none() || after.repository().is_some()).map(position);
        // One more tells whether there is more.
        let most = limit.saturating_add(1);
        for _ in 0..QUERIES {
            let left = i32::try_from(most.saturating_sub(items.len())).unwrap_or(i32::MAX);
            let query = self.client.query().table_name(&self.name).index_name(INDEX).limit(left);
            let query = query.expression_attribute_names("#listed", ATTRIBUTE);
            let query = query.expression_attribute_values(":listed", AttributeValue::S(LISTED.to_owned()));
            let query = match namespace {
                None => query.key_condition_expression("#listed = :listed"),
                Some(namespace) => query
                    .key_condition_expression("#listed = :listed AND begins_with(#pk, :pk)")
                    .expression_attribute_names("#pk", PK)
                    .expression_attribute_values(
                        ":pk",
                        AttributeValue::S(format!("{}{namespace}/", prefix::REPOSITORY_PK)),
                    ),
            };
            let page = query.set_exclusive_start_key(start).send().await.map_err(failed)?;
            items.extend(page.items.unwrap_or_default());
            start = page.last_evaluated_key;
            if start.is_none() || items.len() >= most {
                break;
            }
        }
        let last = if items.len() > limit { items.get(limit.saturating_sub(1)) } else { start.as_ref() };
        let last = last.and_then(|key| key.get(PK)?.as_s().ok());
        let next = last.and_then(|pk| of_key(pk));
        items.truncate(limit);
        Ok(MirrorPage { mirrors: readable(items), next })
    }

    /// The mirrors of these repositories that the index tells of, by name.
    pub async fn mirrors_named(&self, names: &[RepositoryName]) -> Result<Vec<ListedMirror>, StateError> {
        let mut items = self.get_items(names.iter().map(|name| Key::Mirror(name).attributes()).collect()).await?;
        items.retain(|item| item.contains_key(ATTRIBUTE));
        let mut mirrors: Vec<ListedMirror> = readable(items);
        mirrors.sort_unstable_by(|one, other| one.of.name().cmp(other.of.name()));
        Ok(mirrors)
    }

    /// Has the index tell of a mirror, or not: it does while the repository is its mirror's. What was read of the mirror says
    /// whether that is to be changed.
    pub async fn list_mirror(&self, mirror: &Mirror, is_mirror: bool) -> Result<(), StateError> {
        if mirror.listed.is_some() == is_mirror {
            return Ok(());
        }
        let condition = "attribute_exists(#pk)";
        let (update, values) = if is_mirror {
            ("SET #listed = :listed", Item::from([(":listed".to_owned(), AttributeValue::S(LISTED.to_owned()))]))
        } else {
            ("REMOVE #listed", Item::new())
        };
        let change = self.change(Key::Mirror(&mirror.config.repository), Change { update, condition }, values);
        match conditional(change).await {
            // It is gone.
            Err(StateError::Conflict) => Ok(()),
            result => result,
        }
    }

    /// Has the index tell of an organization's mirror that an earlier release made.
    pub async fn list_organization_mirror(&self, mirror: &OrganizationMirror) -> Result<(), StateError> {
        if mirror.listed.is_some() {
            return Ok(());
        }
        let values = [(":listed", AttributeValue::S(LISTED.to_owned())), (":true", AttributeValue::Bool(true))];
        let values = values.map(|(name, value)| (name.to_owned(), value)).into();
        let condition = "attribute_exists(#pk) AND NOT #is_deleted = :true";
        let change = Change { update: "SET #listed = :listed", condition };
        match conditional(self.change(Key::OrganizationMirror(&mirror.config.organization), change, values)).await {
            // It is gone, or goes.
            Err(StateError::Conflict) => Ok(()),
            result => result,
        }
    }

    /// Which of these repositories their organizations' mirrors sync: those that are on, and do not leave them out.
    pub async fn synced_by_organizations(
        &self,
        repositories: &[RepositoryName],
    ) -> Result<HashSet<RepositoryName>, StateError> {
        let keys = repositories.iter().map(|name| Key::Discovered(name).attributes()).collect();
        let found: Vec<DiscoveredRepository> = self.get_all(keys).await?;
        let found = found.into_iter().filter(|found| found.skipped.is_none());
        let found: Vec<_> = found.map(|found| found.repository).collect();
        let mut on = HashSet::new();
        for namespace in found.iter().map(RepositoryName::namespace).collect::<HashSet<_>>() {
            if self.organization_mirror(&namespace).await?.is_some_and(|mirror| mirror.config.is_enabled) {
                on.insert(namespace);
            }
        }
        Ok(found.into_iter().filter(|name| on.contains(&name.namespace())).collect())
    }
}

/// Where the index has a mirror.
fn position(of: &MirrorOf) -> Item {
    let mut key = match of {
        MirrorOf::Repository(repository) => Key::Mirror(repository).attributes(),
        MirrorOf::Organization(organization) => Key::OrganizationMirror(organization).attributes(),
    };
    key.retain(|name, _| name == PK || name == SK);
    key.insert(ATTRIBUTE.to_owned(), AttributeValue::S(LISTED.to_owned()));
    key
}

/// Whose mirror has this partition key.
fn of_key(pk: &str) -> Option<MirrorOf> {
    match pk.strip_prefix(prefix::REPOSITORY_PK) {
        Some(name) => name.parse().ok().map(MirrorOf::Repository),
        None => pk.strip_prefix(prefix::NAMESPACE_PK)?.parse().ok().map(MirrorOf::Organization),
    }
}

fn owner<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MirrorOf, D::Error> {
    of_key(&String::deserialize(deserializer)?).ok_or_else(|| D::Error::custom("it is no mirror's key"))
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::{
        Client,
        operation::{batch_get_item::BatchGetItemOutput, query::QueryOutput},
    };
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};

    use super::*;
    use crate::golden::read;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix(seconds)
    }

    fn item(name: &str) -> Item {
        let mut item = read("Mirror");
        item.insert(PK.to_owned(), AttributeValue::S(format!("REPO#{name}")));
        item
    }

    /// The mirror of the organization, which an index that has it says to be.
    fn organization(is_listed: bool) -> Item {
        let mut item = read("OrganizationMirror");
        item.extend(is_listed.then(|| (ATTRIBUTE.to_owned(), AttributeValue::S(LISTED.to_owned()))));
        item
    }

    fn names(page: &MirrorPage) -> Vec<&str> {
        page.mirrors.iter().map(|mirror| mirror.of.name()).collect()
    }

    fn named(name: &str) -> MirrorOf {
        MirrorOf::named(name).unwrap()
    }

    #[tokio::test]
    async fn a_page_takes_two_queries_at_most() {
        let page = |number: usize| {
            let rule = mock!(Client::query).match_requests(move |request| {
                let started = request.exclusive_start_key().and_then(|key| key[PK].as_s().ok().cloned());
                let limit = request.limit().unwrap();
                request.index_name() == Some(INDEX)
                    && request.expression_attribute_values().unwrap()[":pk"] == AttributeValue::S("REPO#acme/".into())
                    && match number {
                        0 => started.is_none() && limit == 6,
                        _ => started.as_deref() == Some("REPO#acme/b") && limit == 4,
                    }
            });
            rule.then_output(move || {
                let names = [["acme/a", "acme/b"], ["acme/c", "acme/d"]][number];
                let last = position(&named(names[1]));
                let items = names.map(item).to_vec();
                QueryOutput::builder().set_items(Some(items)).set_last_evaluated_key(Some(last)).build()
            })
        };
        let (own, first, second) = (of_organization(None), page(0), page(1));
        let client = mock_client!(aws_sdk_dynamodb, RuleMode::Sequential, [&own, &first, &second]);
        let page = Table::new(client, "table").mirrors(Some(&"acme".parse().unwrap()), 5, None).await.unwrap();
        assert_eq!(names(&page), ["acme/a", "acme/b", "acme/c", "acme/d"]);
        assert_eq!(page.next, Some(named("acme/d")), "there may be more");
    }

    /// What reads the mirror of the organization itself.
    fn of_organization(found: Option<Item>) -> Rule {
        mock!(Client::batch_get_item).then_output(move || {
            let found = found.clone().into_iter().collect::<Vec<_>>();
            BatchGetItemOutput::builder().responses("table", found).build()
        })
    }

    /// A query that begins behind a mirror, and finds these.
    fn query(after: Option<&'static str>, found: &'static [&'static str]) -> Rule {
        let begins = mock!(Client::query).match_requests(move |request| {
            request.exclusive_start_key().cloned() == after.map(|it| position(&named(it)))
        });
        begins.then_output(move || {
            let items = found.iter().map(|name| if *name == "acme" { organization(true) } else { item(name) });
            QueryOutput::builder().set_items(Some(items.collect())).build()
        })
    }

    #[tokio::test]
    async fn an_organizations_mirror_comes_before_the_repositories() {
        let acme: Namespace = "acme".parse().unwrap();
        let (all, behind) = (query(None, &["acme", "acme/a"]), query(Some("acme"), &["acme/a"]));
        let client = mock_client!(aws_sdk_dynamodb, RuleMode::Sequential, [&all, &behind]);
        let table = Table::new(client, "table");
        let page = table.mirrors(None, 1, None).await.unwrap();
        assert_eq!((names(&page), &page.next), (vec!["acme"], &Some(named("acme"))));
        assert_eq!((page.mirrors[0].is_enabled, &page.mirrors[0].external_reference), (true, &None));
        let page = table.mirrors(None, 1, page.next.as_ref()).await.unwrap();
        assert_eq!((names(&page), &page.next), (vec!["acme/a"], &None));

        // Of one namespace its own is read by itself, and is on one page only.
        let (own, first) = (of_organization(Some(organization(true))), query(None, &["acme/a"]));
        let (second, none) = (query(None, &["acme/a"]), query(None, &[]));
        let unlisted = of_organization(Some(organization(false)));
        let client = mock_client!(aws_sdk_dynamodb, RuleMode::Sequential, [&own, &first, &second, &unlisted, &none]);
        let table = Table::new(client, "table");
        let page = table.mirrors(Some(&acme), 1, None).await.unwrap();
        assert_eq!((names(&page), &page.next), (vec!["acme"], &Some(named("acme"))));
        let page = table.mirrors(Some(&acme), 1, page.next.as_ref()).await.unwrap();
        assert_eq!((names(&page), &page.next), (vec!["acme/a"], &None));
        assert_eq!(names(&table.mirrors(Some(&acme), 1, None).await.unwrap()), [""; 0], "it is not told of, or goes");
    }

    #[tokio::test]
    async fn the_last_page_is_known_although_it_is_full() {
        for (found, next) in [(&["acme/a", "acme/b"][..], None), (&["acme/a", "acme/b", "acme/c"], Some("acme/b"))] {
            let rule =
                mock!(Client::query).match_requests(|request| request.limit() == Some(3)).then_output(move || {
                    let items = found.iter().map(|name| item(name)).collect();
                    let last = (found.len() == 3).then(|| position(&named("acme/c")));
                    QueryOutput::builder().set_items(Some(items)).set_last_evaluated_key(last).build()
                });
            let client = mock_client!(aws_sdk_dynamodb, RuleMode::Sequential, [&rule]);
            let page = Table::new(client, "table").mirrors(None, 2, None).await.unwrap();
            assert_eq!((page.mirrors.len(), page.next), (2, next.map(named)));
        }
    }

    #[tokio::test]
    async fn one_that_cannot_be_read_hides_no_other() {
        let rule = mock!(Client::query).then_output(|| {
            let mut broken = item("acme/a");
            broken.insert("sync_status".to_owned(), AttributeValue::S("LATER".to_owned()));
            QueryOutput::builder().items(broken).items(item("acme/b")).build()
        });
        let client = mock_client!(aws_sdk_dynamodb, RuleMode::Sequential, [&rule]);
        let page = Table::new(client, "table").mirrors(None, 5, None).await.unwrap();
        assert_eq!(page.mirrors.len(), 1);
        assert_eq!((&page.mirrors[0].of, page.next), (&named("acme/b"), None));
    }

    #[test]
    fn the_index_knows_what_is_shown() {
        let mirror: Mirror = serde_dynamo::from_item(read("Mirror")).unwrap();
        let listed: ListedMirror = serde_dynamo::from_item(item("acme/app")).unwrap();
        let state = listed.state();
        assert_eq!(state.shown_status(at(0)), mirror.state.shown_status(at(0)));
        assert_eq!(
            (state.last_success, &state.recent_runs, state.last_tags, state.sync_warning),
            (mirror.state.last_success, &mirror.state.recent_runs, mirror.state.last_tags, mirror.state.sync_warning)
        );
    }
}
