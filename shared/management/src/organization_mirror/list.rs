//! The repositories that an organization's mirror has found, and where they stand.

use std::collections::HashMap;

use moorage_domain::{Namespace, RepositoryName, Timestamp, discovery::DiscoveredRepository, status::SyncStatus};
use moorage_state::{Mirror, now};
use serde_json::{Map, Value, json};

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError},
    mirror::warning::INTERRUPTED,
    organization_mirror::find::find_organization_mirror,
};

/// Repositories on a page, if the caller does not say, as in Quay.
const DEFAULT_LIMIT: i64 = 100;

/// The most repositories on a page, as in Quay.
const MAX_LIMIT: i64 = 500;

/// The status of repositories that are not mirrored at present.
const SKIP: &str = "SKIP";

/// All statuses, by Quay's names.
const STATUSES: [&str; 7] = ["CANCEL", "FAIL", "NEVER_RUN", "SUCCESS", "SYNCING", "SYNC_NOW", SKIP];

/// A repository that was found, with its mirror if it has not been deleted.
pub(crate) struct Found {
    discovered: DiscoveredRepository,
    mirror: Option<Mirror>,
}

impl Found {
    fn status(&self, now: Timestamp) -> &'static str {
        match &self.mirror {
            _ if self.discovered.skipped.is_some() => SKIP,
            Some(mirror) => mirror.state.shown_status(now).as_str(),
            None => SyncStatus::NeverRun.as_str(),
        }
    }

    /// Whether a sync holds a claim that has not expired.
    pub(crate) fn is_running(&self, now: Timestamp) -> bool {
        self.mirror.as_ref().is_some_and(|mirror| mirror.state.is_running(now))
    }

    /// Whether a sync has begun, or is pending.
    pub(crate) fn is_active(&self) -> bool {
        let status = self.mirror.as_ref().map(|mirror| mirror.state.sync_status);
        matches!(status, Some(SyncStatus::Syncing | SyncStatus::SyncNow))
    }

    /// Whether a sync waits for the registry.
    pub(crate) fn is_waiting(&self, now: Timestamp) -> bool {
        self.mirror.as_ref().is_some_and(|mirror| mirror.state.is_waiting(now))
    }

    /// The repository.
    pub(crate) fn repository(&self) -> &RepositoryName {
        &self.discovered.repository
    }

    fn view(&self, now: Timestamp) -> Value {
        let repository = &self.discovered.repository;
        let state = self.mirror.as_ref().map(|mirror| &mirror.state);
        let interrupted = state.is_some_and(|state| state.is_interrupted(now)).then(|| INTERRUPTED.to_owned());
        let message = self.discovered.skipped.map(|skipped| skipped.message().to_owned()).or(interrupted);
        json!({
            "name": repository.name(),
            "sync_status": self.status(now),
            "discovery_date": self.discovered.discovery_date.iso(),
            "last_sync_date": state.and_then(|state| state.last_ended).map(Timestamp::iso),
            "status_message": message.or_else(|| state.and_then(|state| state.last_failure.clone())),
            "quay_repository": state.map(|_| repository),
        })
    }
}

/// `GET organization/{orgname}/mirror/repositories`.
pub(crate) async fn get(api: &Api, name: &str, call: &Call) -> Result<Answer, ApiError> {
    let mirror = find_organization_mirror(api, name).await?;
    let page = call.number("page")?.unwrap_or(1).max(1);
    let limit = call.number("limit")?.filter(|limit| *limit >= 1).unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
    let status = call.query("status").filter(|status| !status.is_empty());
    if let Some(unknown) = status.filter(|status| !STATUSES.contains(status)) {
        return Err(ApiError::InvalidRequest(format!("Invalid status: {unknown:.100}")));
    }
    let (found, at) = (all(api, &mirror.config.organization).await?, now());
    let matching: Vec<_> =
        found.iter().filter(|found| status.is_none_or(|status| found.status(at) == status)).collect();
    let skip = usize::try_from((page - 1).saturating_mul(limit)).unwrap_or(usize::MAX);
    let take = usize::try_from(limit).unwrap_or_default();
    let repositories: Vec<_> = matching.iter().skip(skip).take(take).map(|found| found.view(at)).collect();
    let (total, now_at) = (matching.len(), skip.saturating_add(take));
    Ok(Answer::ok(json!({
        "repositories": repositories, "page": page, "limit": limit, "total": total, "has_next": now_at < total,
    })))
}

/// All repositories that the mirror has found, by name.
pub(crate) async fn all(api: &Api, organization: &Namespace) -> Result<Vec<Found>, ApiError> {
    let discovered = api.table.discovered(organization).await?;
    let names: Vec<RepositoryName> = discovered.iter().map(|it| it.repository.clone()).collect();
    let mirrors = api.table.mirrors_of_many(&names).await?;
    let mut mirrors: HashMap<_, _> =
        mirrors.into_iter().map(|mirror| (mirror.config.repository.clone(), mirror)).collect();
    let with_mirror = |discovered: DiscoveredRepository| {
        let mirror = mirrors.remove(&discovered.repository);
        Found { discovered, mirror }
    };
    Ok(discovered.into_iter().map(with_mirror).collect())
}

/// How many repositories have which status; each status is there.
pub(crate) fn counts(found: &[Found]) -> Value {
    let at = now();
    let count = |status: &str| found.iter().filter(|found| found.status(at) == status).count();
    Value::Object(STATUSES.iter().map(|status| ((*status).to_owned(), count(status).into())).collect::<Map<_, _>>())
}
