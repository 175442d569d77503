//! Docker Hub's API, version 2: `/namespaces/{namespace}/repositories/{repository}/tags`. It is another host than the
//! registry, counts no pulls, and is asked without a login.

use serde::Deserialize;

use super::{
    Doubt,
    page::{Page, few},
};

#[derive(Debug, Deserialize)]
struct Tags {
    count: u64,
    next: Option<String>,
    #[serde(deserialize_with = "few")]
    results: Vec<Tag>,
}

#[derive(Debug, Deserialize)]
struct Tag {
    name: String,
    /// Nothing for tags that were pushed before it was recorded.
    digest: Option<String>,
}

/// Reads a page.
pub(crate) fn page(body: &[u8]) -> Result<Page, Doubt> {
    let read: Tags = serde_json::from_slice(body).map_err(|_| Doubt)?;
    let (count, total, has_next) = (read.results.len() as u64, Some(read.count), Some(read.next.is_some()));
    let tags = read.results.into_iter().map(|tag| (tag.name, tag.digest)).collect();
    Ok(Page { count, total, has_next, tags })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages() {
        let body = br#"{"count":3,"next":"https://hub.example/v2/x?page=2","previous":null,"results":[{"name":"a","digest":"sha256:1","images":[{"digest":"sha256:2"}]},{"name":"b","digest":null}]}"#;
        let tags = vec![("a".to_owned(), Some("sha256:1".to_owned())), ("b".to_owned(), None)];
        assert_eq!(page(body), Ok(Page { count: 2, total: Some(3), has_next: Some(true), tags }));
        for body in ["", "{}", r#"{"results":[]}"#, r#"{"count":-1,"next":null,"results":[]}"#] {
            assert_eq!(page(body.as_bytes()), Err(Doubt), "{body}");
        }
    }
}
