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
/// The most pages.
const MAX_PAGES: usize = 100;

/// What the registry says that refers to a manifest.
#[derive(Debug, Default)]
pub struct Referrers {
    /// What came of the list.
    pub list: ReferrerList,
    /// Why the rest of it did not come, if it is cut.
    pub cut: Option<UpstreamError>,
}

/// All referrers, from all pages; nothing if the registry has no such API, as its answer for the first page says. What
/// answers anything else than a list fails, and cuts the list if it comes later. A list that is too large, or a registry
/// that wants to be left alone, fails always.
pub(crate) async fn list(requests: &Requests, first: Url) -> Result<Option<Referrers>, UpstreamError> {
    let (mut list, mut pages) =
        (ReferrerList { is_index: true, ..ReferrerList::default() }, Pages::new(first, WHAT, MAX_PAGES));
    let (mut weight, mut is_first) = (0_usize, true);
    loop {
        let (page, followed) = match next(requests, &mut pages).await {
            Ok(Next::Page(page, followed)) => (page, followed),
            Ok(Next::End) => return Ok(Some(Referrers { list, cut: None })),
            Ok(Next::NoApi(_)) if is_first => return Ok(None),
            Ok(Next::NoApi(error)) | Err(error) if is_first || is_of_all(&error) => return Err(error),
            Ok(Next::NoApi(error)) | Err(error) => return Ok(Some(Referrers { list, cut: Some(error) })),
        };
        is_first = false;
        weight = weight.saturating_add(page.referrers.iter().map(Referrer::weight).fold(0, usize::saturating_add));
        if weight > MAX_WEIGHT {
            return Err(too_large());
        }
        list.unreadable = list.unreadable.saturating_add(page.unreadable);
        list.referrers.extend(page.referrers);
        if list.referrers.len() > MAX_REFERRERS {
            return Err(UpstreamError::TooMany { what: WHAT.into(), limit: MAX_REFERRERS });
        }
        if let Err(error) = followed {
            return Ok(Some(Referrers { list, cut: Some(error) }));
        }
    }
}

/// What follows in a list.
enum Next {
    /// And whether it is known where the list goes on.
    Page(ReferrerList, Result<(), UpstreamError>),
    End,
    /// What a registry answers that has no such API: that it does not know the path, or what to do with it. That it has
    /// nothing which is acceptable, or redirects without saying where to, it says of what it may well have.
    NoApi(UpstreamError),
}

async fn next(requests: &Requests, pages: &mut Pages) -> Result<Next, UpstreamError> {
    let Some(url) = pages.take()? else { return Ok(Next::End) };
    let accept = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(MediaType::OciIndex.as_str()))]);
    let limit = (MAX_MANIFEST_SIZE, "a page of the referrers");
    let answer = requests.fetch_so((Method::GET, &url, accept), requests.http.extra(), limit).await?;
    // Registries without the API say so in many ways.
    if matches!(answer.head.status.as_u16(), 400 | 404 | 405 | 501) {
        return Ok(Next::NoApi(answer.into_error(&url)));
    }
    if !answer.head.status.is_success() {
        return Err(answer.into_error(&url));
    }
    match parse(&answer.body) {
        Ok(page) if page.is_index => Ok(Next::Page(page, pages.follow(&url, &answer.head))),
        Err(Refusal::TooLarge) => Err(too_large()),
        Ok(_) | Err(_) => Err(UpstreamError::no_list(&url, WHAT)),
    }
}

/// Whether a failure is of the whole list, on whichever page.
fn is_of_all(error: &UpstreamError) -> bool {
    matches!(error, UpstreamError::RateLimited { .. } | UpstreamError::TooLarge { .. } | UpstreamError::TooMany { .. })
}

fn too_large() -> UpstreamError {
    UpstreamError::TooLarge { what: WHAT.into(), limit: MAX_WEIGHT }
}
