//! What keeps the items of a pinned run from expiring.

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{RepositoryName, Timestamp, pin::Pin, run::RunId};
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    StateError, Table,
    clock::{moment, now},
    expression::Change,
    key::{Key, outcomes_prefix, repository_pk},
    pins::of_snapshot,
    runs::run::RUN_RETENTION,
    table::{Item, Query, conditional},
};

/// Items that are written at once.
const IN_FLIGHT: usize = 16;
/// What the table's own cleaning up takes for never.
const NEVER: i64 = i64::MAX;

/// What tells which of a run's outcomes an item has, and of which attempt.
#[derive(Deserialize)]
struct Place {
    sk: String,
}

/// How an item is kept from expiring by a snapshot. There may be others, of those who pin the run at the same time.
pub(crate) fn keep(snapshot: Uuid) -> (&'static str, Item) {
    let mut values = named(snapshot);
    values.insert(":never".to_owned(), moment(Timestamp::from_unix(NEVER)));
    ("SET #expires_at = :never ADD #pinned :snapshots", values)
}

/// `:snapshots`, which are this one.
fn named(snapshot: Uuid) -> Item {
    Item::from([(":snapshots".to_owned(), AttributeValue::Ss(vec![snapshot.to_string()]))])
}

impl Table {
    /// Keeps what a pinned run tells of its tags from expiring, which is in weeks: each of its items is charged as a whole,
    /// and a run of fifty thousand tags has some 12 MB of them.
    pub async fn keep_outcomes(&self, repository: &RepositoryName, pin: &Pin) -> Result<(), StateError> {
        let (update, values) = keep(pin.snapshot);
        let change = Change { update, condition: "attribute_exists(#pk)" };
        self.each_item_of(repository, pin.run_id, change, &values).await?;
        let mut values = of_snapshot(pin.snapshot);
        values.insert(":true".to_owned(), AttributeValue::Bool(true));
        let change = Change { update: "SET #kept = :true", condition: "#snapshot = :snapshot" };
        match conditional(self.change(Key::Pin(repository, pin.run_id), change, values)).await {
            // It was unpinned meanwhile.
            Err(StateError::Conflict) => self.release_outcomes(repository, pin.run_id, pin.snapshot).await,
            result => result,
        }
    }

    /// Has what a snapshot kept of a run expire when it would have, where no other one keeps it.
    pub(crate) async fn release_outcomes(
        &self,
        repository: &RepositoryName,
        run: RunId,
        snapshot: Uuid,
    ) -> Result<(), StateError> {
        // Of a run that is gone nobody sees any outcomes.
        let found = self.run(repository, run).await?;
        let until = found.map_or_else(now, |found| found.started_at.plus(RUN_RETENTION));
        let release = Change { update: "DELETE #pinned :snapshots", condition: "attribute_exists(#pinned)" };
        let update = "SET #expires_at = :expires";
        let expire = Change { update, condition: "attribute_exists(#pk) AND attribute_not_exists(#pinned)" };
        let expires = Item::from([(":expires".to_owned(), moment(until))]);
        for (change, values) in [(release, named(snapshot)), (expire, expires)] {
            self.each_item_of(repository, run, change, &values).await?;
            gone_is_fine(conditional(self.change(Key::Run(repository, run), change, values)).await)?;
        }
        Ok(())
    }

    async fn each_item_of(
        &self,
        repository: &RepositoryName,
        run: RunId,
        change: Change<'_>,
        values: &Item,
    ) -> Result<(), StateError> {
        let (prefix, mut after) = (outcomes_prefix(run), None);
        loop {
            let pk = repository_pk(repository);
            let query = Query { pk, prefix: &prefix, newest_first: false, limit: None, after };
            let page = self.page::<Place>(query).await?;
            let numbers: Vec<_> = page.items.iter().filter_map(|place| place.numbers(&prefix)).collect();
            let one = |(attempt, number): (usize, u32)| async move {
                let key = Key::Outcomes(repository, run, attempt, number);
                gone_is_fine(conditional(self.change(key, change, values.clone())).await)
            };
            stream::iter(numbers).map(one).buffer_unordered(IN_FLIGHT).try_collect::<()>().await?;
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}

impl Place {
    /// The attempt and the number.
    fn numbers(&self, prefix: &str) -> Option<(usize, u32)> {
        let (attempt, number) = self.sk.strip_prefix(prefix)?.split_once('#')?;
        Some((attempt.parse().ok()?, number.parse().ok()?))
    }
}

/// An item that is gone, or that another snapshot keeps, is left alone.
fn gone_is_fine(result: Result<(), StateError>) -> Result<(), StateError> {
    match result {
        Err(StateError::Conflict) => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_of_outcomes_says_where_it_is() {
        let (run, repository) = (RunId(Uuid::nil()), "acme/app".parse().unwrap());
        let sk = Key::Outcomes(&repository, run, 3, 12).sk();
        assert_eq!(Place { sk }.numbers(&outcomes_prefix(run)), Some((3, 12)));
        assert_eq!(Place { sk: "RUN#1".to_owned() }.numbers(&outcomes_prefix(run)), None);
        let (_, values) = keep(Uuid::nil());
        assert_eq!(values[":never"], AttributeValue::N("253402300799".to_owned()), "the last second of the year 9999");
    }
}
