//! What a run uses of AWS, over all of its invocations.

use std::{sync::OnceLock, time::Instant};

use moorage_domain::{AwsMeter, AwsUsage, run::Run};
use moorage_runtime::logged_bytes;

const NOTHING: AwsUsage = AwsUsage {
    lambda_requests: 0,
    lambda_ms: 0,
    lambda_mb_ms: 0,
    s3_writes: 0,
    s3_reads: 0,
    s3_deletes: 0,
    dynamodb_read_halves: 0,
    dynamodb_write_units: 0,
    kms_requests: 0,
    log_bytes: 0,
};

/// What comes after the last time that a run is written, which it cannot count itself, when it has ended: that write, the
/// usage log, the claim and the slot that are given up; some milliseconds for each of these; metrics and a line of log. As
/// many as a run takes that nobody hinders.
pub(crate) const ENDED: AwsUsage =
    AwsUsage { lambda_ms: 20, dynamodb_read_halves: 2, dynamodb_write_units: 10, log_bytes: 1_700, ..NOTHING };
/// The same of an invocation that leaves the rest to another one: that write, and the claim that is handed over.
pub(crate) const LEFT: AwsUsage =
    AwsUsage { lambda_ms: 15, dynamodb_read_halves: 2, dynamodb_write_units: 4, log_bytes: 550, ..NOTHING };

/// Counts one invocation of a run, on top of what earlier ones have written. Lambda has one invocation at a time in each
/// process: whatever the process's clients count meanwhile is this one's.
///
/// A run that is written more than once has each time the same earlier ones, and more of this one: nothing counts twice.
/// Of an invocation that is killed counts what was written last.
#[derive(Debug)]
pub(crate) struct Tab {
    meter: AwsMeter,
    memory_mb: u64,
    opened_at: Instant,
    /// What the process had counted by then.
    before: AwsUsage,
    /// What the run's earlier invocations have used. Of a run that began before runs were counted nothing is known.
    earlier: OnceLock<Option<AwsUsage>>,
}

impl Tab {
    /// Of an invocation that begins, with so much memory.
    pub(crate) fn open(meter: &AwsMeter, memory_mb: u64) -> Self {
        let before = AwsUsage { log_bytes: logged_bytes(), ..meter.total() };
        Self { meter: meter.clone(), memory_mb, opened_at: Instant::now(), before, earlier: OnceLock::new() }
    }

    /// Notes what the run's earlier invocations have used, once this one has begun; the first time it counts.
    pub(crate) fn begin(&self, earlier: Option<AwsUsage>) {
        let _ = self.earlier.set(earlier);
    }

    /// Puts down in the run what was used so far. Before [`Self::begin`] it has to be as its earlier invocations have left it.
    pub(crate) fn count(&self, run: &mut Run) {
        self.close(run, NOTHING);
    }

    /// As [`Self::count`], for the last time, with what comes after it.
    pub(crate) fn close(&self, run: &mut Run, after: AwsUsage) {
        let earlier = self.earlier.get().copied().unwrap_or(run.usage);
        run.usage = earlier.map(|earlier| earlier + self.used(after));
    }

    fn used(&self, after: AwsUsage) -> AwsUsage {
        let counted = AwsUsage { log_bytes: logged_bytes(), ..self.meter.total() }.since(self.before) + after;
        let passed = u64::try_from(self.opened_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        let lambda_ms = counted.lambda_ms.saturating_add(passed);
        AwsUsage { lambda_requests: 1, lambda_ms, lambda_mb_ms: lambda_ms.saturating_mul(self.memory_mb), ..counted }
    }
}

#[cfg(test)]
mod tests {
    use moorage_domain::{
        Timestamp,
        run::{RunId, Trigger},
    };
    use uuid::Uuid;

    use super::*;

    const MEMORY: u64 = 512;

    fn read(number: u64) -> AwsUsage {
        AwsUsage { s3_reads: number, ..NOTHING }
    }

    fn reads(run: &Run) -> (u64, u64) {
        run.usage.map(|usage| (usage.s3_reads, usage.lambda_requests)).unwrap()
    }

    fn run() -> Run {
        Run::new(RunId(Uuid::nil()), Trigger::SyncNow, Timestamp::from_unix(0), false)
    }

    fn begin(tab: &Tab, run: &mut Run) {
        let earlier = run.usage;
        tab.count(run);
        tab.begin(earlier);
    }

    #[test]
    fn each_invocation_counts_once_however_often_it_is_written() {
        let meter = AwsMeter::default();
        meter.add(read(100));
        let (first, mut run) = (Tab::open(&meter, MEMORY), run());
        meter.add(read(1));
        begin(&first, &mut run);
        assert_eq!(reads(&run), (1, 1), "what other syncs of the process have read is theirs");
        meter.add(read(2));
        first.count(&mut run);
        // It is killed: what it did since counts nowhere.
        let mut written = run.clone();
        meter.add(read(4));
        let second = Tab::open(&meter, MEMORY);
        begin(&second, &mut written);
        meter.add(read(8));
        second.count(&mut written);
        second.close(&mut written, read(16));
        assert_eq!(reads(&written), (3 + 8 + 16, 2));
        let usage = written.usage.unwrap();
        assert_eq!(usage.lambda_mb_ms, usage.lambda_ms * MEMORY);
    }

    #[test]
    fn a_run_that_is_read_anew_has_the_same_earlier_invocations() {
        let (meter, mut run) = (AwsMeter::default(), run());
        let tab = Tab::open(&meter, MEMORY);
        meter.add(read(1));
        begin(&tab, &mut run);
        // It was not foreseen that it ends so: the run is read from the table, with what this invocation has written.
        let mut again = run.again();
        begin(&tab, &mut again);
        tab.close(&mut again, NOTHING);
        assert_eq!(reads(&again), (1, 1));
    }

    #[test]
    fn of_a_run_from_before_nothing_is_known() {
        let mut older = Run { usage: None, ..run() };
        Tab::open(&AwsMeter::default(), MEMORY).close(&mut older, ENDED);
        assert_eq!(older.usage, None);
    }
}
