//! The slots of a namespace: of its syncs, and of its previews.

use std::time::Duration;

use moorage_domain::{Namespace, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    StateError, Table,
    key::{Key, namespace_pk, slots_prefix},
    runs::slot_kind::SlotKind,
    table::conditional,
};

/// How long a slot that nobody gave up is remembered after its end. It can be taken long before.
const RETENTION: Duration = Duration::from_secs(86_400);

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

/// The first of `count` slots that can be had, and the ticket of whoever had it before.
pub fn free_slot(slots: &[Slot], count: u32, is_held: impl Fn(&Slot) -> bool) -> Option<(u32, Option<Uuid>)> {
    (0..count).find_map(|number| match slots.iter().find(|slot| slot.number == number) {
        None => Some((number, None)),
        Some(slot) if !is_held(slot) => Some((number, Some(slot.ticket))),
        Some(_) => None,
    })
}

impl Table {
    /// The slots of a namespace that somebody has, or had and did not give up.
    pub async fn slots(&self, namespace: &Namespace, kind: SlotKind) -> Result<Vec<Slot>, StateError> {
        self.all(namespace_pk(namespace), &slots_prefix(kind)).await
    }

    /// Takes a slot that nobody has, or that of the ticket `before`; [`StateError::Conflict`] if somebody else was faster.
    pub async fn take_slot(
        &self,
        namespace: &Namespace,
        kind: SlotKind,
        slot: &Slot,
        before: Option<Uuid>,
    ) -> Result<(), StateError> {
        let update = self.set(Key::Slot(namespace, kind, slot.number), serde_dynamo::to_item(slot)?);
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
    use super::*;

    #[test]
    fn the_first_free_slot_is_taken() {
        let slot = |number, until| Slot::new(number, "a/b", Timestamp::from_unix(until));
        let (first, third) = (slot(0, 100), slot(2, 10));
        let slots = [first.clone(), third.clone()];
        let at = |now| move |slot: &Slot| slot.until > Timestamp::from_unix(now);
        assert_eq!(free_slot(&slots, 3, at(50)), Some((1, None)));
        assert_eq!(free_slot(&slots, 1, at(50)), None);
        assert_eq!(free_slot(&slots, 1, at(100)), Some((0, Some(first.ticket))));
        assert_eq!(free_slot(&[first, slot(1, 100), third.clone()], 3, at(50)), Some((2, Some(third.ticket))));
        assert_eq!(free_slot(&[], 0, at(0)), None);
    }
}
