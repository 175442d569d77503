//! One tag, judged by a policy.

use moorage_domain::{
    Digest, TagName, Timestamp,
    signature_policy::{Refusal, Require, SignaturePolicy, Verdict},
};

use crate::{
    authority::{self, Candidates},
    evidence::{Evidence, MAX_CANDIDATES},
    failure::{Failure, any},
    trust::Trust,
};

/// What a policy finds of a tag; nothing if it does not judge it.
///
/// `image` is the digest that the tag points to: what it lists, if it is an index, is covered by that. `evidence` is all that
/// the registry has of the formats that the policy takes, completely: where some of it could not be had, nobody may ask
/// here, and the verdict is [`Verdict::Unavailable`].
pub fn judge(
    policy: &SignaturePolicy,
    tag: &TagName,
    image: &Digest,
    evidence: &[Evidence],
    trust: &Trust,
    now: Timestamp,
) -> Option<Verdict> {
    policy.judges(tag).then(|| decide(policy, image, evidence, trust, now).unwrap_or_else(Verdict::from))
}

fn decide(
    policy: &SignaturePolicy,
    image: &Digest,
    evidence: &[Evidence],
    trust: &Trust,
    now: Timestamp,
) -> Result<Verdict, Failure> {
    let count = evidence.iter().map(Evidence::count).fold(0, usize::saturating_add);
    if count > MAX_CANDIDATES {
        let detail = format!("the image has {count} candidates, of which at most {MAX_CANDIDATES} are looked at");
        return Err(Failure::new(Refusal::TooManyReferrers, detail));
    }
    let candidates = Candidates::read(evidence, image);
    let mut judged = policy.authorities().iter().map(|authority| {
        authority::judge(authority, &candidates, trust, now).map_err(|failure| failure.of(&authority.name))
    });
    let by = match policy.require() {
        Require::Any => any(judged)?,
        Require::All => all(&mut judged)?,
    };
    Ok(Verdict::Verified { by })
}

/// What all of them find. One that refuses decides, whatever could not be judged.
fn all<T>(results: impl Iterator<Item = Result<Vec<T>, Failure>>) -> Result<Vec<T>, Failure> {
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(some) => found.extend(some),
            Err(failure) => failures.push(failure),
        }
    }
    match failures.into_iter().min_by_key(|failure| matches!(failure, Failure::Unavailable(_))) {
        Some(failure) => Err(failure),
        None => Ok(found),
    }
}
