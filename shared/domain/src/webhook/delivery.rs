//! What each sender says. Only what is used of it has a field here; whatever else is in a body is passed.

use std::collections::BTreeMap;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    ecr::EcrEvent,
    sender::{Pushed, Sender},
};
use crate::object::Object;

/// What was pushed, by a delivery of this sender. Nothing if it is not as that sends it.
pub(super) fn read(sender: Sender, body: Value) -> Option<Pushed> {
    match sender {
        Sender::Distribution => of::<Envelope>(body).map(Envelope::pushed),
        Sender::DockerHub => of::<DockerHub>(body).map(DockerHub::pushed),
        Sender::Quay => of::<Quay>(body).map(Quay::pushed),
        Sender::Harbor => of::<Harbor>(body).map(Harbor::pushed),
        Sender::GitHub => of::<GitHub>(body).map(GitHub::pushed),
        Sender::Ecr => of::<EcrEvent>(body).map(EcrEvent::pushed),
        Sender::Azure => of::<TargetEvent>(body).map(|event| event.pushed().into_iter().collect()),
        Sender::Plain => of::<Plain>(body).map(Plain::pushed),
    }
}

fn of<T: DeserializeOwned>(body: Value) -> Option<T> {
    serde_json::from_value(body).ok().map(|Object(fields)| fields)
}

/// distribution's envelope.
#[derive(Deserialize)]
struct Envelope {
    events: Vec<Object<TargetEvent>>,
}

/// One of its events; Azure's deliveries are like it.
#[derive(Deserialize)]
struct TargetEvent {
    action: String,
    target: Option<Object<Target>>,
}

#[derive(Deserialize)]
struct Target {
    repository: Option<String>,
    tag: Option<String>,
}

impl Envelope {
    fn pushed(self) -> Pushed {
        self.events.into_iter().filter_map(|Object(event)| event.pushed()).collect()
    }
}

impl TargetEvent {
    fn pushed(self) -> Option<(Option<String>, Vec<String>)> {
        let Object(target) = self.target.filter(|_| self.action == "push")?;
        Some((target.repository, target.tag.into_iter().collect()))
    }
}

#[derive(Deserialize)]
struct DockerHub {
    push_data: Object<PushData>,
    repository: Option<Object<HubRepository>>,
}

#[derive(Deserialize)]
struct PushData {
    tag: Option<String>,
}

#[derive(Deserialize)]
struct HubRepository {
    repo_name: Option<String>,
}

impl DockerHub {
    fn pushed(self) -> Pushed {
        let Object(PushData { tag }) = self.push_data;
        vec![(self.repository.and_then(|Object(repository)| repository.repo_name), tag.into_iter().collect())]
    }
}

/// Quay's `repo_push`, and Moorage's events. Others of Quay's events have neither kind of tags.
#[derive(Deserialize)]
struct Quay {
    docker_url: String,
    updated_tags: Option<UpdatedTags>,
    changed_tags: Option<Vec<Object<ChangedTag>>>,
}

/// A list; earlier releases of Quay sent what each tag points to with it.
#[derive(Deserialize)]
#[serde(untagged)]
enum UpdatedTags {
    List(Vec<String>),
    Map(BTreeMap<String, Value>),
}

#[derive(Deserialize)]
struct ChangedTag {
    tag: String,
    /// What it points to; nothing if it was deleted.
    to: Option<Value>,
}

impl Quay {
    fn pushed(self) -> Pushed {
        let updated = match self.updated_tags {
            Some(UpdatedTags::List(tags)) => tags,
            Some(UpdatedTags::Map(tags)) => tags.into_keys().collect(),
            None => Vec::new(),
        };
        let changed = self.changed_tags.into_iter().flatten().filter(|Object(changed)| changed.to.is_some());
        let tags = updated.into_iter().chain(changed.map(|Object(changed)| changed.tag)).collect();
        vec![(Some(self.docker_url), tags)]
    }
}

/// Harbor's own format has `event_data`, its `CloudEvents` have `data`.
#[derive(Deserialize)]
struct Harbor {
    #[serde(rename = "type")]
    kind: String,
    #[serde(alias = "data")]
    event_data: Option<Object<HarborData>>,
}

#[derive(Deserialize)]
struct HarborData {
    resources: Option<Vec<Object<HarborResource>>>,
    repository: Option<Object<HarborRepository>>,
}

#[derive(Deserialize)]
struct HarborResource {
    tag: Option<String>,
}

#[derive(Deserialize)]
struct HarborRepository {
    repo_full_name: Option<String>,
}

impl Harbor {
    fn pushed(self) -> Pushed {
        let is_push = matches!(self.kind.as_str(), "PUSH_ARTIFACT" | "harbor.artifact.pushed");
        let Some(Object(data)) = self.event_data.filter(|_| is_push) else { return Vec::new() };
        let repository = data.repository.and_then(|Object(repository)| repository.repo_full_name);
        vec![(repository, data.resources.into_iter().flatten().filter_map(|Object(resource)| resource.tag).collect())]
    }
}

/// GitHub's `registry_package`, and `package`, which it sends of the same. Its test has neither.
#[derive(Deserialize)]
struct GitHub {
    action: Option<String>,
    #[serde(alias = "package")]
    registry_package: Option<Object<Package>>,
}

#[derive(Deserialize)]
struct Package {
    name: Option<String>,
    namespace: Option<String>,
    #[serde(rename = "package_version")]
    version: Option<Object<PackageVersion>>,
}

/// A version of what is no container has no such metadata.
#[derive(Deserialize)]
struct PackageVersion {
    container_metadata: Option<Object<ContainerMetadata>>,
}

#[derive(Deserialize)]
struct ContainerMetadata {
    tag: Option<Object<PackageTag>>,
}

#[derive(Deserialize)]
struct PackageTag {
    name: Option<String>,
}

impl GitHub {
    fn pushed(self) -> Pushed {
        let is_push = matches!(self.action.as_deref(), Some("published" | "updated"));
        let Some(Object(package)) = self.registry_package.filter(|_| is_push) else { return Vec::new() };
        let version = package.version.map(|Object(version)| version);
        let metadata = version.and_then(|version| version.container_metadata);
        let tag = metadata.and_then(|Object(metadata)| metadata.tag).and_then(|Object(tag)| tag.name);
        let repository = package.namespace.zip(package.name).map(|(namespace, name)| format!("{namespace}/{name}"));
        vec![(repository, tag.into_iter().collect())]
    }
}

#[derive(Deserialize)]
struct Plain {
    repository: Option<String>,
    tags: Vec<String>,
}

impl Plain {
    fn pushed(self) -> Pushed {
        vec![(self.repository, self.tags)]
    }
}
