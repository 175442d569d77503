//! Harbor's API, version 2.0: `/projects/{project}/repositories`, pages by `Link`.

use std::collections::BTreeSet;

use reqwest::StatusCode;
use serde::Deserialize;

use super::{Catalog, Names, pages, parse};
use crate::UpstreamError;

/// Harbor's largest page.
const PAGE_SIZE: &str = "100";

#[derive(Debug, Deserialize)]
pub(crate) struct Repository {
    /// With the project in front.
    pub(crate) name: String,
}

pub(super) async fn list(catalog: &Catalog) -> Result<BTreeSet<String>, UpstreamError> {
    let mut first = catalog.url(&["api", "v2.0", "projects", &catalog.namespace, "repositories"])?;
    first.query_pairs_mut().append_pair("page", "1").append_pair("page_size", PAGE_SIZE);
    let (mut names, mut pages) = (Names::default(), pages(first));
    while let Some(url) = pages.take()? {
        let answer = catalog.get(&url, catalog.basic()).await?;
        pages.follow(&url, &answer.head)?;
        for repository in parse::<Vec<Repository>>(answer, &url)? {
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
