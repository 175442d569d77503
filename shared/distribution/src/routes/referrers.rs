//! What refers to a manifest: signatures, SBOMs, attestations. Syncs keep the list as an index under a tag, as registries
//! without this endpoint have it.

use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::header::{CONTENT_TYPE, HeaderName, LINK};
use moorage_domain::{
    Digest, MediaType, Owner, Timestamp,
    referrers::{Referrer, ReferrerList, parse, referrers_tag},
};
use serde_json::{Value, json};

use crate::{
    answer::Answer,
    error::PullError,
    registry::Registry,
    routes::{
        page::{Query, next},
        route::Wanted,
    },
};

/// By which filters the answer was narrowed.
const FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");
/// How many entries without a kind are looked up: clients that write the index by hand are to name it themselves.
const MAX_LOOKUPS: usize = 64;
/// How many of them at once.
const LOOKUPS: usize = 8;
/// How many bytes of descriptors a page has, but for its last one: annotations may be long.
const PAGE_LENGTH: usize = 2_000_000;

/// `GET …/referrers/<digest>?artifactType=`. A manifest that is not there has no referrers; that is no error.
pub(crate) async fn list(
    registry: &Registry,
    owner: &Arc<Owner>,
    (wanted, subject): (&Wanted, &Digest),
    query: &Query,
    now: Timestamp,
) -> Result<Answer, PullError> {
    let stored = registry.content.tagged(owner, &referrers_tag(subject), now).await?;
    let referrers = match stored {
        Some(stored) => parse(&stored.bytes).map_err(|_| PullError::Unservable(stored.proven.digest().clone()))?,
        None => ReferrerList::default(),
    };
    // Somebody may call an image by the tag that referrers have.
    let referrers = if referrers.is_of_referrers() { referrers.referrers } else { Vec::new() };
    let mut lookups = 0..MAX_LOOKUPS;
    let entries: Vec<_> = referrers
        .into_iter()
        .map(|referrer| (referrer.artifact_type.is_none() && lookups.next().is_some(), referrer))
        .collect();
    let complete = |(incomplete, referrer)| complete(registry, owner, referrer, incomplete, now);
    let mut referrers: Vec<Referrer> = stream::iter(entries).map(complete).buffered(LOOKUPS).try_collect().await?;
    let artifact_type = query.get("artifactType");
    if let Some(wanted) = artifact_type {
        referrers.retain(|referrer| referrer.artifact_type.as_deref() == Some(wanted));
    }
    let last = query.get("last").map(str::parse).transpose();
    let last = last.map_err(|_| PullError::PageInvalid("last is no digest"))?;
    let (manifests, next_page) = page(referrers, last.as_ref());
    let body = json!({"schemaVersion": 2, "mediaType": MediaType::OciIndex, "manifests": manifests});
    let answer = Answer::empty(200).with(CONTENT_TYPE, MediaType::OciIndex.as_str()).body(body.to_string().into());
    let answer = if artifact_type.is_some() { answer.with(FILTERS_APPLIED, "artifactType") } else { answer };
    Ok(match next_page.map(|last| last.to_string()) {
        Some(last) => {
            let filter = artifact_type.map(|wanted| ("artifactType", wanted));
            let parameters: Vec<_> = filter.into_iter().chain([("last", last.as_str())]).collect();
            answer.with(LINK, &next(wanted, &format!("referrers/{subject}"), &parameters))
        }
        None => answer,
    })
}

/// An entry with what it lacks, if anything, from its manifest.
async fn complete(
    registry: &Registry,
    owner: &Arc<Owner>,
    mut referrer: Referrer,
    incomplete: bool,
    now: Timestamp,
) -> Result<Referrer, PullError> {
    // Only the repository's own: an index may name whatever it wants.
    if incomplete && let Some(stored) = registry.content.revision(owner, &referrer.digest, now).await? {
        referrer.complete(&stored.bytes);
    }
    Ok(referrer)
}

/// The descriptors behind `last`, in the order of their digests, and the last one if there are more.
fn page(mut referrers: Vec<Referrer>, last: Option<&Digest>) -> (Vec<Value>, Option<Digest>) {
    referrers.sort_by(|a, b| a.digest.cmp(&b.digest));
    let (mut manifests, mut length, mut end) = (Vec::new(), 0, None);
    for referrer in referrers.iter().filter(|referrer| last.is_none_or(|last| referrer.digest > *last)) {
        if length > PAGE_LENGTH {
            return (manifests, end);
        }
        let descriptor = json!(referrer);
        length += descriptor.to_string().len();
        manifests.push(descriptor);
        end = Some(referrer.digest.clone());
    }
    (manifests, None)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn long_lists_come_in_pages() {
        let referrer = |n: u32| Referrer {
            media_type: MediaType::OciManifest.as_str().to_owned(),
            digest: Digest::sha256(&n.to_be_bytes()),
            size: 1,
            artifact_type: None,
            annotations: Some(BTreeMap::from([("a".to_owned(), "x".repeat(1_000_000))])),
        };
        let all: Vec<_> = (0..7).map(referrer).collect();
        let (mut seen, mut last, mut pages) = (Vec::new(), None, 0);
        loop {
            let (manifests, next) = page(all.clone(), last.as_ref());
            assert!(manifests.len() <= 2);
            seen.extend(manifests.iter().map(|it| it["digest"].as_str().unwrap().to_owned()));
            pages += 1;
            last = next;
            if last.is_none() {
                break;
            }
        }
        let mut expected: Vec<_> = all.iter().map(|referrer| referrer.digest.to_string()).collect();
        expected.sort();
        assert_eq!((seen, pages), (expected, 4));
        assert_eq!(page(Vec::new(), None), (vec![], None));
    }
}
