//! That an image was found to be signed as a policy asks.

use serde::{Deserialize, Serialize};

use super::verdict::Verified;
use crate::{Digest, Timestamp};

/// What is recorded of it with the tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// By which policy: [`super::SignaturePolicy::id`].
    pub policy: Digest,
    /// By which signatures.
    pub by: Vec<Verified>,
}

/// The most signatures that are recorded of an image: an item of the table has room for these beside a thousand digests.
const MAX_RECORDED: usize = 16;
/// The longest text of one, in bytes: what Fulcio puts into certificates is shorter.
const MAX_TEXT: usize = 400;

impl Approval {
    /// By these signatures of a policy, as far as they are recorded.
    pub fn new(policy: Digest, by: Vec<Verified>) -> Self {
        let cut = |text: String| text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or_default().to_owned();
        let short = |verified: Verified| Verified {
            issuer: verified.issuer.map(cut),
            subject: verified.subject.map(cut),
            predicate: verified.predicate.map(cut),
            ..verified
        };
        Self { policy, by: by.into_iter().take(MAX_RECORDED).map(short).collect() }
    }

    /// When the image was signed, where a log or a clock says so.
    pub fn time(&self) -> Option<Timestamp> {
        time(&self.by)
    }
}

/// When all of them had signed; nothing if that is not proven of one of them.
pub(super) fn time(by: &[Verified]) -> Option<Timestamp> {
    by.iter().map(|verified| verified.time).collect::<Option<Vec<_>>>()?.into_iter().max()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::signature_policy::{Refusal, SignaturePolicy};

    fn by(times: &[Option<i64>]) -> Vec<Verified> {
        let one = |time: &Option<i64>| Verified {
            authority: "release".to_owned(),
            issuer: None,
            subject: None,
            time: time.map(Timestamp::from_unix),
            log_index: None,
            predicate: None,
            evidence: Digest::sha256(b"bundle"),
        };
        times.iter().map(one).collect()
    }

    fn policy(more: &serde_json::Value) -> SignaturePolicy {
        let mut given = json!({"mode": "enforce", "authorities": [
            {"name": "ci", "keyless": {"identities": [{"issuer": "https://issuer", "subject": "me"}]}},
        ]});
        for (name, value) in more.as_object().unwrap() {
            given[name] = value.clone();
        }
        SignaturePolicy::parse(given).unwrap()
    }

    #[test]
    fn the_time_of_a_tag_does_not_go_back() {
        let approval = |times: &[Option<i64>]| Approval { policy: Digest::sha256(b"policy"), by: by(times) };
        let strict = policy(&json!({"no_rollback": true}));
        for (before, new, refusal) in [
            (vec![Some(100)], vec![Some(100)], None),
            (vec![Some(100)], vec![Some(99)], Some(Refusal::OlderSignature)),
            (vec![Some(100)], vec![None], Some(Refusal::NoTime)),
            (vec![None], vec![Some(1)], None),
            (vec![None], vec![None], Some(Refusal::NoTime)),
            (vec![Some(50), Some(100)], vec![Some(10), Some(101)], None),
            (vec![Some(50), Some(100)], vec![Some(60), Some(99)], Some(Refusal::OlderSignature)),
        ] {
            assert_eq!(strict.refuses_rollback(Some(&approval(&before)), &by(&new)), refusal, "{before:?} {new:?}");
            assert_eq!(policy(&json!({})).refuses_rollback(Some(&approval(&before)), &by(&new)), None);
        }
        assert_eq!(strict.refuses_rollback(None, &by(&[None])), None, "there is nothing to go back from");
    }

    #[test]
    fn what_is_approved_stays_so_however_strictly_it_is_asked_for() {
        let one = policy(&json!({})).id();
        assert_eq!(policy(&json!({"mode": "observe"})).id(), one);
        assert_ne!(policy(&json!({"require": "all"})).id(), one);
    }
}
