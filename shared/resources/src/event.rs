//! What CloudFormation invokes the function with.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/crpg-ref-requests.html>

use moorage_domain::SecretString;
use moorage_state::StackResource;
use serde::Deserialize;
use serde_json::{Map, Value};

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum RequestType {
    Create,
    Update,
    Delete,
}

/// A request of a stack.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Event {
    pub(crate) request_type: RequestType,
    pub(crate) resource_type: String,
    /// What an earlier request has answered; none in the first one.
    #[serde(default)]
    pub(crate) physical_resource_id: Option<String>,
    #[serde(default)]
    pub(crate) resource_properties: Map<String, Value>,
    /// As they were, if they are changed.
    #[serde(default)]
    pub(crate) old_resource_properties: Map<String, Value>,
}

/// Whose request it is, and where it is answered. That is read by itself: a request that is not understood is answered, too.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Sender {
    pub(crate) stack_id: String,
    pub(crate) request_id: String,
    pub(crate) logical_resource_id: String,
    /// It is signed: whoever has it may answer in our place.
    #[serde(rename = "ResponseURL")]
    pub(crate) response_url: SecretString,
}

impl Sender {
    /// The resource that asks, as the table knows it.
    pub(crate) fn resource(&self) -> StackResource {
        StackResource { stack_id: self.stack_id.clone(), logical_id: self.logical_resource_id.clone(), uuid: None }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn requests_are_read_as_cloudformation_sends_them() {
        let sent = json!({
            "RequestType": "Update", "RequestId": "r", "StackId": "s", "LogicalResourceId": "Acme",
            "ResponseURL": "https://bucket.example.com/x?Signature=s", "ResourceType": "Custom::MoorageOrganization",
            "PhysicalResourceId": "moorage/acme/organization", "ResourceProperties": {"ServiceToken": "t", "name": "acme"},
            "OldResourceProperties": {"name": "old"}, "ServiceToken": "t",
        });
        let event: Event = serde_json::from_value(sent.clone()).unwrap();
        assert_eq!(
            (event.request_type, event.resource_type.as_str()),
            (RequestType::Update, "Custom::MoorageOrganization")
        );
        assert_eq!(event.physical_resource_id.as_deref(), Some("moorage/acme/organization"));
        assert_eq!(
            (&event.resource_properties["name"], &event.old_resource_properties["name"]),
            (&json!("acme"), &json!("old"))
        );
        let sender: Sender = serde_json::from_value(sent).unwrap();
        assert_eq!((sender.request_id.as_str(), sender.resource().logical_id.as_str()), ("r", "Acme"));
        let unreadable = json!({"RequestType": "Else", "RequestId": "r", "StackId": "s", "LogicalResourceId": "A", "ResponseURL": "u"});
        assert!(serde_json::from_value::<Event>(unreadable.clone()).is_err());
        assert!(serde_json::from_value::<Sender>(unreadable).is_ok(), "it can be answered all the same");
    }
}
