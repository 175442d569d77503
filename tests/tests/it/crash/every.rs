//! Every kill there is, one after the other, and what must be true afterwards.

use std::panic::AssertUnwindSafe;

use futures_util::{FutureExt as _, StreamExt as _, stream};
use moorage_tests::{
    aws::{self, Plan, fault::Fault, request::Request},
    function::Outcome,
    lab::{Ended, Lab},
    stack::Stack,
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::Value;

/// Cases at once.
const CASES_AT_ONCE: usize = 4;
/// Names a single case, such as `sync:17:after`: only that one is tried.
const ONLY: &str = "CRASH";
/// How many cases are made by chance besides. With it, kills before writes that were under way with others are tried, too.
const SEEDS: &str = "CRASH_SEEDS";
/// Cases by chance of each scenario that every run tries.
const FEW_SEEDS: u64 = 3;
/// The most failures that are shown.
const SHOWN: usize = 5;
/// Of a thousand requests on a bad day, so many suffer something.
const BAD_DAY: u64 = 60;

/// Something that may be killed.
pub(super) trait Scenario {
    /// Its name.
    const NAME: &str;
    /// What functions are told besides their own settings.
    const SETTINGS: &[(&str, &str)];
    /// What is to happen before. Returns the function, and what it is invoked with.
    async fn begin(&self, lab: &Lab) -> (String, Value);
    /// What holds at any moment.
    async fn check(&self, lab: &Lab);
    /// What happens by itself after a crash.
    async fn recover(&self, lab: &Lab);
    /// All that is to be the same, whatever has happened.
    async fn observe(&self, lab: &Lab) -> Vec<String>;
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    /// It is killed at this request, before that has had its effect.
    Before(usize),
    /// It is killed at this request, after that has had its effect.
    After(usize),
    /// It is killed at a request, and what comes next is killed, too: at which, the seed says.
    Pair(u64),
    /// It has a bad day: AWS refuses, is slow, and loses requests and answers. What, the seed says.
    BadDay(u64),
}

impl Case {
    fn name(self, scenario: &str) -> String {
        match self {
            Self::Before(at) => format!("{scenario}:{at}:before"),
            Self::After(at) => format!("{scenario}:{at}:after"),
            Self::Pair(seed) => format!("{scenario}:{seed}:pair"),
            Self::BadDay(seed) => format!("{scenario}:{seed}:bad-day"),
        }
    }

    /// By its name, without the scenario's.
    fn named(name: &str) -> Option<Self> {
        let (number, kind) = name.split_once(':')?;
        Some(match kind {
            "before" => Self::Before(number.parse().ok()?),
            "after" => Self::After(number.parse().ok()?),
            "pair" => Self::Pair(number.parse().ok()?),
            "bad-day" => Self::BadDay(number.parse().ok()?),
            _ => return None,
        })
    }

    /// What AWS does to the first invocation, which makes about so many requests, and to the next.
    fn plans(self, requests: usize) -> (Plan, Option<Plan>) {
        match self {
            Self::Before(at) => (kill(at, Fault::KillBefore), None),
            Self::After(at) => (kill(at, Fault::KillAfter), None),
            Self::Pair(seed) => {
                let mut random = StdRng::seed_from_u64(seed);
                let mut any = || {
                    let fault = if random.random() { Fault::KillBefore } else { Fault::KillAfter };
                    kill(random.random_range(1..=requests), fault)
                };
                (any(), Some(any()))
            }
            Self::BadDay(seed) => (aws::by_chance(seed, BAD_DAY, &aws::bad_day()), None),
        }
    }
}

fn kill(at: usize, fault: Fault) -> Plan {
    Box::new(move |request| if request.number == at { fault } else { Fault::None })
}

/// The cases that are tried of something that asks for this.
fn cases(scenario: &str, asked: &[Request]) -> Vec<Case> {
    if let Ok(only) = std::env::var(ONLY) {
        let only = only.strip_prefix(scenario).and_then(|rest| rest.strip_prefix(':')).and_then(Case::named);
        return only.into_iter().collect();
    }
    let seeds = std::env::var(SEEDS).ok().and_then(|seeds| seeds.parse().ok());
    // Whoever is killed between two writes leaves the same behind, whatever was read meanwhile: before a write is after
    // the one that came first, unless they were under way at once.
    let mut kills = Vec::new();
    for write in asked.iter().filter(|request| request.writes) {
        if kills.is_empty() || (write.overlaps && seeds.is_some()) {
            kills.push(Case::Before(write.number));
        }
        kills.push(Case::After(write.number));
    }
    let by_chance = (0..seeds.unwrap_or(FEW_SEEDS)).flat_map(|seed| [Case::Pair(seed), Case::BadDay(seed)]);
    kills.into_iter().chain(by_chance).collect()
}

/// Tries every case.
pub(super) async fn every_kill<S: Scenario>(stack: &Stack, scenario: &S) {
    let lab = Lab::new(stack, S::SETTINGS).await;
    let ended = invoke(&lab, scenario, Box::new(|_| Fault::None)).await;
    assert!(matches!(ended.outcome, Outcome::Answer(_)), "{:?} {}", ended.outcome, ended.log);
    scenario.recover(&lab).await;
    let expected = scenario.observe(&lab).await;
    drop(lab);

    let (cases, requests) = (cases(S::NAME, &ended.asked), ended.asked.len());
    let all = cases.len();
    let one = async |case: Case| {
        let tried = AssertUnwindSafe(try_one(stack, scenario, case, requests, &expected)).catch_unwind().await;
        let difference = match tried {
            Ok(Ok(())) => return None,
            Ok(Err(difference)) => difference,
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
            }
        };
        let failed = format!("{}: {difference}", case.name(S::NAME));
        // At once: there may be hours of other cases.
        eprintln!("{failed}");
        Some(failed)
    };
    let tried = stream::iter(cases).map(one).buffer_unordered(CASES_AT_ONCE);
    let failed: Vec<String> = tried.filter_map(async |failed| failed).collect().await;
    println!("{}: {requests} requests, {all} cases", S::NAME);
    let shown = failed.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n");
    assert!(failed.is_empty(), "{} of {all} cases; {ONLY}=NAME tries one again:\n{shown}", failed.len());
}

async fn invoke<S: Scenario>(lab: &Lab, scenario: &S, plan: Plan) -> Ended {
    let (function, event) = scenario.begin(lab).await;
    lab.invoke(&function, &event, plan).await
}

/// One case. Tells what is different afterwards.
async fn try_one<S: Scenario>(
    stack: &Stack,
    scenario: &S,
    case: Case,
    requests: usize,
    expected: &[String],
) -> Result<(), String> {
    let lab = Lab::new(stack, S::SETTINGS).await;
    let (first, second) = case.plans(requests);
    let ended = invoke(&lab, scenario, first).await;
    scenario.check(&lab).await;
    if let Some(plan) = second {
        lab.trouble_next(plan);
        // Killed at a moment of its own: whatever that was, what comes after makes it whole.
        AssertUnwindSafe(scenario.recover(&lab)).catch_unwind().await.ok();
        scenario.check(&lab).await;
    }
    scenario.recover(&lab).await;
    scenario.check(&lab).await;
    let observed = scenario.observe(&lab).await;
    if observed == expected {
        return Ok(());
    }
    let only = |these: &[String], others: &[String]| -> Vec<String> {
        these.iter().filter(|line| !others.contains(line)).take(8).cloned().collect()
    };
    let last = ended.asked.last().map(ToString::to_string);
    let (missing, new) = (only(expected, &observed), only(&observed, expected));
    Err(format!("last asked: {last:?}\n  missing: {missing:#?}\n  new: {new:#?}\n  {}", ended.log))
}
