//! Registries of clouds, where the function logs in as who it is: ECR by the emulator's token services, Google's and Azure's
//! by played ones.

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_tests::{
    clouds::{self, CLIENT, PROVIDER, SERVICE_ACCOUNT, TENANT, standing_in},
    hostile::Hostile,
    image::{Image, layer},
    logs, organization_mirror as whole,
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

/// What the emulator's ECR gives.
const ECR_TOKEN: &str = "ministack-auth-token";

fn by(login: &Value) -> Value {
    json!({"external_registry_config": {"verify_tls": false, "credentials": login}})
}

fn hold(registry: &Hostile, path: &str) -> Image {
    let image = Image::oci("amd64", &[layer(rand::random(), 300)]);
    registry.hold(path, "v1", &image);
    registry.refer_to_nothing();
    image
}

/// A registry with an image for a world, which knows one user.
async fn registry(world: &World, user: &str, password: &str) -> Hostile {
    let registry = clouds::registry(&world.path, user, password).await;
    hold(&registry, &world.path);
    registry
}

/// What became of a sync.
async fn ended(world: &World) -> (String, String, String) {
    let run = world.sync().await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&run["status"]), text(&run["failure"]["reason"]), text(&run["failure"]["message"]))
}

async fn assert_succeeds(world: &World) {
    let (status, _, message) = ended(world).await;
    assert_eq!(status, "SUCCESS", "{message}");
}

async fn assert_fails(world: &World, reason: &str, said: &[&str]) {
    let (status, why, message) = ended(world).await;
    assert_eq!((status.as_str(), why.as_str()), ("FAIL", reason), "{message}");
    for said in said {
        assert!(message.contains(said), "{said}: {message}");
    }
}

/// No token is in the answers, the usage log, the table or the functions' logs.
async fn assert_untold(world: &World, tokens: &[&str]) {
    let mut all = vec![format!("{}{:?}{:?}", world.mirror().await, world.runs().await, world.log().await)];
    for pk in [format!("REPO#{}", world.repository), format!("NS#{}", world.namespace)] {
        let query = aws_sdk_dynamodb::Client::new(&world.stack.aws).query().table_name(&world.stack.table);
        let query =
            query.key_condition_expression("pk = :pk").expression_attribute_values(":pk", AttributeValue::S(pk));
        all.push(format!("{:?}", query.send().await.unwrap().items.unwrap()));
    }
    for function in [&world.stack.sync_function, &world.stack.api_function] {
        all.push(format!("{:?}", logs::lines(&world.stack, function, "").await));
    }
    let all = all.concat();
    assert!(all.len() > 1_000);
    for token in tokens {
        assert!(!all.contains(token), "{token}");
    }
}

#[tokio::test]
async fn the_functions_own_role_at_ecr() {
    let world = World::new("cloud-own").await;
    let registry = registry(&world, "AWS", ECR_TOKEN).await;
    standing_in(
        &world.stack,
        &format!("registry={}", registry.address),
        Box::pin(async {
            world.create_mirror(&registry.address, by(&json!({"type": "ecr"}))).await;
            assert_eq!(world.mirror().await["external_registry_config"]["credentials"], json!({"type": "ecr"}));
            assert_succeeds(&world).await;
            // So do previews and verifications.
            let preview = world.call(Method::POST, &world.mirror_path("/preview"), Some(json!({}))).await;
            assert_eq!((preview.0, &preview.1["counts"]["keep"]), (200, &json!(1)), "{}", preview.1);
            let verify = world.call(Method::POST, &world.mirror_path("/verify"), None).await;
            assert_eq!(verify.0, 202, "{}", verify.1);
            world.wait_for(&["SUCCESS"]).await;
            assert_untold(&world, &[ECR_TOKEN]).await;
            // A login that is taken away is none: whoever comes without is refused.
            world.change_mirror(json!({"external_registry_config": {"credentials": null}})).await;
            assert_eq!(world.mirror().await["external_registry_config"]["credentials"], Value::Null);
            assert_fails(&world, "auth_failed", &[]).await;
            // The robot's stands in for it, as its password would.
            let login = json!({"host": registry.address, "credentials": {"type": "ecr"}, "allow_insecure": true});
            let robot = format!("organization/{}/robots/bot", world.namespace);
            let changed = world.call(Method::PUT, &format!("{robot}/external-registry"), Some(login)).await;
            assert_eq!(changed.0, 200, "{}", changed.1);
            let (_, shown) = world.call(Method::GET, &robot, None).await;
            assert_eq!(shown["external_registry"]["credentials"], json!({"type": "ecr"}));
            assert_succeeds(&world).await;
        }),
    )
    .await;
    // What stood in is no registry of ECR's any more, and gets no token, whatever was allowed before.
    registry.take_asked();
    assert_fails(&world, "invalid_source_registry", &["no registry that a login of type ecr is for"]).await;
    assert!(registry.take_asked().is_empty());
}

#[tokio::test]
async fn a_role_is_bound_to_a_namespace() {
    let world = World::new("cloud-role").await;
    let registry = registry(&world, "AWS", ECR_TOKEN).await;
    let own = clouds::role(&world.stack, "clouds-of-its-namespace", &format!("moorage:{}", world.namespace)).await;
    let another = clouds::role(&world.stack, "clouds-of-another", "moorage:another").await;
    standing_in(
        &world.stack,
        &format!("registry={}", registry.address),
        Box::pin(async {
            world.create_mirror(&registry.address, by(&json!({"type": "ecr", "role_arn": own}))).await;
            assert_succeeds(&world).await;
            // Another one's role knows another external id, and nobody can say that one.
            world.change_mirror(by(&json!({"type": "ecr", "role_arn": another}))).await;
            let id = format!("the external id moorage:{}", world.namespace);
            assert_fails(&world, "auth_failed", &[&another, "AccessDenied", &id]).await;
            assert!(
                !world.last_run().await["failure"].to_string().contains("assumed-role"),
                "AWS's own words stay here"
            );
            let said = json!({"type": "ecr", "role_arn": another, "external_id": "moorage:another"});
            let (status, answer) = world.call(Method::PUT, &world.mirror_path(""), Some(by(&said))).await;
            assert_eq!(status, 400, "{answer}");
            // A role that the stack does not name is nobody's.
            let unnamed = json!({"type": "ecr", "role_arn": "arn:aws:iam::000000000000:role/clouds-unnamed"});
            let (status, answer) = world.call(Method::PUT, &world.mirror_path(""), Some(by(&unnamed))).await;
            assert!(status == 400 && answer.to_string().contains("CloudGrants"), "{status} {answer}");
            assert_untold(&world, &[ECR_TOKEN]).await;
        }),
    )
    .await;
    // What may not be any more does not hinder its mirror from being disabled; what is said of it is judged.
    world.change_mirror(json!({"is_enabled": false, "sync_interval": 7200})).await;
    assert_eq!(world.mirror().await["is_enabled"], false);
    let again = by(&json!({"type": "ecr", "role_arn": own}));
    let (status, answer) = world.call(Method::PUT, &world.mirror_path(""), Some(again)).await;
    assert!(status == 400 && answer.to_string().contains("no registry that a login"), "{status} {answer}");
}

#[tokio::test]
async fn a_service_account_of_googles() {
    let world = World::new("cloud-google").await;
    let google = clouds::google().await;
    let registry = registry(&world, "oauth2accesstoken", clouds::GOOGLE_TOKEN).await;
    let stand_ins = format!("registry={} google={}", registry.address, google.url);
    let login = json!({"type": "google", "provider": PROVIDER, "service_account": SERVICE_ACCOUNT});
    standing_in(
        &world.stack,
        &stand_ins,
        Box::pin(async {
            world.create_mirror(&registry.address, by(&login)).await;
            assert_succeeds(&world).await;
            let asked = google.take_asked();
            assert_eq!(asked.len(), 2, "{asked:?}");
            // Google asks AWS by what it was sent, and learns that it is the sync function's role.
            let token = clouds::form(&asked[0].body).remove("subject_token").unwrap();
            let who = clouds::who_asked(&world.stack, &token).await;
            assert!(who.contains(":assumed-role/") && who.contains("SyncRole"), "{who}");
            assert!(
                !registry.heard("", clouds::GOOGLE_FEDERATED),
                "the registry gets the service account's token alone"
            );
            google.always("POST", "/v1/token", || {
                let said =
                    json!({"error": "unauthorized_client", "error_description": "arn:aws:sts::1:assumed-role/x"});
                moorage_tests::hostile::Answer::json(&said).status(401)
            });
            assert_fails(&world, "auth_failed", &["Google refuses", "unauthorized_client", PROVIDER]).await;
            google.always("POST", "/v1/token", || moorage_tests::hostile::Answer::new(503));
            assert_fails(&world, "registry_error", &["Google does not give", "status 503"]).await;
            assert_untold(&world, &[clouds::GOOGLE_TOKEN, clouds::GOOGLE_FEDERATED]).await;
        }),
    )
    .await;
}

#[tokio::test]
async fn an_application_of_azures() {
    let world = World::new("cloud-azure").await;
    let microsoft = clouds::microsoft().await;
    let registry = registry(&world, "00000000-0000-0000-0000-000000000000", clouds::AZURE_TOKEN).await;
    clouds::exchange(&registry);
    let stand_ins = format!("registry={} microsoft={}", registry.address, microsoft.url);
    let login = json!({"type": "azure", "tenant_id": TENANT, "client_id": CLIENT});
    standing_in(
        &world.stack,
        &stand_ins,
        Box::pin(async {
            world.create_mirror(&registry.address, by(&login)).await;
            assert_succeeds(&world).await;
            let asked = microsoft.take_asked();
            let assertion = clouds::form(&asked[0].body).remove("client_assertion").unwrap();
            let claims = clouds::claims(&assertion);
            assert!(claims["aud"].to_string().contains("api://AzureADTokenExchange"), "{claims}");
            // The emulator has each token say that it is the account's.
            assert!(claims["sub"].as_str().unwrap().starts_with("arn:aws:iam::000000000000:"), "{claims}");
            assert!(!registry.heard("", &assertion), "who the function is, is for Microsoft alone");
            registry.always("POST", "/oauth2/exchange", || moorage_tests::hostile::Answer::new(403));
            assert_fails(&world, "auth_failed", &["Microsoft refuses", "status 403", "AcrPull"]).await;
            assert_untold(&world, &[clouds::MICROSOFT_TOKEN, clouds::AZURE_TOKEN, &assertion]).await;
        }),
    )
    .await;
}

#[tokio::test]
async fn an_organization_whose_registry_is_ecr() {
    let world = World::empty("cloud-whole").await;
    let registry = clouds::registry(&world.path, "AWS", ECR_TOKEN).await;
    hold(&registry, &world.path);
    let names = json!({"repositories": [world.path]});
    registry.always("GET", "/v2/_catalog", move || moorage_tests::hostile::Answer::json(&names));
    standing_in(
        &world.stack,
        &format!("registry={}", registry.address),
        Box::pin(async {
            whole::create(&world, "distribution", &registry.address, by(&json!({"type": "ecr"}))).await;
            whole::sync_now(&world).await;
            whole::wait_for(&world, json!({"SUCCESS": 1})).await;
            assert_eq!(whole::mirror(&world).await["external_registry_config"]["credentials"], json!({"type": "ecr"}));
        }),
    )
    .await;
    whole::change(&world, json!({"is_enabled": false})).await;
    assert_eq!(whole::mirror(&world).await["is_enabled"], false);
    let (status, answer) = world.call(Method::PUT, &whole::path(&world, ""), Some(by(&json!({"type": "ecr"})))).await;
    assert!(status == 400 && answer.to_string().contains("no registry that a login"), "{status} {answer}");
}

#[tokio::test]
async fn what_may_not_be_is_said_at_once() {
    let world = World::new("cloud-refused").await;
    let ecr = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
    let login = json!({"type": "ecr"});
    for (host, changes, said) in [
        ("registry.example.com", json!({"credentials": login}), "no registry that a login of type ecr is for"),
        (
            ecr,
            json!({"credentials": {"type": "azure", "tenant_id": TENANT, "client_id": CLIENT}}),
            "of type azure is for",
        ),
        (ecr, json!({"credentials": login, "verify_tls": false}), "verify_tls must not be false"),
        (ecr, json!({"credentials": login, "token_realms": ["mine.example.com"]}), "token_realms must be empty"),
        (ecr, json!({"credentials": {"type": "quay"}}), "expected one of `ecr`, `google`, `azure`"),
        (ecr, json!({"credentials": "ecr"}), "credentials must be an object or null"),
    ] {
        let mut body = world.mirror_body(host);
        body["external_registry_config"] = changes;
        let (status, answer) = world.call(Method::POST, &world.mirror_path(""), Some(body.clone())).await;
        assert!(status == 400 && answer.to_string().contains(said), "{status} {answer}");
        // A preview would send the token there, too.
        let (status, answer) = world.call(Method::POST, &world.mirror_path("/preview"), Some(body)).await;
        assert!(status == 400 && answer.to_string().contains(said), "{status} {answer}");
    }
    let secure = json!({"external_registry_config": {"credentials": login}});
    world.create_mirror(ecr, secure.clone()).await;
    let user = json!({"external_registry_username": "u", "external_registry_password": "p"});
    for (change, said) in [
        (user.clone(), "external_registry_username exclude each other"),
        (json!({"external_reference": "registry.example.com/a/b"}), "no registry that a login of type ecr is for"),
        (json!({"external_registry_config": {"verify_tls": false}}), "verify_tls must not be false"),
    ] {
        let (status, answer) = world.call(Method::PUT, &world.mirror_path(""), Some(change)).await;
        assert!(status == 400 && answer.to_string().contains(said), "{status} {answer}");
    }
    // A user name and a password take its place in one change.
    let mut change = user;
    change["external_registry_config"] = json!({"credentials": null});
    world.change_mirror(change).await;
    let (status, answer) = world.call(Method::PUT, &world.mirror_path(""), Some(secure)).await;
    assert!(status == 400 && answer.to_string().contains("exclude each other"), "{status} {answer}");
    let robot = format!("organization/{}/robots/bot/external-registry", world.namespace);
    for (registry, said) in [
        (json!({"host": "registry.example.com", "credentials": login}), "no registry"),
        (json!({"host": ecr, "credentials": login, "allow_insecure": true}), "verify_tls must not be false"),
        (json!({"host": ecr, "credentials": login, "username": "u", "password": "p"}), "exclude each other"),
    ] {
        let (status, answer) = world.call(Method::PUT, &robot, Some(registry)).await;
        assert!(status == 400 && answer.to_string().contains(said), "{status} {answer}");
    }
}
