//! All mirrors at a glance: what a page shows to whoever wants to know whether anything fails, or is late.

use std::collections::HashSet;

use moorage_domain::{Namespace, RepositoryName, Timestamp};
use moorage_state::{ListedMirror, Role, now};
use serde_json::{Value, json};

use crate::{
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError},
    mirror::warning,
    organization::find::find_namespace,
};

/// Mirrors on a page, and the most of them: a thousand are one or two queries and half a megabyte.
const LIMIT: i32 = 1_000;

/// `GET mirror/overview`.
pub(crate) async fn get(api: &Api, call: &Call) -> Result<Answer, ApiError> {
    let limit = call.limit(LIMIT, LIMIT)?;
    let after = call.next_page(|page| page.parse::<RepositoryName>().is_ok())?;
    let after = after.and_then(|after| after.parse().ok());
    let namespace = namespace(api, call).await?;
    let page = api.table.mirrors(namespace.as_ref(), usize::try_from(limit).unwrap_or(0), after.as_ref()).await?;
    let now = now();
    let named: Vec<_> = page.mirrors.iter().filter_map(|mirror| Some((mirror.repository()?, mirror))).collect();
    let late = late(api, &named, now).await?;
    let mirrors: Vec<_> = named.iter().map(|(name, mirror)| view(name, mirror, late.contains(name), now)).collect();
    let mut body = json!({"mirrors": mirrors});
    if let Some(next) = page.next {
        body["next_page"] = next.as_str().into();
    }
    Ok(Answer::ok(body))
}

/// The namespace that is asked for, or that the caller is limited to.
async fn namespace(api: &Api, call: &Call) -> Result<Option<Namespace>, ApiError> {
    let namespace = match call.query("namespace") {
        Some(name) => Some(find_namespace(api, name).await?),
        None => call.caller.namespace().cloned(),
    };
    if let Some(namespace) = &namespace {
        call.caller.require(namespace, Role::Read)?;
    }
    Ok(namespace)
}

/// Those that are late. What an organization's mirror has made is late only if that is to sync it.
async fn late(
    api: &Api,
    mirrors: &[(RepositoryName, &ListedMirror)],
    now: Timestamp,
) -> Result<HashSet<RepositoryName>, ApiError> {
    let late = mirrors.iter().filter(|(_, mirror)| mirror.is_late(api.late_intervals, now));
    let (discovered, own): (Vec<_>, Vec<_>) = late.partition(|(_, mirror)| mirror.is_discovered);
    let mut late: HashSet<_> = own.into_iter().map(|(name, _)| name.clone()).collect();
    let discovered: Vec<_> = discovered.into_iter().map(|(name, _)| name.clone()).collect();
    if !discovered.is_empty() {
        late.extend(api.table.synced_by_organizations(&discovered).await?);
    }
    Ok(late)
}

/// What is shown of a mirror.
fn view(name: &RepositoryName, mirror: &ListedMirror, is_late: bool, now: Timestamp) -> Value {
    let state = mirror.state();
    let mut view = json!({
        "namespace": name.namespace(), "repository": name.name(), "is_enabled": mirror.is_enabled,
        "external_reference": mirror.external_reference, "sync_interval": mirror.sync_interval,
        "sync_status": state.shown_status(now).as_str(), "sync_start_date": state.sync_start_date.iso(),
        "sync_retries_remaining": state.sync_retries_remaining, "is_late": is_late,
        "last_success": state.last_success.map(Timestamp::iso), "last_ended": state.last_ended.map(Timestamp::iso),
        "last_failure": state.last_failure, "tags": state.last_tags,
        "runs": state.recent_runs.iter().collect::<Vec<_>>(),
    });
    if let Some(remedy) = state.last_remedy {
        view["last_failure_advice"] = remedy.advice().into();
    }
    if let Some(run) = state.sync_run_id {
        view["sync_run_id"] = json!(run);
    }
    if let Some(until) = state.sync_waiting_until.filter(|_| !state.is_interrupted(now)) {
        view["sync_waiting_until"] = until.iso().into();
    }
    if let Some(shown) = warning::interrupted(&state, now).or(state.sync_warning.map(warning::warning)) {
        view["sync_warning"] = shown;
    }
    view
}
