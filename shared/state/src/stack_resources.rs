//! Which stack of CloudFormation has made what: whoever finds something that was there before needs to know whether an earlier
//! try of the same stack has left it, and whoever deletes a stack, whether it is still that stack's.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{StateError, Table, key::Key};

/// The resource of a stack that something is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackResource {
    /// The stack's ARN, which no later stack has.
    pub stack_id: String,
    /// The resource's name in the stack's template.
    pub logical_id: String,
    /// The API's own name of it, where that is not what the physical id is made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<Uuid>,
}

impl StackResource {
    /// Whether both are the same resource of the same stack.
    pub fn is_of(&self, other: &Self) -> bool {
        (&self.stack_id, &self.logical_id) == (&other.stack_id, &other.logical_id)
    }
}

impl Table {
    /// Whose something is, by its physical id; nobody's if no stack has made it.
    pub async fn stack_resource(&self, physical_id: &str) -> Result<Option<StackResource>, StateError> {
        self.get(Key::StackResource(physical_id)).await
    }

    /// Makes it this resource's, whosever it was.
    pub async fn put_stack_resource(&self, physical_id: &str, resource: &StackResource) -> Result<(), StateError> {
        self.put(Key::StackResource(physical_id), resource).await
    }

    /// Makes it nobody's. It is no error if it was not anybody's.
    pub async fn forget_stack_resource(&self, physical_id: &str) -> Result<(), StateError> {
        match self.delete(Key::StackResource(physical_id)).await {
            Err(StateError::NotFound) => Ok(()),
            result => result,
        }
    }
}
