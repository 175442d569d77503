//! What a rule replicates: repositories that it names, or all of a namespace.

use moorage_declaration::{Element, Moment, Organization, OrganizationMirror, RegistryConfig};
use moorage_domain::{
    ExternalReference,
    organization::{RegistryKind, RegistryUrl, RepositoryFilters},
};

use super::policy::{Policy, Registry};
use crate::import::{
    draft::Draft,
    mirrors::{Copy, Settings},
    names,
    options::Options,
    pattern::tags::Tags,
    report::Entry,
    times,
};

/// The most repositories that the braces of one filter name.
const REPOSITORIES: usize = 1_000;

/// A rule, read.
pub(super) struct Wanted<'a> {
    pub(super) policy: &'a Policy,
    pub(super) registry: &'a Registry,
    pub(super) tags: Tags,
    pub(super) settings: Settings,
    pub(super) options: &'a Options,
}

/// The repositories that a filter of names names, if it does: braces have alternatives, one pair in each part.
pub(super) fn specific(filter: &str) -> Option<Vec<String>> {
    let mut names = vec![String::new()];
    for (at, part) in filter.split('/').enumerate() {
        let choices = choices(part)?;
        let separator = if at == 0 { "" } else { "/" };
        let pairs = names.iter().flat_map(|name| choices.iter().map(move |it| format!("{name}{separator}{it}")));
        names = pairs.collect();
        if names.len() > REPOSITORIES {
            return None;
        }
    }
    Some(names)
}

fn choices(part: &str) -> Option<Vec<String>> {
    if part.is_empty() || part.contains(['*', '?', '[', ']', '\\', '^', ':']) {
        return None;
    }
    let Some((before, rest)) = part.split_once('{') else {
        return (!part.contains(['}', ','])).then(|| vec![part.to_owned()]);
    };
    let (inside, after) = rest.split_once('}')?;
    if [inside, after].iter().any(|it| it.contains(['{', '}'])) || before.contains(',') || after.contains(',') {
        return None;
    }
    Some(inside.split(',').map(|choice| format!("{before}{choice}{after}")).collect())
}

impl Wanted<'_> {
    /// The copy of one repository.
    pub(super) fn copy(&self, name: &str, mut entry: Entry, is_one: bool) -> Result<Copy, String> {
        if !is_one {
            entry.at = format!("{} {name}", entry.at);
        }
        let from = format!("{}/{name}", self.host()?);
        let from = names::Image::parse(&from)?.repository;
        let to = self.options.target(&self.target(name)?)?;
        Ok(Copy { entry, from, to, tags: self.tags.clone(), settings: self.settings.clone() })
    }

    fn host(&self) -> Result<&str, String> {
        let host = names::host(self.registry.url.as_deref().unwrap_or_default());
        let is_host = format!("{host}/x").parse::<ExternalReference>().is_ok();
        if is_host { Ok(host) } else { Err("its registry is at no host, or below a path there".to_owned()) }
    }

    /// Where a repository goes.
    fn target(&self, name: &str) -> Result<String, String> {
        let namespace = self.policy.dest_namespace.as_deref().unwrap_or_default();
        if namespace.is_empty() {
            return Ok(name.to_owned());
        }
        let (path, last) = name.rsplit_once('/').unwrap_or(("", name));
        let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
        // Without a number it is what earlier releases did: all of them.
        let replaced = self.policy.dest_namespace_replace_count.unwrap_or(-1);
        let kept = match usize::try_from(replaced) {
            Ok(number) if number > parts.len() => {
                return Err(format!("{name} has fewer parts than it replaces, so that Harbor does not replicate it"));
            }
            Ok(number) => &parts[number..],
            Err(_) => &[],
        };
        let all: Vec<_> = [namespace].into_iter().chain(kept.iter().copied()).chain([last]).collect();
        Ok(all.join("/"))
    }

    /// The mirror of an organization, of a filter like `library/**`.
    pub(super) fn organization(&self, filter: &str, mut entry: Entry, draft: &mut Draft) -> Result<(), String> {
        let cannot = || {
            "its filter of names is not of one namespace: name repositories, or write NAMESPACE/** or NAMESPACE/*"
                .to_owned()
        };
        let (namespace, rest) = filter.split_once('/').ok_or_else(cannot)?;
        let namespaces = specific(namespace).ok_or_else(cannot)?;
        let [namespace] = namespaces.as_slice() else { return Err(cannot()) };
        match rest {
            "**" => {}
            "*" => entry = entry.changed("repositories with more parts in their names come, too"),
            _ => return Err(cannot()),
        }
        let kind = match self.registry.kind.as_deref().unwrap_or_default() {
            "harbor" => RegistryKind::Harbor,
            "quay" => {
                entry = entry.changed(
                    "its repositories are found by Quay's API, which takes an API token as the password of \
                                       $oauthtoken",
                );
                RegistryKind::Quay
            }
            "docker-registry" => RegistryKind::Distribution,
            other => {
                return Err(format!(
                    "repositories of a registry of the kind {other:.40} cannot be listed: name them in its filter"
                ));
            }
        };
        let target = self.target(&format!("{namespace}/x"))?;
        let organization = target.strip_suffix("/x").filter(|name| !name.contains('/'));
        let organization = organization.and_then(|name| name.parse().ok());
        let organization = organization.ok_or("where it goes is no organization, which has all of one namespace")?;
        let organization = self.options.renames.organization(&organization);
        self.host()?;
        let url = self.registry.url.as_deref().unwrap_or_default();
        let robot = self.options.robot(&organization)?;
        let all_tags = self.tags.without_globs().rule()?;
        let settings = &self.settings;
        let start = settings.starts.first.zip(settings.starts.interval).map(|(first, interval)| {
            times::start(organization.as_str(), first, interval, self.options.spread, self.options.now)
        });
        let filters = RepositoryFilters::try_from(Vec::new()).map_err(|error| error.to_string())?;
        let mirror = OrganizationMirror {
            is_enabled: Some(self.options.is_enabled && !settings.is_off),
            external_registry_type: kind,
            external_registry_url: url.parse::<RegistryUrl>().map_err(|error| error.to_string())?,
            external_namespace: namespace.clone(),
            external_registry_username: settings.login.as_ref().map(|login| Some(login.username.clone())),
            external_registry_password: settings.login.as_ref().and_then(|login| login.password.clone()).map(Some),
            external_registry_config: settings
                .is_insecure
                .then(|| RegistryConfig { verify_tls: Some(false), ..RegistryConfig::default() }),
            repository_filters: Some(filters),
            robot_username: robot.clone(),
            visibility: None,
            sync_interval: settings.starts.interval,
            sync_start_date: start.map(Moment),
            skopeo_timeout: None,
            deletion_limit: None,
            deletion_grace: None,
            rate_limit_floor: None,
            digest_listing: None,
            selection: all_tags.selection.map(Some),
            min_age: None,
            on_move: None,
            signature_policy: None,
        };
        let element = Element::OrganizationMirror(organization.clone(), Box::new(mirror));
        let is_twice = draft.elements.iter().any(|other| other.key() == element.key());
        if is_twice {
            return Err(format!("{organization} has a mirror already, and can have one"));
        }
        draft.elements.push(Element::Organization(organization, Organization::default()));
        draft.robot(&robot);
        draft.element(entry, element);
        Ok(())
    }
}
