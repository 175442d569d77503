//! The parts of snapshots: what each tag pointed to.

use std::collections::BTreeSet;

use moorage_domain::{
    Digest, RepositoryName,
    pin::{Pin, PinnedTag},
    run::RunId,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    StateError, Table,
    key::{Key, pinned_prefix, repository_pk},
    table::{Query, item},
};

/// The tags of one item, each with the manifests below it: the longest name of a tag and its digest take some 230 bytes, and a
/// manifest 75, so an item stays below DynamoDB's 400 KB, also if its last tag lists a thousand.
const TAGS_PER_ITEM: usize = 1_000;
/// Parts that are written together: 25 of the longest have some 6 MB, and DynamoDB takes 16.
const TOGETHER: usize = 25;

#[derive(Serialize, Deserialize)]
pub(crate) struct PinnedTagsItem {
    pub(crate) tags: Vec<PinnedTag>,
}

impl Table {
    /// Writes the tags of a snapshot; returns how many parts they have.
    pub(crate) async fn put_snapshot(
        &self,
        repository: &RepositoryName,
        snapshot: Uuid,
        tags: &[PinnedTag],
    ) -> Result<u32, StateError> {
        let (mut number, mut open) = (0_u32, Vec::new());
        for part in parts(tags) {
            let part = PinnedTagsItem { tags: part.to_vec() };
            open.push(item(Key::PinnedTags(repository, snapshot, number), &part)?);
            number = number.saturating_add(1);
            if open.len() == TOGETHER {
                self.put_all(std::mem::take(&mut open)).await?;
            }
        }
        self.put_all(open).await?;
        Ok(number)
    }

    pub(crate) async fn delete_snapshot(&self, repository: &RepositoryName, snapshot: Uuid) -> Result<(), StateError> {
        self.delete_all(&repository_pk(repository), &pinned_prefix(snapshot)).await
    }

    /// Visits what a pin keeps, a page of it in memory. Returns whether it is one still: what was seen then may not be all.
    pub async fn each_pinned_tag(
        &self,
        repository: &RepositoryName,
        pin: &Pin,
        mut visit: impl FnMut(PinnedTag),
    ) -> Result<bool, StateError> {
        let (prefix, mut after, mut parts) = (pinned_prefix(pin.snapshot), None, 0_usize);
        loop {
            let pk = repository_pk(repository);
            let query = Query { pk, prefix: &prefix, newest_first: false, limit: None, after };
            let page = self.page::<PinnedTagsItem>(query).await?;
            parts = parts.saturating_add(page.items.len());
            page.items.into_iter().flat_map(|item| item.tags).for_each(&mut visit);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        if u32::try_from(parts) == Ok(pin.parts) {
            return Ok(true);
        }
        let present: Option<Pin> = self.get(Key::Pin(repository, pin.run_id)).await?;
        if present.is_some_and(|present| present.snapshot == pin.snapshot) {
            // Whoever deletes what nobody needs must not go by this.
            return Err(StateError::Unavailable(format!("parts of the pin of {} are missing", pin.run_id)));
        }
        Ok(false)
    }

    /// Visits the images that a repository's `pins` keep.
    pub async fn each_pinned_digest(
        &self,
        repository: &RepositoryName,
        pins: &BTreeSet<RunId>,
        mut visit: impl FnMut(Digest),
    ) -> Result<(), StateError> {
        for pin in self.pins(repository, pins).await? {
            self.each_pinned_tag(repository, &pin, |pinned| visit(pinned.digest)).await?;
        }
        Ok(())
    }
}

/// Tags that have room in one item each time.
fn parts(tags: &[PinnedTag]) -> impl Iterator<Item = &[PinnedTag]> {
    let mut rest = tags;
    std::iter::from_fn(move || {
        let mut weight = 0_usize;
        let fits = |tag: &&PinnedTag| {
            weight = weight.saturating_add(tag.weight());
            weight <= TAGS_PER_ITEM
        };
        let count = rest.iter().take_while(fits).count().max(1).min(rest.len());
        let (part, others) = rest.split_at(count);
        rest = others;
        (!part.is_empty()).then_some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lists_more_takes_more_room() {
        let tag = |children: usize| PinnedTag {
            tag: "a".repeat(128).parse().unwrap(),
            digest: Digest::sha256(&[]),
            children: vec![Digest::sha256(&[]); children],
        };
        let sizes = |tags: &[PinnedTag]| parts(tags).map(<[_]>::len).collect::<Vec<_>>();
        assert_eq!(sizes(&vec![tag(0); 2_001]), [1_000, 1_000, 1]);
        assert_eq!(sizes(&[tag(0), tag(1_000), tag(998), tag(0), tag(0)]), [1, 1, 2, 1]);
        assert!(sizes(&[]).is_empty());
        for tags in [vec![tag(0); 1_000], vec![tag(1_000)]] {
            let text = serde_json::to_string(&PinnedTagsItem { tags }).unwrap();
            assert!(text.len() < 300_000, "{}", text.len());
        }
    }
}
