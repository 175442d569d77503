//! Quay's API: `/repository?namespace=`, pages by the answer's `next_page`. The password is an API token; without one only
//! public repositories are listed.

use std::collections::BTreeSet;

use reqwest::StatusCode;
use serde::Deserialize;

use super::{Catalog, Names, pages, parse};
use crate::UpstreamError;

/// A page of the list.
#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    pub(crate) repositories: Vec<Repository>,
    pub(crate) next_page: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Repository {
    pub(crate) name: String,
}

pub(super) async fn list(catalog: &Catalog) -> Result<BTreeSet<String>, UpstreamError> {
    let mut first = catalog.url(&["api", "v1", "repository"])?;
    first.query_pairs_mut().append_pair("namespace", &catalog.namespace);
    if catalog.credentials.is_none() {
        first.query_pairs_mut().append_pair("public", "true");
    }
    let (mut names, mut pages) = (Names::default(), pages(first.clone()));
    while let Some(url) = pages.take()? {
        let page: Page = parse(catalog.get(&url, catalog.bearer()).await?, &url)?;
        for repository in &page.repositories {
            names.add(&repository.name)?;
        }
        pages.go_on(page.next_page.filter(|next| !next.is_empty()).map(|next| {
            let mut url = first.clone();
            url.query_pairs_mut().append_pair("next_page", &next);
            url
        }));
    }
    Ok(names.into_set())
}

/// Asks for the organization; and for a user, whose namespace it may be.
pub(super) async fn check(catalog: &Catalog) -> Result<(), UpstreamError> {
    let url = catalog.url(&["api", "v1", "organization", &catalog.namespace])?;
    let mut answer = catalog.get(&url, catalog.bearer()).await?;
    if answer.head.status == StatusCode::NOT_FOUND {
        answer = catalog.get(&catalog.url(&["api", "v1", "users", &catalog.namespace])?, catalog.bearer()).await?;
    }
    if answer.head.status == StatusCode::OK { Ok(()) } else { Err(answer.into_error(&url)) }
}
