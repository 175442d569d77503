//! The list of tags, complete or not at all.

use std::collections::BTreeSet;

use moorage_domain::TagName;
use oci_client::client::TagResponse;
use reqwest::{Method, header::HeaderMap};
use url::Url;

use crate::{UpstreamError, pages::Pages, request::Requests, transport::display};

/// The largest page: registries that do not page send all tags at once, and a million of them are about 30 MB.
const MAX_PAGE: usize = 32 * 1024 * 1024;
/// The most pages. Registries page by 50 to 1000 tags.
const MAX_PAGES: usize = 20_000;
/// The most tags of one repository: more would not fit the plan into the function's memory.
const MAX_TAGS: usize = 1_000_000;

/// All tags of the repository.
#[derive(Debug)]
pub struct Listing {
    /// Those that are tags by the distribution-spec, sorted, each once.
    pub tags: Vec<TagName>,
    /// How many names were listed that are not. No client could ask for them.
    pub invalid: usize,
}

/// Follows the pages to the end. Any page's failure is the listing's.
pub(crate) async fn list(requests: &Requests, first: Url) -> Result<Listing, UpstreamError> {
    let (mut tags, mut invalid) = (BTreeSet::new(), 0);
    let mut pages = Pages::new(first, "the tag list", MAX_PAGES);
    while let Some(url) = pages.take()? {
        let protocol = |what: &str| UpstreamError::Protocol(format!("{}: {what}", display(&url)));
        let answer = requests.fetch(Method::GET, &url, HeaderMap::new(), MAX_PAGE, "a page of the tag list").await?;
        if !answer.status.is_success() {
            return Err(answer.into_error(&url));
        }
        let page: TagResponse =
            serde_json::from_slice(&answer.body).map_err(|_| protocol("the answer is not a list of tags"))?;
        for tag in page.tags {
            match tag.parse::<TagName>() {
                Ok(tag) => drop(tags.insert(tag)),
                Err(_) => invalid += 1,
            }
        }
        if tags.len() > MAX_TAGS {
            return Err(protocol("the repository has too many tags"));
        }
        pages.follow(&url, &answer.headers)?;
    }
    Ok(Listing { tags: tags.into_iter().collect(), invalid })
}
