//! The API's description, OpenAPI 3.1: made of the table of endpoints and of the schemas of their bodies.

use serde_json::{Map, Value, json};

use crate::{
    access::caller::Access,
    http::{
        endpoint::{Body, Endpoint, Endpoints},
        error::ApiError,
        route,
    },
};

/// The schemas, by name.
const SCHEMAS: &str = include_str!("schemas.json");

/// The description of these endpoints, as the API at `host` has them.
pub(crate) fn document(endpoints: Endpoints, host: &str) -> Result<Value, ApiError> {
    let schemas: Value = serde_json::from_str(SCHEMAS).map_err(|error| ApiError::Unavailable(error.to_string()))?;
    let mut paths = Map::new();
    for endpoint in endpoints.iter() {
        let path = paths.entry(format!("/{}", endpoint.path)).or_insert_with(|| json!({}));
        path[endpoint.method.to_lowercase()] = operation(endpoint);
    }
    Ok(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Moorage", "version": env!("CARGO_PKG_VERSION"),
            "summary": "Mirrors of container repositories",
            "description": "Quay's API, as far as mirroring needs it, and what Quay does not have.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": format!("{host}/api/v1")}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }))
}

fn operation(endpoint: &Endpoint) -> Value {
    let mut parameters: Vec<_> = route::parameters(endpoint.path).map(path_parameter).collect();
    parameters.extend(endpoint.query.iter().map(|parameter| {
        let schema = json!({"type": parameter.kind});
        json!({"name": parameter.name, "in": "query", "description": parameter.about, "schema": schema})
    }));
    if is_conditional(endpoint) {
        let about = "The entity tag of the configuration that is to be changed, as GET has answered it; any without.";
        let schema = json!({"type": "string"});
        parameters.push(json!({"name": "If-Match", "in": "header", "description": about, "schema": schema}));
    }
    let mut answers = Map::new();
    for reply in endpoint.answers {
        let content = reply.1.map(|name| {
            let media_types = if name == "Credentials" { &CREDENTIALS[..] } else { &["application/json"] };
            let schema = json!({"schema": reference(name)});
            media_types.iter().map(|kind| ((*kind).to_owned(), schema.clone())).collect::<Map<_, _>>()
        });
        let mut answer = response("It is done.", content);
        if is_tagged(endpoint) {
            let about = "Says which configuration this is: `If-Match` of a change takes it.";
            answer["headers"] = json!({"ETag": {"description": about, "schema": {"type": "string"}}});
        }
        answers.insert(reply.0.to_string(), answer);
    }
    for (status, about, schema) in failures(endpoint) {
        let content = Map::from_iter([("application/json".to_owned(), json!({"schema": reference(schema)}))]);
        let headers = may_be_repeated(&status).then(retry_after);
        let failure = answers.entry(status).or_insert_with(|| response(about, Some(content)));
        if let Some(headers) = headers {
            failure["headers"] = headers;
        }
    }
    let mut operation = json!({
        "operationId": endpoint.operation, "summary": endpoint.summary, "parameters": parameters, "responses": answers,
    });
    if let Some(body) = endpoint.body {
        let (required, name) = match body {
            Body::Required(name) => (true, name),
            Body::Optional(name) => (false, name),
        };
        let content = json!({"application/json": {"schema": reference(name)}});
        operation["requestBody"] = json!({"required": required, "content": content});
    }
    operation["security"] = match endpoint.access {
        Access::Anyone => json!([]),
        // Public repositories may be read by everybody.
        Access::Repository(moorage_state::Role::Read) => json!([{}, {"token": []}]),
        _ => json!([{"token": []}]),
    };
    operation
}

/// Whether an endpoint answers with a configuration's entity tag.
fn is_tagged(endpoint: &Endpoint) -> bool {
    matches!(endpoint.operation, "getRepoMirrorConfig" | "getOrgMirrorConfig")
}

/// Whether an endpoint changes a configuration only if it is still the one that the caller names.
fn is_conditional(endpoint: &Endpoint) -> bool {
    matches!(endpoint.operation, "changeRepoMirrorConfig" | "updateOrgMirrorConfig")
}

/// The media types of robots' credentials.
const CREDENTIALS: [&str; 4] =
    ["text/plain; charset=utf-8", "application/json", "application/yaml", "application/gzip"];

/// The failures that an endpoint answers with.
fn failures(endpoint: &Endpoint) -> Vec<(String, &'static str, &'static str)> {
    let mut failures = vec![("400", "The request is wrong.", "Error"), ("413", "The body is too large.", "Problem")];
    if endpoint.access != Access::Anyone {
        failures.push(("401", "There is no token, or it is not known.", "Problem"));
        failures.push(("403", "The token does not go so far, or the namespace has all that it may have.", "Problem"));
    } else if endpoint.operation == "exchangeSignIn" {
        failures.push(("401", "The provider refuses, or its token is not taken.", "Error"));
    } else if endpoint.operation == "listRepos" {
        failures.push(("401", "There is no token, or it is not known.", "Problem"));
    }
    failures.push(("404", "It does not exist.", "Error"));
    if endpoint.path.contains("{repository}") {
        // A name without a namespace makes the path another one.
        failures.push(("405", "There is no such method.", "Error"));
    }
    failures.push(("429", "There is too much at once. `Retry-After` tells when to try again.", "Error"));
    failures.push(("500", "A fault of this service, whose log says more.", "Error"));
    let unavailable = "A service that is needed failed, not everything could be done in time, or the repository is not an \
                       ordinary one or in use. Where the call works later, `Retry-After` tells when to try again.";
    failures.push(("503", unavailable, "Error"));
    if endpoint.operation == "createRepoMirrorConfig" {
        failures.push(("409", "There is a mirror.", "Error"));
    }
    if is_conditional(endpoint) {
        failures.push(("412", "It was changed meanwhile, and `If-Match` names what it was.", "Error"));
    }
    if endpoint.operation == "deliverWebhook" {
        failures.push(("403", "It is not signed as it has to be.", "Problem"));
    }
    if matches!(endpoint.operation, "syncNow" | "verifyMirror" | "rollBackMirror" | "resumeMirror") {
        failures.push((
            "409",
            "The repository is not in the state MIRROR, or a sync of it runs, or it is paused.",
            "Error",
        ));
    }
    failures.into_iter().map(|(status, about, schema)| (status.to_owned(), about, schema)).collect()
}

/// Whether a call that failed with this status may succeed later, unchanged.
fn may_be_repeated(status: &str) -> bool {
    ["429", "503"].contains(&status)
}

fn retry_after() -> Value {
    json!({"Retry-After": {
        "description": "The seconds after which the same call will mostly do.",
        "schema": {"type": "integer", "minimum": 1},
    }})
}

fn response(about: &str, content: Option<Map<String, Value>>) -> Value {
    match content {
        Some(content) => json!({"description": about, "content": content}),
        None => json!({"description": about}),
    }
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

fn path_parameter(name: &'static str) -> Value {
    let (about, pattern) = match name {
        "repository" => (
            "The full name, namespace/name; the name may have slashes of its own.",
            "^[a-z0-9][a-z0-9._-]{0,254}(/[a-z0-9][a-z0-9._-]{0,99})+$",
        ),
        "orgname" => ("The organization.", "^[a-z0-9][a-z0-9._-]{0,254}$"),
        "robot_shortname" => ("The robot's name without its namespace.", "^[a-z0-9]+([._-][a-z0-9]+)*$"),
        "teamname" => ("The team.", "^[a-z0-9]+([._-][a-z0-9]+)*$"),
        "username" | "membername" => (
            "A person's name, or a robot's full one, namespace+name.",
            "^[a-z0-9][a-z0-9._@-]{0,254}(\\+[a-z0-9]+([._-][a-z0-9]+)*)?$",
        ),
        "webhook" => ("The id of a webhook, which is a secret.", "^[A-Za-z0-9_-]{43}$"),
        "tag" => ("The tag.", "^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$"),
        _ => ("Its name.", "^[A-Za-z0-9_-]+$"),
    };
    json!({"name": name, "in": "path", "required": true, "description": about, "schema": {"type": "string", "pattern": pattern}})
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::endpoints::ENDPOINTS;

    #[test]
    fn every_endpoint_is_described_once_and_every_schema_is_there() {
        let document = document(ENDPOINTS, "https://h").unwrap();
        let operations: Vec<_> = document["paths"]
            .as_object()
            .unwrap()
            .values()
            .flat_map(|path| path.as_object().unwrap().values())
            .map(|operation| operation["operationId"].as_str().unwrap())
            .collect();
        assert_eq!(operations.len(), ENDPOINTS.iter().count());
        assert_eq!(operations.iter().collect::<BTreeSet<_>>().len(), operations.len(), "names are unique");
        let text = document.to_string();
        let used: BTreeSet<&str> =
            text.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let known = document["components"]["schemas"].as_object().unwrap();
        for name in &used {
            assert!(known.contains_key(*name), "{name}");
        }
        for name in known.keys() {
            assert!(used.contains(name.as_str()), "{name} is not used");
        }
    }

    #[test]
    fn whatever_can_fail_is_described() {
        let document = document(ENDPOINTS, "").unwrap();
        let paths = document["paths"].as_object().unwrap();
        for (path, method, operation) in
            paths.iter().flat_map(|(path, methods)| methods.as_object().unwrap().iter().map(move |(m, o)| (path, m, o)))
        {
            let answers = &operation["responses"];
            assert!(answers["500"].is_object(), "{method} {path}");
            for status in ["429", "503"] {
                let header = &answers[status]["headers"]["Retry-After"];
                assert_eq!(header["schema"]["type"], "integer", "{method} {path} {status}");
            }
        }
    }

    #[test]
    fn whoever_may_call_is_told() {
        let document = document(ENDPOINTS, "").unwrap();
        let security = |path: &str, method: &str| document["paths"][path][method]["security"].clone();
        assert_eq!(security("/registry/capabilities", "get"), json!([]));
        assert_eq!(security("/repository/{repository}", "get"), json!([{}, {"token": []}]));
        assert_eq!(security("/repository/{repository}/mirror", "put"), json!([{"token": []}]));
    }
}
