//! Pages of a list of tags.

use bytes::Bytes;

/// A page of a list of tags, behind `last` of the query, and the link to the next one.
pub(super) fn paged(body: &Bytes, path: &str, page: usize) -> (Bytes, Option<String>) {
    let mut list: serde_json::Value = serde_json::from_slice(body).unwrap();
    let tags: Option<Vec<String>> = serde_json::from_value(list["tags"].clone()).unwrap();
    let mut tags = tags.unwrap_or_default();
    tags.sort();
    let after = path.split_once("last=").map(|(_, after)| after.to_owned());
    let rest: Vec<_> = tags.into_iter().filter(|tag| after.as_ref().is_none_or(|after| tag > after)).collect();
    let next =
        rest.get(page).map(|_| format!("<{}?last={}>; rel=\"next\"", path.split('?').next().unwrap(), rest[page - 1]));
    list["tags"] = rest.into_iter().take(page).collect();
    (list.to_string().into(), next)
}
