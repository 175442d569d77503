//! The registry's function without anything before it.

use aws_sdk_lambda::{
    primitives::Blob,
    types::{InvocationType, LogType},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::stack::Stack;

/// A `GET` as API Gateway hands it to a function.
pub fn gateway_event(path: &str, query: &str, authorization: &str) -> Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query,
        "headers": {"host": "localhost", "authorization": authorization, "x-forwarded-proto": "https"},
        "requestContext": {
            "accountId": "000000000000", "apiId": "x", "domainName": "localhost", "domainPrefix": "x", "requestId": "x",
            "routeKey": "$default", "stage": "$default", "time": "25/Nov/2026:00:00:00 +0000", "timeEpoch": 1,
            "http": {"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "test"},
        },
        "isBase64Encoded": false,
    })
}

/// A request as an Application Load Balancer hands it to a function.
pub fn balancer_event(method: &str, path: &str, query: &[(&str, &str)], authorization: &str) -> Value {
    let query: serde_json::Map<_, _> = query.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    json!({
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:0:targetgroup/x/0"}},
        "httpMethod": method, "path": path, "queryStringParameters": query,
        "headers": {"host": "localhost", "authorization": authorization, "x-forwarded-proto": "https"},
        "body": "", "isBase64Encoded": false,
    })
}

/// Hands an event to the registry's function; returns its answer and what it wrote to its log.
pub async fn invoke(stack: &Stack, event: &Value) -> (Value, String) {
    let invoke = aws_sdk_lambda::Client::new(&stack.aws).invoke().function_name(&stack.registry_function);
    let invoke = invoke.invocation_type(InvocationType::RequestResponse).log_type(LogType::Tail);
    let answer = invoke.payload(Blob::new(event.to_string())).send().await.unwrap();
    let log = STANDARD.decode(answer.log_result.expect("the end of the log")).unwrap();
    (serde_json::from_slice(answer.payload.unwrap().as_ref()).unwrap(), String::from_utf8(log).unwrap())
}
