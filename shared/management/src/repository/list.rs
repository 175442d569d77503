//! The list of repositories.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{Namespace, RepositoryName};
use moorage_state::{ADMIN, Repository};
use serde_json::{Value, json};

use crate::{
    access::sight::Sight,
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
        call.caller.is_known().then_some(()).ok_or_else(|| call.caller.refused())?;
        return Ok(Answer::ok(json!({"repositories": []})));
    }
    let Ok(namespace) = namespace.map(str::parse::<Namespace>).transpose() else {
        return Ok(Answer::ok(json!({"repositories": []})));
    };
    let sight = call.caller.sight(&api.table, namespace.as_ref()).await?;
    let scope = match namespace {
        Some(name) => Scope::one(&sight, name),
        None => Scope::of(&sight),
    };
    let (found, next) = scope.page(api, &sight, after).await?;
    let views = stream::iter(found).map(|repository| view(api, call, &scope, repository)).buffered(LOOKS);
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

/// What a caller may read: all of some namespaces, some repositories of others, and what is public. Nothing else is read for
/// the list, so that it costs nothing and its pages tell nothing of what the caller may not see.
#[derive(Debug)]
struct Scope {
    own: Own,
    public: Public,
}

/// What is read first.
#[derive(Debug)]
enum Own {
    /// Parts of namespaces, in the order of the list.
    Some(Vec<Part>),
    All,
}

/// A namespace, or some of its repositories.
#[derive(Debug)]
struct Part {
    namespace: Namespace,
    /// Their names, and no others; all of them without.
    only: Option<BTreeSet<String>>,
}

/// The public repositories that come then.
#[derive(Debug)]
enum Public {
    None,
    Of(Namespace),
    All,
}

impl Part {
    fn has(&self, repository: &RepositoryName) -> bool {
        let is_one = |only: &BTreeSet<String>| only.contains(repository.name());
        self.namespace == repository.namespace() && self.only.as_ref().is_none_or(is_one)
    }

    /// Some of its repositories, by name, from behind `after`; with where the next ones begin, if there may be more.
    async fn page(
        &self,
        api: &Api,
        limit: usize,
        after: Option<&str>,
    ) -> Result<(Vec<Repository>, Option<String>), ApiError> {
        let Some(only) = &self.only else {
            let limit = i32::try_from(limit).unwrap_or(i32::MAX);
            let page = api.table.repositories(&self.namespace, limit, after).await?;
            return Ok((page.repositories, page.next));
        };
        let is_behind = |name: &&String| after.is_none_or(|after| name.as_str() > after);
        let mut behind = only.iter().filter(is_behind);
        let some: Vec<_> = behind.by_ref().take(limit).collect();
        let next = some.last().filter(|_| behind.next().is_some()).map(|last| (*last).clone());
        let names: Vec<_> =
            some.iter().filter_map(|name| RepositoryName::new(self.namespace.as_str(), name).ok()).collect();
        let found = if names.is_empty() { Vec::new() } else { api.table.repositories_named(&names).await? };
        Ok((found, next))
    }
}

impl Scope {
    /// Of one namespace.
    fn one(sight: &Sight, namespace: Namespace) -> Self {
        if sight.has_all_of(&namespace) {
            let own = Own::Some(vec![Part { namespace, only: None }]);
            return Self { own, public: Public::None };
        }
        let own = parts(sight).into_iter().filter(|part| part.namespace == namespace).collect();
        Self { own: Own::Some(own), public: Public::Of(namespace) }
    }

    fn of(sight: &Sight) -> Self {
        match sight {
            Sight::Everything => Self { own: Own::All, public: Public::None },
            sight => Self { own: Own::Some(parts(sight)), public: Public::All },
        }
    }

    /// Whether a repository is among those that come first.
    fn is_own(&self, repository: &RepositoryName) -> bool {
        match &self.own {
            Own::Some(parts) => parts.iter().any(|part| part.has(repository)),
            Own::All => true,
        }
    }

    /// Whether a page has ended among those that come first.
    fn is_in_own(&self, after: &Position) -> bool {
        match (&self.own, &after.name) {
            (Own::All, _) => true,
            (Own::Some(parts), None) => parts.iter().any(|part| part.namespace == after.namespace),
            (Own::Some(_), Some(name)) => {
                RepositoryName::new(after.namespace.as_str(), name).is_ok_and(|name| self.is_own(&name))
            }
        }
    }

    /// One page, and how far it came, if there may be more.
    async fn page(
        &self,
        api: &Api,
        sight: &Sight,
        after: Option<Position>,
    ) -> Result<(Vec<Repository>, Option<Position>), ApiError> {
        let mut found = Vec::new();
        if after.as_ref().is_none_or(|after| self.is_in_own(after)) {
            let next = match &self.own {
                Own::Some(parts) => own(api, (parts, sight), after.as_ref(), &mut found).await?,
                Own::All => {
                    let all = api.table.namespaces().await?.into_iter();
                    let parts: Vec<_> = all.map(|namespace| Part { namespace, only: None }).collect();
                    own(api, (&parts, sight), after.as_ref(), &mut found).await?
                }
            };
            if next.is_some() {
                return Ok((found, next));
            }
        }
        let after = after.filter(|after| !self.is_in_own(after));
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
        for _ in 0..READS {
            let limit = i32::try_from(PAGE - found.len()).unwrap_or(i32::MAX);
            if limit <= 0 {
                return Ok(true);
            }
            let page = api.table.public_repositories(of, limit, after.as_ref()).await?;
            // Their own came before.
            found.extend(page.repositories.into_iter().filter(|it| !self.is_own(&it.repository)));
            after = page.next.and_then(|next| next.parse().ok());
            if after.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// What comes first of what somebody sees, in the order of the list.
fn parts(sight: &Sight) -> Vec<Part> {
    let whole = |namespace: Namespace| Part { namespace, only: None };
    match sight {
        Sight::Nothing | Sight::Everything => Vec::new(),
        Sight::Namespace(own) => vec![whole(own.clone())],
        Sight::Person(reach) => {
            let mut parts = BTreeMap::new();
            for namespace in reach.namespaces() {
                let is_whole = sight.has_all_of(&namespace);
                parts.insert(namespace, (!is_whole).then(BTreeSet::new));
            }
            for repository in reach.repositories() {
                if let Some(Some(only)) = parts.get_mut(&repository.namespace()) {
                    only.insert(repository.name().to_owned());
                }
            }
            let mut parts: Vec<_> = parts.into_iter().map(|(namespace, only)| Part { namespace, only }).collect();
            // A stable sort: the others stay in order.
            parts.sort_by_key(|part| part.namespace.as_str() == ADMIN);
            parts
        }
    }
}

/// Adds all repositories of these parts from behind `after` that are seen. Returns how far it came, if there may be more of them.
async fn own(
    api: &Api,
    (parts, sight): (&[Part], &Sight),
    after: Option<&Position>,
    found: &mut Vec<Repository>,
) -> Result<Option<Position>, ApiError> {
    let mut reads = 0;
    let is_behind = |part: &&Part| after.is_none_or(|after| after.is_before(&part.namespace));
    let mut open = parts.iter().filter(is_behind).peekable();
    while let Some(part) = open.next() {
        let first = after.filter(|after| after.namespace == part.namespace);
        let mut from = first.and_then(|after| after.name.clone());
        loop {
            let (some, next) = part.page(api, PAGE.saturating_sub(found.len()), from.as_deref()).await?;
            reads += 1;
            // A name is not enough: the role may be for an earlier repository that bore it. What is public comes only here.
            found.extend(some.into_iter().filter(|it| it.is_public || sight.has(it)));
            from = next;
            let is_over = found.len() >= PAGE || reads >= READS;
            if is_over && (from.is_some() || open.peek().is_some()) {
                return Ok(Some(Position { namespace: part.namespace.clone(), name: from }));
            }
            if from.is_none() {
                break;
            }
        }
    }
    Ok(None)
}

async fn view(api: &Api, call: &Call, scope: &Scope, repository: Repository) -> Result<Value, ApiError> {
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
        let tags =
            if scope.is_own(name) { Some(api.table.tags(name).await?) } else { api.table.few_tags(name, FEW).await? };
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

    #[test]
    fn pages_end_among_what_is_ones_own_or_what_is_public() {
        let only = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        let parts = vec![
            Part { namespace: "a".parse().unwrap(), only: None },
            Part { namespace: "b".parse().unwrap(), only: only(&["r", "s/t"]) },
            Part { namespace: "c".parse().unwrap(), only: only(&[]) },
        ];
        let scope = Scope { own: Own::Some(parts), public: Public::All };
        for (text, is_own) in
            [("a/x", true), ("b/r", true), ("b/s/t", true), ("b/x", false), ("c/x", false), ("d/x", false)]
        {
            assert_eq!(scope.is_own(&text.parse().unwrap()), is_own, "{text}");
            assert_eq!(scope.is_in_own(&Position::parse(text).unwrap()), is_own, "{text}");
        }
        for (text, is_own) in [("a/", true), ("c/", true), ("d/", false)] {
            assert_eq!(scope.is_in_own(&Position::parse(text).unwrap()), is_own, "{text}");
        }
        let one = Scope::one(&Sight::Namespace("a".parse().unwrap()), "b".parse().unwrap());
        assert!(matches!((&one.own, &one.public), (Own::Some(parts), Public::Of(_)) if parts.is_empty()));
        assert!(!one.is_own(&"a/x".parse().unwrap()), "a list of one namespace has no other's");
    }
}
