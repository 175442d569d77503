//! What the functions log, as CloudWatch Logs has it.

use serde_json::{Value, json};

use crate::{http, stack::Stack};

/// All lines of a function's log that hold `text`.
pub async fn lines(stack: &Stack, function: &str, text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut request = json!({"logGroupName": format!("/aws/lambda/{function}")});
    loop {
        let answer = http()
            .post(stack.endpoint())
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", "Logs_20140328.FilterLogEvents")
            // The emulator reads who asks, and does not check the signature.
            .header("authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/logs/aws4_request, SignedHeaders=host, Signature=0")
            .body(request.to_string())
            .send()
            .await
            .unwrap();
        let body = answer.text().await.unwrap();
        let page: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"));
        let events = page["events"].as_array().unwrap_or_else(|| panic!("{body}"));
        let messages = events.iter().filter_map(|event| event["message"].as_str());
        lines.extend(messages.filter(|message| message.contains(text)).map(str::to_owned));
        match page["nextToken"].as_str() {
            Some(next) if !events.is_empty() => request["nextToken"] = next.into(),
            _ => return lines,
        }
    }
}
