//! Who has to have signed an image before it is mirrored.

use aws_sdk_kms::{
    primitives::Blob,
    types::{KeySpec, KeyUsageType, SigningAlgorithmSpec},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use moorage_domain::Digest;
use moorage_tests::{
    gate::{holds, preview, previewed, served},
    image::{Image, OCI_MANIFEST, layer},
    openssl,
    proxy::{Fault, Proxy, count},
    signing::{self, SIGN, SigningKey, bundle_of, simple_tag},
    world::{World, outcome},
};
use reqwest::Method;
use serde_json::{Value, json};

/// What signers call the repository.
const NAME: &str = "registry.example.com/library/app";

fn image() -> Image {
    Image::oci("amd64", &[layer(rand::random(), 300)])
}

async fn push(world: &World, tag: &str, image: &Image) {
    image.push(&format!("http://{}", world.stack.upstream), &world.path, tag).await;
}

/// Attaches bundles to an image as clients do where a registry has no referrers API.
async fn attach(world: &World, image: &Image, bundles: Vec<Image>) {
    push(world, &image.referrers_tag(), &signing::list(bundles)).await;
}

/// What the gate says of a tag.
fn said(run: &Value, tag: &str) -> [Value; 3] {
    let tag = outcome(run, tag);
    [&tag["outcome"], &tag["gate"]["question"], &tag["gate"]["reason"]].map(Clone::clone)
}

fn refused(reason: &str) -> [Value; 3] {
    [json!("refused"), json!("signature_policy"), json!(reason)]
}

#[tokio::test]
async fn what_is_not_signed_is_refused_and_what_was_served_stays() {
    let (world, key) = (World::new("unsigned").await, SigningKey::generate());
    let (old, plain) = (image(), image());
    let bundle = key.signature(&old);
    push(&world, "v1", &old).await;
    push(&world, "v2", &plain).await;
    // A name that nobody asks about, for an image that nobody has signed.
    let derived = format!("sha256-{}", "0".repeat(64));
    push(&world, &derived, &image()).await;
    attach(&world, &old, vec![bundle.clone()]).await;
    let proxy = Proxy::start(&format!("http://{}", world.stack.upstream)).await;
    let policy = key.policy("enforce");
    world.create_mirror(&proxy.address, json!({"signature_policy": policy})).await;
    assert_eq!(world.mirror().await["signature_policy"], policy, "as it was sent");

    let told = preview(&world, json!({})).await;
    let (signed, unsigned) = (previewed(&told, "v1"), previewed(&told, "v2"));
    assert_eq!((&signed["action"], &signed["signed"][0]["authority"]), (&json!("copy"), &json!("release")));
    assert_eq!((&unsigned["action"], &unsigned["gate"]["reason"]), (&json!("refuse"), &json!("unsigned")));
    assert_eq!(told["counts"]["refuse"], 1);

    proxy.take_seen();
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["failure"]["reason"]), (&json!("FAIL"), &json!("signature_refused")), "{run}");
    assert_eq!(said(&run, "v2"), refused("unsigned"));
    let evidence = json!(Digest::sha256(&bundle.blobs[1]));
    assert_eq!(outcome(&run, "v1")["signed"], json!([{"authority": "release", "evidence": evidence}]), "{run}");
    let asked = proxy.take_seen();
    let layer_of = |image: &Image| format!("blobs/{}", Digest::sha256(&image.blobs[1]));
    assert!(asked.iter().any(|seen| seen.path.ends_with(&layer_of(&old))));
    assert!(!asked.iter().any(|seen| seen.path.ends_with(&layer_of(&plain))), "nothing is fetched of what is refused");
    assert_eq!([served(&world, "v1").await, served(&world, "v2").await], [Some(old.digest()), None]);
    assert_eq!(served(&world, &derived).await, None, "it is attached to no image that is here");
    assert_eq!(world.referrers(&old).await, [bundle.digest().to_string()], "the signature is there for who pulls it");

    // The tag moves to what nobody has signed.
    let moved = image();
    push(&world, "v1", &moved).await;
    let run = world.sync().await;
    assert_eq!((said(&run, "v1"), said(&run, "v2")), (refused("unsigned"), refused("unsigned")));
    assert_eq!(served(&world, "v1").await, Some(old.digest()), "it keeps what was good");

    attach(&world, &moved, vec![key.signature(&moved)]).await;
    attach(&world, &plain, vec![key.signature(&plain)]).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], &run["tags_failed"]), (&json!("SUCCESS"), &json!(0)), "{run}");
    assert_eq!([served(&world, "v1").await, served(&world, "v2").await], [Some(moved.digest()), Some(plain.digest())]);

    // What is here has passed, and costs what it costs without the question.
    proxy.take_seen();
    assert_eq!(world.sync().await["status"], "SUCCESS");
    let mut with = count(&proxy.take_seen());
    world.change_mirror(json!({"signature_policy": null})).await;
    assert_eq!(world.mirror().await["signature_policy"], Value::Null);
    assert_eq!(world.sync().await["status"], "SUCCESS");
    assert!(served(&world, &derived).await.is_some(), "it is a tag like any other now");
    proxy.take_seen();
    assert_eq!(world.sync().await["status"], "SUCCESS");
    // So is the list of what is attached to an image that no tag has any more.
    *with.entry("HEAD manifests".to_owned()).or_default() += 2;
    assert_eq!(count(&proxy.take_seen()), with, "two tags more");
    let anything = image();
    push(&world, "v1", &anything).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    assert_eq!(served(&world, "v1").await, Some(anything.digest()), "nobody asks any more");
}

#[tokio::test]
async fn one_signature_that_is_right_does_and_all_others_are_told_apart() {
    let (world, key, other) = (World::new("negatives").await, SigningKey::generate(), SigningKey::generate());
    let signed = image();
    let of_another = key.bundle(&signed.digest(), SIGN, &json!({}));
    let bundles = |image: &Image| {
        [
            ("stranger", vec![other.signature(image)], "bad_signature"),
            ("elsewhere", vec![bundle_of(image, of_another.clone(), SIGN)], "wrong_digest"),
            ("attested", vec![key.attestation(image, "https://slsa.dev/provenance/v1", &json!({}))], "unsigned"),
            ("noise", vec![bundle_of(image, b"{\"no\": \"bundle\"}".to_vec(), SIGN)], "unsigned"),
        ]
    };
    for number in 0..4 {
        let image = image();
        let (tag, bundles, _) = bundles(&image).into_iter().nth(number).unwrap();
        push(&world, tag, &image).await;
        attach(&world, &image, bundles).await;
    }
    push(&world, "good", &signed).await;
    let neighbours =
        bundles(&signed).into_iter().flat_map(|(_, bundles, _)| bundles).filter(|it| it.blobs[1] != of_another);
    attach(&world, &signed, neighbours.chain([key.signature(&signed)]).collect()).await;
    world.create_mirror(&world.stack.upstream, json!({"signature_policy": key.policy("enforce")})).await;
    let run = world.sync().await;
    for (tag, _, reason) in bundles(&signed) {
        assert_eq!(said(&run, tag), refused(reason), "{tag}: {run}");
    }
    assert_eq!(outcome(&run, "good")["outcome"], "copied", "{run}");
    assert_eq!(served(&world, "good").await, Some(signed.digest()));
}

#[tokio::test]
async fn signatures_in_tags_count_and_come_along() {
    let (world, key) = (World::new("simple").await, SigningKey::generate());
    let (signed, plain) = (image(), image());
    push(&world, "signed", &signed).await;
    push(&world, "plain", &plain).await;
    push(&world, &simple_tag(&signed.digest()), &key.simple(&signed.digest(), NAME)).await;
    // The payload is about another image.
    push(&world, &simple_tag(&plain.digest()), &key.simple(&signed.digest(), NAME)).await;
    let rule = json!({"rule_kind": "tag_glob_csv", "rule_value": ["signed", "plain"]});
    let body = json!({"signature_policy": key.policy("enforce"), "root_rule": rule});
    world.create_mirror(&world.stack.upstream, body).await;
    let told = preview(&world, json!({})).await;
    let action = |image: &Image| previewed(&told, &simple_tag(&image.digest()))["action"].clone();
    assert_eq!([action(&signed), action(&plain)], ["copy", "ignore"], "as the image: {told}");
    let run = world.sync().await;
    assert_eq!(said(&run, "plain"), refused("wrong_digest"), "{run}");
    let refusal = outcome(&run, "plain")["failure"]["message"].as_str().unwrap();
    assert!(refusal.starts_with(&format!("plain ({}): wrong_digest: release: ", plain.digest())), "{run}");
    let path = world.mirror_path(&format!("/holds/{}/release", plain.digest()));
    let (status, answer) = world.call(Method::POST, &path, Some(json!({"reason": "trust me"}))).await;
    assert!(status == 404 && answer["detail"].as_str().unwrap().contains("cannot be released"), "{answer}");
    let by = &outcome(&run, "signed")["signed"][0];
    assert!(by["evidence"].is_string(), "{run}");
    let held = served(&world, &simple_tag(&signed.digest())).await;
    assert_eq!(by["evidence"], json!(held.unwrap()), "what was judged is what is served");

    // Who pulls from here can verify it with other means.
    let (client, path) = (world.robot().await, format!("/v2/{}", world.repository));
    let tag = simple_tag(&signed.digest());
    let manifest = client.fetch(&format!("{path}/manifests/{tag}"), &[("accept", OCI_MANIFEST)]).await.json();
    let (layer, name) = (&manifest["layers"][0], "dev.cosignproject.cosign/signature");
    let signature = STANDARD.decode(layer["annotations"][name].as_str().unwrap()).unwrap();
    let payload = client.fetch(&format!("{path}/blobs/{}", layer["digest"].as_str().unwrap()), &[]).await.body;
    assert!(openssl::verifies(&key.public_pem(), &signature, &payload));
    assert!(!openssl::verifies(&SigningKey::generate().public_pem(), &signature, &payload));
}

#[tokio::test]
async fn what_cannot_be_judged_waits_and_nothing_passes_for_it() {
    let (world, key) = (World::new("unavailable").await, SigningKey::generate());
    let signed = image();
    push(&world, "v1", &signed).await;
    let signature = key.signature(&signed);
    attach(&world, &signed, vec![signature.clone()]).await;
    let proxy = Proxy::start(&format!("http://{}", world.stack.upstream)).await;
    let rule = json!({"rule_kind": "tag_glob_csv", "rule_value": ["v*"]});
    let body = json!({"signature_policy": key.policy("enforce"), "root_rule": rule});
    world.create_mirror(&proxy.address, body).await;
    let referrers = format!("referrers/{}", signed.digest());
    let bundle = format!("blobs/{}", Digest::sha256(&signature.blobs[1]));
    let next = |list: &Value| {
        let body = list.to_string().into_bytes();
        let link = format!("</v2/{}/referrers/{}?n=1&last=x>; rel=\"next\"", world.path, signed.digest());
        let headers = vec![("content-type", "application/vnd.oci.image.index.v1+json".to_owned()), ("link", link)];
        Fault::Answer(200, headers, body.into())
    };
    let empty = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []});
    for (name, path, fault) in [
        ("an error", referrers.as_str(), Fault::Status(503, Vec::new())),
        ("a limit", referrers.as_str(), Fault::Status(429, vec![("retry-after", "3600".to_owned())])),
        ("no right", referrers.as_str(), Fault::Status(403, Vec::new())),
        ("a page to log in at", referrers.as_str(), Fault::Answer(200, Vec::new(), "<html></html>".into())),
        ("another body", bundle.as_str(), Fault::Corrupt),
    ] {
        proxy.fault("GET", path, 1_000, fault);
        let run = world.sync().await;
        proxy.heal();
        assert_eq!(
            (&run["status"], &run["warning"]["reason"]),
            (&json!("SUCCESS"), &json!("tags_held")),
            "{name}: {run}"
        );
        let expected = [json!("held"), json!("signature_policy"), json!("evidence_unavailable")];
        assert_eq!(said(&run, "v1"), expected, "{name}: {run}");
        assert_eq!(served(&world, "v1").await, None, "{name}");
    }
    // A list that is cut: the rest of it may have the signature.
    proxy.fault("GET", "last=x", 1_000, Fault::Status(500, Vec::new()));
    proxy.fault("GET", &referrers, 1, next(&empty));
    let run = world.sync().await;
    proxy.heal();
    assert_eq!(said(&run, "v1")[2], "evidence_unavailable", "{run}");
    let waiting = holds(&world).await;
    assert_eq!((waiting.len(), &waiting[0]["tag"], &waiting[0]["can_be_released"]), (1, &json!("v1"), &json!(false)));
    let path = world.mirror_path(&format!("/holds/{}/release", signed.digest()));
    let (status, _) = world.call(Method::POST, &path, Some(json!({"reason": "trust me"}))).await;
    assert_eq!(status, 400, "nobody can say that it is signed");

    let run = world.sync().await;
    assert_eq!(outcome(&run, "v1")["outcome"], "copied", "{run}");
    assert_eq!(holds(&world).await.len(), 0);
}

#[tokio::test]
async fn a_tag_does_not_go_where_nothing_says_when() {
    let (world, key) = (World::new("timeless").await, SigningKey::generate());
    let (first, second) = (image(), image());
    for image in [&first, &second] {
        push(&world, "v1", image).await;
        attach(&world, image, vec![key.signature(image)]).await;
    }
    push(&world, "v1", &first).await;
    let mut policy = key.policy("enforce");
    policy["no_rollback"] = json!(true);
    world.create_mirror(&world.stack.upstream, json!({"signature_policy": policy})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS", "there is nothing that it could go back from");
    push(&world, "v1", &second).await;
    let told = preview(&world, json!({})).await;
    assert_eq!(previewed(&told, "v1")["gate"]["reason"], "no_time", "{told}");
    let run = world.sync().await;
    assert_eq!(said(&run, "v1"), refused("no_time"), "{run}");
    assert_eq!(served(&world, "v1").await, Some(first.digest()));
}

#[tokio::test]
async fn observing_keeps_nothing_out_and_shows_what_would_be() {
    let (world, key) = (World::new("observed").await, SigningKey::generate());
    let plain = image();
    push(&world, "v1", &plain).await;
    world.create_mirror(&world.stack.upstream, json!({"signature_policy": key.policy("observe")})).await;
    let told = preview(&world, json!({})).await;
    let tag = previewed(&told, "v1");
    assert_eq!(
        (&tag["action"], &tag["gate"]["reason"], &tag["gate"]["mode"]),
        (&json!("copy"), &json!("unsigned"), &json!("observe"))
    );
    let run = world.sync().await;
    assert_eq!(run["status"], "SUCCESS");
    assert_eq!(said(&run, "v1"), [json!("copied"), json!("signature_policy"), json!("unsigned")]);
    assert_eq!(served(&world, "v1").await, Some(plain.digest()));

    // What is served already is judged where that is asked for, and stays.
    let mut policy = key.policy("enforce");
    world.change_mirror(json!({"signature_policy": policy})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS", "what is here has passed");
    policy["judge_served"] = json!(true);
    let told = preview(&world, json!({"signature_policy": policy})).await;
    assert_eq!(previewed(&told, "v1")["action"], "refuse");
    world.change_mirror(json!({"signature_policy": policy})).await;
    let run = world.sync().await;
    assert_eq!((&run["status"], said(&run, "v1")), (&json!("FAIL"), refused("unsigned")));
    assert_eq!(served(&world, "v1").await, Some(plain.digest()));
    attach(&world, &plain, vec![key.signature(&plain)]).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    let proxy = Proxy::start(&format!("http://{}", world.stack.upstream)).await;
    world.change_mirror(json!({"external_reference": format!("{}/{}", proxy.address, world.path)})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    let asked = proxy.take_seen();
    assert!(
        !asked.iter().any(|seen| seen.method == "GET" && !seen.path.contains("tags/list")),
        "once for each policy: {asked:?}"
    );
}

#[tokio::test]
async fn a_key_of_kms_verifies_what_it_has_signed() {
    let world = World::new("kmskey").await;
    let kms = aws_sdk_kms::Client::new(&world.stack.aws);
    let created =
        kms.create_key().key_spec(KeySpec::EccNistP256).key_usage(KeyUsageType::SignVerify).send().await.unwrap();
    let arn = created.key_metadata.unwrap().arn.unwrap();
    let signed = image();
    push(&world, "v1", &signed).await;
    push(&world, "v2", &image()).await;
    let (mut bundle, message) = SigningKey::generate().unsigned(&signed.digest(), SIGN, &json!({}));
    let algorithm = SigningAlgorithmSpec::EcdsaSha256;
    let answer = kms.sign().key_id(&arn).message(Blob::new(message)).signing_algorithm(algorithm).send().await.unwrap();
    bundle["dsseEnvelope"]["signatures"] = json!([{"sig": STANDARD.encode(answer.signature.unwrap())}]);
    attach(&world, &signed, vec![bundle_of(&signed, bundle.to_string().into_bytes(), SIGN)]).await;
    let authority = |arn: &str| json!({"name": "kms", "key": {"kms": arn}, "transparency_log": "optional"});
    let policy = |arn: &str| json!({"mode": "enforce", "authorities": [authority(arn)]});
    world.create_mirror(&world.stack.upstream, json!({"signature_policy": policy(&arn)})).await;
    let run = world.sync().await;
    assert_eq!((&outcome(&run, "v1")["outcome"], said(&run, "v2")), (&json!("copied"), refused("unsigned")), "{run}");

    // A key that nobody can have is no reason to let anything in.
    let gone = format!("{}00000000-0000-0000-0000-000000000000", &arn[..arn.len() - 36]);
    world.change_mirror(json!({"signature_policy": policy(&gone)})).await;
    push(&world, "v3", &signed).await;
    let run = world.sync().await;
    assert_eq!(said(&run, "v3")[2], "evidence_unavailable", "{run}");
}

#[tokio::test]
async fn what_is_wrong_in_a_policy_is_named() {
    let world = World::new("policyfields").await;
    world.create_mirror(&world.stack.upstream, json!({})).await;
    let key = SigningKey::generate();
    for (policy, field) in [
        (json!({"mode": "enforce"}), "signature_policy.authorities"),
        (
            json!({"mode": "enforce", "authorities": [{"name": "a", "key": {"pem": "no"}}]}),
            "signature_policy.authorities[0].key.pem",
        ),
        (json!({"mode": "enforce", "authorities": [{"name": "a"}]}), "signature_policy.authorities[0]"),
        (
            json!({"mode": "enforce", "authorities": [{"name": "a", "keyless": {"identities": [{"issuer": "i", "subject_regex": "(?=x)"}]}}]}),
            "signature_policy.authorities[0].keyless.identities[0].subject_regex",
        ),
        (
            json!({"mode": "enforce", "authorities": [{"name": "a", "keyless": {"trust_root": "nobodys", "identities": [{"issuer": "i", "subject": "s"}]}}]}),
            "signature_policy.authorities[0].keyless.trust_root: there is no trusted root `nobodys`",
        ),
        (json!({"mode": "enforce", "unknown": 1, "authorities": key.policy("off")["authorities"]}), "signature_policy"),
    ] {
        let (status, answer) =
            world.call(Method::PUT, &world.mirror_path(""), Some(json!({"signature_policy": policy}))).await;
        let message = answer["error_message"].as_str().unwrap_or_default();
        assert!(status == 400 && message.starts_with(field), "{policy}: {status} {answer}");
    }
}
