//! A name is not an identity: which of those that bore a name something is, or belongs to.

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{Generation, Namespace};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    StateError, Table,
    key::{Key, SK},
    table::Item,
    transaction::Transaction,
};

/// The only user: whom the stack's first token stands for. Their name is a namespace, too.
pub const ADMIN: &str = "admin";

/// An organization's item, as far as its generation goes.
#[derive(Default, Deserialize)]
pub(crate) struct Present {
    #[serde(default)]
    pub(crate) id: Generation,
    /// Whether somebody is told of what happens to its mirrors.
    #[serde(default)]
    pub(crate) is_notified: bool,
}

impl Table {
    /// Which of those that bore the name a namespace is, also one that is being deleted; nothing if there is none. The
    /// admin's own is always the same one.
    pub async fn generation(&self, namespace: &Namespace) -> Result<Option<Generation>, StateError> {
        Ok(self.present_of(namespace).await?.map(|present| present.id))
    }

    /// The same, with whether somebody is told of what happens to its mirrors.
    pub(crate) async fn present_of(&self, namespace: &Namespace) -> Result<Option<Present>, StateError> {
        if namespace.as_str() == ADMIN {
            return Ok(Some(Present::default()));
        }
        self.get(Key::Organization(namespace)).await
    }

    /// Reads what belongs to a namespace, and which namespace of the name there is at present, in one request.
    pub(crate) async fn get_within<T: DeserializeOwned>(
        &self,
        key: Key<'_>,
        namespace: &Namespace,
    ) -> Result<(Option<T>, Option<Present>), StateError> {
        if namespace.as_str() == ADMIN {
            return Ok((self.get(key).await?, Some(Present::default())));
        }
        let (items, present) = self.items_within(vec![key.attributes()], namespace).await?;
        Ok((items.into_iter().next().map(serde_dynamo::from_item).transpose()?, present))
    }

    /// The same of several items, in no order; those that are not there are left out.
    pub(crate) async fn items_within(
        &self,
        mut keys: Vec<Item>,
        namespace: &Namespace,
    ) -> Result<(Vec<Item>, Option<Present>), StateError> {
        if namespace.as_str() == ADMIN {
            return Ok((self.get_items(keys).await?, Some(Present::default())));
        }
        let organization = Key::Organization(namespace);
        keys.push(organization.attributes());
        let is_it = |item: &Item| item.get(SK).and_then(|sk| sk.as_s().ok()) == Some(&organization.sk());
        let (present, items): (Vec<_>, Vec<_>) = self.get_items(keys).await?.into_iter().partition(is_it);
        Ok((items, present.into_iter().next().map(serde_dynamo::from_item).transpose()?))
    }
}

/// Expects a namespace to be this one still, and not to end. The admin's own always is. It comes last in a transaction: it
/// may add nothing.
pub(crate) fn within(
    transaction: &mut Transaction<'_>,
    namespace: &Namespace,
    generation: Generation,
) -> Result<(), StateError> {
    if namespace.as_str() == ADMIN {
        return Ok(());
    }
    let (condition, values) = is_this(generation)?;
    transaction.check(Key::Organization(namespace), &condition, values)
}

/// That an item is an organization of this generation, and does not end.
pub(crate) fn is_this(generation: Generation) -> Result<(String, Item), StateError> {
    let (id, value) = id_is(generation)?;
    let values = [(":id".to_owned(), value), (":true".to_owned(), AttributeValue::Bool(true))];
    Ok((format!("attribute_exists(#pk) AND {id} AND NOT #is_ending = :true"), Item::from(values)))
}

/// That an item is of this generation: `#id` and `:id`. What was made before generations were recorded has none.
pub(crate) fn id_is(generation: Generation) -> Result<(&'static str, AttributeValue), StateError> {
    let value = serde_dynamo::to_attribute_value(generation)?;
    let is_first = generation == Generation::default();
    Ok((if is_first { "(attribute_not_exists(#id) OR #id = :id)" } else { "#id = :id" }, value))
}
