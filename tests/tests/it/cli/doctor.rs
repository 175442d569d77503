//! `doctor`.

use moorage_tests::{
    cli::Moorage,
    image::{Image, layer},
    proxy::{Fault, Proxy},
    world::World,
};
use serde_json::{Value, json};

/// The first check of a name.
fn check<'a>(found: &'a Value, name: &str) -> &'a Value {
    let checks = found["checks"].as_array().unwrap();
    checks.iter().find(|check| check["check"] == name).unwrap_or_else(|| panic!("no {name} in {found}"))
}

#[tokio::test]
async fn it_says_what_works_and_whose_token_it_is() {
    let world = World::new("doctor").await;
    Image::oci("amd64", &[layer(7, 99)]).push(&format!("http://{}", world.stack.upstream), &world.path, "v1").await;
    world.create_mirror(&world.stack.upstream, json!({"is_enabled": false})).await;
    let moorage = Moorage::new(&world.stack);
    let found = moorage.json(&["doctor", world.repository.as_str()]).await;
    for name in ["name", "answer", "clock", "token"] {
        assert_eq!(check(&found, name)["result"], "ok", "{found}");
    }
    assert_eq!(check(&found, "token")["message"], "it may do everything");
    assert_eq!(check(&found, "registry")["message"], "it lists 1 tag; the mirror selects 1");
    let off = check(&found, "mirror");
    assert_eq!((&off["result"], &off["message"]), (&json!("warning"), &json!("its schedule is off")), "{found}");
    // Mirrors of other tests may fail, and a fifth of them is too many.
    let ran = moorage.run(&["doctor", world.repository.as_str()]).await;
    assert!(ran.out.contains("ok       token:") && [0, 1].contains(&ran.code), "{ran:?}");

    let token = world.token(Some(&world.namespace), "read").await;
    let reader = Moorage::of(&world.stack.url, &token);
    let found = reader.json(&["doctor"]).await;
    assert_eq!(check(&found, "token")["message"], format!("its role is read in {}", world.namespace));
    assert_eq!(reader.run(&["doctor"]).await.code, 0);

    world.change_mirror(json!({"external_reference": "127.0.0.1:1/none"})).await;
    let ran = moorage.run(&["doctor", world.repository.as_str()]).await.ends(1);
    assert!(ran.out.contains("failed   registry:"), "{ran:?}");
}

#[tokio::test]
async fn it_comes_as_far_as_it_comes() {
    let world = World::empty("doctor-wrong").await;
    let wrong_token = Moorage::of(&world.stack.url, "nobody-knows-this-one");
    let ran = wrong_token.run(&["doctor"]).await.ends(1);
    assert!(ran.out.contains("failed   token: the token is not known"), "{ran:?}");
    for (url, failed) in [
        ("https://no-such-host.invalid", "failed   name:"),
        ("http://127.0.0.1:1", "failed   answer:"),
        // Another service.
        (&format!("http://{}", world.stack.upstream), "failed   answer:"),
    ] {
        let ran = Moorage::of(url, "nobody-knows-this-one").run(&["doctor"]).await.ends(1);
        assert!(ran.out.contains(failed), "{url}: {ran:?}");
    }
}

#[tokio::test]
async fn it_says_what_registries_leave_and_what_functions_may_do() {
    let world = World::new("doctor-limit").await;
    Image::oci("amd64", &[layer(7, 99)]).push(&format!("http://{}", world.stack.upstream), &world.path, "v1").await;
    let proxy = Proxy::start(&format!("http://{}", world.stack.upstream)).await;
    let left = Fault::With("ratelimit", "\"default\";q=100;r=76;w=21600".into());
    proxy.fault("GET", "manifests/", 1_000, left);
    world.create_mirror(&proxy.address, json!({})).await;
    let run = world.sync().await;
    let told = &run["rate_limit"];
    assert_eq!(
        (&told["remaining"], &told["limit"], &told["window_seconds"]),
        (&json!(76), &json!(100), &json!(21_600)),
        "{run}"
    );
    let moorage = Moorage::new(&world.stack);
    let of_mirror = async || {
        let found = moorage.json(&["doctor", world.repository.as_str()]).await;
        let checks = found["checks"].as_array().unwrap().iter().rfind(|check| check["check"] == "rate limit");
        checks.unwrap_or_else(|| panic!("{found}")).clone()
    };
    let limit = of_mirror().await;
    assert_eq!(limit["result"], "ok", "{limit}");
    assert!(limit["message"].as_str().unwrap().starts_with("76 of 100 manifests in 6h00m are left, told "), "{limit}");
    world.change_mirror(json!({"rate_limit_floor": 80})).await;
    let limit = of_mirror().await;
    assert_eq!(limit["result"], "warning", "{limit}");

    let found = moorage.json(&["doctor"]).await;
    assert_eq!(check(&found, "functions")["result"], "ok", "{found}");
    assert_eq!(check(&found, "alarms")["result"], "ok", "{found}");
    let (_, health) = world.call(reqwest::Method::GET, "superuser/mirror/health?rights=true", None).await;
    let rights = health["facts"]["rights"].as_array().unwrap();
    let of = |function: &str| rights.iter().filter(|it| it["function"] == function && it["result"] == "ok").count();
    assert_eq!((of("api"), of("sync"), rights.len()), (7, 8, 15), "{health}");
    let seen = health["facts"]["rate_limits"].as_array().unwrap();
    let ours = seen.iter().find(|it| it["namespace"] == world.namespace.as_str());
    // Other tests have registries that leave less, and only some are shown.
    if let Some(ours) = ours {
        assert_eq!((&ours["remaining"], &ours["floor"]), (&json!(76), &json!(80)), "{ours}");
        assert!(ours["used_up_until"].is_string(), "it is below what is to be left: {ours}");
    } else {
        assert_eq!(seen.len(), 20, "{health}");
    }
}

#[tokio::test]
async fn it_names_the_function_and_what_that_may_not_do() {
    let world = World::new("doctor-denied").await;
    let nothing = "docker/registry/v2/collections/00000000-0000-0000-0000-000000000000";
    let resource = format!("arn:aws:s3:::{}/*{nothing}", world.stack.bucket);
    let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": resource});
    let policy = json!({"Version": "2012-10-17", "Statement": [deny]}).to_string();
    let s3 = world.stack.s3();
    s3.put_bucket_policy().bucket(&world.stack.bucket).policy(policy).send().await.unwrap();
    let ran = Moorage::new(&world.stack).run(&["doctor"]).await;
    s3.delete_bucket_policy().bucket(&world.stack.bucket).send().await.unwrap();
    let out = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = "failed functions: the function sync may not write to the bucket: S3 denies access to PutObject";
    assert!(ran.code == 1 && out.contains(said), "{ran:?}");
    assert!(!out.contains("may not read the bucket"), "{out}");
}
