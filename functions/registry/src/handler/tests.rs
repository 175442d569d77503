//! Requests as API Gateway and an Application Load Balancer send them. None of them needs AWS.

use lambda_http::request::from_str;
use moorage_runtime::Environment;
use serde_json::{Value, json};

use super::*;
use crate::config::Config;

fn registry() -> Registry {
    let variables = ["TABLE", "BUCKET", "TOKEN_KEY_SECRET_ARN", "ADMIN_TOKEN_SECRET_ARN"].map(|name| (name, "x"));
    let variables = variables.into_iter().chain([("AWS_REGION", "eu-central-1")]);
    let environment: Environment = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Config::read(&environment).unwrap().registry()
}

/// An HTTP API's event, payload version 2.0.
fn api_gateway(method: &str, path: &str) -> Value {
    let http =
        json!({"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "t"});
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "headers": {"host": "h"},
        "requestContext": {
            "accountId": "1", "apiId": "a", "domainName": "registry.example", "domainPrefix": "registry", "http": http,
            "requestId": "id", "routeKey": "$default", "stage": "$default", "time": "", "timeEpoch": 0,
        },
        "isBase64Encoded": false,
    })
}

/// A load balancer's event, with headers of one value.
fn load_balancer(method: &str, path: &str) -> Value {
    json!({
        "requestContext": {"elb": {"targetGroupArn": "arn"}}, "httpMethod": method, "path": path,
        "queryStringParameters": {}, "headers": {"host": "h"}, "body": "", "isBase64Encoded": false,
    })
}

#[tokio::test]
async fn both_front_doors_lead_to_the_registry() {
    let registry = registry();
    for (event, realm) in
        [(api_gateway("GET", "/v2/"), "https://registry.example/v2/token"), (load_balancer("GET", "/v2/"), "/v2/token")]
    {
        let Ok(answer) = handle(&registry, from_str(&event.to_string()).unwrap()).await;
        assert_eq!(answer.status(), 401);
        let challenge = answer.headers()["www-authenticate"].to_str().unwrap();
        assert!(challenge.starts_with(&format!(r#"Bearer realm="{realm}""#)), "{challenge}");
        let Body::Text(body) = answer.body() else { panic!("{:?}", answer.body()) };
        assert_eq!(serde_json::from_str::<Value>(body).unwrap()["errors"][0]["code"], "UNAUTHORIZED");
    }
    for event in [api_gateway("GET", "/nothing"), load_balancer("GET", "/nothing")] {
        let Ok(answer) = handle(&registry, from_str(&event.to_string()).unwrap()).await;
        assert_eq!(answer.status(), 404);
    }
}
