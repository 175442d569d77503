//! The referrers API (distribution-spec v1.1.1, "Listing Referrers").

use moorage_domain::{
    MediaType,
    manifest::{MAX_MANIFEST_SIZE, Refusal},
    referrers::{MAX_REFERRERS, MAX_WEIGHT, Referrer, ReferrerList, parse},
};
use reqwest::{
    Method,
    header::{ACCEPT, HeaderMap, HeaderValue},
};
use url::Url;

use crate::{UpstreamError, pages::Pages, request::Requests};

/// What is read.
const WHAT: &str = "the list of referrers";
/// What is said of an answer that is anything else.
const NO_LIST: &str = "the registry's answer is no list of referrers";
/// The most pages.
const MAX_PAGES: usize = 100;

/// All referrers, from all pages; nothing if the registry has no such API. What answers anything else than a list fails.
pub(crate) async fn list(requests: &Requests, first: Url) -> Result<Option<ReferrerList>, UpstreamError> {
    let accept = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(MediaType::OciIndex.as_str()))]);
    let (mut list, mut pages) =
        (ReferrerList { is_index: true, ..ReferrerList::default() }, Pages::new(first, WHAT, MAX_PAGES));
    let mut weight = 0_usize;
    while let Some(url) = pages.take()? {
        let answer =
            requests.fetch(Method::GET, &url, accept.clone(), MAX_MANIFEST_SIZE, "a page of the referrers").await?;
        // Registries without the API say so in many ways.
        if matches!(answer.head.status.as_u16(), 300..=399 | 400 | 404 | 405 | 406 | 501) {
            return Ok(None);
        }
        if !answer.head.status.is_success() {
            return Err(answer.into_error(&url));
        }
        let page = match parse(&answer.body) {
            Ok(page) => page,
            Err(Refusal::TooLarge) => return Err(too_large()),
            Err(_) => return Err(UpstreamError::Protocol(NO_LIST.into())),
        };
        if !page.is_index {
            return Err(UpstreamError::Protocol(NO_LIST.into()));
        }
        weight = weight.saturating_add(page.referrers.iter().map(Referrer::weight).fold(0, usize::saturating_add));
        if weight > MAX_WEIGHT {
            return Err(too_large());
        }
        list.unreadable = list.unreadable.saturating_add(page.unreadable);
        list.referrers.extend(page.referrers);
        if list.referrers.len() > MAX_REFERRERS {
            return Err(UpstreamError::TooMany { what: WHAT.into(), limit: MAX_REFERRERS });
        }
        pages.follow(&url, &answer.head)?;
    }
    Ok(Some(list))
}

fn too_large() -> UpstreamError {
    UpstreamError::TooLarge { what: WHAT.into(), limit: MAX_WEIGHT }
}
