//! A second selection, which goes through the tags one by one and counts what is before each of them.

use std::cmp::Ordering;

use proptest::{collection::vec, option, prelude::*, sample::subsequence};
use serde_json::{Value, json};

use super::{selection, tag};
use crate::{
    Timestamp,
    selection::{Candidate, Maturity, Platform, Range, Step, Verdict, Version},
};

const RANGES: [&str; 4] = [">=1.1", "~1", "2.x || <0.2", ">=1.0-0 <1.2"];
const EXCLUDED: [&str; 3] = ["*-rc", "b*", "?.0"];
const ALWAYS: [&str; 3] = ["latest", "1*", "[ab]-2"];
const PLATFORMS: [&str; 3] = ["linux/amd64", "linux/arm64", "windows/amd64"];
const SORTS: [&str; 4] = ["version", "numeric", "name", "first_seen"];

/// A selection as the second one reads it.
#[derive(Debug, Clone)]
struct Rules {
    include: Include,
    versions: Option<(Vec<&'static str>, bool, bool)>,
    excluded: Vec<&'static str>,
    no_v: bool,
    sort: Option<&'static str>,
    newest: Option<u32>,
    grouped: bool,
    always: Vec<&'static str>,
    platforms: Vec<&'static str>,
    max_size: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Include {
    All,
    /// `v?[0-9].*`
    Numbers,
    /// `(?<kind>[a-z]+)?-?(?<key>[0-9].*)`
    Kinds,
}

impl Rules {
    fn json(&self) -> Value {
        let mut given = json!({"always": self.always, "exclude": {"globs": self.excluded}});
        match self.include {
            Include::All => {}
            Include::Numbers => given["include_regex"] = json!("v?[0-9].*"),
            Include::Kinds => given["include_regex"] = json!("(?<kind>[a-z]+)?-?(?<key>[0-9].*)"),
        }
        if let Some((ranges, prereleases, from)) = &self.versions {
            given["version"] = json!({"prereleases": prereleases});
            if !ranges.is_empty() {
                given["version"]["ranges"] = json!(ranges);
            }
            if *from {
                given["version"]["from"] = json!("[a-z]-(?<version>.*)");
            }
        }
        if self.no_v {
            given["exclude"]["regex"] = json!("v.*");
        }
        if self.is_grouped() {
            given["group_by"] = json!("kind");
        }
        if !self.platforms.is_empty() {
            given["platforms"] = json!(self.platforms);
        }
        given["sort"] = json!(self.sort);
        given["newest"] = json!(self.newest);
        given["max_size"] = json!(self.max_size);
        given
    }

    fn is_grouped(&self) -> bool {
        self.grouped && self.include == Include::Kinds
    }

    /// The letters before a tag's number, and the rest, where the tag is made of these.
    fn kind(tag: &str) -> Option<(&str, &str)> {
        let letters = tag.find(|sign: char| !sign.is_ascii_lowercase())?;
        let rest = tag[letters..].strip_prefix('-').unwrap_or(&tag[letters..]);
        rest.starts_with(|sign: char| sign.is_ascii_digit()).then_some((&tag[..letters], rest))
    }

    fn key_text<'a>(&self, tag: &'a str) -> &'a str {
        if self.include == Include::Kinds { Self::kind(tag).unwrap().1 } else { tag }
    }

    fn version(&self, tag: &str) -> Option<Version> {
        if let Some((_, _, true)) = self.versions {
            let (letter, rest) = tag.split_once('-')?;
            let is_letter = letter.len() == 1 && letter.as_bytes()[0].is_ascii_lowercase();
            return Version::of_tag(rest).filter(|_| is_letter);
        }
        Version::of_tag(self.key_text(tag))
    }

    /// The step that takes a tag out by its name.
    fn name_step(&self, tag: &str) -> Option<Step> {
        if tag.len() > 64 {
            return Some(Step::Derived);
        }
        let is_included = match self.include {
            Include::All => true,
            Include::Numbers => tag.trim_start_matches('v').starts_with(|sign: char| sign.is_ascii_digit()),
            Include::Kinds => Self::kind(tag).is_some(),
        };
        if !is_included {
            return Some(Step::IncludeRegex);
        }
        if let Some((ranges, prereleases, _)) = &self.versions {
            let Some(version) = self.version(tag) else { return Some(Step::Version) };
            let is_in = |range: &&str| Range::parse(range).unwrap().contains(&version, *prereleases);
            let is_any = ranges.is_empty() && (*prereleases || !version.is_prerelease());
            if !is_any && !ranges.iter().any(is_in) {
                return Some(Step::Version);
            }
        }
        let is_excluded = |glob: &&str| match *glob {
            "*-rc" => tag.ends_with("-rc"),
            "b*" => tag.starts_with('b'),
            _ => tag.len() == 3 && tag.ends_with(".0"),
        };
        let is_out = self.excluded.iter().any(is_excluded) || (self.no_v && tag.starts_with('v'));
        is_out.then_some(Step::Exclude)
    }

    fn has_key(&self, one: &Candidate) -> bool {
        match self.sort.unwrap_or("version") {
            "version" => self.version(one.tag.as_str()).is_some(),
            "numeric" => self.key_text(one.tag.as_str()).bytes().all(|byte| byte.is_ascii_digit()),
            "name" => true,
            _ => one.first_seen.is_some(),
        }
    }

    /// How two tags that have keys compare.
    fn compare(&self, one: &Candidate, other: &Candidate) -> Ordering {
        let [a, b] = [one, other].map(|it| it.tag.as_str());
        match self.sort.unwrap_or("version") {
            "version" => self.version(a).unwrap().cmp(&self.version(b).unwrap()),
            "numeric" => {
                let [a, b] = [a, b].map(|tag| self.key_text(tag).parse::<u128>().unwrap());
                a.cmp(&b)
            }
            "name" => self.key_text(a).cmp(self.key_text(b)),
            _ => (one.first_seen, a).cmp(&(other.first_seen, b)),
        }
    }

    /// What is ranked at all with this tag.
    fn is_ranked(&self, one: &Candidate) -> bool {
        let is_asked = self.sort.is_some() || self.newest.is_some();
        is_asked && self.name_step(one.tag.as_str()).is_none() && self.has_key(one)
    }

    fn rank(&self, one: &Candidate, all: &[Candidate]) -> Option<usize> {
        if !self.is_ranked(one) {
            return None;
        }
        let group = |of: &Candidate| self.is_grouped().then(|| Self::kind(of.tag.as_str()).unwrap().0.to_owned());
        let mut before: Vec<&Candidate> = Vec::new();
        for other in all {
            let counts = (other.is_served || other.maturity == Maturity::Mature)
                && self.is_ranked(other)
                && group(other) == group(one);
            let is_new = |known: &Vec<&Candidate>| known.iter().all(|known| self.compare(known, other).is_ne());
            if counts && self.compare(other, one).is_gt() && is_new(&before) {
                before.push(other);
            }
        }
        Some(before.len() + 1)
    }

    /// What becomes of a tag, its rank, and what `always` keeps it from.
    fn decide(&self, one: &Candidate, all: &[Candidate]) -> (Verdict, Option<usize>, Option<Step>) {
        let name = one.tag.as_str();
        let rank = self.rank(one, all);
        let mut out = self.name_step(name).map(|step| Verdict::Removed { step });
        if let (None, Some(newest)) = (out, self.newest) {
            let step = Step::Newest;
            if rank.is_none() && self.sort == Some("first_seen") {
                out = Some(Verdict::Unknown { step });
            } else if rank.is_none_or(|rank| rank > newest as usize) {
                out = Some(Verdict::Removed { step });
            }
        }
        let mut spared = None;
        let is_always = |glob: &&str| match *glob {
            "latest" => name == "latest",
            "1*" => name.starts_with('1'),
            _ => name == "a-2" || name == "b-2",
        };
        if let Some(Verdict::Removed { step } | Verdict::Unknown { step }) = out
            && step != Step::Derived
            && self.always.iter().any(is_always)
        {
            (out, spared) = (None, Some(step));
        }
        (out.unwrap_or_else(|| self.by_facts(one)), rank, spared)
    }

    fn by_facts(&self, one: &Candidate) -> Verdict {
        if !self.platforms.is_empty() {
            let Some(of) = &one.platforms else { return Verdict::Unknown { step: Step::Platforms } };
            if !of.is_empty() && !of.iter().any(|of| self.platforms.contains(&of.to_string().as_str())) {
                return Verdict::Removed { step: Step::Platforms };
            }
        }
        match one.maturity {
            Maturity::Waiting { until } => return Verdict::Held { until },
            Maturity::Unknown => return Verdict::Unknown { step: Step::MinAge },
            Maturity::Mature => {}
        }
        match (self.max_size, one.size) {
            (Some(_), None) => Verdict::Unknown { step: Step::MaxSize },
            (Some(max), Some(size)) if size > max => Verdict::Removed { step: Step::MaxSize },
            _ => Verdict::Kept,
        }
    }
}

fn rules() -> impl Strategy<Value = Rules> {
    let names = (
        prop::sample::select(vec![Include::All, Include::Numbers, Include::Kinds]),
        option::of((subsequence(RANGES.to_vec(), 0..=4), any::<bool>(), prop::bool::weighted(0.2))),
        subsequence(EXCLUDED.to_vec(), 0..=1),
        prop::bool::weighted(0.2),
    );
    let order = (option::of(prop::sample::select(SORTS.to_vec())), option::of(1..4_u32), any::<bool>());
    let rest =
        (subsequence(ALWAYS.to_vec(), 0..=2), subsequence(PLATFORMS.to_vec(), 0..=2), option::weighted(0.3, 1..4_u64));
    (names, order, rest).prop_map(
        |((include, versions, excluded, no_v), (sort, newest, grouped), (always, platforms, max_size))| Rules {
            include,
            versions,
            excluded,
            no_v,
            sort,
            newest,
            grouped,
            always,
            platforms,
            max_size,
        },
    )
}

fn candidate() -> impl Strategy<Value = Candidate> {
    let name = prop_oneof![
        8 => "(v|a-|b-|a|b)?[0-2](\\.[0-2]){0,2}(-rc|_b)?",
        1 => "0{0,2}[0-3]{1,2}",
        1 => Just("latest".to_owned()),
        1 => "sha256-[a-b]{64}(\\.sig|\\.att|\\.sbom)?",
    ];
    let maturity = prop_oneof![
        4 => Just(Maturity::Mature),
        1 => (5..9_i64).prop_map(|until| Maturity::Waiting { until: Timestamp::from_unix(until) }),
        1 => Just(Maturity::Unknown),
    ];
    let platforms = subsequence(PLATFORMS.to_vec(), 0..=2)
        .prop_map(|of| -> Vec<Platform> { of.into_iter().map(|platform| platform.parse().unwrap()).collect() });
    let first_seen = option::weighted(0.8, (0..4_i64).prop_map(Timestamp::from_unix));
    (
        name,
        first_seen,
        maturity,
        prop::bool::weighted(0.2),
        option::weighted(0.9, 0..5_u64),
        option::weighted(0.9, platforms),
    )
        .prop_map(|(name, first_seen, maturity, is_served, size, platforms)| Candidate {
            tag: tag(&name),
            first_seen,
            maturity,
            is_served,
            size,
            platforms,
        })
}

/// Each tag once, in any order.
fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
    vec(candidate(), 0..24).prop_map(|mut all| {
        let mut seen = std::collections::BTreeSet::new();
        all.retain(|candidate| seen.insert(candidate.tag.clone()));
        all
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn both_decide_alike(rules in rules(), all in candidates()) {
        let decided = selection(rules.json()).decide(&all);
        prop_assert_eq!(decided.len(), all.len());
        for (decision, candidate) in decided.iter().zip(&all) {
            prop_assert_eq!(&decision.tag, &candidate.tag);
            let second = rules.decide(candidate, &all);
            prop_assert_eq!((decision.verdict, decision.rank, decision.spared), second, "{}", candidate.tag);
        }
    }

    /// What is not mature, and has nothing served, takes nothing from the others.
    #[test]
    fn who_waits_changes_nothing_for_others(rules in rules(), all in candidates()) {
        let selection = selection(rules.json());
        let counts = |one: &Candidate| one.is_served || one.maturity == Maturity::Mature;
        let mature: Vec<_> = all.iter().filter(|one| counts(one)).cloned().collect();
        let among_all = selection.decide(&all);
        let alone = selection.decide(&mature);
        let of_mature = among_all.into_iter().zip(&all).filter(|(_, one)| counts(one));
        prop_assert_eq!(of_mature.map(|(decision, _)| decision).collect::<Vec<_>>(), alone);
    }
}
