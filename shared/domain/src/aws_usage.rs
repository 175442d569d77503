//! What is used of AWS: what it charges for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

/// What was used of AWS. Requests count each time that they are sent, repetitions, too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AwsUsage {
    /// Invocations of the function.
    pub lambda_requests: u64,
    /// Their time in milliseconds.
    pub lambda_ms: u64,
    /// The same, each millisecond times the memory that the function had then, in MB: what Lambda charges for.
    pub lambda_mb_ms: u64,
    /// Requests that S3 charges as writes: `PUT`, `COPY`, `POST`, and lists.
    pub s3_writes: u64,
    /// Those that it charges as reads: `GET`, `HEAD`.
    pub s3_reads: u64,
    /// Those that it does not charge for: `DELETE`.
    pub s3_deletes: u64,
    /// What was read of the table, in halves of read units: an eventually consistent read takes half of one.
    pub dynamodb_read_halves: u64,
    /// Write units of the table, with its indexes.
    pub dynamodb_write_units: u64,
    /// Requests to KMS.
    pub kms_requests: u64,
    /// Bytes that were logged.
    pub log_bytes: u64,
}

impl AwsUsage {
    /// What was used since there were `earlier`, of counts that only grow.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        self.with(earlier, u64::saturating_sub)
    }

    /// Read units, a half counted as a whole one.
    pub const fn dynamodb_read_units(&self) -> u64 {
        self.dynamodb_read_halves.div_ceil(2)
    }

    fn with(self, other: Self, of: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            lambda_requests: of(self.lambda_requests, other.lambda_requests),
            lambda_ms: of(self.lambda_ms, other.lambda_ms),
            lambda_mb_ms: of(self.lambda_mb_ms, other.lambda_mb_ms),
            s3_writes: of(self.s3_writes, other.s3_writes),
            s3_reads: of(self.s3_reads, other.s3_reads),
            s3_deletes: of(self.s3_deletes, other.s3_deletes),
            dynamodb_read_halves: of(self.dynamodb_read_halves, other.dynamodb_read_halves),
            dynamodb_write_units: of(self.dynamodb_write_units, other.dynamodb_write_units),
            kms_requests: of(self.kms_requests, other.kms_requests),
            log_bytes: of(self.log_bytes, other.log_bytes),
        }
    }
}

impl std::ops::Add for AwsUsage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.with(other, u64::saturating_add)
    }
}

/// Counts what a process's clients use. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct AwsMeter(Arc<Mutex<AwsUsage>>);

impl AwsMeter {
    /// Counts something more.
    pub fn add(&self, used: AwsUsage) {
        let mut total = self.lock();
        *total = *total + used;
    }

    /// Everything so far.
    pub fn total(&self) -> AwsUsage {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, AwsUsage> {
        // Counters stay usable after a panic elsewhere.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each count another number.
    const EACH: AwsUsage = AwsUsage {
        lambda_requests: 1,
        lambda_ms: 2,
        lambda_mb_ms: 3,
        s3_writes: 4,
        s3_reads: 5,
        s3_deletes: 6,
        dynamodb_read_halves: 7,
        dynamodb_write_units: 8,
        kms_requests: 9,
        log_bytes: 10,
    };

    #[test]
    fn every_count_is_added_and_taken() {
        let (meter, other) = (AwsMeter::default(), AwsMeter::default());
        let before = meter.total();
        meter.add(EACH);
        meter.clone().add(EACH);
        assert_eq!((before, other.total()), (AwsUsage::default(), AwsUsage::default()));
        assert_eq!(meter.total(), EACH + EACH);
        assert_eq!(meter.total().since(EACH), EACH);
        assert_eq!(AwsUsage::default().since(EACH), AwsUsage::default(), "it has no debts");
        let json = serde_json::to_value(EACH + EACH).unwrap();
        let numbers: Vec<_> = json.as_object().unwrap().values().map(|it| it.as_u64().unwrap()).collect();
        assert_eq!(numbers.iter().sum::<u64>(), 110, "{json}");
    }

    #[test]
    fn halves_of_units_are_told_as_whole_ones() {
        let units = |halves| AwsUsage { dynamodb_read_halves: halves, ..AwsUsage::default() }.dynamodb_read_units();
        assert_eq!([units(0), units(1), units(2), units(3)], [0, 1, 1, 2]);
    }
}
