//! The list of tags, complete or not at all.

use std::collections::BTreeSet;

use moorage_domain::TagName;
use url::Url;

use crate::{
    UpstreamError,
    pages::Pages,
    request::Requests,
    strings::{Item, NoList, Strings},
    transport::display,
};

/// The longest page, in bytes: what is not a tag is read over, but not for ever.
const MAX_PAGE: usize = 256 * 1024 * 1024;
/// The most pages. Registries page by 50 to 1000 tags.
const MAX_PAGES: usize = 20_000;
/// The most tags of one repository: more would not fit the plan into the function's memory.
const MAX_TAGS: usize = 500_000;
/// The most bytes that their names take together: a run holds a list of that size beside everything else.
const MAX_NAMES: usize = 32 * 1024 * 1024;
/// The longest tag (distribution-spec v1.1.1).
const MAX_TAG: usize = 128;

/// All tags of the repository.
#[derive(Debug)]
pub struct Listing {
    /// Those that are tags by the distribution-spec, sorted, each once.
    pub tags: Vec<TagName>,
    /// How many entries were listed that are not. No client could ask for them.
    pub invalid: usize,
}

/// A page's tags, as far as it is read.
#[derive(Debug)]
pub(crate) struct Page {
    strings: Strings,
    tags: Vec<TagName>,
    invalid: usize,
    /// How many tags, and how many bytes of names, are still allowed.
    left: (usize, usize),
}

impl Page {
    pub(crate) fn new(left: (usize, usize)) -> Self {
        Self { strings: Strings::new("tags", MAX_TAG), tags: Vec::new(), invalid: 0, left }
    }

    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<(), UpstreamError> {
        let Self { strings, tags, invalid, left } = self;
        strings.read(bytes, |item| {
            let tag = match item {
                Item::Text(text) => text.parse::<TagName>().ok(),
                Item::Other => None,
            };
            let Some(tag) = tag else {
                *invalid = invalid.saturating_add(1);
                return Ok(());
            };
            let what = || "the tag list".to_owned();
            left.0 = left.0.checked_sub(1).ok_or_else(|| UpstreamError::TooMany { what: what(), limit: MAX_TAGS })?;
            let bytes = left.1.checked_sub(tag.as_str().len());
            left.1 = bytes.ok_or_else(|| UpstreamError::TooLarge { what: what(), limit: MAX_NAMES })?;
            tags.push(tag);
            Ok(())
        })
    }

    /// The tags, if the page is whole.
    pub(crate) fn end(self) -> Option<Listing> {
        self.strings.is_whole().then_some(Listing { tags: self.tags, invalid: self.invalid })
    }
}

impl From<NoList> for UpstreamError {
    fn from(_: NoList) -> Self {
        Self::Protocol("the answer is not a list".to_owned())
    }
}

/// Follows the pages to the end. Any page's failure is the listing's.
pub(crate) async fn list(requests: &Requests, first: Url) -> Result<Listing, UpstreamError> {
    let (mut tags, mut invalid, mut names) = (BTreeSet::new(), 0_usize, 0_usize);
    let mut pages = Pages::new(first, "the tag list", MAX_PAGES);
    while let Some(url) = pages.take()? {
        let left = (MAX_TAGS.saturating_sub(tags.len()), MAX_NAMES.saturating_sub(names));
        let limits = (MAX_PAGE, "a page of the tag list");
        let (head, page) = requests.read(&url, limits, || Page::new(left), Page::read).await?;
        let no_list = || UpstreamError::Protocol(format!("{}: the answer is not a list of tags", display(&url)));
        let page = page.end().ok_or_else(no_list)?;
        invalid = invalid.saturating_add(page.invalid);
        for tag in page.tags {
            let length = tag.as_str().len();
            if tags.insert(tag) {
                names = names.saturating_add(length);
            }
        }
        pages.follow(&url, &head)?;
    }
    Ok(Listing { tags: tags.into_iter().collect(), invalid })
}
