//! Clouds, played: token servers that look at what they are asked as Google's and Microsoft's do, and registries that want
//! their tokens. AWS's own are the emulator's.

use std::{
    collections::{BTreeMap, HashMap},
    panic::{AssertUnwindSafe, resume_unwind},
    pin::Pin,
    time::Duration,
};

use aws_sdk_lambda::types::Environment;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::FutureExt as _;
use reqwest::Url;
use serde_json::{Value, json};

use crate::{
    eventually,
    hostile::{Answer, Asked, Hostile},
    http,
    stack::Stack,
};

/// What the functions read where clouds are played.
const STAND_INS: &str = "CLOUD_STAND_INS";

/// What forms are sent as.
const FORM: &str = "application/x-www-form-urlencoded";
/// The token by which a played registry knows who has logged in.
const SESSION: &str = "session-of-who-has-logged-in";
/// A provider of a workload identity pool.
pub const PROVIDER: &str = "projects/123456789/locations/global/workloadIdentityPools/aws/providers/moorage";
/// The service account that the stack lets everybody be.
pub const SERVICE_ACCOUNT: &str = "puller@played.iam.gserviceaccount.com";
/// What Google gives for the function's role.
pub const GOOGLE_FEDERATED: &str = "google-token-of-a-role-of-aws";
/// What Google gives for the service account.
pub const GOOGLE_TOKEN: &str = "google-token-of-a-service-account";
/// The directory that the stack lets everybody log in to.
pub const TENANT: &str = "11111111-2222-4333-8444-555555555555";
/// The application there.
pub const CLIENT: &str = "66666666-7777-4888-9999-000000000000";
/// What Microsoft's directory gives.
pub const MICROSOFT_TOKEN: &str = "microsoft-token-of-an-application";
/// What Azure's registry gives for it.
pub const AZURE_TOKEN: &str = "azure-token-of-a-registry";

/// Runs `test` while these stand in for clouds. Afterwards the functions are as they were, whatever came of the test.
pub async fn standing_in(stack: &Stack, stand_ins: &str, test: Pin<Box<dyn Future<Output = ()> + '_>>) {
    let lambda = aws_sdk_lambda::Client::new(&stack.aws);
    let change = async |function: &str, variables: HashMap<String, String>| {
        let environment = Environment::builder().set_variables(Some(variables)).build();
        eventually("a function can be changed", Duration::from_secs(30), async || {
            let update = lambda.update_function_configuration().function_name(function);
            update.environment(environment.clone()).send().await.ok()
        })
        .await;
    };
    let mut before = Vec::new();
    for function in [&stack.api_function, &stack.sync_function] {
        let found = lambda.get_function_configuration().function_name(function).send().await.unwrap();
        let variables = found.environment.and_then(|environment| environment.variables).unwrap_or_default();
        let mut played = variables.clone();
        played.insert(STAND_INS.to_owned(), stand_ins.to_owned());
        change(function, played).await;
        before.push((function, variables));
    }
    let tested = AssertUnwindSafe(test).catch_unwind().await;
    for (function, variables) in before {
        change(function, variables).await;
    }
    tested.unwrap_or_else(|panic| resume_unwind(panic))
}

/// A registry that knows one user, and sends whoever comes without a token to its own token server.
pub async fn registry(path: &str, user: &str, password: &str) -> Hostile {
    let registry = Hostile::start().await;
    let challenge = format!("Bearer realm=\"{}/token\",service=\"{}\"", registry.url, registry.address);
    registry.refuse_without(path, &format!("Bearer {SESSION}"), &challenge);
    registry.give_token(user, password, SESSION);
    registry
}

/// The fields of a form.
pub fn form(body: &str) -> BTreeMap<String, String> {
    Url::parse(&format!("http://form/?{body}")).unwrap().query_pairs().into_owned().collect()
}

fn refused(status: u16, answer: &Value) -> Answer {
    Answer::json(answer).status(status)
}

/// Whether a form is just this, but for the fields whose value is `None`, which may be anything.
fn is_form(asked: &Asked, fields: &[(&str, Option<&str>)]) -> bool {
    let sent = form(&asked.body);
    let is_one = |(name, value): &(&str, Option<&str>)| match value {
        Some(value) => sent.get(*name).is_some_and(|sent| sent == value),
        None => sent.get(*name).is_some_and(|sent| !sent.is_empty()),
    };
    asked.header("content-type") == Some(FORM) && sent.len() == fields.len() && fields.iter().all(is_one)
}

/// Google's token service, and that of its service accounts.
pub async fn google() -> Hostile {
    let google = Hostile::start().await;
    let audience = format!("//iam.googleapis.com/{PROVIDER}");
    google.plan("POST", "/v1/token", move |asked| {
        let is_asked = is_form(
            asked,
            &[
                ("audience", Some(&audience)),
                ("grant_type", Some("urn:ietf:params:oauth:grant-type:token-exchange")),
                ("requested_token_type", Some("urn:ietf:params:oauth:token-type:access_token")),
                ("scope", Some("https://www.googleapis.com/auth/cloud-platform")),
                ("subject_token", None),
                ("subject_token_type", Some("urn:ietf:params:aws:token-type:aws4_request")),
            ],
        );
        let token = json!({"access_token": GOOGLE_FEDERATED, "token_type": "Bearer", "expires_in": 3600});
        let wrong = json!({"error": "invalid_request", "error_description": "not what was expected"});
        Some(if is_asked { Answer::json(&token) } else { refused(400, &wrong) })
    });
    let path = format!("/v1/projects/-/serviceAccounts/{SERVICE_ACCOUNT}:generateAccessToken");
    google.plan("POST", &path, |asked| {
        let is_known = asked.header("authorization") == Some(&format!("Bearer {GOOGLE_FEDERATED}"));
        let sent: Value = serde_json::from_str(&asked.body).unwrap();
        let is_asked = sent["scope"] == json!(["https://www.googleapis.com/auth/cloud-platform"]);
        let token = json!({"accessToken": GOOGLE_TOKEN, "expireTime": "2099-01-01T00:00:00Z"});
        let denied = json!({"error": {"code": 403, "message": "no", "status": "PERMISSION_DENIED"}});
        Some(if is_known && is_asked { Answer::json(&token) } else { refused(403, &denied) })
    });
    google
}

/// Who AWS says that a signed question comes from: Google asks it so.
pub async fn who_asked(stack: &Stack, subject_token: &str) -> String {
    let question = Url::parse(&format!("http://token/?t={subject_token}")).unwrap();
    let question = question.query_pairs().next().unwrap().1.into_owned();
    let question: Value = serde_json::from_str(&question).unwrap();
    let headers: BTreeMap<_, _> = question["headers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|header| (header["key"].as_str().unwrap().to_owned(), header["value"].as_str().unwrap().to_owned()))
        .collect();
    let region = stack.aws.region().unwrap();
    assert_eq!(
        question["url"],
        format!("https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15")
    );
    assert_eq!((&question["method"], &headers["host"]), (&json!("POST"), &format!("sts.{region}.amazonaws.com")));
    assert_eq!(headers["x-goog-cloud-target-resource"], format!("//iam.googleapis.com/{PROVIDER}"));
    let authorization = &headers["authorization"];
    let signed = "SignedHeaders=host;x-amz-date;x-amz-security-token;x-goog-cloud-target-resource, Signature=";
    assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=") && authorization.contains(signed));
    let url = format!("{}/?Action=GetCallerIdentity&Version=2011-06-15", stack.endpoint());
    // The emulator checks the signature, which is of AWS's own host.
    let asked = headers.iter().fold(http().post(url), |asked, (name, value)| asked.header(name, value));
    let answer = asked.send().await.unwrap();
    let (status, said) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(status, 200, "{said}");
    said
}

/// Microsoft's directory.
pub async fn microsoft() -> Hostile {
    let microsoft = Hostile::start().await;
    microsoft.plan("POST", &format!("/{TENANT}/oauth2/v2.0/token"), |asked| {
        let is_asked = is_form(
            asked,
            &[
                ("grant_type", Some("client_credentials")),
                ("client_id", Some(CLIENT)),
                ("scope", Some("https://containerregistry.azure.net/.default")),
                ("client_assertion_type", Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")),
                ("client_assertion", None),
            ],
        );
        let token = json!({"access_token": MICROSOFT_TOKEN, "token_type": "Bearer", "expires_in": 3599});
        let wrong =
            json!({"error": "invalid_client", "error_codes": [700_213], "error_description": "AADSTS700213: no"});
        Some(if is_asked { Answer::json(&token) } else { refused(401, &wrong) })
    });
    microsoft
}

/// What a token says, whose signature is not looked at.
pub fn claims(token: &str) -> Value {
    let claims = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

/// Lets a registry of Azure's exchange the directory's token for one of its own.
pub fn exchange(registry: &Hostile) {
    let service = registry.address.clone();
    registry.plan("POST", "/oauth2/exchange", move |asked| {
        let is_asked = is_form(
            asked,
            &[
                ("grant_type", Some("access_token")),
                ("service", Some(&service)),
                ("tenant", Some(TENANT)),
                ("access_token", Some(MICROSOFT_TOKEN)),
            ],
        );
        let denied = json!({"errors": [{"code": "UNAUTHORIZED", "message": "no"}]});
        Some(if is_asked { Answer::json(&json!({"refresh_token": AZURE_TOKEN})) } else { refused(401, &denied) })
    });
}

/// A role that lets whoever of the account comes with this external id be it, under one of the names that the stack knows.
pub async fn role(stack: &Stack, name: &str, external_id: &str) -> String {
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
        "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
    }]});
    let may = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
    ]});
    let call = async |fields: &[(&str, &str)]| {
        let body = Url::parse_with_params("http://form/", fields).unwrap().query().unwrap_or_default().to_owned();
        let request = http().post(stack.endpoint()).header("content-type", FORM).body(body);
        // The emulator reads who asks, and does not check the signature.
        let who =
            "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0";
        let answer = request.header("authorization", who).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (trust, may) = (trust.to_string(), may.to_string());
    let version = ("Version", "2010-05-08");
    // An earlier run may have left it.
    call(&[("Action", "CreateRole"), version, ("RoleName", name), ("AssumeRolePolicyDocument", &trust)]).await;
    let update = [("Action", "UpdateAssumeRolePolicy"), version, ("RoleName", name), ("PolicyDocument", &trust)];
    let updated = call(&update).await;
    assert_eq!(updated.0, 200, "{}", updated.1);
    let policy =
        [("Action", "PutRolePolicy"), version, ("RoleName", name), ("PolicyName", "may"), ("PolicyDocument", &may)];
    let put = call(&policy).await;
    assert_eq!(put.0, 200, "{}", put.1);
    format!("arn:aws:iam::000000000000:role/{name}")
}
