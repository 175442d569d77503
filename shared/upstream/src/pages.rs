//! The pages of a list, followed to the end, but not for ever.

use std::{
    collections::HashSet,
    hash::{BuildHasher as _, RandomState},
};

use url::Url;

use crate::{UpstreamError, address::display, answer::Head, link::next_page};

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

    /// Goes on where the `Link` of the page at `url` says, which must not come from elsewhere, and leads nowhere else.
    pub(crate) fn follow(&mut self, url: &Url, head: &Head) -> Result<(), UpstreamError> {
        let from = if head.is_own { &head.url } else { url };
        let next = next_page(&head.headers, from);
        let next = next.map_err(|_| self.broken(url, "go on by a Link header that is not understood"))?;
        if next.is_some() && !head.is_own {
            return Err(self.broken(url, "are named by another host"));
        }
        self.next = next;
        Ok(())
    }

    /// Whether nothing is known to come.
    pub(crate) fn is_at_end(&self) -> bool {
        self.next.is_none()
    }

    /// Goes on at `next`, if there is one.
    pub(crate) fn go_on(&mut self, next: Option<Url>) {
        self.next = next;
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
    fn a_list_goes_on_at_its_own_host() {
        let first: Url = "https://r.example/list".parse().unwrap();
        let mut pages = Pages::new(first.clone(), "the list", 2);
        pages.follow(&first, &link("http://other.example:5000/list?last=a")).unwrap();
        assert_eq!(pages.take().unwrap().unwrap().as_str(), "https://r.example/list?last=a");
        let moved = Head { url: "https://r.example/moved/list".parse().unwrap(), ..link("?last=a") };
        pages.follow(&first, &moved).unwrap();
        assert_eq!(pages.take().unwrap().unwrap().as_str(), "https://r.example/moved/list?last=a");
    }

    #[test]
    fn pages_that_do_not_are_refused() {
        let first: Url = "https://r.example/list".parse().unwrap();
        let mut pages = Pages::new(first.clone(), "the list", 2);
        pages.take().unwrap();
        let error = pages.follow(&first, &link("")).unwrap_err().to_string();
        assert!(error.contains("not understood"), "{error}");
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
