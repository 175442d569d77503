//! Manifests and blobs.

use std::sync::Arc;

use http::{
    HeaderMap, Method as HttpMethod,
    header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HOST, IF_NONE_MATCH},
};
use moorage_domain::{Digest, Owner, Timestamp};
use moorage_storage::Method;

use crate::{
    answer::{Answer, CONTENT_DIGEST},
    content::Found,
    error::PullError,
    registry::Registry,
    request::Request,
    routes::route::Reference,
};

/// `GET` and `HEAD …/manifests/<reference>`. What the client accepts does not matter: it gets what is stored.
pub(crate) async fn manifest(
    registry: &Registry,
    owner: &Arc<Owner>,
    reference: &Reference,
    request: &Request<'_>,
    now: Timestamp,
) -> Result<Answer, PullError> {
    let stored = match reference {
        Reference::Tag(tag) => registry.content.tagged(owner, tag, now).await?,
        Reference::Digest(digest) => registry.content.revision(owner, digest, now).await?,
    };
    let stored = stored.ok_or_else(|| {
        PullError::ManifestUnknown(match reference {
            Reference::Tag(tag) => tag.to_string(),
            Reference::Digest(digest) => digest.to_string(),
        })
    })?;
    let Found { proven, media_type, bytes } = stored;
    let digest = proven.digest();
    if is_held(request.headers, digest) {
        return Ok(content(Answer::empty(304), digest));
    }
    // Not everybody who passes answers on can pass on what is no text.
    if bytes.len() > request.longest || std::str::from_utf8(&bytes).is_err() {
        let url = registry.content.url(&proven, presigned(request.method), Some(media_type), called(request)).await?;
        return Ok(Answer::redirect(&url).with(CONTENT_DIGEST, &digest.to_string()));
    }
    Ok(content(Answer::empty(200), digest).with(CONTENT_TYPE, media_type.as_str()).body(bytes))
}

/// `GET` and `HEAD …/blobs/<digest>`. Clients fetch blobs, and parts of them, from S3. `HEAD` is answered here, because
/// many clients would follow a redirect with a signature for `GET`, which S3 refuses.
pub(crate) async fn blob(
    registry: &Registry,
    owner: &Arc<Owner>,
    digest: &Digest,
    request: &Request<'_>,
    now: Timestamp,
) -> Result<Answer, PullError> {
    let found = registry.content.blob(owner, digest, now).await?;
    let (proven, size) = found.ok_or_else(|| PullError::BlobUnknown(digest.clone()))?;
    if *request.method == HttpMethod::HEAD {
        let answer = content(Answer::empty(200), digest).with(CONTENT_TYPE, "application/octet-stream");
        return Ok(answer.with(CONTENT_LENGTH, &size.to_string()).with(ACCEPT_RANGES, "bytes"));
    }
    let url = registry.content.url(&proven, Method::Get, None, called(request)).await?;
    Ok(Answer::redirect(&url).with(CONTENT_DIGEST, &digest.to_string()))
}

fn content(answer: Answer, digest: &Digest) -> Answer {
    let digest = digest.to_string();
    answer.with(CONTENT_DIGEST, &digest).with(ETAG, &format!(r#""{digest}""#))
}

/// The host that the client called, where a proxy in front says it, or as the request has it.
pub(crate) fn called<'a>(request: &Request<'a>) -> &'a str {
    let header = |name| request.headers.get(name).and_then(|value| value.to_str().ok());
    header("x-forwarded-host").or_else(|| header(HOST.as_str())).unwrap_or_default()
}

fn presigned(method: &HttpMethod) -> Method {
    if *method == HttpMethod::HEAD { Method::Head } else { Method::Get }
}

/// Whether the client has it already (RFC 9110, 13.1.2).
fn is_held(headers: &HeaderMap, digest: &Digest) -> bool {
    let values = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(|tag| tag.trim().trim_start_matches("W/"));
    tags.any(|tag| tag == "*" || tag.trim_matches('"') == digest.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etags_are_digests() {
        let digest = Digest::sha256(b"");
        let held = |value: &str| {
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, value.parse().unwrap())]);
            is_held(&headers, &digest)
        };
        assert!(held(&format!(r#""{digest}""#)) && held(&digest.to_string()) && held("*"));
        assert!(held(&format!(r#""x", W/"{digest}""#)));
        assert!(!held(r#""x""#) && !held("") && !is_held(&HeaderMap::new(), &digest));
    }
}
