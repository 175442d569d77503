//! The list of repositories.

use std::fmt;

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
    let after = call.next_page(|page| Position::parse(page).is_some())?.and_then(Position::parse);
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
        body["next_page"] = next.to_string().into();
    }
    Ok(Answer::ok(body))
}

/// How far a page came: behind a repository, or behind all of a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Position {
    namespace: Namespace,
    /// Nothing behind all of it.
    name: Option<String>,
}

impl Position {
    fn parse(text: &str) -> Option<Self> {
        if let Some(namespace) = text.strip_suffix('/') {
            return Some(Self { namespace: namespace.parse().ok()?, name: None });
        }
        let name: RepositoryName = text.parse().ok()?;
        Some(Self { namespace: name.namespace(), name: Some(name.name().to_owned()) })
    }

    /// Whether something of a namespace lies behind it. The admin's own namespace comes last in the list of all; the
    /// others are in order.
    fn is_before(&self, namespace: &Namespace) -> bool {
        let rank = |name: &Namespace| (name.as_str() == ADMIN, name.clone());
        match &self.name {
            Some(_) => rank(&self.namespace) <= rank(namespace),
            None => rank(&self.namespace) < rank(namespace),
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name.as_deref().unwrap_or_default())
    }
}

/// One page of what the caller may read in these namespaces, and how far it came, if there may be more.
async fn page(
    api: &Api,
    call: &Call,
    namespaces: Vec<Namespace>,
    after: Option<Position>,
) -> Result<(Vec<Repository>, Option<Position>), ApiError> {
    let (mut found, mut reads) = (Vec::new(), 0);
    let is_behind = |name: &Namespace| after.as_ref().is_none_or(|after| after.is_before(name));
    let mut open = namespaces.into_iter().filter(is_behind).peekable();
    while let Some(namespace) = open.next() {
        let sees_all = call.caller.role_in(&namespace) >= Some(Role::Read);
        let first = after.as_ref().filter(|after| after.namespace == namespace);
        let mut from = first.and_then(|after| after.name.clone());
        loop {
            let limit = i32::try_from(PAGE - found.len()).unwrap_or(i32::MAX);
            let page = api.table.repositories(&namespace, limit, from.as_deref()).await?;
            reads += 1;
            found.extend(page.repositories.into_iter().filter(|repository| sees_all || repository.is_public));
            from = page.next;
            let is_over = found.len() >= PAGE || reads >= READS;
            if is_over && (from.is_some() || open.peek().is_some()) {
                return Ok((found, Some(Position { namespace, name: from })));
            }
            if from.is_none() {
                break;
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_go_on_behind_a_repository_or_a_namespace() {
        for (text, before, behind) in [
            ("b/r/s", &["b", "c", "admin"][..], &["a"][..]),
            ("b/", &["c", "admin"], &["a", "b"]),
            ("admin/r", &["admin"], &["a", "z"]),
            ("admin/", &[], &["a", "z", "admin"]),
        ] {
            let position = Position::parse(text).unwrap();
            assert_eq!(position.to_string(), text);
            for (names, expected) in [(before, true), (behind, false)] {
                for name in names {
                    assert_eq!(position.is_before(&name.parse().unwrap()), expected, "{text} {name}");
                }
            }
        }
        for text in ["", "/", "a", "a//", "A/r", "/r"] {
            assert_eq!(Position::parse(text), None, "{text}");
        }
    }
}
