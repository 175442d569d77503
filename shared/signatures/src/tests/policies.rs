//! What policies ask: of which tags, and of how many authorities.

use moorage_domain::signature_policy::{Refusal, SIGNED, SignaturePolicy, Verdict};
use rcgen::KeyPair;
use serde_json::{Value, json};

use super::{
    bundles, image, now, refusal,
    signed::{keyed, layer, payload, simple},
    sigstore::{authority::key, bundle::statement},
    verdict,
};
use crate::{Judge, evidence::Evidence, judge, trust::Trust};

const ARN: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

fn authority(name: &str, key: &KeyPair) -> Value {
    json!({"name": name, "key": {"pem": key.public_key_pem()}, "transparency_log": "optional"})
}

fn policy(require: &str, authorities: &[Value]) -> SignaturePolicy {
    SignaturePolicy::parse(json!({"mode": "observe", "require": require, "authorities": authorities})).unwrap()
}

fn signed(keys: &[&KeyPair]) -> Vec<Evidence> {
    let signed: Vec<_> = keys.iter().map(|key| keyed(key, statement(&image(), SIGNED))).collect();
    bundles(&signed.iter().collect::<Vec<_>>())
}

fn names(verdict: &Verdict) -> Vec<&str> {
    match verdict {
        Verdict::Verified { by } => by.iter().map(|one| one.authority.as_str()).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn any_of_the_authorities_or_all_of_them_have_signed() {
    let [a, b] = [key(), key()];
    let authorities = [authority("a", &a), authority("b", &b)];
    let said =
        |require: &str, keys: &[&KeyPair]| verdict(&policy(require, &authorities), &signed(keys), &Trust::default());
    assert_eq!(names(&said("any", &[&a])), ["a"]);
    assert_eq!(names(&said("any", &[&b])), ["b"]);
    assert_eq!(names(&said("any", &[&b, &a])), ["b"], "which was seen first, and suffices");
    assert_eq!(names(&said("all", &[&b, &a])), ["a", "b"]);
    assert_eq!(refusal(&said("all", &[&b])), Refusal::BadSignature);
    assert_eq!(refusal(&said("any", &[])), Refusal::Unsigned);
    assert_eq!(refusal(&said("all", &[&key()])), Refusal::BadSignature);
}

#[test]
fn what_cannot_be_judged_decides_where_it_could() {
    let [a, b] = [key(), key()];
    let kms = json!({"name": "kms", "key": {"kms": ARN}, "transparency_log": "optional"});
    let authorities = [authority("a", &a), kms];
    let said =
        |require: &str, keys: &[&KeyPair]| verdict(&policy(require, &authorities), &signed(keys), &Trust::default());
    assert_eq!(names(&said("any", &[&a])), ["a"]);
    let unavailable = Some("evidence_unavailable");
    assert_eq!(said("any", &[&b]).reason(), unavailable, "KMS's key might have signed");
    assert_eq!(said("all", &[&a]).reason(), unavailable);
    assert_eq!(refusal(&said("all", &[&b])), Refusal::BadSignature, "whatever KMS's key has");
}

#[test]
fn formats_that_are_not_taken_are_no_signatures() {
    let key = key();
    let payload = payload(&image());
    let signature = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        rcgen::SigningKey::sign(&key, &payload).unwrap(),
    );
    let simple = simple(&[layer(&payload, &json!({"dev.cosignproject.cosign/signature": signature}))], &[payload]);
    let bundle = signed(&[&key]).remove(0);
    let mut authority = authority("a", &key);
    for (formats, evidence, is_taken) in [
        (json!(["bundle"]), &bundle, true),
        (json!(["simple"]), &bundle, false),
        (json!(["bundle"]), &simple, false),
        (json!(["simple"]), &simple, true),
        (Value::Null, &simple, true),
    ] {
        authority["formats"] = formats;
        let found = verdict(&policy("any", &[authority.clone()]), std::slice::from_ref(evidence), &Trust::default());
        assert_eq!(found.reason(), if is_taken { None } else { Some("unsigned") }, "{authority}");
    }
}

#[test]
fn nothing_is_said_of_tags_that_are_not_judged() {
    let key = key();
    let said = |mode: &str, tag: &str| {
        let policy = json!({"mode": mode, "tags": ["v*"], "authorities": [authority("a", &key)]});
        let policy = SignaturePolicy::parse(policy).unwrap();
        judge(&policy, &tag.parse().unwrap(), &image(), &signed(&[&key]), &Trust::default(), now())
    };
    assert!(said("observe", "v1").is_some() && said("enforce", "v1").is_some());
    assert!(said("enforce", "edge").is_none() && said("off", "v1").is_none());
}

#[test]
fn nothing_more_need_be_fetched_once_there_is_enough() {
    let [a, b] = [key(), key()];
    let authorities = [authority("a", &a), authority("b", &b)];
    let (image, trust, tag) = (image(), Trust::default(), "v1".parse().unwrap());
    for (require, enough) in [("any", [false, true, true]), ("all", [false, false, true])] {
        let policy = policy(require, &authorities);
        let mut judge = Judge::new(&policy, &tag, &image, &trust, now()).unwrap();
        for (evidence, is_enough) in signed(&[&key(), &b, &a]).iter().zip(enough) {
            judge.see(evidence);
            assert_eq!(judge.is_verified(), is_enough, "{require}");
        }
        assert!(matches!(judge.verdict(), Verdict::Verified { .. }));
    }
}
