//! How the mirrors are.

use std::collections::HashMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{Namespace, RepositoryName, Timestamp, run::RunId, status::SyncStatus};
use moorage_state::{Mirror, Role, now};
use serde_json::{Value, json};

use crate::{
    access::sight::Sight,
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError},
    mirror::{facts, limits, rights},
    organization::find::find_namespace,
};

/// Repositories that are read together.
const PAGE: i32 = 100;

/// Namespaces, and runs, that are read at once: a deployment has hundreds of them, and API Gateway waits half a minute.
const READS: usize = 16;

/// The share of failing mirrors above which the health is bad, as in Quay.
const CRITICAL_SHARE: f64 = 0.2;

/// How old the last complete sync may be before it is reported as an issue, in seconds, as in Quay.
const STALE: i64 = 86_400;

/// The most examples of each kind of issue, as in Quay.
const EXAMPLES: usize = 5;

/// The most running syncs whose unprocessed tags are counted.
const RUNNING: usize = 100;

/// Mirrors on a page, if the caller does not say, as in Quay.
const DEFAULT_LIMIT: i64 = 100;

/// The most mirrors on a page, as in Quay.
const MAX_LIMIT: i64 = 1_000;

/// `GET repository/mirror/health`.
pub(crate) async fn get(api: &Api, call: &Call) -> Result<Answer, ApiError> {
    let limit = call.number("limit")?.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let offset = call.number("offset")?.unwrap_or(0).max(0);
    let mirrors = match call.query("namespace") {
        None => {
            call.caller.require_superuser()?;
            mirrors(api, &Sight::Everything, api.table.namespaces().await?).await?
        }
        Some(name) => mirrors_in(api, call, name).await?,
    };
    let mirrors = enabled(mirrors);
    let mut health = Health::of(&mirrors, now());
    health.issues(&mirrors);
    let pending = pending(api, &mirrors).await?;
    let mut view = health.view(pending);
    if call.flag("detailed", false) {
        let (skip, take) = (usize::try_from(offset).unwrap_or(usize::MAX), usize::try_from(limit).unwrap_or(1));
        let details: Vec<_> = mirrors.iter().skip(skip).take(take).map(detail).collect();
        let has_more = mirrors.len() > skip.saturating_add(take);
        view["repositories"]["details"] = details.into();
        view["repositories"]["pagination"] = json!({"limit": limit, "offset": offset, "has_more": has_more});
    }
    Ok(health.answer(view))
}

/// `GET superuser/mirror/health`.
pub(crate) async fn get_numbers(api: &Api, call: &Call) -> Result<Answer, ApiError> {
    let namespaces = api.table.namespaces().await?;
    let mirrors = mirrors(api, &Sight::Everything, namespaces.clone()).await?;
    let mut facts = facts::view(api, &namespaces, &mirrors).await?;
    facts["rate_limits"] = limits::view(api, &namespaces, &mirrors).await?;
    facts["alarms_made"] = api.has_alarms.into();
    if call.flag("rights", false) {
        facts["rights"] = rights::view(api).await;
    }
    let mirrors = enabled(mirrors);
    let health = Health::of(&mirrors, now());
    let mut view = health.view(pending(api, &mirrors).await?);
    view["facts"] = facts;
    Ok(health.answer(view))
}

/// The mirrors of repositories that are mirrors at present, by name: those that somebody sees.
async fn mirrors(api: &Api, sight: &Sight, namespaces: Vec<Namespace>) -> Result<Vec<Mirror>, ApiError> {
    let names = stream::iter(namespaces).map(|namespace| mirrored(api, sight, namespace)).buffer_unordered(READS);
    let mut names = names.try_concat().await?;
    names.sort_unstable();
    let mut mirrors = api.table.mirrors_of_many(&names).await?;
    mirrors.sort_by(|a, b| a.config.repository.cmp(&b.config.repository));
    Ok(mirrors)
}

/// The mirrors of a namespace that the caller sees.
async fn mirrors_in(api: &Api, call: &Call, name: &str) -> Result<Vec<Mirror>, ApiError> {
    let namespace = name.parse().map_err(|_| ApiError::NotFound)?;
    let sight = call.caller.sight(&api.table, Some(&namespace)).await?;
    if call.caller.person().is_some() && !sight.has_some_of(&namespace) {
        return Err(call.caller.refused());
    }
    let namespace = find_namespace(api, name).await?;
    if call.caller.person().is_none() {
        call.caller.require(&namespace, Role::Read)?;
    }
    mirrors(api, &sight, vec![namespace]).await
}

/// The repositories of a namespace that are mirrors at present, and that somebody sees.
async fn mirrored(api: &Api, sight: &Sight, namespace: Namespace) -> Result<Vec<RepositoryName>, ApiError> {
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let page = api.table.repositories(&namespace, PAGE, after.as_deref()).await?;
        let seen = page.repositories.into_iter().filter(|it| it.state.is_mirror() && sight.has(it));
        names.extend(seen.map(|it| it.repository));
        after = page.next;
        if after.is_none() {
            return Ok(names);
        }
    }
}

/// Those whose schedules run: the others do not count in Quay.
fn enabled(mirrors: Vec<Mirror>) -> Vec<Mirror> {
    mirrors.into_iter().filter(|mirror| mirror.config.is_enabled).collect()
}

/// How many tags running syncs have still to process.
async fn pending(api: &Api, mirrors: &[Mirror]) -> Result<u64, ApiError> {
    let mut running = Vec::new();
    for mirror in mirrors {
        if let (SyncStatus::Syncing, Some(run)) = (mirror.state.shown_status(now()), mirror.state.sync_run_id) {
            running.push((mirror.config.repository.clone(), run));
        }
    }
    running.truncate(RUNNING);
    let open = |(name, run): (RepositoryName, RunId)| async move {
        let run = api.table.run(&name, run).await?;
        let left = run.map_or(0, |run| run.progress.tags_total.saturating_sub(run.progress.tags_done));
        Ok::<u64, ApiError>(left)
    };
    let open: Vec<u64> = stream::iter(running).map(open).buffer_unordered(READS).try_collect().await?;
    Ok(open.into_iter().sum())
}

fn detail(mirror: &Mirror) -> Value {
    let (config, state) = (&mirror.config, &mirror.state);
    json!({
        "namespace": config.repository.namespace(), "repository": config.repository.name(),
        "sync_status": state.shown_status(now()).as_str(), "is_enabled": config.is_enabled,
        "last_sync": state.last_complete.map(Timestamp::iso), "retries_remaining": state.sync_retries_remaining,
    })
}

/// How many mirrors are in which state, and what is wrong with them.
struct Health {
    now: Timestamp,
    counts: HashMap<SyncStatus, usize>,
    total: usize,
    share: f64,
    issues: Vec<Value>,
}

impl Health {
    fn of(mirrors: &[Mirror], now: Timestamp) -> Self {
        let mut counts = HashMap::new();
        for mirror in mirrors {
            *counts.entry(mirror.state.shown_status(now)).or_insert(0) += 1;
        }
        let total = mirrors.len();
        let (failed, ran) = (count(&counts, SyncStatus::Fail), total - count(&counts, SyncStatus::NeverRun));
        #[expect(clippy::cast_precision_loss, reason = "numbers of mirrors are small")]
        let share = if ran == 0 { 0.0 } else { failed as f64 / ran as f64 };
        let mut health = Self { now, counts, total, share, issues: Vec::new() };
        if !health.is_healthy() {
            let (share, limit) = (health.share * 100.0, CRITICAL_SHARE * 100.0);
            let message = format!("{share:.1}% of repositories are failing (threshold: {limit:.1}%)");
            health.issue("critical", &message);
        }
        health
    }

    fn is_healthy(&self) -> bool {
        self.share <= CRITICAL_SHARE
    }

    /// Adds issues with examples of mirrors that somebody should look at.
    fn issues(&mut self, mirrors: &[Mirror]) {
        let stale = |mirror: &&Mirror| {
            let is_old = |last: Timestamp| self.now.unix() - last.unix() > STALE;
            mirror.state.shown_status(self.now) != SyncStatus::Syncing && mirror.state.last_complete.is_some_and(is_old)
        };
        let never = |mirror: &&Mirror| mirror.state.sync_status == SyncStatus::NeverRun;
        let exhausted =
            |mirror: &&Mirror| mirror.state.sync_status == SyncStatus::Fail && mirror.state.sync_retries_remaining == 0;
        let name = |mirror: &Mirror| mirror.config.repository.to_string();
        let stale: Vec<_> = mirrors.iter().filter(stale).take(EXAMPLES).map(name).collect();
        let never: Vec<_> = mirrors.iter().filter(never).take(EXAMPLES).map(name).collect();
        let exhausted: Vec<_> = mirrors.iter().filter(exhausted).take(EXAMPLES).map(name).collect();
        for name in stale {
            self.issue("warning", &format!("Repository {name} hasn't synced in over 24 hours"));
        }
        for name in never {
            self.issue("warning", &format!("Repository {name} has never been synced"));
        }
        let interrupted = mirrors.iter().filter(|mirror| mirror.state.is_interrupted(self.now));
        let interrupted: Vec<_> = interrupted.take(EXAMPLES).map(name).collect();
        for name in interrupted {
            self.issue(
                "warning",
                &format!("The sync of repository {name} was interrupted and has not been started again"),
            );
        }
        for name in exhausted {
            self.issue("error", &format!("Repository {name} has exhausted all retry attempts"));
        }
    }

    fn issue(&mut self, severity: &str, message: &str) {
        self.issues.push(json!({"severity": severity, "message": message, "timestamp": self.now.iso()}));
    }

    /// Quay's view. There are no workers that could be missing: each running sync is one.
    fn view(&self, pending: u64) -> Value {
        let of = |status| count(&self.counts, status);
        let syncing = of(SyncStatus::Syncing);
        let status = if self.is_healthy() { "healthy" } else { "degraded" };
        json!({
            "healthy": self.is_healthy(),
            "workers": {"active": syncing, "configured": syncing, "status": status},
            "repositories": {
                "total": self.total, "syncing": syncing, "completed": of(SyncStatus::Success),
                "failed": of(SyncStatus::Fail), "never_run": of(SyncStatus::NeverRun),
                // Quay leaves these out, and its numbers do not come to the total.
                "queued": of(SyncStatus::SyncNow), "cancelled": of(SyncStatus::Cancel),
            },
            "tags_pending": pending, "last_check": self.now.iso(), "issues": self.issues,
        })
    }

    fn answer(&self, view: Value) -> Answer {
        Answer::Json(if self.is_healthy() { 200 } else { 503 }, view)
    }
}

fn count(counts: &HashMap<SyncStatus, usize>, status: SyncStatus) -> usize {
    counts.get(&status).copied().unwrap_or(0)
}
