//! `doctor`.

use moorage_tests::{
    cli::Moorage,
    image::{Image, layer},
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
