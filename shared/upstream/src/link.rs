//! `Link` (RFC 8288), as far as paging needs it.

use reqwest::header::{HeaderMap, LINK};
use url::Url;

/// The next page's URL, relative to `url`, if the answer names one.
pub(crate) fn next_page(headers: &HeaderMap, url: &Url) -> Option<Url> {
    let links = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    links.flat_map(|links| links.split(",<").flat_map(|links| links.split(", <"))).find_map(|link| {
        let (target, parameters) = link.trim().trim_start_matches('<').split_once('>')?;
        let is_next = parameters.split(';').any(|parameter| {
            let parameter = parameter.trim().to_ascii_lowercase();
            parameter.strip_prefix("rel=").is_some_and(|rel| rel.trim_matches('"').split(' ').any(|rel| rel == "next"))
        });
        is_next.then(|| url.join(target).ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_pages() {
        let url: Url = "https://r.example/v2/a/tags/list?n=2".parse().unwrap();
        let next = |link: &str| {
            next_page(&HeaderMap::from_iter([(LINK, link.parse().unwrap())]), &url).map(|url| url.to_string())
        };
        let expected = Some("https://r.example/v2/a/tags/list?n=2&last=b".to_owned());
        assert_eq!(next(r#"</v2/a/tags/list?n=2&last=b>; rel="next""#), expected);
        assert_eq!(next("<https://r.example/v2/a/tags/list?n=2&last=b>; rel=next"), expected);
        assert_eq!(next(r#"<?x>; rel="prev", </v2/a/tags/list?n=2&last=b>;title="x"; REL="Next""#), expected);
        assert_eq!(next(r#"</v2/a/tags/list?n=2&last=b>; rel="prev""#), None);
        assert_eq!(next("garbage"), None);
        assert_eq!(next_page(&HeaderMap::new(), &url), None);
    }
}
