//! What AWS charges, by its list prices, and what that comes to.

pub mod month;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    iter::Sum,
    ops::{Add, Mul},
};

use crate::{
    AwsUsage,
    run::{Run, Trigger},
};

/// Digits behind the point of an amount in dollars.
const DIGITS: usize = 12;
/// How many of [`Dollars`]' units are a dollar.
const DOLLAR: u64 = 1_000_000_000_000;

/// An amount of dollars, in units of 10⁻¹²: the smallest price, of a megabyte for a millisecond, is 13 of them. At most 18
/// million dollars: more is shown as that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dollars(u64);

impl Dollars {
    const fn millionths(millionths: u64) -> Self {
        Self(millionths.saturating_mul(1_000_000))
    }

    /// This amount for `count` of `of`, rounded down.
    #[must_use]
    pub fn share(self, count: u64, of: u64) -> Self {
        let amount = u128::from(self.0) * u128::from(count) / u128::from(of.max(1));
        Self(u64::try_from(amount).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Dollars {
    /// A decimal number, exact, without zeros at its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:0DIGITS$}", self.0 / DOLLAR, self.0 % DOLLAR);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl Add for Dollars {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Mul<u64> for Dollars {
    type Output = Self;

    fn mul(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count))
    }
}

/// The processor that the functions have: all of a stack's have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Processor {
    /// Graviton.
    Arm64,
    /// Intel's and AMD's.
    X86,
}

impl Processor {
    /// What this program was built for, and so what its stack's functions have.
    pub const OURS: Self = if cfg!(target_arch = "x86_64") { Self::X86 } else { Self::Arm64 };

    /// Its name, as Lambda has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86 => "x86_64",
        }
    }

    /// For a second with a gigabyte of memory.
    const fn gigabyte_second(self) -> Dollars {
        match self {
            Self::Arm64 => Dollars(13_333_400),
            Self::X86 => Dollars(16_666_700),
        }
    }
}

/// The day of the table: when these were AWS's list prices. Free tiers, data transfer and tax are left out.
pub const DATE: &str = "2026-11-29";
/// The region whose prices these are.
pub const REGION: &str = "us-east-1";

const LAMBDA_REQUEST: Dollars = Dollars(200_000);
/// What Lambda's gigabyte second is in the units of [`AwsUsage::lambda_mb_ms`].
const GIGABYTE_SECOND: u64 = 1_024_000;
const S3_WRITE: Dollars = Dollars::millionths(5);
const S3_READ: Dollars = Dollars(400_000);
const S3_GIGABYTE_MONTH: Dollars = Dollars::millionths(23_000);
/// On demand, since November 2024.
const DYNAMODB_WRITE: Dollars = Dollars(625_000);
const DYNAMODB_READ: Dollars = Dollars(125_000);
const KMS_REQUEST: Dollars = Dollars::millionths(3);
const LOG_GIGABYTE: Dollars = Dollars::millionths(500_000);
const SCHEDULER_INVOCATION: Dollars = Dollars::millionths(1);
/// Bytes of a gigabyte. AWS's has 2³⁰, so that what is stored and logged comes to some percent too much here, as in the
/// benchmark.
const GIGABYTE: u64 = 1_000_000_000;

/// What a run cost, or several, by part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Invocations, and their time.
    pub lambda: Dollars,
    /// Requests to S3.
    pub s3_requests: Dollars,
    /// Units of the table.
    pub dynamodb: Dollars,
    /// Requests to KMS.
    pub kms: Dollars,
    /// What was logged.
    pub logs: Dollars,
    /// Invocations by EventBridge Scheduler.
    pub scheduler: Dollars,
}

impl Cost {
    /// What was used costs, with so many invocations by EventBridge Scheduler.
    pub fn of(usage: &AwsUsage, scheduled: u64, processor: Processor) -> Self {
        let time = processor.gigabyte_second().share(usage.lambda_mb_ms, GIGABYTE_SECOND);
        Self {
            lambda: LAMBDA_REQUEST * usage.lambda_requests + time,
            s3_requests: S3_WRITE * usage.s3_writes + S3_READ * usage.s3_reads,
            dynamodb: DYNAMODB_WRITE * usage.dynamodb_write_units + DYNAMODB_READ.share(usage.dynamodb_read_halves, 2),
            kms: KMS_REQUEST * usage.kms_requests,
            logs: LOG_GIGABYTE.share(usage.log_bytes, GIGABYTE),
            scheduler: SCHEDULER_INVOCATION * scheduled,
        }
    }

    /// What a run has cost so far; `None` of one from before runs were counted.
    pub fn of_run(run: &Run, processor: Processor) -> Option<Self> {
        Some(Self::of(run.usage.as_ref()?, scheduled(run), processor))
    }

    /// All parts together.
    pub fn total(&self) -> Dollars {
        self.parts().into_iter().map(|(_, part)| part).sum()
    }

    /// The parts by name.
    pub const fn parts(&self) -> [(&'static str, Dollars); 6] {
        [
            ("lambda", self.lambda),
            ("s3_requests", self.s3_requests),
            ("dynamodb", self.dynamodb),
            ("kms", self.kms),
            ("logs", self.logs),
            ("scheduler", self.scheduler),
        ]
    }

    /// The same for `count` of `of`, each part rounded down.
    #[must_use]
    pub fn share(&self, count: u64, of: u64) -> Self {
        Self {
            lambda: self.lambda.share(count, of),
            s3_requests: self.s3_requests.share(count, of),
            dynamodb: self.dynamodb.share(count, of),
            kms: self.kms.share(count, of),
            logs: self.logs.share(count, of),
            scheduler: self.scheduler.share(count, of),
        }
    }
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            lambda: self.lambda + other.lambda,
            s3_requests: self.s3_requests + other.s3_requests,
            dynamodb: self.dynamodb + other.dynamodb,
            kms: self.kms + other.kms,
            logs: self.logs + other.logs,
            scheduler: self.scheduler + other.scheduler,
        }
    }
}

impl Sum for Dollars {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), Add::add)
    }
}

/// What S3 charges a month for so many bytes.
pub fn stored(bytes: u64) -> Dollars {
    S3_GIGABYTE_MONTH.share(bytes, GIGABYTE)
}

/// How many of a run's invocations EventBridge Scheduler has made: the first one, unless somebody else did, and one after
/// each wait for the registry.
fn scheduled(run: &Run) -> u64 {
    let by_schedule = match run.trigger {
        Trigger::Schedule | Trigger::Retry | Trigger::Hold => 1,
        Trigger::SyncNow
        | Trigger::Verify
        | Trigger::Organization
        | Trigger::Continuation
        | Trigger::Rollback
        | Trigger::Webhook => 0,
    };
    u64::from(run.waits).saturating_add(by_schedule)
}
