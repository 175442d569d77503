//! The list of repositories.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{Namespace, RepositoryName};
use moorage_state::{ADMIN, Repository, Role};
use serde_json::{Value, json};

use crate::{
    answer::Answer,
    api::{Api, Call},
    error::ApiError,
};

/// Repositories on a page, as in Quay.
const PAGE: usize = 100;
/// The most reads of one call: a page ends early where many namespaces have little to show.
const READS: usize = 50;
/// Repositories whose tags are looked at together.
const LOOKS: usize = 16;

/// `GET /repository`.
pub(crate) async fn list(api: &Api, call: &Call) -> Result<Answer, ApiError> {
    let namespace = call.query("namespace").filter(|name| !name.is_empty());
    let (starred, public) = (call.flag("starred", false), call.flag("public", false));
    if namespace.is_none() && !starred && !public {
        let detail = "namespace, starred or public are required for this API call";
        return Err(ApiError::InvalidRequest(detail.into()));
    }
    let after = call.next_page(|page| page.parse::<RepositoryName>().is_ok())?;
    let after: Option<RepositoryName> = after.and_then(|page| page.parse().ok());
    if starred {
        // Nobody has stars; Quay refuses who is not logged in.
        call.caller.is_known().then_some(()).ok_or(ApiError::Unauthorized)?;
        return Ok(Answer::ok(json!({"repositories": []})));
    }
    let namespaces = match namespace {
        Some(name) => name.parse().into_iter().collect(),
        None => api.table.namespaces().await?,
    };
    let (found, next) = page(api, call, namespaces, after).await?;
    let views = stream::iter(found).map(|repository| view(api, call, repository)).buffered(LOOKS);
    let mut body = json!({"repositories": views.try_collect::<Vec<_>>().await?});
    if let Some(next) = next {
        body["next_page"] = next.as_str().into();
    }
    Ok(Answer::ok(body))
}

/// One page of what the caller may read in these namespaces, and the last repository that was looked at, if there is
/// more.
async fn page(
    api: &Api,
    call: &Call,
    namespaces: Vec<Namespace>,
    after: Option<RepositoryName>,
) -> Result<(Vec<Repository>, Option<RepositoryName>), ApiError> {
    let (mut found, mut reads) = (Vec::new(), 0);
    let start = after.as_ref().map(RepositoryName::namespace);
    // The admin's own namespace comes last in the list of all; the others are in order.
    let is_behind = |name: &Namespace| match &start {
        None => true,
        Some(start) if start.as_str() == ADMIN => name.as_str() == ADMIN,
        Some(start) => name.as_str() == ADMIN || name >= start,
    };
    for namespace in namespaces.into_iter().filter(is_behind) {
        let sees_all = call.caller.role_in(&namespace) >= Some(Role::Read);
        let first = after.as_ref().filter(|after| after.namespace() == namespace);
        let mut from = first.map(|after| after.name().to_owned());
        loop {
            let limit = i32::try_from(PAGE - found.len()).unwrap_or(i32::MAX);
            let page = api.table.repositories(&namespace, limit, from.as_deref()).await?;
            reads += 1;
            found.extend(page.repositories.into_iter().filter(|repository| sees_all || repository.is_public));
            from = page.next;
            let Some(last) = &from else { break };
            if found.len() >= PAGE || reads >= READS {
                return Ok((found, RepositoryName::new(namespace.as_str(), last).ok()));
            }
        }
        if found.len() >= PAGE || reads >= READS {
            let last = found.last().map(|repository| repository.repository.clone());
            return Ok((found, last));
        }
    }
    Ok((found, None))
}

async fn view(api: &Api, call: &Call, repository: Repository) -> Result<Value, ApiError> {
    let name = &repository.repository;
    let mut view = json!({
        "namespace": name.namespace(), "name": name.name(), "description": repository.description,
        "is_public": repository.is_public, "kind": "image", "state": repository.state,
    });
    if call.caller.is_known() {
        view["is_starred"] = false.into();
    }
    if call.flag("last_modified", false) {
        let tags = api.table.tags(name).await?;
        view["last_modified"] = tags.values().map(|held| held.first_seen.unix()).max().into();
    }
    if call.flag("popularity", false) {
        view["popularity"] = 0.0.into();
    }
    Ok(view)
}
