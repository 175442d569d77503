//! The list of repositories: a robot's are those of its own namespace that it may pull from; a token's those of the
//! namespace that it is limited to, if it is; a person's those that they may pull from in the namespaces where they are in a
//! team or have a role.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::header::LINK;
use moorage_domain::{Namespace, RepositoryName, Timestamp};
use moorage_state::{Reach, Repository};
use serde_json::json;

use crate::{
    access::{
        caller::Caller,
        {Access, Session},
    },
    answer::Answer,
    error::PullError,
    registry::Registry,
    routes::page::{Query, next_of},
};

/// The most repositories on a page: a robot's permission is looked up for each.
const MAX_REPOSITORIES: usize = 100;
/// How many repositories are read from the table at once.
const LIST_SIZE: i32 = 100;
/// How often, for one request; a page may then be short, and the next one goes on.
const MAX_LISTS: usize = 5;
/// How often for a page that has nothing else to show: a robot that may pull from none of 10,000 repositories in a row sees
/// no further ones.
const MOST_LISTS: usize = 100;
/// Permissions that are looked up at once.
const LOOKUPS: usize = 16;

/// `GET /v2/_catalog?n=&last=`, in the order of the names' bytes.
pub(crate) async fn list(
    registry: &Registry,
    session: &Session,
    query: &Query,
    now: Timestamp,
) -> Result<Answer, PullError> {
    Access::catalog(session)?;
    let count = query.count(MAX_REPOSITORIES)?;
    let last: Option<RepositoryName> =
        query.get("last").map(str::parse).transpose().map_err(|_| PullError::PageInvalid("last is no repository"))?;
    if count == 0 {
        return Ok(Answer::json(200, &json!({"repositories": []})));
    }
    let page = page(registry, &session.caller, last, count, now).await?;
    let answer = Answer::json(200, &json!({"repositories": page.names}));
    Ok(match page.next {
        Some(last) => {
            let (count, last) = (count.to_string(), String::from(last));
            answer.with(LINK, &next_of("/v2/_catalog", [("n", count.as_str()), ("last", &last)]))
        }
        None => answer,
    })
}

struct Page {
    names: Vec<RepositoryName>,
    /// From behind which the next page goes on.
    next: Option<RepositoryName>,
}

async fn page(
    registry: &Registry,
    caller: &Caller,
    after: Option<RepositoryName>,
    count: usize,
    now: Timestamp,
) -> Result<Page, PullError> {
    let (mut names, mut lists) = (Vec::new(), 0);
    let begun = after.as_ref().map(RepositoryName::namespace);
    let Some(View { own, reach }) = view(registry, caller, now).await? else { return Ok(Page { names, next: None }) };
    let mut namespace = match (&own, &begun) {
        // A page behind another namespace may be behind their last one.
        (Some(own), begun) => own.iter().find(|own| begun.as_ref().is_none_or(|begun| !is_behind(begun, own))).cloned(),
        (None, Some(begun)) => Some(begun.clone()),
        (None, None) => following(registry, None).await?,
    };
    let mut start = after.filter(|_| begun == namespace).map(|after| after.name().to_owned());
    while let Some(current) = namespace {
        let listed = registry.access.table.repositories(&current, LIST_SIZE, start.as_deref()).await?;
        lists += 1;
        let sees = async |it: Repository| -> Result<_, PullError> {
            let sees = match &reach {
                Some(reach) => it.is_public || reach.role_on(&it).is_some(),
                None => registry.access.sees(caller, &it, now).await?,
            };
            Ok((sees, it.repository))
        };
        let found: Vec<_> = stream::iter(listed.repositories).map(sees).buffered(LOOKUPS).try_collect().await?;
        for name in found.into_iter().filter_map(|(sees, name)| sees.then_some(name)) {
            if names.len() == count {
                return Ok(Page { next: names.last().cloned(), names });
            }
            names.push(name);
        }
        start = listed.next;
        namespace = match (&own, &start) {
            // A page ends with what the caller may see; one that has nothing yet goes on for longer.
            (_, Some(next)) if lists >= MAX_LISTS && (own.is_none() || !names.is_empty() || lists >= MOST_LISTS) => {
                let behind = RepositoryName::new(current.as_str(), next).ok().filter(|_| own.is_none());
                return Ok(Page { next: behind.or_else(|| names.last().cloned()), names });
            }
            (_, Some(_)) => Some(current),
            (None, None) => following(registry, Some(&current)).await?,
            (Some(own), None) => own.iter().find(|own| is_behind(own, &current)).cloned(),
        };
    }
    Ok(Page { names, next: None })
}

/// What a caller's list is of.
struct View {
    /// Their namespaces, in the order of the list; none for all.
    own: Option<Vec<Namespace>>,
    /// What a person may see there; who else may, is asked of each repository.
    reach: Option<Reach>,
}

/// What the caller's list is of; nothing for nobody.
async fn view(registry: &Registry, caller: &Caller, now: Timestamp) -> Result<Option<View>, PullError> {
    let access = &registry.access;
    Ok(Some(match caller {
        Caller::Anonymous => return Ok(None),
        Caller::Robot(robot) => View { own: Some(vec![robot.namespace()]), reach: None },
        Caller::Token(id) => View { own: access.callers.limit(*id, now).await?.map(|own| vec![own]), reach: None },
        Caller::Admin => View { own: None, reach: None },
        Caller::Person(name, token) => match access.callers.people.identity(name, *token, now).await? {
            None => return Ok(None),
            Some((person, _)) if person.is_superuser => View { own: None, reach: None },
            Some((_, identity)) => {
                let reach = access.table.person_reach(&identity, None).await?;
                let mut own: Vec<_> = reach.namespaces().into_iter().collect();
                own.sort_by_cached_key(|own| format!("{own}/"));
                View { own: Some(own), reach: Some(reach) }
            }
        },
    }))
}

/// Whether the repositories of a namespace are listed behind those of another one.
fn is_behind(one: &Namespace, other: &Namespace) -> bool {
    format!("{one}/") > format!("{other}/")
}

/// The namespace behind another one, among those that have content.
async fn following(registry: &Registry, after: Option<&Namespace>) -> Result<Option<Namespace>, PullError> {
    Ok(registry.content.storage().namespaces(after, 1).await?.into_iter().next())
}
