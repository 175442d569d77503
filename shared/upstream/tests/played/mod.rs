//! Registries whose listings say digests, played as their makers document them.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::collections::BTreeMap;

use moorage_domain::{Digest, DigestListing, TagName};
use moorage_upstream::{Listing, Registry, UpstreamError};
use serde_json::{Value, json};
use url::Url;

use crate::server::{Reply, Seen, ok, status};

/// The tags of a repository and what they point to.
pub(crate) type Tags = BTreeMap<TagName, Digest>;

pub(crate) fn tags(count: u32) -> Tags {
    let tag = |number: u32| format!("t{number:05}").parse().unwrap();
    (0..count).map(|number| (tag(number), Digest::sha256(&number.to_be_bytes()))).collect()
}

pub(crate) fn query(path: &str) -> BTreeMap<String, String> {
    Url::parse("http://x").unwrap().join(path).unwrap().query_pairs().into_owned().collect()
}

pub(crate) fn number(query: &BTreeMap<String, String>, name: &str, otherwise: usize) -> usize {
    query.get(name).map_or(otherwise, |text| text.parse().unwrap())
}

/// A page of the list of tags, of at most `most` of them, as the distribution-spec has it.
pub(crate) fn tag_list(tags: &Tags, path: &str, most: usize) -> Reply {
    let query = query(path);
    let (size, last) = (number(&query, "n", most).min(most), query.get("last"));
    let rest: Vec<_> = tags.keys().filter(|tag| last.is_none_or(|last| tag.as_str() > last.as_str())).collect();
    let page: Vec<_> = rest.iter().take(size).collect();
    let next = page.last().filter(|_| rest.len() > size);
    let link = next.map(|last| ("link", format!(r#"</v2/a/b/tags/list?n={size}&last={last}>; rel="next""#)));
    (200, link.into_iter().collect(), json!({"name": "a/b", "tags": page}).to_string().into_bytes())
}

/// A page of 100, and whether there is a next one.
pub(crate) fn page<'t>(tags: &'t Tags, path: &str) -> (Vec<(&'t TagName, &'t Digest)>, usize, bool) {
    let number = number(&query(path), "page", 1);
    let page = tags.iter().skip((number - 1) * 100).take(100).collect();
    (page, number, tags.len() > number * 100)
}

pub(crate) fn quay(tags: &Tags, path: &str) -> Value {
    let (page, number, has_additional) = page(tags, path);
    let page: Vec<_> = page.iter().map(|(tag, digest)| json!({"name": tag, "manifest_digest": digest})).collect();
    json!({"tags": page, "page": number, "has_additional": has_additional})
}

pub(crate) fn docker_hub(tags: &Tags, path: &str) -> Value {
    let (page, number, has_next) = page(tags, path);
    let next = has_next.then(|| format!("https://hub.example{path}&page={}", number + 1));
    let page: Vec<_> = page.iter().map(|(tag, digest)| json!({"name": tag, "digest": digest})).collect();
    json!({"count": tags.len(), "next": next, "previous": null, "results": page})
}

pub(crate) fn harbor(tags: &Tags, path: &str) -> Reply {
    let (page, _, _) = page(tags, path);
    let page: Vec<_> = page.iter().map(|(tag, digest)| json!({"digest": digest, "tags": [{"name": tag}]})).collect();
    (200, vec![("x-total-count", tags.len().to_string())], Value::from(page).to_string().into_bytes())
}

pub(crate) fn google(tags: &Tags) -> Value {
    let map = tags.iter().map(|(tag, digest)| (digest.to_string(), json!({"mediaType": "m", "tag": [tag]})));
    let map: serde_json::Map<_, _> = map.collect();
    json!({"child": [], "manifest": map, "name": "a/b", "tags": tags.keys().collect::<Vec<_>>()})
}

/// What a registry that has one of the listings answers, with lists of tags of at most `most`.
pub(crate) fn honest(kind: DigestListing, tags: &Tags, seen: &Seen, most: usize) -> Reply {
    let path = seen.path.as_str();
    match kind {
        DigestListing::TagsList if path.starts_with("/v2/a/b/tags/list") => ok(google(tags).to_string()),
        _ if path.starts_with("/v2/a/b/tags/list") => tag_list(tags, path, most),
        DigestListing::Quay if path.starts_with("/api/v1/repository/a/b/tag/?") => ok(quay(tags, path).to_string()),
        DigestListing::Harbor if path.starts_with("/api/v2.0/projects/a/repositories/b/artifacts?") => {
            harbor(tags, path)
        }
        DigestListing::DockerHub if path.starts_with("/v2/namespaces/a/repositories/b/tags?") => {
            ok(docker_hub(tags, path).to_string())
        }
        _ => status(404, vec![]),
    }
}

pub(crate) async fn list(registry: &Registry, held: &Tags) -> Result<Listing, UpstreamError> {
    let first = registry.first_tags().await?;
    registry.all_tags(first, held.len(), |names| names.iter().eq(held.keys())).await
}

/// How many tags need not be asked for.
pub(crate) fn saved(listing: &Listing, held: &Tags) -> usize {
    held.iter().filter(|(tag, digest)| listing.said.that(tag, digest)).count()
}
