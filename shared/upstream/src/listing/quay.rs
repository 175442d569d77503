//! Quay's API, version 1: `/repository/{repository}/tag/?onlyActiveTags=true`. Its tokens are not the registry's: public
//! repositories are shown to everybody, others to whoever sends an OAuth token.

use serde::Deserialize;

use super::{
    Doubt,
    page::{Page, few},
};

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(deserialize_with = "few")]
    tags: Vec<Tag>,
    page: Option<u64>,
    has_additional: bool,
}

#[derive(Debug, Deserialize)]
struct Tag {
    name: String,
    manifest_digest: Option<String>,
    /// When it ended, or is to end: such a row does not say what the tag points to now.
    end_ts: Option<serde::de::IgnoredAny>,
}

impl Tag {
    /// The tag, and the digest if the row says one for now.
    fn said(self) -> (String, Option<String>) {
        (self.name, self.manifest_digest.filter(|_| self.end_ts.is_none()))
    }
}

/// Reads page number `number`, counted from 1.
pub(crate) fn page(body: &[u8], number: u64) -> Result<Page, Doubt> {
    let read: Answer = serde_json::from_slice(body).map_err(|_| Doubt)?;
    if read.page.is_some_and(|page| page != number) {
        return Err(Doubt);
    }
    let (count, has_next) = (read.tags.len() as u64, Some(read.has_additional));
    let tags = read.tags.into_iter().map(Tag::said).collect();
    Ok(Page { count, total: None, has_next, tags })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages() {
        let body = br#"{"tags":[{"name":"a","reversion":false,"start_ts":1,"manifest_digest":"sha256:1","is_manifest_list":false,"size":1,"last_modified":"x"},{"name":"b"}],"page":2,"has_additional":true}"#;
        let tags = vec![("a".to_owned(), Some("sha256:1".to_owned())), ("b".to_owned(), None)];
        assert_eq!(page(body, 2), Ok(Page { count: 2, total: None, has_next: Some(true), tags }));
        assert_eq!(page(body, 1), Err(Doubt), "another page than was asked for");
        let ended =
            br#"{"tags":[{"name":"a","manifest_digest":"sha256:1","end_ts":1700000000}],"has_additional":false}"#;
        let said = page(ended, 1).map(|page| page.tags);
        assert_eq!(said, Ok(vec![("a".to_owned(), None)]), "what has ended says nothing of now");
        for body in ["", "{}", "[]", r#"{"tags":[]}"#, r#"{"tags":[{"name":1}],"has_additional":false}"#] {
            assert_eq!(page(body.as_bytes(), 1), Err(Doubt), "{body}");
        }
    }
}
