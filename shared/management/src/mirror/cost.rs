//! What mirrors cost, by the counts of their runs and AWS's list prices.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{
    AwsUsage, MirrorOf, Namespace, RepositoryName, Timestamp,
    price::{
        Cost, DATE, Dollars, Processor, REGION,
        month::{COUNTED, Runs},
        stored,
    },
    run::{Run, RunStatus},
};
use moorage_state::{ListedMirror, now};
use serde_json::{Map, Value, json};

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError},
    organization::find::find_namespace,
    repository::find::find_repository,
};

/// Runs that are read together.
const PAGE: i32 = 100;
/// The pages that are read of one repository: a thousand runs, of which each has a kilobyte or two.
const PAGES: usize = 10;
/// The same of each of many repositories, so that an answer comes from a few megabytes.
const PAGES_OF_MANY: usize = 1;
/// Repositories on a page, if the caller does not say.
const DEFAULT_LIMIT: i32 = 20;
/// The most repositories on a page.
const MAX_LIMIT: i32 = 50;
/// Repositories whose runs are read at once.
const READS: usize = 8;

/// What a repository's runs of the last thirty days cost, or the newest of them.
struct Recent {
    runs: Runs,
    /// Whether there are more of these days than were read.
    truncated: bool,
    /// Bytes of what the tags held when the last run had copied all, if one says it.
    stored: Option<u64>,
    /// Seconds between scheduled starts.
    interval: u64,
}

/// `GET …/mirror/cost`.
pub(crate) async fn get(api: &Api, repository: &RepositoryName) -> Result<Answer, ApiError> {
    find_repository(api, repository).await?;
    let mirror = api.table.mirror(repository).await?;
    let interval = mirror.as_ref().map_or(0, |mirror| mirror.config.sync_interval);
    let recent = recent(api, repository, PAGES, interval).await?;
    if mirror.is_none() && recent.is_empty() {
        return Err(ApiError::NotFound);
    }
    let mut view = recent.view(now());
    view["prices"] = prices();
    Ok(Answer::ok(view))
}

/// `GET organization/{orgname}/mirror/cost`: of a page of its mirrors, and their sum.
pub(crate) async fn get_many(api: &Api, organization: &str, call: &Call) -> Result<Answer, ApiError> {
    let namespace = find_namespace(api, organization).await?;
    let limit = usize::try_from(call.limit(DEFAULT_LIMIT, MAX_LIMIT)?).unwrap_or_default();
    let is_ours = |page: &str| after(&namespace, page).is_some();
    let after = call.next_page(is_ours)?.and_then(|page| after(&namespace, page));
    let page = api.table.mirrors(Some(&namespace), limit, after.as_ref()).await?;
    let of = |mirror: &ListedMirror| Some((mirror.of.repository()?.clone(), mirror.sync_interval));
    let read = |(name, interval): (RepositoryName, u64)| async move {
        Ok::<_, ApiError>((recent(api, &name, PAGES_OF_MANY, interval).await?, name))
    };
    let mirrors: Vec<_> = page.mirrors.iter().filter_map(of).collect();
    let read: Vec<_> = stream::iter(mirrors).map(read).buffered(READS).try_collect().await?;
    let now = now();
    let (mut month, mut storage) = (Cost::default(), Dollars::default());
    let mut repositories = Vec::new();
    for (recent, name) in &read {
        month = month + recent.runs.month(recent.interval, now);
        storage = storage + recent.storage();
        let mut view = recent.view(now);
        view["repository"] = json!(name);
        repositories.push(view);
    }
    let mut body = json!({"repositories": repositories, "month": by_month(&month, storage), "prices": prices()});
    if let Some(next) = page.next {
        body["next_page"] = next.name().into();
    }
    Ok(Answer::ok(body))
}

/// What a run has used, and what that costs; nothing of runs from before they were counted.
pub(crate) fn of_run(run: &Run) -> Option<(Value, Value)> {
    let (usage, cost) = (run.usage.as_ref()?, Cost::of_run(run, Processor::OURS)?);
    Some((used(usage), cost.total().to_string().into()))
}

/// The mirror of the namespace behind which a page begins.
fn after(namespace: &Namespace, page: &str) -> Option<MirrorOf> {
    let is_within = |of: &MirrorOf| match of {
        MirrorOf::Repository(name) => name.namespace() == *namespace,
        MirrorOf::Organization(name) => name == namespace,
    };
    MirrorOf::named(page).filter(is_within)
}

/// Puts the newest runs of a repository together, so many pages at most.
async fn recent(api: &Api, repository: &RepositoryName, pages: usize, interval: u64) -> Result<Recent, ApiError> {
    let from = Timestamp::from_unix(now().unix().saturating_sub(COUNTED));
    let mut recent = Recent { runs: Runs::default(), truncated: false, stored: None, interval };
    let mut after = None;
    for _ in 0..pages {
        let page = api.table.runs(repository, PAGE, after, now()).await?;
        after = page.runs.last().map(|run| run.run_id).filter(|_| page.next.is_some());
        for run in &page.runs {
            if run.started_at < from {
                return Ok(recent);
            }
            recent.add(run);
        }
        if after.is_none() {
            return Ok(recent);
        }
    }
    recent.truncated = true;
    Ok(recent)
}

impl Recent {
    /// With an older run than all before.
    fn add(&mut self, run: &Run) {
        self.runs = self.runs.and(run, Processor::OURS);
        let bytes = run.progress.bytes_stored;
        let is_empty = run.usage.is_some() && run.is_whole() && run.status == RunStatus::Success;
        if self.stored.is_none() && (bytes > 0 || is_empty) {
            self.stored = Some(bytes);
        }
    }

    /// What S3 takes a month for what is stored.
    fn storage(&self) -> Dollars {
        stored(self.stored.unwrap_or_default())
    }

    fn is_empty(&self) -> bool {
        self.runs == Runs::default()
    }

    fn view(&self, now: Timestamp) -> Value {
        let runs = &self.runs;
        json!({
            "runs": runs.counted, "runs_not_counted": runs.uncounted, "truncated": self.truncated,
            "since": runs.since.map(Timestamp::iso), "covered_seconds": runs.covered(self.interval, now),
            "stored_bytes": self.stored.unwrap_or_default(), "cost": with_total(&runs.cost, Dollars::default(), &[]),
            "month": by_month(&runs.month(self.interval, now), self.storage()),
        })
    }
}

/// What a month costs, with what is stored in it.
fn by_month(cost: &Cost, storage: Dollars) -> Value {
    with_total(cost, storage, &[("storage", storage)])
}

fn with_total(cost: &Cost, more: Dollars, named: &[(&str, Dollars)]) -> Value {
    let parts = cost.parts();
    let all = parts.iter().chain(named).map(|(name, part)| ((*name).to_owned(), json!(part.to_string())));
    let mut view: Map<_, _> = all.collect();
    view.insert("total".to_owned(), (cost.total() + more).to_string().into());
    Value::Object(view)
}

fn prices() -> Value {
    json!({"date": DATE, "region": REGION, "architecture": Processor::OURS.as_str(), "currency": "USD"})
}

fn used(usage: &AwsUsage) -> Value {
    json!({
        "lambda_requests": usage.lambda_requests, "lambda_ms": usage.lambda_ms, "lambda_mb_ms": usage.lambda_mb_ms,
        "s3_writes": usage.s3_writes, "s3_reads": usage.s3_reads, "s3_deletes": usage.s3_deletes,
        "dynamodb_read_units": usage.dynamodb_read_units(), "dynamodb_write_units": usage.dynamodb_write_units,
        "kms_requests": usage.kms_requests, "log_bytes": usage.log_bytes,
    })
}

#[cfg(test)]
mod tests {
    use moorage_domain::run::{RunId, Trigger};
    use uuid::Uuid;

    use super::*;

    fn run(started_at: i64, kms_requests: u64, bytes_stored: u64) -> Run {
        let usage = AwsUsage { kms_requests, dynamodb_read_halves: 3, ..AwsUsage::default() };
        let mut run = Run::new(RunId(Uuid::nil()), Trigger::SyncNow, Timestamp::from_unix(started_at), false);
        run.usage = Some(usage);
        run.progress.bytes_stored = bytes_stored;
        run
    }

    #[test]
    fn a_run_shows_what_it_used_and_its_price() {
        let (usage, cost) = of_run(&run(0, 2, 0)).unwrap();
        assert_eq!((&usage["kms_requests"], &usage["dynamodb_read_units"]), (&json!(2), &json!(2)));
        // Two requests to KMS, and three halves of a read unit.
        assert_eq!(cost, "0.0000061875");
        assert!(of_run(&Run { usage: None, ..run(0, 2, 0) }).is_none());
    }

    #[test]
    fn a_month_has_what_is_stored_besides() {
        let day = 86_400;
        let mut recent = Recent { runs: Runs::default(), truncated: false, stored: None, interval: 3_600 };
        assert!(recent.is_empty());
        // The newest did not come to its end.
        for run in [run(9 * day, 1, 0), run(8 * day, 1, 1_000_000_000), run(7 * day, 1, 5)] {
            recent.add(&run);
        }
        let view = recent.view(Timestamp::from_unix(17 * day));
        assert_eq!(
            (&view["runs"], &view["runs_not_counted"], &view["covered_seconds"]),
            (&json!(3), &json!(0), &json!(864_000))
        );
        assert_eq!((&view["since"], &view["stored_bytes"]), (&json!("1970-01-08T00:00:00Z"), &json!(1_000_000_000)));
        assert_eq!((&view["cost"]["kms"], &view["cost"]["storage"]), (&json!("0.000009"), &Value::Null));
        // 730 hours are 73 thirds of a day, of which ten days are 30.
        assert_eq!((&view["month"]["kms"], &view["month"]["storage"]), (&json!("0.000027375"), &json!("0.023")));
        assert_eq!(view["month"]["total"], "0.023029085937");
    }

    #[test]
    fn a_repository_may_have_come_to_hold_nothing() {
        let stored = |status| {
            let mut recent = Recent { runs: Runs::default(), truncated: false, stored: None, interval: 3_600 };
            recent.add(&Run { status, ..run(9, 1, 0) });
            recent.add(&run(8, 1, 7));
            recent.stored
        };
        assert_eq!((stored(RunStatus::Success), stored(RunStatus::Fail)), (Some(0), Some(7)));
    }

    #[test]
    fn a_page_goes_on_in_its_namespace() {
        let acme: Namespace = "acme".parse().unwrap();
        let of = |page: &str| after(&acme, page).map(|of| of.name().to_owned());
        assert_eq!((of("acme/app").as_deref(), of("acme").as_deref()), (Some("acme/app"), Some("acme")));
        assert_eq!((of("other/app"), of("other"), of("no name/")), (None, None, None));
    }
}
