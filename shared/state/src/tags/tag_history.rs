//! What tags pointed to before they were moved or deleted. It is written with the tag itself, so that nobody forgets it.

use moorage_domain::{Digest, PastTag, RepositoryName, TagName, Timestamp, plan::HeldTag};
use serde::{Deserialize, Serialize};

use crate::{
    StateError, Table,
    key::{Key, prefix, repository_pk},
    table::Query,
    transaction::Transaction,
};

/// How many entries are read for somebody for whom not all may be.
const FEW: i32 = 1_000;
/// Entries that are read at once.
const PAGE: i32 = 1_000;

#[derive(Serialize, Deserialize)]
pub(crate) struct PastTagItem {
    #[serde(flatten)]
    past: PastTag,
    expires_at: Timestamp,
}

impl Table {
    /// Records that a tag was `held` until `end`, with what ends it.
    pub(crate) fn end_tag(
        &self,
        transaction: &mut Transaction<'_>,
        repository: &RepositoryName,
        tag: &TagName,
        held: &HeldTag,
        end: Timestamp,
    ) -> Result<(), StateError> {
        let past = PastTag::ended(tag, held, end);
        let item = PastTagItem { past, expires_at: end.plus(self.tag_retention) };
        transaction.put(Key::PastTag(repository, tag, held.first_seen), &item)
    }

    /// Whether what tags were at a moment is remembered.
    pub fn remembers(&self, moment: Timestamp, now: Timestamp) -> bool {
        moment.plus(self.tag_retention) > now
    }

    /// The past of all tags, if there are at most [`FEW`] entries.
    pub async fn few_past_tags(
        &self,
        repository: &RepositoryName,
        now: Timestamp,
    ) -> Result<Option<Vec<PastTag>>, StateError> {
        let pk = repository_pk(repository);
        let query = Query { pk, prefix: prefix::PAST_TAG, newest_first: true, limit: Some(FEW + 1), after: None };
        let page = self.page::<PastTagItem>(query).await?;
        let is_all = page.next.is_none() && i32::try_from(page.items.len()).is_ok_and(|count| count <= FEW);
        let current = page.items.into_iter().filter(|item| item.expires_at > now);
        Ok(is_all.then(|| current.map(|item| item.past).collect()))
    }

    /// Visits what tags were, all of it, page by page: the digests of what they pointed to.
    pub async fn each_past_digest(
        &self,
        repository: &RepositoryName,
        now: Timestamp,
        mut visit: impl FnMut(Digest),
    ) -> Result<(), StateError> {
        let mut after = None;
        loop {
            let (pk, prefix) = (repository_pk(repository), prefix::PAST_TAG);
            let page =
                self.page::<PastTagItem>(Query { pk, prefix, newest_first: true, limit: Some(PAGE), after }).await?;
            let current = page.items.into_iter().filter(|item| item.expires_at > now);
            current.for_each(|item| visit(item.past.digest));
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// The past of the tags that `wanted` picks, the latest beginning first: at most `most` entries.
    pub async fn past_tags(
        &self,
        repository: &RepositoryName,
        most: usize,
        now: Timestamp,
        wanted: impl Fn(&PastTag) -> bool,
    ) -> Result<Vec<PastTag>, StateError> {
        let (mut past, mut after) = (Vec::new(), None);
        loop {
            let query = Query {
                pk: repository_pk(repository),
                prefix: prefix::PAST_TAG,
                newest_first: true,
                limit: Some(PAGE),
                after,
            };
            let page = self.page::<PastTagItem>(query).await?;
            let current = page.items.into_iter().filter(|item| item.expires_at > now);
            past.extend(current.map(|item| item.past).filter(|past| wanted(past)));
            after = page.next;
            if after.is_none() || past.len() >= most {
                past.truncate(most);
                return Ok(past);
            }
        }
    }
}
