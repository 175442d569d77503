//! Paths.

use lambda_http::http::Method;
use moorage_domain::RepositoryName;
use percent_encoding::percent_decode_str;

use crate::error::ApiError;

/// A method, and the route that it makes of a repository.
type Endpoint = (&'static str, fn(RepositoryName) -> Route);

/// What a request asks for. Names are still unchecked, but for those of repositories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    DescribeError(String),
    User,
    CreateOrganization,
    Organization(String),
    ChangeOrganization(String),
    Robots(String),
    Robot(String, String),
    CreateRobot(String, String),
    CreateRepository,
    Repository(RepositoryName),
    ChangeState(RepositoryName),
    TeamPermissions(RepositoryName),
    Permissions(RepositoryName),
    Permission(RepositoryName, String),
    ChangePermission(RepositoryName, String),
    Mirror(RepositoryName),
    CreateMirror(RepositoryName),
    ChangeMirror(RepositoryName),
    SyncNow(RepositoryName),
    SyncCancel(RepositoryName),
    Verify(RepositoryName),
    Runs(RepositoryName),
    Run(RepositoryName, String),
    Logs(RepositoryName),
}

impl Route {
    /// Whether everybody may ask.
    pub(crate) fn is_public(&self) -> bool {
        matches!(self, Self::DescribeError(_))
    }

    /// The route of a request. One slash at the end is no difference.
    pub(crate) fn parse(method: &Method, path: &str) -> Result<Self, ApiError> {
        let path = path.strip_prefix("/api/v1/").ok_or(ApiError::NotFound)?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let decode = |segment| percent_decode_str(segment).decode_utf8().map(std::borrow::Cow::into_owned);
        let segments: Vec<String> =
            path.split('/').map(decode).collect::<Result<_, _>>().map_err(|_| ApiError::NotFound)?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (method.as_str(), segments.as_slice()) {
            ("GET", ["error", kind]) => Ok(Self::DescribeError((*kind).to_owned())),
            ("GET", ["user"]) => Ok(Self::User),
            ("POST", ["organization"]) => Ok(Self::CreateOrganization),
            ("GET", ["organization", name]) => Ok(Self::Organization((*name).to_owned())),
            ("PUT", ["organization", name]) => Ok(Self::ChangeOrganization((*name).to_owned())),
            ("GET", ["organization", name, "robots"]) => Ok(Self::Robots((*name).to_owned())),
            ("GET", ["organization", name, "robots", short]) => {
                Ok(Self::Robot((*name).to_owned(), (*short).to_owned()))
            }
            ("PUT", ["organization", name, "robots", short]) => {
                Ok(Self::CreateRobot((*name).to_owned(), (*short).to_owned()))
            }
            ("POST", ["repository"]) => Ok(Self::CreateRepository),
            (method, ["repository", rest @ ..]) => Self::of_repository(method, rest),
            (
                _,
                ["error" | "organization", _]
                | ["user" | "organization"]
                | ["organization", _, "robots"]
                | ["organization", _, "robots", _],
            ) => Err(ApiError::MethodNotAllowed),
            _ => Err(ApiError::NotFound),
        }
    }

    /// What follows `repository/`: a name, which may hold slashes, and what is asked of it. So the end decides.
    fn of_repository(method: &str, segments: &[&str]) -> Result<Self, ApiError> {
        let known: [(&[&str], &[Endpoint]); 10] = [
            (&["mirror", "sync-now"], &[("POST", Self::SyncNow)]),
            (&["mirror", "sync-cancel"], &[("POST", Self::SyncCancel)]),
            (&["mirror", "verify"], &[("POST", Self::Verify)]),
            (&["mirror", "runs"], &[("GET", Self::Runs)]),
            (&["mirror"], &[("GET", Self::Mirror), ("POST", Self::CreateMirror), ("PUT", Self::ChangeMirror)]),
            (&["changestate"], &[("PUT", Self::ChangeState)]),
            (&["permissions", "team"], &[("GET", Self::TeamPermissions)]),
            (&["permissions", "user"], &[("GET", Self::Permissions)]),
            (&["logs"], &[("GET", Self::Logs)]),
            (&[], &[("GET", Self::Repository)]),
        ];
        let name = |segments: &[&str]| match segments {
            [namespace, name @ ..] if !name.is_empty() => RepositoryName::new(namespace, &name.join("/")).ok(),
            _ => None,
        };
        if let [rest @ .., "mirror", "runs", run] = segments
            && let Some(repository) = name(rest)
        {
            let get = method == "GET";
            return if get { Ok(Self::Run(repository, (*run).to_owned())) } else { Err(ApiError::MethodNotAllowed) };
        }
        if let [rest @ .., "permissions", "user", user] = segments
            && let Some(repository) = name(rest)
        {
            return match method {
                "GET" => Ok(Self::Permission(repository, (*user).to_owned())),
                "PUT" => Ok(Self::ChangePermission(repository, (*user).to_owned())),
                _ => Err(ApiError::MethodNotAllowed),
            };
        }
        for (end, methods) in known {
            // A repository may be called like an endpoint: then the shorter reading has no name left.
            if let Some(repository) = segments.strip_suffix(end).and_then(name) {
                let make = methods.iter().find(|(known, _)| *known == method).map(|(_, make)| make);
                return make.map(|make| make(repository)).ok_or(ApiError::MethodNotAllowed);
            }
        }
        Err(ApiError::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_routes() {
        let repository = |text: &str| text.parse::<RepositoryName>().unwrap();
        for (method, path, route) in [
            ("GET", "/api/v1/user/", Route::User),
            ("POST", "/api/v1/organization/", Route::CreateOrganization),
            ("POST", "/api/v1/organization", Route::CreateOrganization),
            ("GET", "/api/v1/organization/a%2Db", Route::Organization("a-b".into())),
            ("PUT", "/api/v1/organization/a/robots/r", Route::CreateRobot("a".into(), "r".into())),
            ("GET", "/api/v1/organization/a/robots", Route::Robots("a".into())),
            ("POST", "/api/v1/repository", Route::CreateRepository),
            ("GET", "/api/v1/repository/a/b", Route::Repository(repository("a/b"))),
            ("GET", "/api/v1/repository/a/b/c", Route::Repository(repository("a/b/c"))),
            ("GET", "/api/v1/repository/a/mirror", Route::Repository(repository("a/mirror"))),
            ("GET", "/api/v1/repository/a/mirror/mirror", Route::Mirror(repository("a/mirror"))),
            ("GET", "/api/v1/repository/a/b/mirror", Route::Mirror(repository("a/b"))),
            ("POST", "/api/v1/repository/a/b/mirror/sync-now", Route::SyncNow(repository("a/b"))),
            ("POST", "/api/v1/repository/a/b/c/mirror/sync-cancel/", Route::SyncCancel(repository("a/b/c"))),
            ("POST", "/api/v1/repository/a/b/mirror/verify", Route::Verify(repository("a/b"))),
            ("GET", "/api/v1/repository/a/b/mirror/runs", Route::Runs(repository("a/b"))),
            ("GET", "/api/v1/repository/a/b/mirror/runs/x", Route::Run(repository("a/b"), "x".into())),
            ("PUT", "/api/v1/repository/a/b/changestate", Route::ChangeState(repository("a/b"))),
            ("GET", "/api/v1/repository/a/b/permissions/team/", Route::TeamPermissions(repository("a/b"))),
            ("GET", "/api/v1/repository/a/b/permissions/user/", Route::Permissions(repository("a/b"))),
            ("GET", "/api/v1/repository/a/b/permissions/user/a+r", Route::Permission(repository("a/b"), "a+r".into())),
            (
                "PUT",
                "/api/v1/repository/a/b/permissions/user/a%2Br",
                Route::ChangePermission(repository("a/b"), "a+r".into()),
            ),
            ("GET", "/api/v1/repository/a/b/logs", Route::Logs(repository("a/b"))),
        ] {
            let method: Method = method.parse().unwrap();
            assert_eq!(Route::parse(&method, path).unwrap(), route, "{method} {path}");
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
        ] {
            let method: Method = method.parse().unwrap();
            let error = Route::parse(&method, path).unwrap_err();
            assert_eq!(error.answer("").status(), status, "{method} {path}");
        }
    }
}
