//! Harbor's API, version 2.0: `/projects/{project}/repositories/{repository}/artifacts`, which shows what the registry's
//! credentials may see. Its pages count artifacts: one may have many tags, or none.

use serde::Deserialize;

use super::{
    Doubt,
    page::{Page, few},
};

#[derive(Debug, Deserialize)]
struct Artifacts(#[serde(deserialize_with = "few")] Vec<Artifact>);

#[derive(Debug, Deserialize)]
struct Artifact {
    digest: Option<String>,
    /// With the project in front.
    repository_name: Option<String>,
    tags: Option<Vec<Tag>>,
}

#[derive(Debug, Deserialize)]
struct Tag {
    name: String,
}

/// Reads a page of this repository. How many artifacts there are in all is in a header.
pub(crate) fn page(body: &[u8], repository: &str, total: Option<u64>) -> Result<Page, Doubt> {
    let Artifacts(artifacts) = serde_json::from_slice(body).map_err(|_| Doubt)?;
    let mut page = Page { count: artifacts.len() as u64, total, ..Page::default() };
    for Artifact { digest, repository_name, tags } in artifacts {
        if repository_name.is_some_and(|name| name != repository) {
            return Err(Doubt);
        }
        page.tags.extend(tags.into_iter().flatten().map(|tag| (tag.name, digest.clone())));
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages() {
        let body = br#"[{"id":1,"digest":"sha256:1","repository_name":"p/r","tags":[{"id":1,"name":"a"},{"id":2,"name":"b"}]},{"digest":"sha256:2","tags":null}]"#;
        let digest = Some("sha256:1".to_owned());
        let tags = vec![("a".to_owned(), digest.clone()), ("b".to_owned(), digest)];
        assert_eq!(page(body, "p/r", Some(2)), Ok(Page { count: 2, total: Some(2), has_next: None, tags }));
        assert_eq!(page(body, "p/other", Some(2)), Err(Doubt), "another repository's");
        for body in ["", "{}", r#"{"errors":[]}"#, r#"[{"tags":[{"name":null}]}]"#] {
            assert_eq!(page(body.as_bytes(), "p/r", None), Err(Doubt), "{body}");
        }
    }
}
