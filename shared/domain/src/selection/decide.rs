//! The steps of a selection, in their order.

use super::{
    decision::{Candidate, Decision, Key, Maturity, Step, Verdict},
    platform::Platform,
    policy::{Policy, Sort},
    ranking::{Place, Ranking},
    version::Version,
};
use crate::{TagName, lists::Listed, object::Object, referrers::is_derived_tag};

/// How far a tag comes by its name alone.
enum Course<'a> {
    /// It is out, after this was compared.
    Out(Step, Option<Key>),
    /// It has a place, or none if nothing is ranked or it has no key.
    In { group: Option<&'a str>, place: Option<Place>, version: Option<Version> },
}

/// What becomes of each candidate, in the order in which they are given. The order has no part in that.
pub(super) fn decide(policy: &Policy, candidates: &[Candidate]) -> Vec<Decision> {
    let courses: Vec<_> = candidates.iter().map(|candidate| course(policy, candidate)).collect();
    let counted = candidates.iter().zip(&courses).filter_map(|(candidate, course)| match course {
        Course::In { group, place: Some(place), .. } if candidate.counts() => Some((*group, place)),
        _ => None,
    });
    let ranking = Ranking::new(counted);
    candidates.iter().zip(&courses).map(|(candidate, course)| decision(policy, &ranking, candidate, course)).collect()
}

/// Steps 2 to 4, which look at nothing but the name, and what the fifth looks at.
fn course<'a>(policy: &Policy, candidate: &'a Candidate) -> Course<'a> {
    let tag = &candidate.tag;
    if is_derived_tag(tag) {
        return Course::Out(Step::Derived, None);
    }
    if policy.include_regex.as_ref().is_some_and(|pattern| !pattern.is_match(tag.as_str())) {
        return Course::Out(Step::IncludeRegex, None);
    }
    let version = || policy.version_text(tag).and_then(Version::of_tag);
    let mut known = None;
    if let Some(Object(rule)) = &policy.version {
        known = version();
        let is_taken = |version: &Version| match &rule.ranges {
            Some(Listed(ranges)) => {
                ranges.iter().any(|range| range.contains(version, rule.prereleases.unwrap_or(false)))
            }
            None => rule.prereleases.unwrap_or(false) || !version.is_prerelease(),
        };
        if !known.as_ref().is_some_and(is_taken) {
            return Course::Out(Step::Version, known.map(Key::Version));
        }
    }
    if policy.exclude.as_ref().is_some_and(|Object(exclusion)| exclusion.leaves_out(tag)) {
        return Course::Out(Step::Exclude, known.map(Key::Version));
    }
    let key = sort(policy).and_then(|sort| match sort {
        Sort::Version => known.clone().or_else(version).map(Key::Version),
        Sort::Numeric => policy.key_text(tag).and_then(super::version::number).map(Key::Number),
        Sort::Name => policy.key_text(tag).map(|text| Key::Name(text.to_owned())),
        Sort::FirstSeen => candidate.first_seen.map(Key::FirstSeen),
    });
    Course::In { group: policy.group(tag), place: key.map(|key| Place::new(key, tag)), version: known }
}

/// How tags are sorted, if they are.
fn sort(policy: &Policy) -> Option<Sort> {
    policy.sort.or_else(|| policy.newest.map(|_| Sort::Version))
}

/// The fifth step and all behind it.
fn decision(policy: &Policy, ranking: &Ranking<'_>, candidate: &Candidate, course: &Course<'_>) -> Decision {
    let tag = &candidate.tag;
    let (group, key, rank) = match course {
        Course::Out(_, key) => (None, key.clone(), None),
        Course::In { group, place: Some(place), .. } => {
            (*group, Some(place.key().clone()), Some(ranking.rank(*group, place)))
        }
        Course::In { group, place: None, version } => (*group, version.clone().map(Key::Version), None),
    };
    let by_name = match course {
        Course::Out(step, _) => Some(Verdict::Removed { step: *step }),
        Course::In { .. } => newest(policy, rank),
    };
    let is_spared = |tag: &TagName| policy.always.as_ref().is_some_and(|globs| globs.is_match(tag));
    let (verdict, spared) = match by_name {
        Some(Verdict::Removed { step } | Verdict::Unknown { step }) if step.spares_always() && is_spared(tag) => {
            (None, Some(step))
        }
        ended => (ended, None),
    };
    let verdict = verdict.or_else(|| by_facts(policy, candidate)).unwrap_or(Verdict::Kept);
    Decision { tag: tag.clone(), verdict, key, group: group.map(str::to_owned), rank, spared, observed: None }
}

/// The fifth step.
fn newest(policy: &Policy, rank: Option<usize>) -> Option<Verdict> {
    let newest = policy.newest?;
    let step = Step::Newest;
    match rank {
        Some(rank) if u64::try_from(rank).is_ok_and(|rank| rank <= u64::from(newest.get())) => None,
        // A name has a key or not; a moment may be learnt.
        None if sort(policy) == Some(Sort::FirstSeen) => Some(Verdict::Unknown { step }),
        _ => Some(Verdict::Removed { step }),
    }
}

/// The steps behind `always`, which look at the image.
fn by_facts(policy: &Policy, candidate: &Candidate) -> Option<Verdict> {
    let platforms = policy.platforms.as_ref().and_then(|Listed(wanted)| {
        let step = Step::Platforms;
        let has_any = |of: &[Platform]| of.iter().any(|image| wanted.iter().any(|wanted| wanted.covers(image)));
        match candidate.platforms.as_deref() {
            None => Some(Verdict::Unknown { step }),
            // What is for no platform is for any, as with `architecture_filter`.
            Some(of) => (!of.is_empty() && !has_any(of)).then_some(Verdict::Removed { step }),
        }
    });
    let age = || match candidate.maturity {
        Maturity::Mature => None,
        Maturity::Waiting { until } => Some(Verdict::Held { until }),
        Maturity::Unknown => Some(Verdict::Unknown { step: Step::MinAge }),
    };
    let size = || {
        let (step, max) = (Step::MaxSize, policy.max_size?.get());
        match candidate.size {
            None => Some(Verdict::Unknown { step }),
            Some(size) => (size > max).then_some(Verdict::Removed { step }),
        }
    };
    platforms.or_else(age).or_else(size)
}
