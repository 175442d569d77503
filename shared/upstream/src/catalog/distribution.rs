//! The catalog of the distribution's HTTP API: `/v2/_catalog`, all repositories that the identity may see, pages by `Link`.

use std::collections::BTreeSet;

use reqwest::{Method, header::HeaderMap};
use serde::Deserialize;
use url::Url;

use super::{Catalog, MAX_PAGE, Names, pages, parse};
use crate::{UpstreamError, request::Answer};

/// Names on a page; registries may send fewer.
const PAGE_SIZE: &str = "1000";

#[derive(Deserialize)]
struct Page {
    /// Some registries send null where there are none.
    repositories: Option<Vec<String>>,
}

pub(super) async fn list(catalog: &Catalog) -> Result<BTreeSet<String>, UpstreamError> {
    let (mut names, mut pages) = (Names::default(), pages(address(catalog, PAGE_SIZE)?));
    let prefix = format!("{}/", catalog.namespace);
    while let Some(url) = pages.take()? {
        let answer = get(catalog, &url).await?;
        pages.follow(&url, &answer.headers)?;
        for name in parse::<Page>(answer, &url)?.repositories.iter().flatten() {
            if let Some(name) = name.strip_prefix(&prefix) {
                names.add(name)?;
            }
        }
    }
    Ok(names.0)
}

/// A catalog knows no namespaces, so only that there is one can be told.
pub(super) async fn check(catalog: &Catalog) -> Result<(), UpstreamError> {
    let url = address(catalog, "1")?;
    parse::<Page>(get(catalog, &url).await?, &url).map(drop)
}

fn address(catalog: &Catalog, page_size: &str) -> Result<Url, UpstreamError> {
    let mut url = catalog.url(&["v2", "_catalog"])?;
    url.query_pairs_mut().append_pair("n", page_size);
    Ok(url)
}

async fn get(catalog: &Catalog, url: &Url) -> Result<Answer, UpstreamError> {
    catalog.requests.fetch(Method::GET, url, HeaderMap::new(), MAX_PAGE, "a page of the catalog").await
}
