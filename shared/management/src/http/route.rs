//! Paths: from a request to its endpoint.

use std::borrow::Cow;

use ::http::Method;
use moorage_domain::{RepositoryName, webhook::WebhookId};
use percent_encoding::percent_decode_str;

use crate::http::{
    endpoint::{Endpoint, Endpoints, Parameters},
    error::ApiError,
};

/// What all paths begin with.
pub(crate) const BASE: &str = "/api/v1/";
/// What the paths of webhooks begin with, behind that.
const WEBHOOKS: &str = "webhooks";
/// The parameter that takes as many segments as there are.
const REPOSITORY: &str = "{repository}";

/// The endpoint of a request, and what its path says. One slash at the end is no difference, and neither is an encoded
/// one elsewhere.
pub(crate) fn find(
    endpoints: Endpoints,
    method: &Method,
    path: &str,
) -> Result<(&'static Endpoint, Parameters), ApiError> {
    let path = path.strip_prefix(BASE).ok_or(ApiError::NotFound)?;
    let path = percent_decode_str(path).decode_utf8().map_err(|_| ApiError::NotFound)?;
    let path = path.strip_suffix('/').unwrap_or(&path);
    let segments: Vec<&str> = path.split('/').collect();
    let matching = |endpoint: &'static Endpoint| Some((endpoint, read(endpoint.path, &segments)?));
    let mut found: Vec<_> = endpoints.iter().filter_map(matching).collect();
    // A repository may be called like a part of a path: the template that says more is meant.
    let best = found.iter().map(|(endpoint, _)| precision(endpoint.path)).max().ok_or(ApiError::NotFound)?;
    found.retain(|(endpoint, _)| precision(endpoint.path) == best);
    let is_method = |(endpoint, _): &(&Endpoint, Parameters)| endpoint.method == method.as_str();
    let methods = || found.iter().map(|(endpoint, _)| endpoint.method).collect::<Vec<_>>().join(", ");
    match found.iter().position(is_method) {
        Some(index) => Ok(found.swap_remove(index)),
        // A repository's name takes all that follows it, also what no part of it is called.
        None if found.iter().any(|(endpoint, parameters)| is_open(endpoint.path) && is_deep(parameters)) => {
            Err(ApiError::NotFound)
        }
        None => Err(ApiError::MethodNotAllowed(methods())),
    }
}

/// What a log may have of a path: no id of a webhook, and nothing where one should be.
pub(crate) fn logged(path: &str) -> Cow<'_, str> {
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    let is_secret = |segment: &str| WebhookId::parse(segment).is_ok();
    let lower = decoded.to_ascii_lowercase();
    let begins = lower.split('/').filter(|segment| !segment.is_empty()).take(3);
    if begins.eq(["api", "v1", WEBHOOKS]) {
        return Cow::Owned(format!("{BASE}{WEBHOOKS}/{{id}}"));
    }
    if decoded.split('/').any(is_secret) {
        let shown = decoded.split('/').map(|segment| if is_secret(segment) { "{id}" } else { segment });
        return Cow::Owned(shown.collect::<Vec<_>>().join("/"));
    }
    Cow::Borrowed(path)
}

/// Whether a template ends with a repository's name.
fn is_open(template: &str) -> bool {
    template.ends_with(REPOSITORY)
}

/// Whether a repository's name has slashes of its own.
fn is_deep(parameters: &Parameters) -> bool {
    parameters.repository.as_ref().is_some_and(|name| name.name().contains('/'))
}

/// The names of a template's parameters.
pub(crate) fn parameters(template: &'static str) -> impl Iterator<Item = &'static str> {
    template.split('/').filter_map(parameter)
}

fn parameter(segment: &'static str) -> Option<&'static str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// How much a template says: its segments, and how many of them are fixed.
fn precision(template: &'static str) -> (usize, usize) {
    let segments = segments(template);
    (segments.clone().count(), segments.filter(|segment| parameter(segment).is_none()).count())
}

fn segments(template: &'static str) -> impl Iterator<Item = &'static str> + Clone {
    template.strip_suffix('/').unwrap_or(template).split('/')
}

/// What a path holds in place of a template's parameters, if it is one of its paths.
fn read(template: &'static str, path: &[&str]) -> Option<Parameters> {
    let (mut read, mut rest) = (Parameters::default(), path);
    let mut left = segments(template).count();
    for segment in segments(template) {
        left -= 1;
        if segment == REPOSITORY {
            // All but what the template still needs; a namespace and a name at least.
            let length = rest.len().checked_sub(left).filter(|length| *length >= 2)?;
            let (name, after) = rest.split_at(length);
            read.repository = Some(name.join("/").parse::<RepositoryName>().ok()?);
            rest = after;
            continue;
        }
        let (first, after) = rest.split_first()?;
        match parameter(segment) {
            Some(_) if first.is_empty() => return None,
            Some(name) => read.others.push((name, (*first).to_owned())),
            None if segment == *first => {}
            None => return None,
        }
        rest = after;
    }
    rest.is_empty().then_some(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::ENDPOINTS;

    fn parse(method: &str, path: &str) -> Result<(&'static str, Parameters), ApiError> {
        find(ENDPOINTS, &method.parse().unwrap(), path).map(|(endpoint, parameters)| (endpoint.operation, parameters))
    }

    #[test]
    fn paths_lead_to_endpoints() {
        for (method, path, operation, repository, others) in [
            ("GET", "/api/v1/user/", "getLoggedInUser", None, &[][..]),
            ("POST", "/api/v1/organization/", "createOrganization", None, &[]),
            ("POST", "/api/v1/organization", "createOrganization", None, &[]),
            ("GET", "/api/v1/organization/a%2Db", "getOrganization", None, &[("orgname", "a-b")]),
            (
                "PUT",
                "/api/v1/organization/a/robots/r",
                "createOrgRobot",
                None,
                &[("orgname", "a"), ("robot_shortname", "r")],
            ),
            ("POST", "/api/v1/repository", "createRepo", None, &[]),
            ("GET", "/api/v1/repository/a/b", "getRepo", Some("a/b"), &[]),
            ("GET", "/api/v1/repository/a%2Fb/c", "getRepo", Some("a/b/c"), &[]),
            ("GET", "/api/v1/repository/a/mirror", "getRepo", Some("a/mirror"), &[]),
            ("GET", "/api/v1/repository/a/mirror/mirror", "getRepoMirrorConfig", Some("a/mirror"), &[]),
            ("GET", "/api/v1/repository/mirror/health", "getRepositoryMirrorHealth", None, &[]),
            ("GET", "/api/v1/repository/a/b/mirror", "getRepoMirrorConfig", Some("a/b"), &[]),
            ("POST", "/api/v1/repository/a/b/c/mirror/sync-cancel/", "syncCancel", Some("a/b/c"), &[]),
            ("GET", "/api/v1/repository/a/b/mirror/runs", "listMirrorRuns", Some("a/b"), &[]),
            ("GET", "/api/v1/repository/a/b/mirror/runs/x", "getMirrorRun", Some("a/b"), &[("run_id", "x")]),
            ("GET", "/api/v1/repository/a/b/permissions/team/", "listRepoTeamPermissions", Some("a/b"), &[]),
            (
                "PUT",
                "/api/v1/repository/a/b/permissions/user/a%2Br",
                "changeUserPermissions",
                Some("a/b"),
                &[("username", "a+r")],
            ),
            (
                "GET",
                "/api/v1/repository/a/b/permissions/user/a+r/transitive",
                "getUserTransitivePermission",
                Some("a/b"),
                &[("username", "a+r")],
            ),
            ("DELETE", "/api/v1/repository/a/b/tag/logs", "deleteFullTag", Some("a/b"), &[("tag", "logs")]),
            ("GET", "/api/v1/repository/a/b/logs", "listRepoLogs", Some("a/b"), &[]),
        ] {
            let (found, parameters) = parse(method, path).unwrap_or_else(|error| panic!("{method} {path}: {error}"));
            let read: Vec<_> = parameters.others.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let name = parameters.repository.as_ref().map(RepositoryName::as_str);
            assert_eq!((found, name, read.as_slice()), (operation, repository, others), "{method} {path}");
        }
    }

    #[test]
    fn no_log_has_the_id_of_a_webhook() {
        let id = "-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s";
        for path in [
            format!("/api/v1/webhooks/{id}"),
            format!("/api/v1/webhooks/{id}/"),
            format!("/api/v1/%77ebhooks/{id}"),
            format!("/api/v1/webhooks%2F{id}"),
            format!("/api/v1//Webhooks/{id}"),
            format!("/api/v1/webhooks/{}", &id[1..]),
            format!("/api/v1/webhook/{id}"),
            format!("/{id}"),
        ] {
            let logged = logged(&path);
            assert!(!logged.contains(&id[2..]) && logged.contains("{id}"), "{path}: {logged}");
        }
        for path in ["/api/v1/repository/a%2Fb/mirror/webhook", "/api/v1/repository/a/webhooks/mirror"] {
            assert_eq!(logged(path), path);
        }
    }

    #[test]
    fn others_are_not_found_or_not_allowed() {
        for (method, path, status) in [
            ("GET", "/", 404),
            ("GET", "/api/v1/", 404),
            ("GET", "/api/v2/user/", 404),
            ("GET", "/api/v1/nothing", 404),
            ("GET", "/api/v1/repository/a", 404),
            ("GET", "/api/v1/repository/a//b", 404),
            ("GET", "/api/v1/organization//robots", 404),
            ("GET", "/api/v1/repository/A/b/mirror", 404),
            ("GET", "/api/v1/repository/a/..%2Fb/mirror", 404),
            ("GET", "/api/v1/repository/a/b%00/mirror", 404),
            ("GET", "/api/v1/repository/a/%ff/mirror", 404),
            ("DELETE", "/api/v1/user/", 405),
            ("PATCH", "/api/v1/repository/a/b/mirror", 405),
            ("GET", "/api/v1/repository/a/b/mirror/sync-now", 405),
            ("POST", "/api/v1/organization/a/robots", 405),
            ("POST", "/api/v1/repository/a/b/permissions/user/a+r", 405),
            ("GET", "/api/v1/organization/a/robots/r/other", 404),
            ("POST", "/api/v1/organization/a/autoprunepolicy/", 404),
            ("PUT", "/api/v1/organization/a/autoprunepolicy/x", 404),
            ("POST", "/api/v1/repository/a/b/autoprunepolicy/", 404),
            ("PATCH", "/api/v1/repository/a/b/autoprunepolicy/x", 404),
            ("POST", "/api/v1/repository/a/b/mirror/rules", 404),
            ("POST", "/api/v1/repository/a/b", 405),
            ("POST", "/api/v1/repository/a/b/tag/x", 405),
            ("DELETE", "/api/v1/nothing", 404),
        ] {
            assert_eq!(parse(method, path).unwrap_err().answer("").status(), status, "{method} {path}");
        }
        let Err(ApiError::MethodNotAllowed(methods)) = parse("PATCH", "/api/v1/repository/a/b/mirror") else {
            panic!()
        };
        assert_eq!(methods, "GET, POST, PUT, DELETE");
    }
}
