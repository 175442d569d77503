//! The referrers API (distribution-spec v1.1.1, "Listing Referrers").

use std::collections::HashSet;

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

use crate::{UpstreamError, link::next_page, request::Requests, transport::display};

/// The most pages.
const MAX_PAGES: usize = 100;

/// All referrers, from all pages; nothing if the registry has no such API.
pub(crate) async fn list(requests: &Requests, first: Url) -> Result<Option<Vec<Referrer>>, UpstreamError> {
    let accept = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(MediaType::OciIndex.as_str()))]);
    let (mut referrers, mut seen, mut next) = (Vec::new(), HashSet::new(), Some(first));
    while let Some(url) = next {
        let protocol = |what: &str| UpstreamError::Protocol(format!("{}: {what}", display(&url)));
        if !seen.insert(url.as_str().to_owned()) || seen.len() > MAX_PAGES {
            return Err(protocol("the pages of the list of referrers do not end"));
        }
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
        next = next_page(&answer.headers, &url).filter(|following| following.origin() == url.origin());
    }
    Ok(Some(referrers))
}
