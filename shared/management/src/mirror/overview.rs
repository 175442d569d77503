//! All mirrors at a glance: what a page shows to whoever wants to know whether anything fails, or is late.

use std::collections::{BTreeSet, HashSet};

use moorage_domain::{MirrorOf, Namespace, RepositoryName, Timestamp};
use moorage_state::{ListedMirror, MirrorPage, Role, now};
use serde_json::{Value, json};

use crate::{
    access::sight::Sight,
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError},
    mirror::warning,
    organization::find::find_namespace,
};

/// Mirrors on a page, and the most of them: a thousand are one or two queries and half a megabyte.
const LIMIT: i32 = 1_000;
/// The most reads of one call for a person: a page ends early where they see little of much.
const READS: usize = 20;
/// Repositories that are read together by their names: one request of the table for each of two items.
const NAMES: usize = 100;

/// `GET mirror/overview`.
pub(crate) async fn get(api: &Api, call: &Call) -> Result<Answer, ApiError> {
    let limit = call.limit(LIMIT, LIMIT)?;
    let after = call.next_page(|page| MirrorOf::named(page).is_some())?.and_then(MirrorOf::named);
    let limit = usize::try_from(limit).unwrap_or_default();
    let page = match scope(api, call).await? {
        Scope::All => api.table.mirrors(None, limit, after.as_ref()).await?,
        Scope::Namespace(own) => api.table.mirrors(Some(&own), limit, after.as_ref()).await?,
        Scope::Some(sight, namespaces) => some(api, &sight, namespaces, limit, after).await?,
    };
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

/// Whose mirrors are listed.
enum Scope {
    All,
    Namespace(Namespace),
    /// Those that a person sees, of these namespaces.
    Some(Sight, BTreeSet<Namespace>),
}

/// Those of the namespace that is asked for, or of all; in it, what the caller sees.
async fn scope(api: &Api, call: &Call) -> Result<Scope, ApiError> {
    let asked = call.query("namespace");
    let name: Option<Namespace> = asked.map(|name| name.parse().map_err(|_| ApiError::NotFound)).transpose()?;
    let sight = call.caller.sight(&api.table, name.as_ref()).await?;
    if let Sight::Person(reach) = &sight {
        let namespaces = reach.namespaces();
        return match name {
            Some(name) if !sight.has_some_of(&name) => Err(call.caller.refused()),
            Some(name) if sight.has_all_of(&name) => Ok(Scope::Namespace(name)),
            Some(name) => Ok(Scope::Some(sight, BTreeSet::from([name]))),
            None => Ok(Scope::Some(sight, namespaces)),
        };
    }
    let namespace = match (asked, &sight) {
        (Some(name), _) => find_namespace(api, name).await?,
        (None, Sight::Namespace(own)) => own.clone(),
        (None, Sight::Everything) => return Ok(Scope::All),
        (None, _) => return Err(call.caller.refused()),
    };
    call.caller.require(&namespace, Role::Read)?;
    Ok(Scope::Namespace(namespace))
}

/// Up to `limit` mirrors behind `after` that somebody sees, namespace by namespace.
async fn some(
    api: &Api,
    sight: &Sight,
    namespaces: BTreeSet<Namespace>,
    limit: usize,
    after: Option<MirrorOf>,
) -> Result<MirrorPage, ApiError> {
    let (mut mirrors, mut reads) = (Vec::new(), 0);
    let begun = after.as_ref().map(namespace_of);
    let mut open = namespaces.into_iter().filter(|it| begun.as_ref().is_none_or(|begun| it >= begun)).peekable();
    while let Some(namespace) = open.next() {
        let mut from = after.clone().filter(|after| namespace_of(after) == namespace);
        loop {
            let left = limit.saturating_sub(mirrors.len());
            let page = if sight.has_all_of(&namespace) {
                api.table.mirrors(Some(&namespace), left, from.as_ref()).await?
            } else {
                held(api, sight, &namespace, left, from.as_ref()).await?
            };
            reads += 1;
            // Where the next page begins if this one ends here, also of a namespace that has nothing more.
            let last = page.mirrors.last().map(|mirror| mirror.of.clone());
            let here = last.or(from).unwrap_or_else(|| MirrorOf::Organization(namespace.clone()));
            mirrors.extend(page.mirrors);
            let is_over = mirrors.len() >= limit || reads >= READS;
            from = page.next;
            if is_over && (from.is_some() || open.peek().is_some()) {
                return Ok(MirrorPage { mirrors, next: Some(from.unwrap_or(here)) });
            }
            if from.is_none() {
                break;
            }
        }
    }
    Ok(MirrorPage { mirrors, next: None })
}

/// As [`Table::mirrors`](moorage_state::Table::mirrors), of a namespace of which somebody sees some repositories: by the names
/// that they hold, and no others, so that no page ends at one of which they do not know.
async fn held(
    api: &Api,
    sight: &Sight,
    namespace: &Namespace,
    limit: usize,
    after: Option<&MirrorOf>,
) -> Result<MirrorPage, ApiError> {
    let (names, next) = behind(sight.names_in(namespace), after.and_then(MirrorOf::repository), limit.min(NAMES));
    if names.is_empty() {
        return Ok(MirrorPage { mirrors: Vec::new(), next: None });
    }
    // A role may be for an earlier repository of the name.
    let seen = api.table.repositories_named(&names).await?.into_iter().filter(|it| sight.has(it));
    let seen: Vec<_> = seen.map(|it| it.repository).collect();
    let mirrors = if seen.is_empty() { Vec::new() } else { api.table.mirrors_named(&seen).await? };
    Ok(MirrorPage { mirrors, next: next.map(MirrorOf::Repository) })
}

/// Up to `limit` of these names, which are in order, behind `after`; and the last of them, if there are more.
fn behind(
    names: Vec<RepositoryName>,
    after: Option<&RepositoryName>,
    limit: usize,
) -> (Vec<RepositoryName>, Option<RepositoryName>) {
    let mut open = names.into_iter().filter(|name| after.is_none_or(|after| name > after));
    let some: Vec<_> = open.by_ref().take(limit).collect();
    let next = some.last().filter(|_| open.next().is_some()).cloned();
    (some, next)
}

fn namespace_of(of: &MirrorOf) -> Namespace {
    match of {
        MirrorOf::Repository(name) => name.namespace(),
        MirrorOf::Organization(name) => name.clone(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_end_at_names_that_are_held() {
        let of = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect::<Vec<RepositoryName>>();
        let held = || of(&["a/b", "a/d", "a/f"]);
        let after = |name: &str| Some(name.parse::<RepositoryName>().unwrap());
        for (from, limit, some, next) in [
            (None, 2, &["a/b", "a/d"][..], after("a/d")),
            (None, 3, &["a/b", "a/d", "a/f"], None),
            (after("a/d"), 2, &["a/f"], None),
            (after("a/c"), 1, &["a/d"], after("a/d")),
            (after("a/f"), 1, &[], None),
        ] {
            assert_eq!(behind(held(), from.as_ref(), limit), (of(some), next), "{from:?} {limit}");
        }
        assert_eq!(behind(Vec::new(), None, 5), (Vec::new(), None));
    }
}
