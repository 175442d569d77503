//! One tag, judged by a policy.

use moorage_domain::{
    Digest, TagName, Timestamp,
    signature_policy::{Format, Refusal, Require, SignaturePolicy, Verdict, Verified},
};

use crate::{
    authority::Asked,
    candidate::Unreadable,
    evidence::{Evidence, MAX_CANDIDATES},
    failure::{Failure, any},
    trust::Trust,
};

/// A judgement under way: it sees one piece of evidence after the other, and keeps none of them.
#[derive(Debug)]
pub struct Judge<'a> {
    require: Require,
    image: &'a Digest,
    trust: &'a Trust,
    now: Timestamp,
    /// For each authority, what it is asked for.
    asked: Vec<Vec<Asked<'a>>>,
    /// How many candidates were seen of each format.
    seen: [usize; 2],
    /// How many candidates cannot be read, and why the first of them cannot.
    unreadable: (usize, Option<Unreadable>),
}

/// What a policy finds of a tag with all that there is; nothing if it does not judge it. See [`Judge`].
pub fn judge(
    policy: &SignaturePolicy,
    tag: &TagName,
    image: &Digest,
    evidence: &[Evidence],
    trust: &Trust,
    now: Timestamp,
) -> Option<Verdict> {
    let mut judge = Judge::new(policy, tag, image, trust, now)?;
    for evidence in evidence {
        judge.see(evidence);
    }
    Some(judge.verdict())
}

impl<'a> Judge<'a> {
    /// Begins to judge a tag; nothing if the policy does not.
    ///
    /// `image` is the digest that the tag points to: what it lists, if it is an index, is covered by that.
    pub fn new(
        policy: &'a SignaturePolicy,
        tag: &TagName,
        image: &'a Digest,
        trust: &'a Trust,
        now: Timestamp,
    ) -> Option<Self> {
        let asked = || policy.authorities().iter().map(Asked::of).collect();
        policy.judges(tag).then(|| Self {
            require: policy.require(),
            image,
            trust,
            now,
            asked: asked(),
            seen: [0; 2],
            unreadable: (0, None),
        })
    }

    /// Takes evidence into account, unless there is enough.
    pub fn see(&mut self, evidence: &Evidence) {
        let seen = &mut self.seen[place(evidence.format())];
        *seen = seen.saturating_add(evidence.count());
        if *seen > MAX_CANDIDATES || self.is_verified() {
            return;
        }
        for candidate in evidence.read(self.image) {
            match candidate {
                Ok(candidate) => {
                    let asked = self.asked.iter_mut().flatten();
                    asked.for_each(|asked| asked.see(&candidate, self.trust, self.now));
                }
                Err(reason) => {
                    self.unreadable.0 += 1;
                    self.unreadable.1.get_or_insert(reason);
                }
            }
        }
    }

    /// Notes that there are more candidates of a format than are looked at.
    pub fn leave_out(&mut self, format: Format) {
        self.seen[place(format)] = MAX_CANDIDATES + 1;
    }

    /// Whether what was seen is enough, so that nothing more need be fetched.
    pub fn is_verified(&self) -> bool {
        let mut complete = self.asked.iter().map(|asked| asked.iter().all(Asked::is_verified));
        match self.require {
            Require::Any => complete.any(|is_complete| is_complete),
            Require::All => complete.all(|is_complete| is_complete),
        }
    }

    /// What is found. Whoever could not have all of the evidence, and has not seen enough, may not ask: the verdict is
    /// [`Verdict::Unavailable`] then.
    pub fn verdict(self) -> Verdict {
        if self.seen.iter().any(|seen| *seen > MAX_CANDIDATES) && !self.is_verified() {
            let detail = format!("there are more candidates than the {MAX_CANDIDATES} that are looked at");
            return Failure::new(Refusal::TooManyReferrers, detail).into();
        }
        let outcomes = self.asked.into_iter().map(|asked| asked.into_iter().map(Asked::outcome).collect());
        let outcome = match self.require {
            Require::Any => any(outcomes),
            Require::All => all(outcomes),
        };
        match outcome {
            Ok(by) => Verdict::Verified { by },
            Err(failure) => failure.beside(self.unreadable.0, self.unreadable.1.as_ref()).into(),
        }
    }
}

/// Where candidates of a format are counted.
const fn place(format: Format) -> usize {
    match format {
        Format::Bundle => 0,
        Format::Simple => 1,
    }
}

/// What all of them find. One that refuses decides, whatever could not be judged.
fn all(results: impl Iterator<Item = Result<Vec<Verified>, Failure>>) -> Result<Vec<Verified>, Failure> {
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
