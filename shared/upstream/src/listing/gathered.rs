//! The pages of a listing, put together.

use std::collections::{BTreeSet, HashSet};

use moorage_domain::TagName;

use super::{Doubt, PAGE_SIZE, digests::Digests, page::Page};

/// The most bytes that names take together where they are kept, as in a list of tags.
const MAX_NAMES: usize = 32 * 1024 * 1024;

/// What the pages said so far.
#[derive(Debug)]
pub(crate) struct Gathered {
    pub(crate) digests: Digests,
    /// All names, where they are wanted.
    pub(crate) names: Option<BTreeSet<TagName>>,
    /// How many bytes of names there may still be.
    left: usize,
    /// How many of what the API counts there were.
    count: u64,
    total: Option<u64>,
    /// The first tags of the pages.
    begun: HashSet<String>,
}

impl Gathered {
    pub(crate) fn new(with_names: bool) -> Self {
        let names = with_names.then(BTreeSet::new);
        Self { digests: Digests::default(), names, left: MAX_NAMES, count: 0, total: None, begun: HashSet::new() }
    }

    /// Takes the next page in. Tells whether it was the last one.
    pub(crate) fn take(&mut self, page: Page) -> Result<bool, Doubt> {
        let Page { count, total, has_next, tags } = page;
        if self.total.is_some_and(|known| total != Some(known)) {
            return Err(Doubt);
        }
        self.total = total;
        self.count = self.count.saturating_add(count);
        // Pages that form a circle, or that come again.
        if tags.first().is_some_and(|(tag, _)| !self.begun.insert(tag.clone())) {
            return Err(Doubt);
        }
        for (tag, digest) in tags {
            self.digests.add(&tag, digest.as_deref())?;
            if let (Some(names), Ok(tag)) = (&mut self.names, tag.parse::<TagName>()) {
                self.left = self.left.checked_sub(tag.as_str().len()).ok_or(Doubt)?;
                names.insert(tag);
            }
        }
        let is_last = match (has_next, total) {
            (Some(has_next), _) => !has_next,
            (None, Some(total)) => self.count >= total,
            (None, None) => count < PAGE_SIZE,
        };
        let fits = total.is_none_or(|total| if is_last { self.count == total } else { self.count < total });
        // A page without anything that is not the last one is the end of nothing.
        if fits && (is_last || count > 0) { Ok(is_last) } else { Err(Doubt) }
    }

    /// All pages are there. They are of no use if they say neither of the `listed` tags nor of their own what any of them
    /// points to.
    pub(crate) fn end(self, listed: &BTreeSet<TagName>) -> Result<Self, Doubt> {
        let digests = self.digests.end();
        if digests.are_of_use(listed.iter().chain(self.names.iter().flatten())) {
            Ok(Self { digests, ..self })
        } else {
            Err(Doubt)
        }
    }
}

#[cfg(test)]
mod tests {
    use moorage_domain::Digest;
    use proptest::prelude::*;

    use super::*;

    fn page(tags: &[u32], total: Option<u64>, has_next: Option<bool>) -> Page {
        let digest = |number: &u32| Some(Digest::sha256(&number.to_be_bytes()).to_string());
        let tags: Vec<_> = tags.iter().map(|number| (format!("t{number}"), digest(number))).collect();
        Page { count: tags.len() as u64, total, has_next, tags }
    }

    fn gather(pages: Vec<Page>) -> Result<Option<Gathered>, Doubt> {
        let mut gathered = Gathered::new(true);
        for page in pages {
            if gathered.take(page)? {
                return Ok(Some(gathered));
            }
        }
        Ok(None)
    }

    #[test]
    fn what_does_not_fit_is_doubted() {
        let (more, last) = (Some(true), Some(false));
        for (what, pages) in [
            ("a circle", vec![page(&[1, 2], None, more), page(&[3, 4], None, more), page(&[1, 2], None, more)]),
            ("an end that is none", vec![page(&[1], None, more), page(&[], None, more)]),
            ("fewer than said", vec![page(&[1, 2], Some(3), last)]),
            ("more than said", vec![page(&[1, 2], Some(1), last)]),
            ("more to come than said", vec![page(&[1, 2], Some(2), more)]),
            ("another total", vec![page(&[1], Some(3), more), page(&[2], Some(2), last)]),
            ("no total any more", vec![page(&[1], Some(2), more), page(&[2], None, last)]),
            ("an end before the total", vec![page(&[1], Some(2), None), page(&[], Some(2), None)]),
        ] {
            assert!(gather(pages).is_err(), "{what}");
        }
    }

    proptest! {
        #[test]
        fn whole_listings_are_put_together(
            tags in prop::collection::btree_set(0..1_000_u32, 0..60), size in 1..9_usize, is_counted: bool, says_next: bool,
        ) {
            let tags: Vec<_> = tags.into_iter().collect();
            let mut pages: Vec<&[u32]> = tags.chunks(size).collect();
            if pages.is_empty() {
                pages.push(&[]);
            }
            let total = is_counted.then_some(tags.len() as u64);
            let count = pages.len();
            let says_next = says_next || !is_counted;
            let pages = pages.iter().enumerate();
            let pages = pages.map(|(number, tags)| page(tags, total, says_next.then_some(number + 1 < count))).collect();
            let gathered = gather(pages).unwrap().unwrap();
            let names = gathered.names.unwrap();
            prop_assert_eq!(names.len(), tags.len());
            let digests = gathered.digests.end();
            for number in tags {
                let tag = format!("t{number}").parse().unwrap();
                prop_assert!(digests.say(&tag, &Digest::sha256(&number.to_be_bytes())) && names.contains(&tag));
            }
        }
    }
}
