//! Each parser of what a registry sends as a function of any bytes, which asserts what must hold of all. The fuzz targets
//! in `tests/fuzz` and the tests of the parsers call the same functions.

use std::time::Duration;

use moorage_domain::{
    RateLimit, Timestamp, architecture,
    manifest::{self, Manifest},
    rate_limit::LONGEST_RESET,
    referrers::{self, MAX_WEIGHT, Referrer},
};
use reqwest::{
    StatusCode,
    header::{CONTENT_RANGE, HeaderMap, HeaderName, HeaderValue, LINK, RETRY_AFTER},
};
use url::Url;

use crate::{
    address::redirected,
    answer::{error_code, error_message},
    catalog::{distribution, harbor, quay},
    challenge,
    link::next_page,
    listing::{self, Doubt, digests::Digests},
    part::content_range,
    rate_limit,
    retry::retry_after,
    suffix,
    tags::Page,
    token,
};

/// A fuzz target: its name and its function.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 19] = [
    ("retry_after", retry),
    ("rate_limit", limit),
    ("link", link),
    ("www_authenticate", www_authenticate),
    ("content_range", range),
    ("location", location),
    ("host", host),
    ("token", token),
    ("error_body", error_body),
    ("manifest", manifest),
    ("config", config),
    ("referrers", referrers),
    ("tag_list", tag_list),
    ("digests_quay", digests_quay),
    ("digests_harbor", digests_harbor),
    ("digests_docker_hub", digests_docker_hub),
    ("catalog_distribution", catalog_distribution),
    ("catalog_harbor", catalog_harbor),
    ("catalog_quay", catalog_quay),
];

/// How large a piece of a streamed document is.
const CHUNK: usize = 7;

/// Runs the target of a name.
///
/// # Panics
///
/// Where there is no such target, and where a parser does what it must not.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|(target, _)| *target == name);
    assert!(target.is_some(), "{name} is no target");
    if let Some((_, run)) = target {
        run(bytes);
    }
}

fn headers(name: &HeaderName, bytes: &[u8]) -> HeaderMap {
    HeaderValue::from_bytes(bytes).ok().map(|value| (name.clone(), value)).into_iter().collect()
}

/// `Retry-After`, its dates included.
fn retry(bytes: &[u8]) {
    let headers = headers(&RETRY_AFTER, bytes);
    let _ = retry_after(&headers, std::time::SystemTime::now());
    let until = rate_limit::refusal(StatusCode::TOO_MANY_REQUESTS, &headers);
    assert!(until.is_some_and(|until| until > rate_limit::now()), "a refusal lets us wait");
    let _ = rate_limit::refusal(StatusCode::SERVICE_UNAVAILABLE, &headers);
}

/// The headers of limits, one a line.
fn limit(bytes: &[u8]) {
    let lines = bytes.split(|byte| *byte == b'\n').filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (line.get(..colon)?, line.get(colon + 1..)?);
        Some((HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value.trim_ascii()).ok()?))
    });
    let (headers, now) = (lines.collect(), Timestamp::from_unix(2_000_000_000));
    for status in [StatusCode::OK, StatusCode::TOO_MANY_REQUESTS] {
        let Some(seen) = rate_limit::observe(status, &headers, now) else { continue };
        assert!(seen.resets_at.is_none_or(|at| at <= now.plus(LONGEST_RESET)), "a reset is bounded");
        let merged = RateLimit { blocked_until: rate_limit::refusal(status, &headers), ..seen }.merged(seen);
        let _ = merged.allowance(u64::MAX, u64::MAX, now.plus(Duration::from_secs(1)));
    }
}

/// `Link`.
fn link(bytes: &[u8]) {
    let url = base();
    let Some(url) = url.as_ref() else { return };
    if let Ok(Some(next)) = next_page(&headers(&LINK, bytes), url) {
        assert!(next.as_str().len() <= 4 * bytes.len() + 64, "an address is no longer than its text");
        assert_eq!(next.origin(), url.origin(), "a list goes on where it began");
    }
}

/// `WWW-Authenticate`.
fn www_authenticate(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    assert!(challenge::parse(&text).len() <= bytes.len(), "a challenge takes a word");
}

/// `Content-Range`.
fn range(bytes: &[u8]) {
    if let Some(part) = content_range(&headers(&CONTENT_RANGE, bytes)) {
        assert!(part.first <= part.last && part.total.is_none_or(|total| part.last < total));
    }
}

/// `Location`.
fn location(bytes: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    if let Some(target) = base().and_then(|base| redirected(&base, &value)) {
        assert!(target.username().is_empty() && target.password().is_none(), "nobody else's user");
    }
}

/// Host names.
fn host(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (one, other) = text.split_once('\n').unwrap_or((&text, &text));
    assert_eq!(suffix::same_domain(one, other), suffix::same_domain(other, one));
}

/// A token server's answer.
fn token(bytes: &[u8]) {
    if let Some((header, lifetime)) = token::token(bytes) {
        assert!(header.is_sensitive() && header.len() <= bytes.len() + 16 && lifetime <= Duration::from_secs(86_400));
    }
}

/// The body of a failure.
fn error_body(bytes: &[u8]) {
    let _ = error_code(bytes);
    let _ = error_message(bytes, ["secret"]);
}

/// Manifests and indexes.
fn manifest(bytes: &[u8]) {
    if let Ok(parsed) = Manifest::parse(bytes) {
        assert_eq!(manifest::announced(bytes), Some(parsed.media_type), "one document, one reading");
        let (manifest::Content::Image(list) | manifest::Content::Index(list)) = &parsed.content;
        assert!(list.len() <= bytes.len());
    }
}

/// Images' configs.
fn config(bytes: &[u8]) {
    let wanted = architecture::ARCHITECTURES.map(str::to_owned);
    assert!(!architecture::leaves_out(bytes, &[]), "no filter leaves nothing out");
    if architecture::leaves_out(bytes, &wanted) {
        let foreign = |name: &str| !wanted.iter().any(|wanted| wanted == name);
        let config: Option<serde_json::Value> = serde_json::from_slice(bytes).ok();
        let named = config.filter(serde_json::Value::is_object).map(|config| config["architecture"].clone());
        assert!(
            named.is_none_or(|named| named.as_str().is_some_and(foreign)),
            "what is left out names another architecture"
        );
    }
}

/// Lists of referrers.
fn referrers(bytes: &[u8]) {
    if let Ok(list) = referrers::parse(bytes) {
        let list = list.referrers;
        assert!(list.iter().map(Referrer::weight).sum::<usize>() <= MAX_WEIGHT);
        if let Ok(index) = referrers::index(list) {
            assert!(referrers::parse(&index).is_ok(), "what is kept can be read");
        }
    }
}

/// Pages of a list of tags.
fn tag_list(bytes: &[u8]) {
    let mut page = Page::new((100, 1_000), "a", Digests::default());
    if bytes.chunks(CHUNK).all(|chunk| page.read(chunk).is_ok())
        && let Some(read) = page.end()
    {
        assert!(read.tags.len() <= 100 && read.tags.len() + read.invalid <= bytes.len());
        if let Ok(Some(digests)) = read.digests {
            assert!(digests.end().len() <= bytes.len());
        }
    }
}

/// Pages of Quay's tags.
fn digests_quay(bytes: &[u8]) {
    put_together(listing::quay::page(bytes, 1), bytes);
}

/// Pages of Harbor's artifacts.
fn digests_harbor(bytes: &[u8]) {
    put_together(listing::harbor::page(bytes, "p/r", Some(1)), bytes);
}

/// Pages of Docker Hub's tags.
fn digests_docker_hub(bytes: &[u8]) {
    put_together(listing::docker_hub::page(bytes), bytes);
}

fn put_together(page: Result<listing::page::Page, Doubt>, bytes: &[u8]) {
    let Ok(page) = page else { return };
    assert!(page.tags.len() <= bytes.len(), "a tag takes a byte");
    let mut gathered = listing::gathered::Gathered::new(true);
    if gathered.take(page).is_ok() {
        assert!(gathered.digests.end().len() <= bytes.len());
    }
}

/// Pages of the distribution's catalog.
fn catalog_distribution(bytes: &[u8]) {
    let mut page = distribution::Page::new("a");
    if bytes.chunks(CHUNK).all(|chunk| page.read(chunk).is_ok())
        && let Some(names) = page.end()
    {
        assert!(names.into_set().iter().map(String::len).sum::<usize>() <= bytes.len());
    }
}

/// Pages of Harbor's repositories.
fn catalog_harbor(bytes: &[u8]) {
    let page: Option<Option<Vec<harbor::Repository>>> = serde_json::from_slice(bytes).ok();
    assert!(page.flatten().is_none_or(|page| page.len() <= bytes.len()));
}

/// Pages of Quay's repositories.
fn catalog_quay(bytes: &[u8]) {
    let page: Option<quay::Page> = serde_json::from_slice(bytes).ok();
    assert!(page.is_none_or(|page| page.repositories.is_none_or(|list| list.len() <= bytes.len())));
}

fn base() -> Option<Url> {
    Url::parse("https://registry.example/v2/a/tags/list").ok()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::Path};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_corpus_passes() {
        let names: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
        let fuzzed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz");
        let written = |folder: &str| -> BTreeSet<_> {
            let files = std::fs::read_dir(fuzzed.join(folder)).unwrap().map(|file| file.unwrap().path());
            files.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
        };
        assert_eq!(written("fuzz_targets"), names, "each target can be fuzzed");
        assert_eq!(written("corpus"), names);
        let manifest = std::fs::read_to_string(fuzzed.join("Cargo.toml")).unwrap();
        for name in &names {
            assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name} is built");
            let target = std::fs::read_to_string(fuzzed.join(format!("fuzz_targets/{name}.rs"))).unwrap();
            assert!(target.contains(&format!("fuzz::run(\"{name}\", bytes)")), "{name} fuzzes what it says");
        }
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus");
        for (name, run) in TARGETS {
            let files: Vec<_> =
                std::fs::read_dir(corpus.join(name)).unwrap().map(|file| file.unwrap().path()).collect();
            assert!(!files.is_empty(), "{name} has a corpus");
            for file in files {
                run(&std::fs::read(file).unwrap());
            }
        }
    }

    /// The corpus' texts with parts replaced, left out and doubled: nearly what a parser expects.
    fn nearly() -> impl Strategy<Value = Vec<u8>> {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus");
        let files =
            std::fs::read_dir(corpus).unwrap().flat_map(|target| std::fs::read_dir(target.unwrap().path()).unwrap());
        let texts: Vec<Vec<u8>> = files.map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
        let edit = (
            any::<prop::sample::Index>(),
            0..8_usize,
            "[\\x00-\\x7f]{0,4}|18446744073709551615|\"|é|[\\[\\]{},:;=/<>]{0,9}",
        );
        (prop::sample::select(texts), prop::collection::vec(edit, 0..4)).prop_map(|(mut text, edits)| {
            for (at, removed, put) in edits {
                let at = at.index(text.len() + 1);
                let end = text.len().min(at + removed);
                text.splice(at..end, put.bytes());
            }
            text
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn no_parser_panics_on_anything(bytes: Vec<u8>) {
            for (_, run) in TARGETS {
                run(&bytes);
            }
        }

        #[test]
        fn no_parser_panics_on_what_is_nearly_right(bytes in nearly()) {
            for (_, run) in TARGETS {
                run(&bytes);
            }
        }
    }
}
