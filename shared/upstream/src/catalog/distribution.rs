//! The catalog of the distribution's HTTP API: `/v2/_catalog`, all repositories that the identity may see, pages by `Link`.

use std::collections::BTreeSet;

use url::Url;

use super::{Catalog, MAX_NAME, MAX_PAGE, Names, WHAT, no_list, pages};
use crate::{
    UpstreamError,
    answer::Head,
    error::Unread,
    lexer::Item,
    strings::{Part, Strings},
};

/// Names on a page; registries may send fewer.
const PAGE_SIZE: &str = "1000";

/// A page's names that begin with a prefix, without it, as far as they are read.
#[derive(Debug)]
pub(crate) struct Page {
    strings: Strings,
    prefix: String,
    names: Names,
    /// Whether there is a list, be it null.
    is_list: bool,
    /// How many entries are names, and how many something else.
    entries: (usize, usize),
}

impl Page {
    pub(crate) fn new(namespace: &str) -> Self {
        let prefix = format!("{namespace}/");
        // Some registries send null where there are none.
        Self {
            strings: Strings::new("repositories", prefix.len() + MAX_NAME),
            prefix,
            names: Names::default(),
            is_list: false,
            entries: (0, 0),
        }
    }

    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<(), Unread> {
        let Self { strings, prefix, names, is_list, entries } = self;
        strings.read(bytes, |part| match part {
            Part::Begin => {
                *is_list = true;
                Ok(())
            }
            Part::Entry(Item::Text(name)) => {
                entries.0 = entries.0.saturating_add(1);
                name.strip_prefix(prefix.as_str()).map_or(Ok(()), |name| Ok(names.add(name)?))
            }
            Part::Entry(Item::Other) => {
                entries.1 = entries.1.saturating_add(1);
                Ok(())
            }
        })
    }

    /// The names, if the page is whole, and is one, which an error's document is not: something else than names is passed over beside them, but is no list
    /// of nothing.
    pub(crate) fn end(self) -> Option<Names> {
        let has_none = self.entries.0 == 0 && self.entries.1 > 0;
        (self.strings.is_whole() && self.is_list && !has_none).then_some(self.names)
    }
}

pub(super) async fn list(catalog: &Catalog) -> Result<BTreeSet<String>, UpstreamError> {
    let (mut names, mut pages) = (Names::default(), pages(address(catalog, PAGE_SIZE)?));
    while let Some(url) = pages.take()? {
        let (head, page) = get(catalog, &url).await?;
        pages.follow(&url, &head)?;
        for name in page.into_set() {
            names.add(&name)?;
        }
    }
    Ok(names.into_set())
}

/// A catalog knows no namespaces, so only that there is one can be told.
pub(super) async fn check(catalog: &Catalog) -> Result<(), UpstreamError> {
    get(catalog, &address(catalog, "1")?).await.map(drop)
}

fn address(catalog: &Catalog, page_size: &str) -> Result<Url, UpstreamError> {
    let mut url = catalog.url(&["v2", "_catalog"])?;
    url.query_pairs_mut().append_pair("n", page_size);
    Ok(url)
}

async fn get(catalog: &Catalog, url: &Url) -> Result<(Head, Names), UpstreamError> {
    let read = catalog.requests.read(url, (MAX_PAGE, WHAT), || Page::new(&catalog.namespace), Page::read).await;
    let (head, page) = read.map_err(|error| match error {
        // It is the catalog that is not known, whatever the code says.
        UpstreamError::UnknownRepository(what) => UpstreamError::NotFound(what),
        error => error,
    })?;
    Ok((head, page.end().ok_or_else(|| no_list(url))?))
}
