//! Harbor's API, version 2.0: `/projects/{project}/repositories`, pages by `Link`.

use std::collections::BTreeSet;

use reqwest::{StatusCode, header::HeaderName};
use serde::Deserialize;

use super::{Catalog, Names, pages, parse};
use crate::UpstreamError;

/// Harbor's largest page.
const PAGE_SIZE: &str = "100";

/// How many there are on all pages.
const TOTAL: HeaderName = HeaderName::from_static("x-total-count");

#[derive(Debug, Deserialize)]
pub(crate) struct Repository {
    /// With the project in front.
    pub(crate) name: String,
}

pub(super) async fn list(catalog: &Catalog) -> Result<BTreeSet<String>, UpstreamError> {
    let page = |number: usize| {
        let mut url = catalog.url(&["api", "v2.0", "projects", &catalog.namespace, "repositories"])?;
        url.query_pairs_mut().append_pair("page", &number.to_string()).append_pair("page_size", PAGE_SIZE);
        Ok::<_, UpstreamError>(url)
    };
    let (mut names, mut pages, mut number, mut seen) = (Names::default(), pages(page(1)?), 1_usize, 0_usize);
    while let Some(url) = pages.take()? {
        let answer = catalog.get(&url, catalog.basic()).await?;
        pages.follow(&url, &answer.head)?;
        let total = answer.head.headers.get(TOTAL).and_then(|total| total.to_str().ok()?.trim().parse::<usize>().ok());
        // Lists without entries are null in Go.
        let repositories = parse::<Option<Vec<Repository>>>(answer, &url)?.unwrap_or_default();
        (number, seen) = (number.saturating_add(1), seen.saturating_add(repositories.len()));
        if pages.is_at_end() && !repositories.is_empty() && total.is_some_and(|total| seen < total) {
            // The way to the next page was lost on its way, but not the next page.
            pages.go_on(Some(page(number)?));
        }
        for repository in repositories {
            names.add(repository.name.split_once('/').map_or(repository.name.as_str(), |(_, name)| name))?;
        }
    }
    Ok(names.into_set())
}

pub(super) async fn check(catalog: &Catalog) -> Result<(), UpstreamError> {
    let url = catalog.url(&["api", "v2.0", "projects", &catalog.namespace])?;
    let answer = catalog.get(&url, catalog.basic()).await?;
    if answer.head.status == StatusCode::OK { Ok(()) } else { Err(answer.into_error(&url)) }
}
