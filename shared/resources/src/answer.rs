//! What CloudFormation is answered.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/crpg-ref-responses.html>

use serde_json::{Map, Value, json};

use crate::event::Sender;

/// The longest answer that CloudFormation reads, in bytes.
const MAX_ANSWER: usize = 4_096;
/// The longest reason, in bytes: longer ones are cut in the stack's events.
const MAX_REASON: usize = 1_024;

/// What came of a request.
#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    /// It is done.
    Success {
        /// What the resource is called from now on.
        physical_id: String,
        /// What `Fn::GetAtt` gives.
        data: Map<String, Value>,
    },
    /// It is not.
    Failed {
        /// What is to be deleted afterwards, if CloudFormation wants to.
        physical_id: String,
        /// Why; whoever sees the stack reads it.
        reason: String,
    },
}

impl Outcome {
    /// The answer's body.
    pub(crate) fn body(&self, sender: &Sender) -> Vec<u8> {
        let (status, physical_id) = match self {
            Self::Success { physical_id, .. } => ("SUCCESS", physical_id),
            Self::Failed { physical_id, .. } => ("FAILED", physical_id),
        };
        let mut body = json!({
            "Status": status, "PhysicalResourceId": physical_id, "StackId": sender.stack_id,
            "RequestId": sender.request_id, "LogicalResourceId": sender.logical_resource_id,
        });
        match self {
            Self::Success { data, .. } => body["Data"] = Value::Object(data.clone()),
            Self::Failed { reason, .. } => body["Reason"] = cut(reason, MAX_REASON).into(),
        }
        let mut text = body.to_string();
        // What is left over counts as it is written: a character may take six bytes there.
        while text.len() > MAX_ANSWER
            && let Some(reason) = body["Reason"].as_str().filter(|reason| !reason.is_empty())
        {
            body["Reason"] = cut(reason, reason.len() / 2).into();
            text = body.to_string();
        }
        if text.len() > MAX_ANSWER {
            // Attributes are of names that have limits; should they still be too many, the resource is right without them.
            tracing::error!(length = text.len(), "the answer is too long, and goes without attributes");
            body["Data"] = json!({});
            text = body.to_string();
        }
        text.into_bytes()
    }
}

/// The beginning of a text, of at most so many bytes.
fn cut(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender() -> Sender {
        Sender {
            stack_id: "arn:aws:cloudformation:eu-west-1:123456789012:stack/s/1".into(),
            request_id: "r".into(),
            logical_resource_id: "Acme".into(),
            response_url: String::from("https://h").into(),
        }
    }

    fn read(outcome: &Outcome) -> Value {
        serde_json::from_slice(&outcome.body(&sender())).unwrap()
    }

    #[test]
    fn answers_are_cloudformations() {
        let data = Map::from_iter([("name".to_owned(), json!("acme"))]);
        let success = read(&Outcome::Success { physical_id: "moorage/acme/organization".into(), data });
        let stack = sender().stack_id;
        let expected = json!({
            "Status": "SUCCESS", "PhysicalResourceId": "moorage/acme/organization", "StackId": stack, "RequestId": "r",
            "LogicalResourceId": "Acme", "Data": {"name": "acme"},
        });
        assert_eq!(success, expected);
        let failed = read(&Outcome::Failed { physical_id: "p".into(), reason: "no".into() });
        assert_eq!((&failed["Status"], &failed["Reason"]), (&json!("FAILED"), &json!("no")));
        assert_eq!(failed.get("Data"), None);
    }

    #[test]
    fn long_reasons_are_cut_where_characters_end() {
        for reason in ["é".repeat(5_000), "\u{1}".repeat(5_000), "\"".repeat(5_000)] {
            let outcome = Outcome::Failed { physical_id: "p".repeat(1_000), reason: reason.clone() };
            let body = outcome.body(&sender());
            assert!(body.len() <= MAX_ANSWER, "{}", body.len());
            let read: Value = serde_json::from_slice(&body).unwrap();
            let cut = read["Reason"].as_str().unwrap();
            assert!(!cut.is_empty() && cut.len() <= MAX_REASON && reason.starts_with(cut));
        }
    }

    #[test]
    fn attributes_that_are_too_long_fail_nothing() {
        let data = Map::from_iter([("name".to_owned(), json!("x".repeat(5_000)))]);
        let answer = read(&Outcome::Success { physical_id: "p".into(), data });
        assert_eq!((&answer["Status"], &answer["Data"]), (&json!("SUCCESS"), &json!({})));
    }
}
