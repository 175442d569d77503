//! Which request is which. The end of a path decides, because a repository's name may hold slashes and be called like an
//! endpoint.

use http::Method;
use moorage_domain::{Digest, Origin, RepositoryName, TagName};
use percent_encoding::percent_decode_str;

use crate::{access::scope::Scope, error::PullError};

/// How much of a malformed name or digest an answer repeats, in characters.
const QUOTE_LENGTH: usize = 256;

/// What a manifest is asked for by.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reference {
    /// Its tag.
    Tag(TagName),
    /// Its digest.
    Digest(Digest),
}

/// Which repository is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// One of ours.
    Repository(RepositoryName),
    /// One of an external registry, which the client takes us for.
    Original {
        /// By what its mirrors are found.
        origin: Origin,
        /// What the client calls the registry.
        host: String,
        /// What it calls the repository there.
        name: String,
    },
}

impl Wanted {
    /// What the client calls it.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Repository(name) => name.as_str(),
            Self::Original { name, .. } => name,
        }
    }

    /// The registry that the client takes us for, if it does.
    pub(crate) fn host(&self) -> Option<&str> {
        match self {
            Self::Repository(_) => None,
            Self::Original { host, .. } => Some(host),
        }
    }

    /// What a token has to be for.
    pub(crate) fn scope(&self) -> Scope {
        match self {
            Self::Repository(name) => Scope::Pull(name.clone()),
            Self::Original { origin, .. } => Scope::Mirror(origin.clone()),
        }
    }
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Base,
    Token,
    Catalog,
    Tags(Wanted),
    Manifest(Wanted, Reference),
    Blob(Wanted, Digest),
    Referrers(Wanted, Digest),
    /// To push to it, or to delete from it: nobody may, but clients learn by it how to log in. Also where the name is none
    /// of ours.
    Push(Option<RepositoryName>),
}

impl Route {
    /// The route of a request, of a client that takes us for the registry `host` if it says one.
    pub(crate) fn parse(method: &Method, path: &str, host: Option<&str>) -> Result<Self, PullError> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return Self::push(path).ok_or(PullError::ReadOnly);
        }
        let path = percent_decode_str(path).decode_utf8().map_err(|_| PullError::NoEndpoint)?;
        let path = path.strip_prefix("/v2").ok_or(PullError::NoEndpoint)?;
        if path.is_empty() || path == "/" {
            return Ok(Self::Base);
        }
        let segments: Vec<&str> = path.strip_prefix('/').ok_or(PullError::NoEndpoint)?.split('/').collect();
        match segments.as_slice() {
            ["token"] if *method == Method::GET => Ok(Self::Token),
            ["_catalog"] => Ok(Self::Catalog),
            [name @ .., "tags", "list"] => Ok(Self::Tags(wanted(name, host)?)),
            [name @ .., "manifests", reference] => Ok(Self::Manifest(wanted(name, host)?, manifest(reference)?)),
            [name @ .., "blobs", text] => Ok(Self::Blob(wanted(name, host)?, digest(text)?)),
            [name @ .., "referrers", text] => Ok(Self::Referrers(wanted(name, host)?, digest(text)?)),
            _ => Err(PullError::NoEndpoint),
        }
    }

    /// The route of a request that would change something.
    fn push(path: &str) -> Option<Self> {
        let path = percent_decode_str(path).decode_utf8().ok()?;
        let segments: Vec<&str> = path.strip_prefix("/v2/")?.split('/').collect();
        match segments.as_slice() {
            [name @ .., "blobs", "uploads", _] | [name @ .., "manifests" | "blobs", _] => {
                Some(Self::Push(repository(name).ok()))
            }
            _ => None,
        }
    }

    /// What a client is told that may not, for lack of credentials or because of a `problem` with those that it shows.
    pub(crate) fn unauthorized(&self, problem: Option<&'static str>) -> PullError {
        match self {
            Self::Push(Some(name)) => PullError::PushUnauthorized { repository: name.clone(), problem },
            _ => PullError::Unauthorized { scope: self.wanted().map(Wanted::scope), problem },
        }
    }

    /// The repository that is pulled from.
    pub(crate) fn wanted(&self) -> Option<&Wanted> {
        match self {
            Self::Tags(wanted) | Self::Manifest(wanted, _) | Self::Blob(wanted, _) | Self::Referrers(wanted, _) => {
                Some(wanted)
            }
            Self::Base | Self::Token | Self::Catalog | Self::Push(_) => None,
        }
    }
}

fn repository(segments: &[&str]) -> Result<RepositoryName, PullError> {
    let name = segments.join("/");
    name.parse().map_err(|_| PullError::NameInvalid(quoted(&name)))
}

/// What cannot be the name of a repository elsewhere is mirrored by nobody: the client is to go on.
fn wanted(segments: &[&str], host: Option<&str>) -> Result<Wanted, PullError> {
    let Some(host) = host else { return repository(segments).map(Wanted::Repository) };
    let name = segments.join("/");
    match Origin::asked(host, &name) {
        Some(origin) => Ok(Wanted::Original { origin, host: host.to_owned(), name }),
        None => Err(PullError::NameUnknown(quoted(&name))),
    }
}

fn manifest(text: &str) -> Result<Reference, PullError> {
    if text.contains(':') {
        return digest(text).map(Reference::Digest);
    }
    text.parse().map(Reference::Tag).map_err(|_| PullError::ManifestUnknown(quoted(text)))
}

fn digest(text: &str) -> Result<Digest, PullError> {
    text.parse().map_err(|_| PullError::DigestInvalid(quoted(text)))
}

fn quoted(text: &str) -> String {
    text.chars().take(QUOTE_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn name(text: &str) -> RepositoryName {
        text.parse().unwrap()
    }

    fn ours(text: &str) -> Wanted {
        Wanted::Repository(name(text))
    }

    #[test]
    fn who_is_taken_for_another_looks_for_mirrors() {
        let parse = |path: &str, host: &str| Route::parse(&Method::GET, path, Some(host));
        let original = |host: &str, name: &str| Wanted::Original {
            origin: format!("{host}/{name}").parse().unwrap(),
            host: host.to_owned(),
            name: name.to_owned(),
        };
        let route = parse("/v2/nginx/tags/list", "quay.io").unwrap();
        assert_eq!(route, Route::Tags(original("quay.io", "nginx")), "others' names have no namespace");
        assert_eq!(
            route.unauthorized(None).answer("https://h").into_response().headers()["www-authenticate"],
            r#"Bearer realm="https://h/v2/token",service="h",scope="mirror:quay.io/nginx:pull""#
        );
        let route = parse(&format!("/v2/library/nginx/blobs/{EMPTY}"), "Docker.io").unwrap();
        assert_eq!(route, Route::Blob(original("Docker.io", "library/nginx"), EMPTY.parse().unwrap()));
        let wanted = route.wanted().unwrap();
        assert_eq!((wanted.name(), wanted.host()), ("library/nginx", Some("Docker.io")));
        assert_eq!(wanted.scope().to_string(), "mirror:registry-1.docker.io/library/nginx:pull");
        for (path, host) in [
            ("/v2/a/b/tags/list", "not a host"),
            ("/v2/a/b/tags/list", "quay.io/a"),
            ("/v2/a/b/manifests/v1", "https://quay.io"),
            ("/v2/A/b/manifests/v1", "quay.io"),
            ("/v2/a/../b/manifests/v1", "quay.io"),
            ("/v2//b/manifests/v1", "quay.io"),
        ] {
            let error = parse(path, host).unwrap_err();
            assert_eq!(error.answer("").into_response().status(), 404, "{path} {host}: the node is to go on");
        }
        // What is not pulled is nobody's but ours.
        assert_eq!(parse("/v2/_catalog", "quay.io").unwrap(), Route::Catalog);
        assert_eq!(parse("/v2/token", "quay.io").unwrap(), Route::Token);
    }

    #[test]
    fn paths_lead_to_routes() {
        let digest: Digest = EMPTY.parse().unwrap();
        let tag = |text: &str| Reference::Tag(text.parse().unwrap());
        for (path, route) in [
            ("/v2", Route::Base),
            ("/v2/", Route::Base),
            ("/v2/token", Route::Token),
            ("/v2/_catalog", Route::Catalog),
            ("/v2/a/b/tags/list", Route::Tags(ours("a/b"))),
            ("/v2/a/b/manifests/v1", Route::Manifest(ours("a/b"), tag("v1"))),
            ("/v2/a/b/c/d/manifests/latest", Route::Manifest(ours("a/b/c/d"), tag("latest"))),
            ("/v2/a%2Fb/manifests/v1", Route::Manifest(ours("a/b"), tag("v1"))),
            ("/v2/a/manifests/manifests/v1", Route::Manifest(ours("a/manifests"), tag("v1"))),
            ("/v2/a/tags/list/tags/list", Route::Tags(ours("a/tags/list"))),
            ("/v2/a/b/blobs/EMPTY", Route::Blob(ours("a/b"), digest.clone())),
            ("/v2/a/b/referrers/EMPTY", Route::Referrers(ours("a/b"), digest.clone())),
            ("/v2/a/b/manifests/EMPTY", Route::Manifest(ours("a/b"), Reference::Digest(digest))),
        ] {
            for digest in [EMPTY.to_owned(), EMPTY.replace(':', "%3A"), EMPTY.replace(':', "%3a")] {
                let path = path.replace("EMPTY", &digest);
                assert_eq!(Route::parse(&Method::GET, &path, None).unwrap(), route, "{path}");
            }
        }
    }

    #[test]
    fn other_paths_are_refused() {
        for (path, status) in [
            ("/", 404),
            ("/v2x/", 404),
            ("/v1/", 404),
            ("/v2/a/b", 404),
            ("/v2/a/b/tags", 404),
            ("/v2/a/b/tags/list/", 404),
            ("/v2/a/b/%ff/v1", 404),
            ("/v2/a/b/blobs/uploads/x", 404),
            ("/v2/a/b/manifests/", 404),
            ("/v2/a/b/manifests/.hidden", 404),
            ("/v2/a/b/manifests/%2e%2e%2f", 404),
            ("/v2/b/manifests/v1", 400),
            ("/v2/A/b/manifests/v1", 400),
            ("/v2//b/manifests/v1", 400),
            ("/v2/a/../b/manifests/v1", 400),
            ("/v2/a/b/manifests/sha256:abc", 400),
            ("/v2/a/b/manifests/md5:d41d8cd98f00b204e9800998ecf8427e", 400),
            ("/v2/a/b/blobs/latest", 400),
            ("/v2/a/b/blobs/uploads", 400),
            ("/v2/a/b/referrers/sha256:", 400),
        ] {
            let error = Route::parse(&Method::GET, path, None).unwrap_err();
            assert_eq!(error.answer("").into_response().status(), status, "{path}");
        }
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
            for path in ["/v2/", "/v2/token", "/v2/_catalog", "/v2/a/b/tags/list", "/v2/a/b/%ff/v1"] {
                let error = Route::parse(&method, path, None).unwrap_err();
                assert_eq!(error.answer("").into_response().status(), 405, "{method} {path}");
            }
            for path in [
                "/v2/a/b/blobs/uploads/",
                "/v2/a/b/blobs/uploads",
                "/v2/a/b/blobs/uploads/b0ef4b6c",
                "/v2/a/b/manifests/v1",
                "/v2/a%2Fb/manifests/sha256:abc",
                "/v2/a/b/blobs/x",
            ] {
                assert_eq!(
                    Route::parse(&method, path, None).unwrap(),
                    Route::Push(Some(name("a/b"))),
                    "{method} {path}"
                );
            }
            for path in ["/v2/app/blobs/uploads/", "/v2/A/b/blobs/uploads/", "/v2/app/manifests/v1", "/v2/blobs/x"] {
                assert_eq!(Route::parse(&method, path, None).unwrap(), Route::Push(None), "{method} {path}");
            }
        }
    }
}
