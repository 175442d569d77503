//! Schedules follow the configurations of their mirrors, whoever changes these meanwhile.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::Timetable;
use serde::de::DeserializeOwned;

use crate::{
    Race, StateError, Table,
    key::Key,
    mirrors::{mirror::Mirror, organization_mirror::OrganizationMirror},
    table::conditional,
};

/// An item that has a schedule.
trait Scheduled: DeserializeOwned {
    fn key(&self) -> Key<'_>;
    fn timetable(&self) -> Timetable;
    fn config_revision(&self) -> u64;
    /// Whether it is on its way out, so that nobody needs its schedule.
    fn is_deleted(&self) -> bool;
}

impl Scheduled for Mirror {
    fn key(&self) -> Key<'_> {
        Key::Mirror(&self.config.repository)
    }

    fn timetable(&self) -> Timetable {
        Mirror::timetable(self)
    }

    fn config_revision(&self) -> u64 {
        self.config_revision
    }

    fn is_deleted(&self) -> bool {
        false
    }
}

impl Scheduled for OrganizationMirror {
    fn key(&self) -> Key<'_> {
        Key::OrganizationMirror(&self.config.organization)
    }

    fn timetable(&self) -> Timetable {
        OrganizationMirror::timetable(self)
    }

    fn config_revision(&self) -> u64 {
        self.config_revision
    }

    fn is_deleted(&self) -> bool {
        self.is_deleted
    }
}

impl Table {
    /// Has `make` make a mirror's schedule from its timetable, and records which revision that was. Where somebody has
    /// changed the configuration meanwhile, `make` is called again with the present one: whoever comes last must not be the
    /// one who knows the older one. It ends when the schedule is made from what is stored, or there is no mirror.
    ///
    /// If this fails, the mirror has a wrong schedule or none, until the next change or reconciliation.
    /// [`StateError::Conflict`] if others change it for as long as a [`Race`] goes on.
    pub async fn follow_mirror<E, M, F, Made>(&self, mirror: &Mirror, make: F) -> Result<(), E>
    where
        E: From<StateError> + From<M>,
        F: Fn(Timetable) -> Made,
        Made: Future<Output = Result<(), M>>,
    {
        self.follow(mirror, make).await
    }

    /// As [`Self::follow_mirror`], for an organization's mirror.
    pub async fn follow_organization_mirror<E, M, F, Made>(&self, mirror: &OrganizationMirror, make: F) -> Result<(), E>
    where
        E: From<StateError> + From<M>,
        F: Fn(Timetable) -> Made,
        Made: Future<Output = Result<(), M>>,
    {
        self.follow(mirror, make).await
    }

    async fn follow<T, E, M, F, Made>(&self, mirror: &T, make: F) -> Result<(), E>
    where
        T: Scheduled,
        E: From<StateError> + From<M>,
        F: Fn(Timetable) -> Made,
        Made: Future<Output = Result<(), M>>,
    {
        let (mut found, mut race) = (None, Race::begin());
        loop {
            let current = found.as_ref().unwrap_or(mirror);
            make(current.timetable()).await?;
            if self.is_scheduled(current.key(), current.config_revision()).await? {
                return Ok(());
            }
            race.lost().await?;
            let next: Option<T> = self.get(current.key()).await?;
            found = next.filter(|next| !next.is_deleted());
            if found.is_none() {
                return Ok(());
            }
        }
    }

    /// Records that a schedule was made from `revision` of the configuration. If there is a later one by now, or nothing,
    /// nothing is recorded, and the answer is no.
    async fn is_scheduled(&self, key: Key<'_>, revision: u64) -> Result<bool, StateError> {
        let revision = AttributeValue::N(revision.to_string());
        let update = self.set(key, HashMap::from([("scheduled_revision".into(), revision)]));
        let update = update.condition_expression("#config_revision = :scheduled_revision");
        match conditional(update.expression_attribute_names("#config_revision", "config_revision")).await {
            Ok(()) => Ok(true),
            Err(StateError::Conflict) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use aws_sdk_dynamodb::{
        Client,
        operation::{get_item::GetItemOutput, update_item::UpdateItemOutput},
    };
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};

    use super::*;
    use crate::{golden::read, table::Item};

    /// The golden item of a kind at a revision, which its interval tells, and whether its mirror is on its way out.
    fn at(kind: &str, revision: u64, is_deleted: bool) -> Item {
        let mut item = read(kind);
        for name in ["config_revision", "sync_interval"] {
            item.insert(name.into(), AttributeValue::N(revision.to_string()));
        }
        item.insert("is_deleted".into(), AttributeValue::Bool(is_deleted));
        item
    }

    fn refused() -> Rule {
        let body = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}"#;
        mock!(Client::update_item).sequence().http_status(400, Some(body.into())).build()
    }

    fn found(item: Option<Item>) -> Rule {
        mock!(Client::get_item).then_output(move || GetItemOutput::builder().set_item(item.clone()).build())
    }

    fn written() -> Rule {
        mock!(Client::update_item)
            .match_requests(|request| {
                let values = request.expression_attribute_values().unwrap();
                values[":scheduled_revision"] == AttributeValue::N("8".into())
            })
            .then_output(|| UpdateItemOutput::builder().build())
    }

    fn table(rules: &[&Rule]) -> Table {
        Table::new(mock_client!(aws_sdk_dynamodb, RuleMode::Sequential, rules), "table")
    }

    #[tokio::test]
    async fn a_schedule_is_made_until_it_is_of_the_present_configuration() {
        let (refused, found, written) = (refused(), found(Some(at("Mirror", 8, false))), written());
        let (table, calls) = (table(&[&refused, &found, &written]), Mutex::new(Vec::new()));
        let make = |timetable: Timetable| {
            calls.lock().unwrap().push(timetable.sync_interval);
            async { Ok::<_, StateError>(()) }
        };
        let mirror = serde_dynamo::from_item(at("Mirror", 7, false)).unwrap();
        table.follow_mirror::<StateError, _, _, _>(&mirror, make).await.unwrap();
        assert_eq!(*calls.lock().unwrap(), [7, 8]);
        assert_eq!(written.num_calls(), 1);
    }

    #[tokio::test]
    async fn the_schedule_of_what_is_gone_is_made_no_more() {
        for left in [None, Some(at("OrganizationMirror", 8, true))] {
            let (refused, found) = (refused(), found(left));
            let (table, calls) = (table(&[&refused, &found]), Mutex::new(0));
            let make = |_: Timetable| {
                *calls.lock().unwrap() += 1;
                async { Ok::<_, StateError>(()) }
            };
            let mirror = serde_dynamo::from_item(at("OrganizationMirror", 7, false)).unwrap();
            table.follow_organization_mirror::<StateError, _, _, _>(&mirror, make).await.unwrap();
            assert_eq!(*calls.lock().unwrap(), 1);
        }
    }

    #[tokio::test]
    async fn nothing_is_recorded_of_a_schedule_that_was_not_made() {
        let (table, mirror) = (table(&[]), serde_dynamo::from_item(at("Mirror", 7, false)).unwrap());
        let failed: Result<(), StateError> = table.follow_mirror(&mirror, |_| async { Err(StateError::Locked) }).await;
        assert!(matches!(failed, Err(StateError::Locked)));
    }
}
