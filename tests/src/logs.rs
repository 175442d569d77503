//! What the functions log, as CloudWatch Logs has it.

use serde_json::{Value, json};

use crate::{http, stack::Stack};

/// The most events that the emulator answers with. It has no pages: what lies behind is asked for by its time.
const PAGE: usize = 10_000;

/// All lines of a function's log that hold `text`.
pub async fn lines(stack: &Stack, function: &str, text: &str) -> Vec<String> {
    let mut lines: Vec<(i64, String)> = Vec::new();
    let mut start = 0;
    loop {
        let request = json!({"logGroupName": format!("/aws/lambda/{function}"), "startTime": start, "limit": PAGE});
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
        let event = |event: &Value| Some((event["timestamp"].as_i64()?, event["message"].as_str()?.to_owned()));
        // Those of the last moment come again.
        lines.retain(|(at, _)| *at < start);
        lines.extend(events.iter().filter_map(event).filter(|(_, message)| message.contains(text)));
        let last = events.last().and_then(|event| event["timestamp"].as_i64()).unwrap_or_default();
        if events.len() < PAGE {
            return lines.into_iter().map(|(_, message)| message).collect();
        }
        assert!(last > start, "more than {PAGE} lines in a moment");
        start = last;
    }
}
