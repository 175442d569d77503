//! The pages of a list, followed to the end, but not for ever.

use std::{
    collections::HashSet,
    hash::{BuildHasher as _, RandomState},
};

use url::Url;

use crate::{UpstreamError, answer::Head, link::next_page, transport::display};

/// Where a list goes on. Any page's failure is the list's.
#[derive(Debug)]
pub(crate) struct Pages {
    what: &'static str,
    most: usize,
    /// Hashes of the addresses that were taken: a registry's addresses may be long.
    seen: HashSet<u64>,
    hasher: RandomState,
    next: Option<Url>,
}

impl Pages {
    /// The pages of `what`, at most `most` of them.
    pub(crate) fn new(first: Url, what: &'static str, most: usize) -> Self {
        Self { what, most, seen: HashSet::new(), hasher: RandomState::new(), next: Some(first) }
    }

    /// The next page's address; nothing behind the last one.
    pub(crate) fn take(&mut self) -> Result<Option<Url>, UpstreamError> {
        let Some(url) = self.next.take() else { return Ok(None) };
        if !self.seen.insert(self.hasher.hash_one(url.as_str())) {
            return Err(self.broken(&url, "form a circle"));
        }
        if self.seen.len() > self.most {
            return Err(self.broken(&url, "are too many"));
        }
        Ok(Some(url))
    }

    /// Goes on where the `Link` of the page at `url` says, which must not be elsewhere, nor come from elsewhere.
    pub(crate) fn follow(&mut self, url: &Url, head: &Head) -> Result<(), UpstreamError> {
        let next = next_page(&head.headers, url);
        if next.is_some() && !head.is_own {
            return Err(self.broken(url, "are named by another host"));
        }
        if next.as_ref().is_some_and(|next| next.origin() != url.origin()) {
            return Err(self.broken(url, "go on at another host"));
        }
        self.next = next;
        Ok(())
    }

    /// Goes on at `next`, if there is one.
    pub(crate) fn go_on(&mut self, next: Option<Url>) {
        self.next = next;
    }

    /// Whether there is no next page.
    pub(crate) fn is_last(&self) -> bool {
        self.next.is_none()
    }

    fn broken(&self, url: &Url, how: &str) -> UpstreamError {
        UpstreamError::Protocol(format!("{}: the pages of {} {how}", display(url), self.what))
    }
}

#[cfg(test)]
mod tests {
    use reqwest::{
        StatusCode,
        header::{HeaderMap, LINK},
    };

    use super::*;

    fn head(headers: HeaderMap) -> Head {
        Head { status: StatusCode::OK, headers, is_own: true, url: "https://r.example/list".parse().unwrap() }
    }

    fn link(to: &str) -> Head {
        head(HeaderMap::from_iter([(LINK, format!(r#"<{to}>; rel="next""#).parse().unwrap())]))
    }

    #[test]
    fn pages_end() {
        let first: Url = "https://r.example/list".parse().unwrap();
        let mut pages = Pages::new(first.clone(), "the list", 2);
        assert_eq!(pages.take().unwrap(), Some(first.clone()));
        pages.follow(&first, &link("/list?last=a")).unwrap();
        let second = pages.take().unwrap().unwrap();
        assert_eq!(second.as_str(), "https://r.example/list?last=a");
        pages.follow(&second, &head(HeaderMap::new())).unwrap();
        assert_eq!(pages.take().unwrap(), None);
    }

    #[test]
    fn pages_that_do_not_are_refused() {
        let first: Url = "https://r.example/list".parse().unwrap();
        let mut pages = Pages::new(first.clone(), "the list", 2);
        pages.take().unwrap();
        assert!(pages.follow(&first, &link("https://other.example/list")).is_err());
        let elsewhere = Head { is_own: false, ..link("/list?last=a") };
        assert!(
            pages.follow(&first, &elsewhere).is_err(),
            "another host does not say where the registry's list goes on"
        );
        pages.follow(&first, &link("/list")).unwrap();
        assert!(pages.take().unwrap_err().to_string().contains("circle"));
        for page in 0..2 {
            pages.go_on(Some(first.join(&format!("?{page}")).unwrap()));
            assert_eq!(pages.take().is_err(), page == 1, "the third is too many");
        }
    }
}
