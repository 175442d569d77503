//! The list of a repository's tags.

use http::header::LINK;
use moorage_domain::{Owner, TagName};
use serde_json::json;

use crate::{
    answer::Answer,
    error::PullError,
    registry::Registry,
    routes::{
        page::{Query, next},
        route::Wanted,
    },
};

/// The most tags on a page: ten requests to S3, and at most 1.3 MB. Clients follow the link to the next one.
const MAX_TAGS: usize = 10_000;

/// `GET …/tags/list?n=&last=`, in the order of the tags' bytes.
pub(crate) async fn list(
    registry: &Registry,
    owner: &Owner,
    wanted: &Wanted,
    query: &Query,
) -> Result<Answer, PullError> {
    let name = wanted.name();
    let count = query.count(MAX_TAGS)?;
    let last: Option<TagName> =
        query.get("last").map(str::parse).transpose().map_err(|_| PullError::PageInvalid("last is no tag"))?;
    if count == 0 {
        return Ok(Answer::json(200, &json!({"name": name, "tags": []})));
    }
    let page = registry.content.storage().tags(&owner.repository, last.as_ref(), count).await?;
    // Behind the list: then all of it was this one's.
    registry.access.confirm(owner).await?;
    let answer = Answer::json(200, &json!({"name": name, "tags": page.tags}));
    Ok(match page.tags.last().filter(|_| page.more) {
        Some(last) => {
            let (count, last) = (count.to_string(), last.to_string());
            let parameters = [("n", count.as_str()), ("last", &last)];
            answer.with(LINK, &next(wanted, "tags/list", &parameters))
        }
        None => answer,
    })
}
