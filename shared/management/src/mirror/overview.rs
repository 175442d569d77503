//! All mirrors at a glance: what a page shows to whoever wants to know whether anything fails, or is late.

use std::collections::HashSet;

use moorage_domain::{MirrorOf, Namespace, Timestamp};
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
    let after = call.next_page(|page| MirrorOf::named(page).is_some())?.and_then(MirrorOf::named);
    let namespace = namespace(api, call).await?;
    let page = api.table.mirrors(namespace.as_ref(), usize::try_from(limit).unwrap_or(0), after.as_ref()).await?;
    let now = now();
    let late = late(api, &page.mirrors, now).await?;
    let (mut mirrors, mut organizations) = (Vec::new(), Vec::new());
    for mirror in &page.mirrors {
        let kind = if mirror.of.repository().is_some() { &mut mirrors } else { &mut organizations };
        kind.push(view(mirror, late.contains(mirror.of.name()), now));
    }
    let mut body = json!({"mirrors": mirrors, "organizations": organizations});
    if let Some(next) = page.next {
        body["next_page"] = next.name().into();
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

/// Those that are late, by name. What an organization's mirror has made is late only if that is to sync it.
async fn late<'m>(api: &Api, mirrors: &'m [ListedMirror], now: Timestamp) -> Result<HashSet<&'m str>, ApiError> {
    let late = mirrors.iter().filter(|mirror| mirror.is_late(api.late_intervals, now));
    let (discovered, mut late): (Vec<_>, Vec<_>) = late.partition(|mirror| mirror.is_discovered);
    let names: Vec<_> = discovered.iter().filter_map(|mirror| mirror.of.repository().cloned()).collect();
    if !names.is_empty() {
        let synced = api.table.synced_by_organizations(&names).await?;
        let is_synced = |mirror: &&ListedMirror| mirror.of.repository().is_some_and(|name| synced.contains(name));
        late.extend(discovered.into_iter().filter(is_synced));
    }
    Ok(late.into_iter().map(|mirror| mirror.of.name()).collect())
}

/// What is shown of a mirror.
fn view(mirror: &ListedMirror, is_late: bool, now: Timestamp) -> Value {
    let state = mirror.state();
    let mut view = json!({
        "is_enabled": mirror.is_enabled, "sync_interval": mirror.sync_interval,
        "sync_status": state.shown_status(now).as_str(), "sync_start_date": state.sync_start_date.iso(),
        "sync_retries_remaining": state.sync_retries_remaining, "is_late": is_late,
        "last_success": state.last_success.map(Timestamp::iso), "last_ended": state.last_ended.map(Timestamp::iso),
        "last_failure": state.last_failure, "runs": state.recent_runs.iter().collect::<Vec<_>>(),
    });
    match &mirror.of {
        MirrorOf::Repository(name) => {
            view["namespace"] = json!(name.namespace());
            view["repository"] = name.name().into();
            view["external_reference"] = json!(mirror.external_reference);
            view["tags"] = state.last_tags.into();
            if let Some(run) = state.sync_run_id {
                view["sync_run_id"] = json!(run);
            }
        }
        MirrorOf::Organization(name) => view["namespace"] = json!(name),
    }
    if let Some(remedy) = state.last_remedy {
        let is_repositorys = mirror.of.repository().is_some();
        let advice = if is_repositorys { remedy.advice() } else { remedy.advice_for_organization() };
        view["last_failure_advice"] = advice.into();
    }
    if let Some(until) = state.sync_waiting_until.filter(|_| !state.is_interrupted(now)) {
        view["sync_waiting_until"] = until.iso().into();
    }
    if let Some(shown) = warning::interrupted(&state, now).or(state.sync_warning.map(warning::warning)) {
        view["sync_warning"] = shown;
    }
    view
}
