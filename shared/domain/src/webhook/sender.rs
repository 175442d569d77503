//! Whose delivery it is.

use std::fmt;

use serde_json::Value;

/// The media types of distribution's envelopes: of version 2, and of version 3.
const ENVELOPES: [&str; 2] =
    ["application/vnd.docker.distribution.events.v1+json", "application/vnd.docker.distribution.events.v2+json"];

/// A repository, and tags of it that were pushed; as they were sent.
pub(super) type Pushed = Vec<(Option<String>, Vec<String>)>;

/// Who sends webhooks that are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// distribution, and what is made of it, as GitLab's registry.
    Distribution,
    /// Docker Hub.
    DockerHub,
    /// Quay; and Moorage, whose bodies have Quay's fields.
    Quay,
    /// Harbor, in either of its formats.
    Harbor,
    /// GitHub, of a package; or its test of a new webhook.
    GitHub,
    /// ECR, by a rule of EventBridge.
    Ecr,
    /// Azure's registry.
    Azure,
    /// Anybody else.
    Plain,
}

impl Sender {
    /// Whose shape a body has. The content type tells distribution's only; the others send plain JSON.
    pub(super) fn of(content_type: &str, body: &Value) -> Option<Self> {
        if ENVELOPES.iter().any(|envelope| content_type.eq_ignore_ascii_case(envelope)) {
            return Some(Self::Distribution);
        }
        let has = |key: &str| body.get(key).is_some();
        let all = [
            (Self::Distribution, body.get("events").is_some_and(Value::is_array)),
            (Self::DockerHub, has("push_data")),
            (Self::Quay, has("docker_url")),
            (Self::Harbor, has("event_data") || has("specversion")),
            (Self::GitHub, has("registry_package") || has("package") || (has("zen") && has("hook_id"))),
            (Self::Ecr, has("detail-type")),
            (Self::Azure, has("action")),
            (Self::Plain, has("tags")),
        ];
        all.into_iter().find(|(_, is_its)| *is_its).map(|(sender, _)| sender)
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Distribution => "a registry",
            Self::DockerHub => "Docker Hub",
            Self::Quay => "Quay",
            Self::Harbor => "Harbor",
            Self::GitHub => "GitHub",
            Self::Ecr => "ECR",
            Self::Azure => "Azure Container Registry",
            Self::Plain => "a client of its own",
        })
    }
}
