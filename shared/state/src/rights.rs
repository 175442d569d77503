//! Whether the table may be read and written, by an item that there is not.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::{
    StateError, Table,
    error::failed,
    key::{PK, SK},
    table::{Item, settle_delete},
};

/// The key of no item: no namespace is called so.
const NOTHING: [(&str, &str); 2] = [(PK, "NS#-"), (SK, "NOTHING")];

impl Table {
    /// Whether items may be read.
    pub async fn try_reading(&self) -> Result<(), StateError> {
        let get = self.client.get_item().table_name(&self.name).set_key(Some(nothing()));
        get.send().await.map(|_| ()).map_err(failed)
    }

    /// Whether items may be written: the one that would be removed has to be there, and is not.
    pub async fn try_writing(&self) -> Result<(), StateError> {
        let delete = self.client.delete_item().table_name(&self.name).set_key(Some(nothing()));
        let delete = delete.condition_expression("attribute_exists(#pk)").expression_attribute_names("#pk", PK);
        match settle_delete(delete).await {
            Err(StateError::Conflict) => Ok(()),
            result => result,
        }
    }
}

fn nothing() -> Item {
    NOTHING.into_iter().map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned()))).collect()
}
