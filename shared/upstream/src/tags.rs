//! The list of tags, complete or not at all.

use std::collections::BTreeSet;

use moorage_domain::TagName;
use url::Url;

use crate::{
    Said, UpstreamError,
    error::Unread,
    lexer::{Item, Lexer},
    listing::{Doubt, digests::Digests, manifests::Manifests},
    pages::Pages,
    request::Requests,
    strings::{List, Part},
};

/// What is read.
const WHAT: &str = "a page of the tag list";
/// The longest page, in bytes: what is not a tag is read over, but not for ever.
const MAX_PAGE: usize = 256 * 1024 * 1024;
/// The most pages. Registries page by 50 to 1000 tags.
const MAX_PAGES: usize = 20_000;
/// The most tags of one repository: more would not fit the plan into the function's memory.
const MAX_TAGS: usize = 500_000;
/// The most bytes that their names take together: a run holds a list of that size beside everything else.
const MAX_NAMES: usize = 32 * 1024 * 1024;
/// The longest other text that is looked at: a repository's name (distribution's limit).
const MAX_TEXT: usize = 255;
/// How many tags a page is asked to have: the most that registries take. Many have 50 or 100 by themselves.
const PAGE_SIZE: &str = "1000";

/// All tags of the repository.
#[derive(Debug)]
pub struct Listing {
    /// Those that are tags by the distribution-spec, sorted, each once.
    pub tags: Vec<TagName>,
    /// How many entries were listed that are not. No client could ask for them.
    pub invalid: usize,
    /// What the registry said beside it of what they point to.
    pub said: Said,
}

/// A page's tags, as far as it is read.
#[derive(Debug)]
pub(crate) struct Page {
    lexer: Lexer,
    list: List,
    manifests: Manifests,
    /// Whether there is a list, be it null.
    is_list: bool,
    tags: Vec<TagName>,
    invalid: usize,
    /// How many tags, and how many bytes of names, are allowed.
    allowed: (usize, usize),
    /// How many still are.
    left: (usize, usize),
}

/// A page that was read.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) tags: Vec<TagName>,
    pub(crate) invalid: usize,
    /// What it says of digests, if it does.
    pub(crate) digests: Result<Option<Digests>, Doubt>,
}

impl Page {
    pub(crate) fn new(allowed: (usize, usize), repository: &str, digests: Digests) -> Self {
        let (list, manifests) = (List::new("tags"), Manifests::of(repository, digests));
        let (lexer, tags) = (Lexer::new(MAX_TEXT), Vec::new());
        Self { lexer, list, manifests, is_list: false, tags, invalid: 0, allowed, left: allowed }
    }

    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<(), Unread> {
        let Self { lexer, list, manifests, is_list, tags, invalid, allowed, left } = self;
        let mut each = |part: Part<'_>| {
            let tag = match part {
                Part::Begin => {
                    tags.clear();
                    (*is_list, *invalid, *left) = (true, 0, *allowed);
                    return Ok(());
                }
                Part::Entry(Item::Text(text)) => text.parse::<TagName>().ok(),
                Part::Entry(Item::Other) => None,
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
        };
        lexer.read(bytes, |token| {
            manifests.token(token);
            list.token(token, &mut each)
        })
    }

    /// The tags, if the page is whole. One that says whose list it is, and lists nothing, is empty: some registries leave
    /// out what is empty. One that says neither is something else.
    pub(crate) fn end(self) -> Option<Read> {
        let is_whole = self.lexer.is_between() && self.list.is_ended();
        let is_list = self.is_list || self.manifests.is_named();
        let Self { tags, invalid, manifests, .. } = self;
        (is_whole && is_list).then(|| Read { tags, invalid, digests: manifests.end() })
    }
}

/// A list of tags whose first page was read.
#[derive(Debug)]
pub struct TagPages {
    pages: Pages,
    repository: Box<str>,
    tags: BTreeSet<TagName>,
    invalid: usize,
    /// Bytes of names.
    names: usize,
    /// What the pages say of digests, if one does.
    digests: Result<Option<Digests>, Doubt>,
}

impl TagPages {
    /// Asks for the first page.
    pub(crate) async fn begin(requests: &Requests, url: &Url, repository: &str) -> Result<Self, UpstreamError> {
        let mut long = url.clone();
        long.query_pairs_mut().append_pair("n", PAGE_SIZE);
        let begun = Self::begin_at(requests, long, repository).await;
        match begun {
            // One that does not know of pages, or of such long ones.
            Err(UpstreamError::Status { status: 400..=499, .. }) => {
                Self::begin_at(requests, url.clone(), repository).await
            }
            begun => begun,
        }
    }

    async fn begin_at(requests: &Requests, first: Url, repository: &str) -> Result<Self, UpstreamError> {
        let (pages, repository) = (Pages::new(first, "the tag list", MAX_PAGES), repository.into());
        let (tags, invalid, names, digests) = (BTreeSet::new(), 0, 0, Ok(None));
        let mut begun = Self { pages, repository, tags, invalid, names, digests };
        begun.next(requests).await?;
        Ok(begun)
    }

    /// Whether there are no further pages.
    pub(crate) fn is_whole(&self) -> bool {
        self.pages.is_at_end()
    }

    /// The tags so far.
    pub(crate) fn tags(&self) -> &BTreeSet<TagName> {
        &self.tags
    }

    /// Whether a page says digests.
    pub(crate) fn has_digests(&self) -> bool {
        !matches!(self.digests, Ok(None))
    }

    /// Reads all pages, to the end. Any page's failure is the list's.
    pub(crate) async fn end(mut self, requests: &Requests) -> Result<Self, UpstreamError> {
        while self.next(requests).await? {}
        Ok(self)
    }

    /// The list, and what it says of digests.
    pub(crate) fn into_listing(self) -> (Listing, Result<Option<Digests>, Doubt>) {
        let (tags, invalid, said) = (self.tags.into_iter().collect(), self.invalid, Said::default());
        (Listing { tags, invalid, said }, self.digests)
    }

    /// Adds tags that are known from elsewhere in place of the further pages.
    pub(crate) fn complete(&mut self, tags: BTreeSet<TagName>) {
        self.tags.extend(tags);
    }

    /// Reads the next page; false if there is none.
    async fn next(&mut self, requests: &Requests) -> Result<bool, UpstreamError> {
        let Some(url) = self.pages.take()? else { return Ok(false) };
        let left = (MAX_TAGS.saturating_sub(self.tags.len()), MAX_NAMES.saturating_sub(self.names));
        let digests = self.digests.as_ref().ok().and_then(Option::as_ref);
        let beside = || digests.map_or_else(Digests::default, Digests::beside);
        let (head, page) =
            requests.read(&url, (MAX_PAGE, WHAT), || Page::new(left, &self.repository, beside()), Page::read).await?;
        let page = page.end().ok_or_else(|| UpstreamError::no_list(&url, WHAT))?;
        self.invalid = self.invalid.saturating_add(page.invalid);
        for tag in page.tags {
            let length = tag.as_str().len();
            if self.tags.insert(tag) {
                self.names = self.names.saturating_add(length);
            }
        }
        self.digests = match (std::mem::replace(&mut self.digests, Err(Doubt)), page.digests) {
            // Another host's word is not the registry's.
            (_, Ok(Some(_)) | Err(Doubt)) if !head.is_own => Err(Doubt),
            (Ok(Some(mut digests)), Ok(Some(more))) => digests.take(more).map(|()| Some(digests)),
            (Ok(one), Ok(other)) => Ok(one.or(other)),
            (Err(Doubt), _) | (_, Err(Doubt)) => Err(Doubt),
        };
        self.pages.follow(&url, &head)?;
        Ok(true)
    }
}
