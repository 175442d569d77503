//! The list of repositories: a robot's are those of its own namespace that it may pull from, the admin's all.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use lambda_http::http::header::LINK;
use moorage_domain::{Namespace, RepositoryName, Timestamp};
use serde_json::json;

use crate::{
    access::{Access, Caller, Session},
    answer::Answer,
    error::PullError,
    page::{Query, next},
    registry::Registry,
};

/// The most repositories on a page: a robot's permission is looked up for each.
const MAX_REPOSITORIES: usize = 100;
/// How many repositories one request looks at; a page may then be short, and the next one goes on.
const MAX_EXAMINED: usize = 500;
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
            let parameters = [("n", count.to_string()), ("last", last.into())];
            let parameters: Vec<_> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
            answer.with(LINK, &next("/v2/_catalog", &parameters))
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
    mut after: Option<RepositoryName>,
    count: usize,
    now: Timestamp,
) -> Result<Page, PullError> {
    let (mut names, mut examined) = (Vec::new(), 0);
    let mut namespace = match caller {
        Caller::Anonymous => None,
        Caller::Robot(robot) => Some(robot.namespace()).filter(|own| {
            // Of a page behind another namespace.
            let start = after.as_ref().map(RepositoryName::namespace);
            start.is_none_or(|start| format!("{start}/") <= format!("{own}/"))
        }),
        Caller::Admin => match &after {
            Some(after) => Some(after.namespace()),
            None => following(registry, None).await?,
        },
    };
    while let Some(current) = namespace {
        let start = after.as_ref().filter(|after| after.namespace() == current).map(RepositoryName::name);
        let found = registry.access.table.repositories_after(&current, start, MAX_REPOSITORIES).await?;
        let is_end = found.len() < MAX_REPOSITORIES;
        examined += found.len();
        let sees = async |(name, is_public): (RepositoryName, bool)| -> Result<_, PullError> {
            Ok((registry.access.sees(caller, &name, is_public, now).await?, name))
        };
        let found: Vec<_> = stream::iter(found).map(sees).buffered(LOOKUPS).try_collect().await?;
        for (sees, name) in found {
            if names.len() == count {
                return Ok(Page { next: names.last().cloned(), names });
            }
            names.extend(sees.then(|| name.clone()));
            after = Some(name);
        }
        namespace = match caller {
            _ if !is_end && examined >= MAX_EXAMINED => return Ok(Page { names, next: after }),
            _ if !is_end => Some(current),
            Caller::Admin => following(registry, Some(&current)).await?,
            Caller::Robot(_) | Caller::Anonymous => None,
        };
    }
    Ok(Page { names, next: None })
}

/// The namespace behind another one, among those that have content.
async fn following(registry: &Registry, after: Option<&Namespace>) -> Result<Option<Namespace>, PullError> {
    Ok(registry.content.storage().namespaces(after, 1).await?.into_iter().next())
}
