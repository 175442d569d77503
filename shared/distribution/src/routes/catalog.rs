//! The list of repositories: a robot's are those of its own namespace that it may pull from; a token's those of the
//! namespace that it is limited to, if it is.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::header::LINK;
use moorage_domain::{Namespace, RepositoryName, Timestamp};
use moorage_state::Repository;
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
    let own = match caller {
        Caller::Anonymous => return Ok(Page { names, next: None }),
        Caller::Robot(robot) => Some(robot.namespace()),
        Caller::Token(id) => registry.access.callers.limit(*id, now).await?,
        Caller::Admin => None,
    };
    let mut namespace = match (&own, &begun) {
        // A page behind another namespace may be behind their only one.
        (Some(own), begun) => {
            Some(own.clone()).filter(|own| begun.as_ref().is_none_or(|begun| format!("{begun}/") <= format!("{own}/")))
        }
        (None, Some(begun)) => Some(begun.clone()),
        (None, None) => following(registry, None).await?,
    };
    let mut start = after.filter(|_| begun == namespace).map(|after| after.name().to_owned());
    while let Some(current) = namespace {
        let listed = registry.access.table.repositories(&current, LIST_SIZE, start.as_deref()).await?;
        lists += 1;
        let sees = async |it: Repository| -> Result<_, PullError> {
            Ok((registry.access.sees(caller, &it, now).await?, it.repository))
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
            (Some(_), None) => None,
        };
    }
    Ok(Page { names, next: None })
}

/// The namespace behind another one, among those that have content.
async fn following(registry: &Registry, after: Option<&Namespace>) -> Result<Option<Namespace>, PullError> {
    Ok(registry.content.storage().namespaces(after, 1).await?.into_iter().next())
}
