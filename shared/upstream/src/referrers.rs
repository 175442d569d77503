//! The referrers API (distribution-spec v1.1.1, "Listing Referrers").

use moorage_domain::{
    MediaType,
    manifest::MAX_MANIFEST_SIZE,
    referrers::{MAX_REFERRERS, Referrer, parse},
};
use reqwest::{
    Method,
    header::{ACCEPT, HeaderMap, HeaderValue},
};
use url::Url;

use crate::{UpstreamError, link::next_page, pages::Pages, request::Requests};

/// The most pages.
const MAX_PAGES: usize = 100;

/// All referrers, from all pages; nothing if the registry has no such API.
pub(crate) async fn list(requests: &Requests, first: Url) -> Result<Option<Vec<Referrer>>, UpstreamError> {
    let accept = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(MediaType::OciIndex.as_str()))]);
    let (mut referrers, mut pages) = (Vec::new(), Pages::new(first, "the list of referrers", MAX_PAGES));
    while let Some(url) = pages.take()? {
        let answer =
            requests.fetch(Method::GET, &url, accept.clone(), MAX_MANIFEST_SIZE, "a page of the referrers").await?;
        // Registries without the API say so in many ways, some with a page for people.
        if matches!(answer.status.as_u16(), 300..=399 | 400 | 404 | 405 | 406 | 501) {
            return Ok(None);
        }
        if !answer.status.is_success() {
            return Err(answer.into_error(&url));
        }
        let Ok(page) = parse(&answer.body) else { return Ok(None) };
        referrers.extend(page);
        if referrers.len() > MAX_REFERRERS {
            return Err(UpstreamError::TooLarge { what: "the list of referrers".into(), limit: MAX_REFERRERS });
        }
        pages.go_on(next_page(&answer.headers, &url).filter(|next| next.origin() == url.origin()));
    }
    Ok(Some(referrers))
}
