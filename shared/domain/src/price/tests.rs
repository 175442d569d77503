use proptest::prelude::*;
use uuid::Uuid;

use super::{month::Runs, *};
use crate::{Timestamp, run::RunId};

/// What the benchmark and the verification of a deployment take for prices.
const MODEL: &str = include_str!("../../../../tests/bench/prices.py");

/// A price of the model, which writes it as a number, or as one divided by another.
fn model(name: &str) -> f64 {
    let line = MODEL.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = ")).unwrap();
    let mut parts = line.split('#').next().unwrap().split('/').map(|part| part.trim().parse::<f64>().unwrap());
    parts.next().unwrap() / parts.next().unwrap_or(1.0)
}

fn dollars(amount: Dollars) -> f64 {
    amount.to_string().parse().unwrap()
}

/// What the model makes of the same.
fn modelled(usage: &AwsUsage, scheduled: u64) -> f64 {
    let all = [
        (usage.lambda_requests, "LAMBDA_REQUEST", 1.0),
        (usage.lambda_mb_ms, "LAMBDA_GB_SECOND", 1_024_000.0),
        (usage.s3_writes, "S3_WRITE", 1.0),
        (usage.s3_reads, "S3_READ", 1.0),
        (usage.dynamodb_write_units, "DYNAMODB_WRITE", 1.0),
        (usage.dynamodb_read_halves, "DYNAMODB_READ", 2.0),
        (usage.kms_requests, "KMS_REQUEST", 1.0),
        (usage.log_bytes, "LOG_GB", 1e9),
        (scheduled, "SCHEDULER_INVOCATION", 1.0),
    ];
    let number = |count: u64| f64::from(u32::try_from(count).unwrap());
    all.into_iter().map(|(count, price, of)| number(count) / of * model(price)).sum()
}

fn is_near(ours: f64, theirs: f64, share: f64) -> bool {
    (ours - theirs).abs() <= share * theirs + 1e-11
}

/// What a sync used that was so long, with 512 MB.
fn sync(lambda_ms: u64) -> AwsUsage {
    AwsUsage { lambda_requests: 1, lambda_ms, lambda_mb_ms: lambda_ms * 512, ..AwsUsage::default() }
}

/// What its samples came to in the benchmark's results, by its table of costs for so many of them.
#[test]
fn the_benchmarks_samples_cost_what_it_says() {
    // Of what was consumed the results have dollars alone: the units are those that they come from.
    let again = AwsUsage { dynamodb_write_units: 35, dynamodb_read_halves: 34, log_bytes: 1_940, ..sync(280) };
    let first = AwsUsage {
        s3_writes: 1_003,
        s3_reads: 100,
        dynamodb_write_units: 880,
        dynamodb_read_halves: 160,
        log_bytes: 1_960,
        ..sync(2_440)
    };
    // As long as the network takes for 1.6 GB.
    let large = AwsUsage {
        s3_writes: 103,
        s3_reads: 1,
        dynamodb_write_units: 240,
        dynamodb_read_halves: 90,
        log_bytes: 2_400,
        ..sync(21_333)
    };
    for (usage, times, [lambda, s3, dynamodb, logs, rest]) in [
        (again, 1_000, [0.0021, 0.0, 0.024, 0.00097, 0.001]),
        (first, 1_000, [0.016, 5.06, 0.56, 0.00098, 0.001]),
        (large, 625, [0.089, 0.32, 0.098, 0.00075, 0.00062]),
    ] {
        let cost = Cost::of(&usage, 1, Processor::Arm64);
        let ours = [cost.lambda, cost.s3_requests, cost.dynamodb, cost.logs, cost.scheduler];
        let ours = ours.map(|part| dollars(part * times));
        for (ours, theirs) in ours.into_iter().zip([lambda, s3, dynamodb, logs, rest]) {
            assert!(is_near(ours, theirs, 0.1), "{ours} for {theirs}: {cost:?}");
        }
        let all = lambda + s3 + dynamodb + logs + rest;
        assert!(is_near(dollars(cost.total() * times), all, 0.1), "{} for {all}", cost.total());
    }
    assert_eq!(stored(1_000_000_000_000).to_string(), "23");
    assert!(is_near(dollars(stored(1_000_000_000)), model("S3_GB_MONTH"), 0.0));
}

#[test]
fn amounts_are_decimal_numbers() {
    for (amount, text) in [
        (0, "0"),
        (1, "0.000000000001"),
        (33_120_000, "0.00003312"),
        (DOLLAR, "1"),
        (23 * DOLLAR + DOLLAR / 2, "23.5"),
        (100 * DOLLAR, "100"),
        (u64::MAX, "18446744.073709551615"),
    ] {
        assert_eq!(Dollars(amount).to_string(), text);
    }
}

fn run(started_at: i64, usage: Option<AwsUsage>) -> Run {
    let at = Timestamp::from_unix(started_at);
    Run { usage, ..Run::new(RunId(Uuid::nil()), Trigger::Schedule, at, false) }
}

#[test]
fn a_month_is_made_of_the_runs_that_were_counted() {
    let day = 86_400;
    let ran = |at: i64| run(at, Some(AwsUsage { kms_requests: 1, ..AwsUsage::default() }));
    let and = |runs: Runs, run: &Run| runs.and(run, Processor::Arm64);
    let newest_first = [ran(9 * day), ran(7 * day), ran(5 * day), run(3 * day, None)];
    let runs = newest_first.iter().fold(Runs::default(), and);
    assert_eq!((runs.counted, runs.uncounted, runs.since), (3, 1, Some(Timestamp::from_unix(5 * day))));
    assert_eq!((runs.cost.kms.to_string(), runs.cost.scheduler.to_string()), ("0.000009".into(), "0.000003".into()));
    let now = Timestamp::from_unix(10 * day);
    assert_eq!(runs.covered(3_600, now), 5 * 86_400);
    // 730 hours are 6.083 times those five days.
    assert_eq!(runs.month(3_600, now).kms.to_string(), "0.00005475");
    // The first of an interval's runs stands for the interval.
    let one = and(Runs::default(), &ran(0));
    let soon = Timestamp::from_unix(60);
    assert_eq!((one.covered(86_400, soon), one.covered(60, soon)), (86_400, 3_600));
    assert_eq!(one.month(365 * 3_600, soon).kms, one.cost.kms * 2);
    let none = and(Runs::default(), &run(0, None));
    assert_eq!((none.covered(60, soon), none.month(60, soon)), (0, Cost::default()));
}

#[test]
fn what_was_not_counted_has_no_price() {
    assert_eq!(Cost::of_run(&run(0, None), Processor::Arm64), None);
    let waited = Run { waits: 2, ..run(0, Some(AwsUsage::default())) };
    assert_eq!(Cost::of_run(&waited, Processor::Arm64).unwrap().scheduler, SCHEDULER_INVOCATION * 3);
}

fn usages(most: u64) -> impl Strategy<Value = AwsUsage> {
    proptest::collection::vec(0..=most, 10).prop_map(|it| AwsUsage {
        lambda_requests: it[0],
        lambda_ms: it[1],
        lambda_mb_ms: it[2],
        s3_writes: it[3],
        s3_reads: it[4],
        s3_deletes: it[5],
        dynamodb_read_halves: it[6],
        dynamodb_write_units: it[7],
        kms_requests: it[8],
        log_bytes: it[9],
    })
}

proptest! {
    #[test]
    fn it_is_the_benchmarks_model(usage in usages(1_000_000), scheduled in 0_u64..10) {
        let cost = Cost::of(&usage, scheduled, Processor::Arm64);
        prop_assert!(is_near(dollars(cost.total()), modelled(&usage, scheduled), 1e-6), "{cost:?}");
    }

    #[test]
    fn more_never_costs_less_and_nothing_overflows(
        usage in usages(u64::MAX), more in usages(u64::MAX), scheduled: u64, count: u64, of: u64,
    ) {
        for processor in [Processor::Arm64, Processor::X86] {
            let (some, all) = (Cost::of(&usage, scheduled, processor), Cost::of(&(usage + more), scheduled, processor));
            for ((name, some), (_, all)) in some.parts().into_iter().zip(all.parts()) {
                prop_assert!(some <= all, "{name}");
            }
            prop_assert!(some.total() <= all.total() && some.total() <= (some + all).total());
            prop_assert!(some.share(count, of).total() <= all.share(count, of).total());
            prop_assert!(some.share(count.min(of), of).total() <= some.total());
        }
        let (arm, x86) = [Processor::Arm64, Processor::X86].map(|it| Cost::of(&usage, 0, it).lambda).into();
        prop_assert!(arm <= x86);
    }
}
