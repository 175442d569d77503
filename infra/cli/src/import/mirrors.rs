//! Mirrors of tools that have a list of copies: what follows one repository is one mirror here.

use std::collections::{BTreeMap, BTreeSet};

use moorage_declaration::{Element, Mirror, Moment, Organization, RegistryConfig, Repository, SecretSource};
use moorage_domain::{ExternalReference, Namespace, RepositoryName};

use crate::import::{
    draft::Draft,
    options::Options,
    pattern::tags::Tags,
    report::Entry,
    times::{self, Starts},
};

/// A copy, as a tool makes it.
#[derive(Debug, Clone)]
pub(crate) struct Copy {
    /// What is said of it.
    pub(crate) entry: Entry,
    /// From where.
    pub(crate) from: ExternalReference,
    /// To where.
    pub(crate) to: RepositoryName,
    /// Which tags.
    pub(crate) tags: Tags,
    /// How.
    pub(crate) settings: Settings,
}

/// How a copy is made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Settings {
    /// When it starts.
    pub(crate) starts: Starts,
    /// Whether it does.
    pub(crate) is_off: bool,
    /// Who asks.
    pub(crate) login: Option<Login>,
    /// Whether certificates need not be right.
    pub(crate) is_insecure: bool,
    /// Which architectures; all without it.
    pub(crate) architectures: Option<Vec<String>>,
    /// How much of the registry's allowance is left to others.
    pub(crate) rate_limit_floor: Option<u64>,
}

/// Who asks a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Login {
    /// The user there.
    pub(crate) username: String,
    /// The password there; none for an empty one.
    pub(crate) password: Option<SecretSource>,
}

/// What several copies are.
struct Merged {
    from: ExternalReference,
    tags: Tags,
    settings: Settings,
    /// Which entries of the draft they are.
    entries: Vec<usize>,
}

/// Copies, with where they are told.
#[derive(Debug, Default)]
pub(crate) struct Copies(Vec<(usize, Copy)>);

impl Copies {
    /// Adds one.
    pub(crate) fn add(&mut self, copy: Copy, draft: &mut Draft) {
        self.0.push((draft.entries.len(), copy.clone()));
        draft.entry(copy.entry);
    }

    /// Makes mirrors of them. Copies of one repository are one mirror with the tags of all of them.
    pub(crate) fn end(self, options: &Options, draft: &mut Draft) {
        let mut merged: BTreeMap<RepositoryName, Merged> = BTreeMap::new();
        for (at, Copy { from, to, tags, settings, .. }) in self.0 {
            let refused = match merged.get_mut(&to) {
                None => tags
                    .rule()
                    .map_err(|why| format!("its tags: {why}"))
                    .map(|_| drop(merged.insert(to, Merged::new(at, from, tags, settings)))),
                Some(other) => merge(other, &from, &tags, &settings).map(|()| other.entries.push(at)),
            };
            if let Err(why) = refused {
                tell(draft, &[at], |entry| entry.impossible(why.clone()));
            }
        }
        let mut organizations = BTreeSet::new();
        for (name, merged) in merged {
            declare(name, &merged, options, draft, &mut organizations);
        }
    }
}

impl Merged {
    fn new(at: usize, from: ExternalReference, tags: Tags, settings: Settings) -> Self {
        Self { from, tags, settings, entries: vec![at] }
    }
}

/// Says something of these entries.
fn tell(draft: &mut Draft, entries: &[usize], say: impl Fn(Entry) -> Entry) {
    for at in entries {
        if let Some(entry) = draft.entries.get_mut(*at) {
            *entry = say(std::mem::take(entry));
        }
    }
}

fn merge(one: &mut Merged, from: &ExternalReference, tags: &Tags, settings: &Settings) -> Result<(), String> {
    if one.from != *from {
        return Err(format!("its target follows {} already: a repository has one source here", one.from));
    }
    if one.settings != *settings {
        return Err("another entry of the same source and target has other settings, and a mirror has one".to_owned());
    }
    let both = one.tags.clone().or(tags.clone());
    both.rule().map_err(|why| format!("its tags and those of the other entries of this mirror: {why}"))?;
    one.tags = both;
    Ok(())
}

fn declare(
    name: RepositoryName,
    merged: &Merged,
    options: &Options,
    draft: &mut Draft,
    organizations: &mut BTreeSet<Namespace>,
) {
    let organization = name.namespace();
    let mirror = match mirror(&name, merged, options) {
        Ok(mirror) => mirror,
        Err(why) => return tell(draft, &merged.entries, |entry| entry.impossible(why.clone())),
    };
    let robot = mirror.robot_username.clone();
    let element = Element::Mirror(name.clone(), Box::new(mirror));
    let key = element.key();
    tell(draft, &merged.entries, |entry| entry.becomes(&key));
    if organizations.insert(organization.clone()) {
        draft.elements.push(Element::Organization(organization, Organization::default()));
        draft.robot(&robot);
    }
    draft.elements.push(Element::Repository(name, Repository::default()));
    draft.elements.push(element);
}

fn mirror(name: &RepositoryName, merged: &Merged, options: &Options) -> Result<Mirror, String> {
    let rule = merged.tags.rule()?;
    let settings = &merged.settings;
    let mut mirror = Mirror::new(merged.from.clone(), options.robot(&name.namespace())?);
    mirror.is_enabled = Some(options.is_enabled && !settings.is_off);
    mirror.root_rule = Some(rule.root);
    mirror.selection = rule.selection.map(Some);
    mirror.sync_interval = settings.starts.interval;
    if let (Some(first), Some(interval)) = (settings.starts.first, settings.starts.interval) {
        let start = times::start(name.as_str(), first, interval, options.spread, options.now);
        mirror.sync_start_date = Some(Moment(start));
    }
    if let Some(login) = &settings.login {
        mirror.external_registry_username = Some(Some(login.username.clone()));
        mirror.external_registry_password = login.password.clone().map(Some);
    }
    if settings.is_insecure {
        let config = RegistryConfig { verify_tls: Some(false), ..RegistryConfig::default() };
        mirror.external_registry_config = Some(config);
    }
    mirror.architecture_filter = settings.architectures.clone().map(Some);
    mirror.rate_limit_floor = settings.rate_limit_floor.map(Some);
    Ok(mirror)
}
