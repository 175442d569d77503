//! The slots of a namespace: of its syncs, and of its previews.

use std::time::Duration;

use moorage_domain::{Namespace, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    StateError, Table,
    clock::now,
    key::{Key, namespace_pk, slots_prefix},
    runs::slot_kind::SlotKind,
    table::conditional,
};

/// How long a slot that nobody gave up is remembered after its end. It can be taken long before.
const RETENTION: Duration = Duration::from_secs(86_400);
/// How often a slot is tried for that somebody else was faster to take.
const TRIES: u32 = 8;

/// One of a namespace's slots that somebody has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// Which one, from 0.
    pub number: u32,
    /// Who has it.
    pub holder: String,
    /// Whoever knows it may give the slot up, or take it over.
    pub ticket: Uuid,
    /// Until when nobody else may take it.
    pub until: Timestamp,
    expires_at: Timestamp,
}

impl Slot {
    /// The slot `number` for `holder`, until a moment.
    pub fn new(number: u32, holder: impl Into<String>, until: Timestamp) -> Self {
        Self { number, holder: holder.into(), ticket: Uuid::new_v4(), until, expires_at: until.plus(RETENTION) }
    }
}

/// A slot that can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreeSlot {
    /// Which one.
    pub number: u32,
    /// The ticket of whoever had it before.
    pub before: Option<Uuid>,
}

/// The first of `count` slots that can be had.
pub fn free_slot(slots: &[Slot], count: u32, is_held: impl Fn(&Slot) -> bool) -> Option<FreeSlot> {
    (0..count).find_map(|number| match slots.iter().find(|slot| slot.number == number) {
        None => Some(FreeSlot { number, before: None }),
        Some(slot) if !is_held(slot) => Some(FreeSlot { number, before: Some(slot.ticket) }),
        Some(_) => None,
    })
}

/// The slots of one kind that a namespace has.
#[derive(Debug, Clone, Copy)]
pub struct SlotsOf<'a> {
    /// The namespace.
    pub namespace: &'a Namespace,
    /// What they are for.
    pub kind: SlotKind,
    /// How many there are; 0 where there is no limit.
    pub count: u32,
}

/// What came of asking for a slot.
#[derive(Debug)]
pub enum Vacancy<S = Slot> {
    /// This one.
    Slot(S),
    /// None is needed.
    NotNeeded,
    /// All are taken.
    None,
}

impl Table {
    /// Takes the slot that `choose` finds among those that somebody has, for `holder` and for so long. If somebody else is
    /// faster, it is asked again, up to [`TRIES`] times; then there is none. Where there is no limit none is needed.
    pub async fn take_slot<Choice>(
        &self,
        of: SlotsOf<'_>,
        holder: &str,
        duration: Duration,
        choose: impl Fn(Vec<Slot>) -> Choice,
    ) -> Result<Vacancy, StateError>
    where
        Choice: Future<Output = Result<Vacancy<FreeSlot>, StateError>>,
    {
        if of.count == 0 {
            return Ok(Vacancy::NotNeeded);
        }
        for _ in 0..TRIES {
            let FreeSlot { number, before } = match choose(self.slots(of).await?).await? {
                Vacancy::Slot(free) => free,
                Vacancy::NotNeeded => return Ok(Vacancy::NotNeeded),
                Vacancy::None => break,
            };
            let slot = Slot::new(number, holder, now().plus(duration));
            match self.put_slot(of, &slot, before).await {
                Ok(()) => return Ok(Vacancy::Slot(slot)),
                Err(StateError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Vacancy::None)
    }

    /// The slots that somebody has, or had and did not give up.
    async fn slots(&self, of: SlotsOf<'_>) -> Result<Vec<Slot>, StateError> {
        self.all(namespace_pk(of.namespace), &slots_prefix(of.kind)).await
    }

    /// Takes a slot that nobody has, or that of the ticket `before`; [`StateError::Conflict`] if somebody else was faster.
    async fn put_slot(&self, of: SlotsOf<'_>, slot: &Slot, before: Option<Uuid>) -> Result<(), StateError> {
        let update = self.set(Key::Slot(of.namespace, of.kind, slot.number), serde_dynamo::to_item(slot)?);
        let update = match before {
            None => update.condition_expression("attribute_not_exists(#ticket)"),
            Some(before) => {
                let before = serde_dynamo::to_attribute_value(before)?;
                update.condition_expression("#ticket = :before").expression_attribute_values(":before", before)
            }
        };
        conditional(update).await
    }

    /// Gives a slot up, unless somebody else has taken it over.
    pub async fn leave_slot(&self, namespace: &Namespace, kind: SlotKind, slot: &Slot) -> Result<(), StateError> {
        let ticket = serde_dynamo::to_attribute_value(slot.ticket)?;
        let key = Key::Slot(namespace, kind, slot.number);
        match self.delete_if(key, "ticket = :ticket", (":ticket", ticket)).await {
            Err(StateError::Conflict) => Ok(()),
            result => result,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use aws_sdk_dynamodb::{
        Client,
        config::retry::RetryConfig,
        operation::{query::QueryOutput, update_item::UpdateItemOutput},
        types::AttributeValue,
    };
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};

    use super::*;

    #[test]
    fn the_first_free_slot_is_taken() {
        let slot = |number, until| Slot::new(number, "a/b", Timestamp::from_unix(until));
        let (first, third) = (slot(0, 100), slot(2, 10));
        let slots = [first.clone(), third.clone()];
        let at = |now| move |slot: &Slot| slot.until > Timestamp::from_unix(now);
        let free = |number, before| Some(FreeSlot { number, before });
        assert_eq!(free_slot(&slots, 3, at(50)), free(1, None));
        assert_eq!(free_slot(&slots, 1, at(50)), None);
        assert_eq!(free_slot(&slots, 1, at(100)), free(0, Some(first.ticket)));
        assert_eq!(free_slot(&[first, slot(1, 100), third.clone()], 3, at(50)), free(2, Some(third.ticket)));
        assert_eq!(free_slot(&[], 0, at(0)), None);
    }
    fn table(rules: &[&Rule]) -> Table {
        let client = mock_client!(aws_sdk_dynamodb, RuleMode::Sequential, rules, |config| {
            config.retry_config(RetryConfig::disabled())
        });
        Table::new(client, "table")
    }

    fn held(slots: &[Slot]) -> Rule {
        let items: Vec<_> = slots.iter().map(|slot| serde_dynamo::to_item(slot).unwrap()).collect();
        mock!(Client::query).then_output(move || QueryOutput::builder().set_items(Some(items.clone())).build())
    }

    /// The table's answers to writing a slot of this number: that somebody else was faster, or that it is taken.
    fn put(number: u32, is_faster: bool) -> Rule {
        let written = mock!(Client::update_item).match_requests(move |request| {
            request.expression_attribute_values().unwrap()[":number"] == AttributeValue::N(number.to_string())
        });
        if is_faster {
            let body = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}"#;
            written.sequence().http_status(400, Some(body.into())).build()
        } else {
            written.then_output(|| UpdateItemOutput::builder().build())
        }
    }

    async fn take(table: &Table, count: u32) -> Vacancy {
        let of = SlotsOf { namespace: &"acme".parse().unwrap(), kind: SlotKind::Previews, count };
        let choose = |slots: Vec<Slot>| {
            let free = free_slot(&slots, count, |slot| slot.until > now());
            ready(Ok(free.map_or(Vacancy::None, Vacancy::Slot)))
        };
        table.take_slot(of, "", Duration::from_secs(30), choose).await.unwrap()
    }

    #[tokio::test]
    async fn whoever_was_slower_takes_another_slot() {
        let other = Slot::new(0, "", now().plus(Duration::from_secs(30)));
        let rules = [held(&[]), put(0, true), held(std::slice::from_ref(&other)), put(1, false)];
        let taken = take(&table(&rules.each_ref()), 2).await;
        assert!(matches!(taken, Vacancy::Slot(Slot { number: 1, .. })), "{taken:?}");
        assert!(matches!(take(&table(&[&held(&[other])]), 1).await, Vacancy::None));
        assert!(matches!(take(&table(&[]), 0).await, Vacancy::NotNeeded), "the table is not asked");
    }

    #[tokio::test]
    async fn a_slot_that_others_always_take_first_is_given_up() {
        let rules: Vec<_> = (0..TRIES).flat_map(|_| [held(&[]), put(0, true)]).collect();
        let taken = take(&table(&rules.iter().collect::<Vec<_>>()), 1).await;
        assert!(matches!(taken, Vacancy::None), "{taken:?}");
        assert!(rules.iter().all(|rule| rule.num_calls() == 1));
    }
}
