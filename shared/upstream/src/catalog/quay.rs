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
    /// Null where there are none.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(crate) repositories: Option<Vec<Repository>>,
    #[serde(default)]
    next_page: Option<Next>,
}

/// Where the list goes on: a text that says nothing to us, or the number of a page.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Next {
    Text(String),
    Number(u64),
}

impl Page {
    /// What to ask for next; nothing behind the last page.
    fn next(&self) -> Option<String> {
        match self.next_page.as_ref()? {
            Next::Text(text) => Some(text.clone()).filter(|text| !text.is_empty()),
            Next::Number(number) => Some(number.to_string()),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Repository {
    pub(crate) name: String,
}

pub(super) async fn list(catalog: &Catalog) -> Result<BTreeSet<String>, UpstreamError> {
    let mut first = catalog.url(&["api", "v1", "repository"])?;
    first.query_pairs_mut().append_pair("namespace", &catalog.namespace);
    if catalog.bearer().is_none() {
        first.query_pairs_mut().append_pair("public", "true");
    }
    let (mut names, mut pages) = (Names::default(), pages(first.clone()));
    while let Some(url) = pages.take()? {
        let page: Page = parse(catalog.get(&url, catalog.bearer()).await?, &url)?;
        for repository in page.repositories.iter().flatten() {
            names.add(&repository.name)?;
        }
        pages.go_on(page.next().map(|next| {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_name_the_next_one_or_none() {
        for (page, next) in [
            (r#"{"repositories":[],"next_page":"abc"}"#, Some(Some("abc"))),
            (r#"{"repositories":[{"name":"a"}],"next_page":2}"#, Some(Some("2"))),
            (r#"{"repositories":null,"next_page":null}"#, Some(None)),
            (r#"{"repositories":[],"next_page":""}"#, Some(None)),
            (r#"{"repositories":[]}"#, Some(None)),
            (r#"{"repositories":[],"next_page":{"page":2}}"#, None),
            (r#"{"repositories":[],"next_page":true}"#, None),
            (r#"{"repositories":{}}"#, None),
            (r#"{"repositories":[{"name":null}]}"#, None),
            (r#"{"error":"none"}"#, None),
        ] {
            let found = serde_json::from_str::<Page>(page).ok().map(|page| page.next());
            assert_eq!(found, next.map(|next| next.map(str::to_owned)), "{page}");
        }
    }
}
