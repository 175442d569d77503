//! Who has signed an image, as it is shown.

use moorage_domain::{Timestamp, signature_policy::Verified};
use serde_json::{Value, json};

/// The signatures that an image was let in by.
pub(crate) fn signed(by: &[Verified]) -> Value {
    by.iter().map(view).collect()
}

fn view(verified: &Verified) -> Value {
    let Verified { authority, issuer, subject, time, log_index, predicate, evidence } = verified;
    let mut view = json!({"authority": authority, "evidence": evidence});
    let more = [
        ("issuer", json!(issuer)),
        ("subject", json!(subject)),
        ("time", json!(time.map(Timestamp::iso))),
        ("log_index", json!(log_index)),
        ("predicate", json!(predicate)),
    ];
    for (name, value) in more.into_iter().filter(|(_, value)| !value.is_null()) {
        view[name] = value;
    }
    view
}

#[cfg(test)]
mod tests {
    use moorage_domain::Digest;

    use super::*;

    #[test]
    fn what_is_not_known_is_left_out() {
        let evidence = Digest::sha256(b"bundle");
        let key = Verified {
            authority: "release".to_owned(),
            issuer: None,
            subject: None,
            time: None,
            log_index: None,
            predicate: None,
            evidence: evidence.clone(),
        };
        let keyless = Verified {
            issuer: Some("https://issuer".to_owned()),
            subject: Some("me".to_owned()),
            time: Some(Timestamp::from_unix(0)),
            log_index: Some(7),
            ..key.clone()
        };
        let expected = json!([
            {"authority": "release", "evidence": evidence},
            {"authority": "release", "evidence": evidence, "issuer": "https://issuer", "subject": "me",
             "time": "1970-01-01T00:00:00Z", "log_index": 7},
        ]);
        assert_eq!(signed(&[key, keyless]), expected);
    }
}
