//! What is answered to a path: pure.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{
        ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
        IF_NONE_MATCH, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, VARY, X_CONTENT_TYPE_OPTIONS,
    },
};

use crate::files::{File, find, folder};

/// Nothing but what this host serves, no markup made of text, in no frame. `form-action` is `none`, as scripts alone send.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

/// What every answer says.
const ALWAYS: [(HeaderName, &str); 8] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
    (STRICT_TRANSPORT_SECURITY, "max-age=63072000; includeSubDomains"),
    (VARY, "Accept-Encoding"),
];

/// The page is asked for each time, and mostly answered with 304; its files have names that are theirs for ever.
const ASK: &str = "no-cache";
const KEEP: &str = "public, max-age=31536000, immutable";

/// The answer to a request.
pub(crate) fn answer(method: &Method, path: &str, headers: &HeaderMap) -> Response<&'static [u8]> {
    let Some((file, caching)) = file(path) else { return plain(StatusCode::NOT_FOUND, method, b"Not Found") };
    if method != Method::GET && method != Method::HEAD {
        let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, method, b"Method Not Allowed");
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    // Weak, because it is that of both forms of the body.
    let tag = format!("W/\"{}\"", folder());
    let is_known = listed(headers, &IF_NONE_MATCH).any(|it| it == "*" || strong(it) == strong(&tag));
    let is_gzip = accepts_gzip(headers);
    let body = match (is_known || method == Method::HEAD, is_gzip) {
        (true, _) => &[],
        (false, true) => file.gzip,
        (false, false) => file.plain,
    };
    let mut answer = with_headers(if is_known { StatusCode::NOT_MODIFIED } else { StatusCode::OK }, body);
    let said = answer.headers_mut();
    said.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    said.extend(HeaderValue::try_from(tag).ok().map(|tag| (ETAG, tag)));
    if !is_known {
        said.insert(CONTENT_TYPE, HeaderValue::from_static(file.kind));
        if is_gzip {
            said.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
    }
    answer
}

/// The file at a path, and how long it may be kept.
fn file(path: &str) -> Option<(&'static File, &'static str)> {
    match path.strip_prefix("/console").unwrap_or(path) {
        "" | "/" => find("index.html").map(|page| (page, ASK)),
        rest if rest.len() < path.len() => {
            let name = rest.strip_prefix('/')?.strip_prefix(folder())?.strip_prefix('/')?;
            find(name).filter(|_| name != "index.html").map(|file| (file, KEEP))
        }
        _ => None,
    }
}

fn plain(status: StatusCode, method: &Method, text: &'static [u8]) -> Response<&'static [u8]> {
    let mut answer = with_headers(status, if method == Method::HEAD { &[] } else { text });
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

fn with_headers(status: StatusCode, body: &'static [u8]) -> Response<&'static [u8]> {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    for (name, value) in ALWAYS {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// The members of a header's lists.
fn listed<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).iter().filter_map(|it| it.to_str().ok()).flat_map(|it| it.split(',')).map(str::trim)
}

fn strong(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// Whether the client takes gzip: it is listed, and not with the weight 0 (RFC 9110, 12.5.3).
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let weight = |wanted: &str| {
        listed(headers, &ACCEPT_ENCODING).find_map(|it| {
            let mut parts = it.split(';').map(str::trim);
            let is_it = parts.next().is_some_and(|coding| coding.eq_ignore_ascii_case(wanted));
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok());
            is_it.then(|| weight.unwrap_or(1.0))
        })
    };
    weight("gzip").or_else(|| weight("*")).is_some_and(|weight| weight > 0.0)
}

#[cfg(test)]
mod tests;
