//! Verdicts on signatures that the tests make themselves, by authorities, logs and clocks of their own.

mod attestations;
mod bytes;
mod candidates;
mod clocks;
mod keyless;
mod keys;
mod logs;
mod policies;
mod roots;
mod signed;
#[path = "../../../tests/src/sigstore.rs"]
#[expect(unreachable_pub, reason = "it is a part of the crate of tests, which serves it")]
mod sigstore;
mod simple;

use moorage_domain::{
    Digest, Timestamp,
    signature_policy::{Refusal, SignaturePolicy, TrustRootId, Verdict, Verified},
};
use serde_json::{Value, json};

use crate::{
    evidence::Evidence,
    trust::{Trust, TrustRoot},
};
use sigstore::Instance;

/// When everything is signed, if it is not said otherwise: 2025-06-01.
const SIGNED_AT: i64 = 1_748_736_000;
const ISSUER: &str = "https://token.actions.githubusercontent.com";
const SUBJECT: &str = "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1";

/// A day after everything is signed.
fn now() -> Timestamp {
    Timestamp::from_unix(SIGNED_AT + 86_400)
}

fn image() -> Digest {
    Digest::sha256(b"an image's manifest")
}

fn other_image() -> Digest {
    Digest::sha256(b"another image's manifest")
}

fn policy(authorities: Value) -> SignaturePolicy {
    let mut policy = json!({"mode": "enforce"});
    policy["authorities"] = authorities;
    SignaturePolicy::parse(policy).unwrap()
}

/// The policy that takes one subject of one issuer.
fn by_identity() -> SignaturePolicy {
    identified(&json!({"issuer": ISSUER, "subject": SUBJECT}))
}

fn identified(identity: &Value) -> SignaturePolicy {
    policy(json!([{"name": "ci", "keyless": {"identities": [identity]}}]))
}

/// What is trusted by Sigstore's public name.
fn trusting(root: TrustRoot) -> Trust {
    Trust::default().with_root(TrustRootId::Public, root)
}

fn root(instance: &Instance) -> TrustRoot {
    root_of(&instance.trusted_root())
}

fn root_of(json: &Value) -> TrustRoot {
    TrustRoot::parse(json.to_string().as_bytes(), Timestamp::from_unix(i64::MAX)).unwrap()
}

fn verdict(policy: &SignaturePolicy, evidence: &[Evidence], trust: &Trust) -> Verdict {
    crate::judge(policy, &"v1".parse().unwrap(), &image(), evidence, trust, now()).unwrap()
}

fn bundles(bundles: &[&Value]) -> Vec<Evidence> {
    bundles.iter().map(|bundle| Evidence::Bundle(bundle.to_string().into_bytes())).collect()
}

/// The one signature that a verdict rests on.
fn verified(verdict: Verdict) -> Verified {
    match verdict {
        Verdict::Verified { mut by } if by.len() == 1 => by.remove(0),
        other => panic!("{other:?}"),
    }
}

fn refusal(verdict: &Verdict) -> Refusal {
    match verdict {
        Verdict::Refused { reason, detail } if !detail.is_empty() => *reason,
        other => panic!("{other:?}"),
    }
}
