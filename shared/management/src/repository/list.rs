//! The list of repositories.

use std::fmt;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{Namespace, RepositoryName};
use moorage_state::{ADMIN, Repository, Role};
use serde_json::{Value, json};

use crate::{
    access::caller::Caller,
    api::Api,
    http::{answer::Answer, call::Call, error::ApiError},
};

/// Repositories on a page, as in Quay.
const PAGE: usize = 100;

/// The most tags of a repository that are looked at for somebody who may only read it because it is public.
const FEW: i32 = 500;

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
    let scope = match namespace {
        Some(name) => match name.parse() {
            Ok(name) => Scope::one(&call.caller, name),
            Err(_) => return Ok(Answer::ok(json!({"repositories": []}))),
        },
        None => Scope::of(&call.caller),
    };
    let (found, next) = scope.page(api, after).await?;
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
    /// The repository; `None` behind all of the namespace.
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

/// What a caller may read: all of some namespaces, and what is public. Nothing else is read for the list, so that it costs
/// nothing and its pages tell nothing of what the caller may not see.
#[derive(Debug)]
struct Scope {
    own: Own,
    public: Public,
}

/// The namespaces that are read as a whole, first.
#[derive(Debug)]
enum Own {
    None,
    One(Namespace),
    All,
}

/// The public repositories that come then.
#[derive(Debug)]
enum Public {
    None,
    Of(Namespace),
    All,
}

impl Scope {
    fn one(caller: &Caller, namespace: Namespace) -> Self {
        if caller.role_in(&namespace) >= Some(Role::Read) {
            return Self { own: Own::One(namespace), public: Public::None };
        }
        Self { own: Own::None, public: Public::Of(namespace) }
    }

    fn of(caller: &Caller) -> Self {
        match caller.namespace() {
            Some(own) => Self { own: Own::One(own.clone()), public: Public::All },
            None if caller.is_known() => Self { own: Own::All, public: Public::None },
            None => Self { own: Own::None, public: Public::All },
        }
    }

    /// One page, and how far it came, if there may be more.
    async fn page(&self, api: &Api, after: Option<Position>) -> Result<(Vec<Repository>, Option<Position>), ApiError> {
        let is_own = |after: &Position| match &self.own {
            Own::None => false,
            Own::One(own) => after.namespace == *own,
            Own::All => true,
        };
        let namespaces = match &self.own {
            Own::None => Vec::new(),
            Own::One(own) => vec![own.clone()],
            Own::All => api.table.namespaces().await?,
        };
        let mut found = Vec::new();
        if after.as_ref().is_none_or(is_own) {
            let next = self::own(api, namespaces, after.as_ref(), &mut found).await?;
            if next.is_some() {
                return Ok((found, next));
            }
        }
        let after = after.filter(|after| !is_own(after));
        let after = after.and_then(|after| RepositoryName::new(after.namespace.as_str(), after.name.as_deref()?).ok());
        let is_more = self.public(api, after, &mut found).await?;
        let next = found.last().filter(|_| is_more).map(|last| Position {
            namespace: last.repository.namespace(),
            name: Some(last.repository.name().to_owned()),
        });
        Ok((found, next))
    }

    /// Adds public repositories from behind `after`. Tells whether there may be more.
    async fn public(
        &self,
        api: &Api,
        mut after: Option<RepositoryName>,
        found: &mut Vec<Repository>,
    ) -> Result<bool, ApiError> {
        let of = match &self.public {
            Public::None => return Ok(false),
            Public::Of(namespace) => Some(namespace),
            Public::All => None,
        };
        let is_own = |it: &Repository| matches!(&self.own, Own::One(own) if it.repository.namespace() == *own);
        for _ in 0..READS {
            let limit = i32::try_from(PAGE - found.len()).unwrap_or(i32::MAX);
            if limit <= 0 {
                return Ok(true);
            }
            let page = api.table.public_repositories(of, limit, after.as_ref()).await?;
            // Their own came before.
            found.extend(page.repositories.into_iter().filter(|it| !is_own(it)));
            after = page.next.and_then(|next| next.parse().ok());
            if after.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Adds all repositories of these namespaces from behind `after`. Returns how far it came, if there may be more of them.
async fn own(
    api: &Api,
    namespaces: Vec<Namespace>,
    after: Option<&Position>,
    found: &mut Vec<Repository>,
) -> Result<Option<Position>, ApiError> {
    let mut reads = 0;
    let is_behind = |name: &Namespace| after.is_none_or(|after| after.is_before(name));
    let mut open = namespaces.into_iter().filter(is_behind).peekable();
    while let Some(namespace) = open.next() {
        let first = after.filter(|after| after.namespace == namespace);
        let mut from = first.and_then(|after| after.name.clone());
        loop {
            let limit = i32::try_from(PAGE - found.len()).unwrap_or(i32::MAX);
            let page = api.table.repositories(&namespace, limit, from.as_deref()).await?;
            reads += 1;
            found.extend(page.repositories);
            from = page.next;
            let is_over = found.len() >= PAGE || reads >= READS;
            if is_over && (from.is_some() || open.peek().is_some()) {
                return Ok(Some(Position { namespace, name: from }));
            }
            if from.is_none() {
                break;
            }
        }
    }
    Ok(None)
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
        // Whoever may read only what is public is not told where that takes more than a look.
        let tags = match call.caller.role_in(&name.namespace()) {
            Some(_) => Some(api.table.tags(name).await?),
            None => api.table.few_tags(name, FEW).await?,
        };
        let latest = tags.and_then(|tags| tags.values().map(|held| held.first_seen.unix()).max());
        view["last_modified"] = latest.into();
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
