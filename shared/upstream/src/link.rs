//! `Link` (RFC 8288), as far as paging needs it, and as registries write it: what may be the way to the next page is never
//! taken for the end.

use reqwest::header::{HeaderMap, LINK};
use url::Url;

/// Relations that are something else than the next page: the registered ones (IANA, "Link Relation Types"), and two that
/// gateways send without. Left out are those that say how to follow a link and not where it leads (`nofollow`,
/// `external`, …), and what lies in time or in an archive behind: that may be the next page.
const OTHERS: [&str; 111] = [
    "about",
    "acl",
    "alternate",
    "amphtml",
    "api-catalog",
    "appendix",
    "apple-touch-icon",
    "apple-touch-startup-image",
    "archives",
    "author",
    "blocked-by",
    "bookmark",
    "c2pa-manifest",
    "canonical",
    "chapter",
    "cite-as",
    "collection",
    "compression-dictionary",
    "contents",
    "convertedfrom",
    "copyright",
    "create-form",
    "current",
    "deprecation",
    "describedby",
    "describes",
    "disclosure",
    "dns-prefetch",
    "duplicate",
    "edit",
    "edit-form",
    "edit-media",
    "enclosure",
    "first",
    "geofeed",
    "glossary",
    "help",
    "hosts",
    "hub",
    "ice-server",
    "icon",
    "index",
    "item",
    "last",
    "latest-revision",
    "latest-version",
    "license",
    "linkset",
    "lrdd",
    "manifest",
    "mask-icon",
    "me",
    "media-feed",
    "memento",
    "micropub",
    "modulepreload",
    "monitor",
    "monitor-group",
    "openid2.local_id",
    "openid2.provider",
    "original",
    "p3pv1",
    "payment",
    "pingback",
    "preconnect",
    "predecessor-version",
    "prefetch",
    "preload",
    "prerender",
    "prev",
    "prev-archive",
    "preview",
    "previous",
    "privacy-policy",
    "profile",
    "publication",
    "rdap-active",
    "rdap-bottom",
    "rdap-down",
    "rdap-top",
    "rdap-up",
    "related",
    "replies",
    "restconf",
    "ruleinput",
    "search",
    "section",
    "self",
    "service",
    "service-desc",
    "service-doc",
    "service-meta",
    "shortlink",
    "sip-trunking-capability",
    "start",
    "status",
    "stylesheet",
    "subsection",
    "successor-version",
    "sunset",
    "tag",
    "terms-of-service",
    "timegate",
    "timemap",
    "type",
    "up",
    "version-history",
    "via",
    "webmention",
    "working-copy",
    "working-copy-of",
];

/// What there may be between links.
const SEPARATORS: [char; 3] = [',', ' ', '\t'];

/// The header says something that is no list of links, or that may be any of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotUnderstood;

/// What a link is to the page it is found at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Next,
    /// Nobody says, or in words that we do not know.
    Unknown,
    Other,
}

/// The next page, if the answer from `url` names one: at the same origin, whatever host the link has. Registries behind a
/// proxy write the name and the scheme that they know of themselves.
pub(crate) fn next_page(headers: &HeaderMap, url: &Url) -> Result<Option<Url>, NotUnderstood> {
    let (mut next, mut unknown) = (Vec::new(), Vec::new());
    for value in headers.get_all(LINK) {
        let mut rest = std::str::from_utf8(value.as_bytes()).map_err(|_| NotUnderstood)?.trim_matches(SEPARATORS);
        while !rest.is_empty() {
            let (target, relation, after) = link(rest)?;
            match relation {
                Relation::Next => next.push(target),
                Relation::Unknown => unknown.push(target),
                Relation::Other => {}
            }
            rest = after.trim_start_matches(SEPARATORS);
        }
    }
    let mut found = if next.is_empty() { unknown } else { next };
    found.dedup();
    match *found {
        [] => Ok(None),
        [target] => here(target, url).map(Some).ok_or(NotUnderstood),
        _ => Err(NotUnderstood),
    }
}

/// Path and query of a target, at the origin of `url`.
fn here(target: &str, url: &Url) -> Option<Url> {
    let is_hierarchical = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    // A host and a port without a scheme look like a scheme and a path.
    let target =
        url.join(target).ok().filter(is_hierarchical).or_else(|| Url::parse(&format!("http://{target}")).ok())?;
    let mut here = url.clone();
    here.set_path(target.path());
    here.set_query(target.query());
    here.set_fragment(None);
    Some(here)
}

/// One link: its target, its relation, and what comes behind it.
fn link(text: &str) -> Result<(&str, Relation, &str), NotUnderstood> {
    let (target, mut rest) = match text.strip_prefix('<') {
        Some(bracketed) => bracketed.split_once('>').ok_or(NotUnderstood)?,
        None => bare(text)?,
    };
    if target.trim().is_empty() {
        return Err(NotUnderstood);
    }
    let mut relation = None;
    loop {
        rest = rest.trim_start();
        let Some(parameter) = rest.strip_prefix(';') else { break };
        let (name, after) = token(parameter.trim_start());
        let (value, after) = match after.trim_start().strip_prefix('=') {
            Some(value) => self::value(value.trim_start())?,
            None => ("", after),
        };
        // The first one counts (RFC 8288, 3.3).
        if name.eq_ignore_ascii_case("rel") && relation.is_none() {
            relation = Some(relation_of(value));
        }
        rest = after;
    }
    if !rest.is_empty() && !rest.starts_with(',') {
        return Err(NotUnderstood);
    }
    Ok((target.trim(), relation.unwrap_or(Relation::Unknown), rest))
}

/// A target without brackets: up to its parameters. It must hold no comma, which may be its own or part two links.
fn bare(text: &str) -> Result<(&str, &str), NotUnderstood> {
    let (target, rest) = text.split_at(text.find(';').unwrap_or(text.len()));
    let is_address = target.contains(['/', '?']) && !target.contains([',', ' ', '\t', '"', '<', '>']);
    if is_address { Ok((target, rest)) } else { Err(NotUnderstood) }
}

fn relation_of(words: &str) -> Relation {
    let is_other = |word: &str| OTHERS.iter().any(|other| word.eq_ignore_ascii_case(other));
    let words: Vec<_> = words.split_whitespace().collect();
    if words.iter().any(|word| word.eq_ignore_ascii_case("next")) {
        Relation::Next
    } else if !words.is_empty() && words.iter().all(|word| is_other(word)) {
        Relation::Other
    } else {
        Relation::Unknown
    }
}

fn token(text: &str) -> (&str, &str) {
    text.split_at(text.find(['=', ';', ',', ' ', '\t']).unwrap_or(text.len()))
}

/// A parameter's value: a word, or quoted in either way.
fn value(text: &str) -> Result<(&str, &str), NotUnderstood> {
    let Some(quote) = text.chars().next().filter(|first| matches!(first, '"' | '\'')) else { return Ok(token(text)) };
    let quoted = text.get(1..).unwrap_or_default();
    let mut is_escaped = false;
    for (index, character) in quoted.char_indices() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            _ if character == quote => {
                let (value, after) = quoted.split_at(index);
                return Ok((value, after.get(1..).unwrap_or_default()));
            }
            _ => {}
        }
    }
    Err(NotUnderstood)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEXT: &str = "https://r.example/v2/a/tags/list?n=2&last=b";

    fn pages(values: &[&str]) -> Result<Option<String>, NotUnderstood> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(LINK, reqwest::header::HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let url = "https://r.example/v2/a/tags/list?n=2".parse().unwrap();
        Ok(next_page(&headers, &url)?.map(String::from))
    }

    #[test]
    fn next_pages() {
        for link in [
            r#"</v2/a/tags/list?n=2&last=b>; rel="next""#,
            "<https://r.example/v2/a/tags/list?n=2&last=b>; rel=next",
            r#"<?x>; rel="prev", </v2/a/tags/list?n=2&last=b>;title="x"; REL="Next""#,
            r#"</v2/a/tags/list?n=2&last=b>; rel = "next""#,
            "</v2/a/tags/list?n=2&last=b> ;rel='next'",
            "</v2/a/tags/list?n=2&last=b>",
            "</v2/a/tags/list?n=2&last=b>;",
            "</v2/a/tags/list?n=2&last=b>; rel",
            r#"</v2/a/tags/list?n=2&last=b>; rel="""#,
            "</v2/a/tags/list?n=2&last=b>; rel=nextpage",
            r#"</v2/a/tags/list?n=2&last=b>; rel="https://rels.example/next""#,
            "/v2/a/tags/list?n=2&last=b; rel=\"next\"",
            "/v2/a/tags/list?n=2&last=b",
            "<?n=2&last=b>; rel=\"last next\"",
            r#"</x>; rel="first last", <?n=2&last=b>; title="a, b; rel=\"prev\""; rel='next'; rel=prev"#,
            "<?n=2&last=b>; rel=next, </v2/a/tags/list>; foo=bar",
            "<?n=2&last=b>; rel=next, <?n=2&last=b>; rel=next",
            "</other>; rel=\"describedby\" , <?n=2&last=b>",
            "<http://registry.internal:5000/v2/a/tags/list?n=2&last=b>; rel=next",
            "<registry.internal:5000/v2/a/tags/list?n=2&last=b>; rel=next",
            "<//registry.internal/v2/a/tags/list?n=2&last=b#x>; rel=next",
            "<https://user:secret@r.example/v2/a/tags/list?n=2&last=b>; rel=next",
        ] {
            assert_eq!(pages(&[link]), Ok(Some(NEXT.to_owned())), "{link}");
        }
        assert_eq!(pages(&["</x>; rel=help", "<?n=2&last=b>; rel=next"]), Ok(Some(NEXT.to_owned())));
        let odd = pages(&[r#"</v2/a/tags/list?last=a,b;c,<d>; rel="next""#]);
        assert_eq!(odd, Ok(Some("https://r.example/v2/a/tags/list?last=a,b;c,%3Cd".to_owned())));
    }

    #[test]
    fn ends() {
        for values in [
            &[][..],
            &[""],
            &[" , ,"],
            &[r#"</v2/a/tags/list?n=2>; rel="prev""#],
            &["</v2/a/tags/list>; rel=first, <x>; rel='last'", "</docs>; rel=\"service-doc help\""],
            &["<https://docs.example>; rel=describedby; type=\"text/html\""],
            &["</v3/>; rel=successor-version, </v9/>; rel=latest-revision, <https://t.example>; rel=\"type profile\""],
        ] {
            assert_eq!(pages(values), Ok(None), "{values:?}");
        }
    }

    #[test]
    fn what_is_not_understood_is_no_end() {
        for link in [
            "garbage",
            "<",
            "<>; rel=next",
            "</a; rel=\"next\"",
            "</a>; rel=\"next",
            "</a> rel=next",
            "</a>; rel=next, ; rel=next",
            "/a?last=b,c; rel=next",
            "</a>; rel=next, </b>; rel=next",
            "</a>, </b>",
            "</a>; rel=next; =x \"",
            "; rel=next",
            "rel=next",
        ] {
            assert_eq!(pages(&[link]), Err(NotUnderstood), "{link}");
        }
        let headers = HeaderMap::from_iter([(LINK, reqwest::header::HeaderValue::from_bytes(b"</a\xe9>").unwrap())]);
        assert_eq!(next_page(&headers, &NEXT.parse().unwrap()), Err(NotUnderstood));
    }
}
