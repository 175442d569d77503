//! What is taken as a policy, what is said of the rest, and whom it admits.

mod fields;
mod keys;

use serde_json::{Value, json};

use super::{Authority, Identity, SignaturePolicy, Signer};
use crate::FieldError;

const P256: &str = include_str!("tests/keys/p256.pem");

fn parse(given: Value) -> Result<SignaturePolicy, FieldError> {
    SignaturePolicy::parse(given)
}

fn policy(given: Value) -> SignaturePolicy {
    parse(given).unwrap()
}

fn refusal(given: Value) -> (String, String) {
    let FieldError { field, reason } = parse(given).unwrap_err();
    (field, reason)
}

/// A policy of one authority.
fn of(authority: Value) -> Value {
    json!({"mode": "enforce", "authorities": Value::Array(vec![authority])})
}

/// A policy of one identity.
fn identified(identity: Value) -> Value {
    of(json!({"name": "ci", "keyless": {"identities": Value::Array(vec![identity])}}))
}

fn authority(given: Value) -> Authority {
    policy(of(given)).authorities()[0].clone()
}

fn identities(given: Value) -> Vec<Identity> {
    match policy(identified(given)).authorities()[0].signer.clone() {
        Signer::Keyless { identities, .. } => identities,
        Signer::Key(_) => vec![],
    }
}
