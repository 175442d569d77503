//! What holds for every answer, against an AWS of our own.

mod aws;
mod people;

use std::time::Duration;

use ::http::header::AUTHORIZATION;
use moorage_domain::{CloudRules, Guard};
use moorage_identity::Issuers;
use moorage_runtime::StackSecret;
use moorage_schedule::{Invoker, Scheduler, SchedulerSettings};
use moorage_state::{SecretBox, Table};
use serde_json::json;

use super::*;
use crate::{access::admin_token::AdminToken, api::ApiShares, request::tests::aws::Aws};

fn api(aws: &Aws) -> Api {
    let aws = &aws.config();
    let settings = SchedulerSettings {
        group: String::new(),
        role_arn: String::new(),
        target_arn: String::new(),
        dead_letter_arn: String::new(),
    };
    Api {
        table: Table::new(aws_sdk_dynamodb::Client::new(aws), "table"),
        secrets: SecretBox::new(aws_sdk_kms::Client::new(aws), "key"),
        invoker: Invoker::new(aws_sdk_lambda::Client::new(aws), "sync"),
        teller: Invoker::new(aws_sdk_lambda::Client::new(aws), "events"),
        scheduler: Scheduler::new(aws_sdk_scheduler::Client::new(aws), settings),
        admin_token: AdminToken::new(aws_sdk_secretsmanager::Client::new(aws), "token".to_owned()),
        token_key: StackSecret::new(aws_sdk_secretsmanager::Client::new(aws), "key".to_owned()),
        issuers: Issuers::new(Guard::default()),
        provider: None,
        bound_teams: crate::BoundTeams::default(),
        public_url: String::new(),
        guard: Guard::default(),
        clouds: CloudRules::default(),
        shares: ApiShares::default(),
        late_intervals: 3,
        has_alarms: None,
        tag_retention: Duration::ZERO,
    }
}

/// The context of a request to `path`.
fn to(path: &str) -> RequestContext {
    RequestContext { path: path.to_owned(), ..RequestContext::default() }
}

/// What every answer must say, whatever else it says.
fn check(what: &str, answer: &Response<Vec<u8>>) {
    let header = |name: &str| answer.headers().get(name).map_or("", |value| value.to_str().unwrap());
    assert_eq!(header("x-content-type-options"), "nosniff", "{what}");
    assert!(header("strict-transport-security").starts_with("max-age=63072000"), "{what}");
    assert!(header("cache-control").contains("no-store"), "{what}");
}

#[tokio::test]
async fn every_answer_has_the_headers_that_protect_it() {
    let api = api(&Aws::default());
    let ask = async |method: &str, path: &str, token: Option<&str>, body: &str| {
        let mut request = Request::new(body.as_bytes().to_vec());
        *request.method_mut() = method.parse().unwrap();
        if let Some(token) = token {
            request.headers_mut().insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        }
        let answer = answer(&api, &to(path), request).await;
        check(&format!("{method} {path} {}", answer.status()), &answer);
        answer.status().as_u16()
    };
    let mut statuses = std::collections::BTreeSet::new();
    for endpoint in ENDPOINTS.iter() {
        let path = format!("/api/v1/{}", endpoint.path.replace("{repository}", "a/b").replace(['{', '}'], ""));
        let large = " ".repeat(MAX_BODY + 1);
        for (token, body) in [(None, ""), (Some("wrong"), "{}"), (Some("secret"), ""), (Some("secret"), &large)] {
            statuses.insert(ask(endpoint.method, &path, token, body).await);
        }
    }
    for path in ["/", "/api/v1/nothing", "/api/v1/repository/a/b/mirror/%00\"\\"] {
        statuses.insert(ask("PATCH", path, Some("secret"), "").await);
    }
    statuses.insert(ask("PATCH", "/api/v1/user/", Some("secret"), "").await);
    for status in [200, 400, 401, 404, 405, 413] {
        assert!(statuses.contains(&status), "{status} was among {statuses:?}");
    }
}

#[tokio::test]
async fn a_panic_is_an_answer_of_ours() {
    let panicking = async { panic!("told to nobody") };
    let answer = settled(panicking).await.unwrap_or_else(|error| error.answer("")).into_response();
    check("a panic", &answer);
    assert_eq!(
        (answer.status().as_u16(), String::from_utf8_lossy(answer.body()).contains("told to nobody")),
        (500, false)
    );
    let unsendable = Answer::NotAllowed("GET\n".into(), json!({})).into_response();
    check("an answer that cannot be sent", &unsendable);
    assert_eq!(unsendable.status(), 500);
}

#[tokio::test]
async fn a_warm_look_at_a_mirror_is_one_read_of_the_table() {
    let aws = Aws::default();
    let api = api(&aws);
    let look = async || {
        let mut request = Request::new(Vec::new());
        request.headers_mut().insert(AUTHORIZATION, "Bearer secret".parse().unwrap());
        let answer = answer(&api, &to("/api/v1/repository/a/b/mirror"), request).await;
        assert_eq!(answer.status(), 200, "{:?}", answer.body());
        aws.take_asked()
    };
    assert_eq!(look().await, ["secretsmanager.GetSecretValue", "DynamoDB_20120810.GetItem"]);
    assert_eq!(look().await, ["DynamoDB_20120810.GetItem"]);
}

#[tokio::test]
async fn a_missing_right_is_told_by_its_code_and_is_no_outage() {
    for service in ["secretsmanager", "DynamoDB"] {
        let api = api(&Aws::denying(service));
        let mut request = Request::new(Vec::new());
        request.headers_mut().insert(AUTHORIZATION, "Bearer secret".parse().unwrap());
        let answer = answer(&api, &to("/api/v1/repository/a/b/mirror"), request).await;
        let body = String::from_utf8(answer.body().clone()).unwrap();
        assert_eq!(answer.status(), 500, "{service}: {body}");
        assert!(body.contains("AccessDeniedException") && !body.contains("told to nobody"), "{service}: {body}");
    }
}
