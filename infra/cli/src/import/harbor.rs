//! Harbor: replication rules, as its API lists them (`GET /api/v2.0/replication/policies`).

mod policy;
mod repositories;

use std::path::Path;

use policy::{Filter, Policies, Policy, Registry};
use repositories::Wanted;

use crate::{
    error::CliError,
    import::{
        cron,
        draft::Draft,
        input,
        mirrors::{Copies, Copy, Login, Settings},
        names,
        options::Options,
        pattern::{Pattern, tags::Tags},
        report::Entry,
        times::Starts,
    },
};

/// What holds for everything that comes from it.
const NOTES: [&str; 4] = [
    "a rule that pulls deletes nothing; a mirror deletes tags that its registry no longer has, or that it no longer selects \
     (see deletion_limit)",
    "signatures and other referrers always come with the images that they are attached to",
    "times of schedules are taken as UTC's",
    "projects, their members, robots and retention are not in replication rules",
];

/// Reads a file.
pub(crate) fn import(path: &Path, options: &Options, draft: &mut Draft) -> Result<(), CliError> {
    let Policies(policies) = input::load(path)?;
    translate(&policies, options, draft);
    Ok(())
}

fn translate(policies: &[Policy], options: &Options, draft: &mut Draft) {
    draft.notes.extend(NOTES);
    let mut copies = Copies::default();
    for (at, policy) in policies.iter().enumerate() {
        let name = policy.name.as_deref().unwrap_or("a rule without a name");
        let entry = Entry::new(format!("[{at}]"), name);
        match rule(policy, entry.clone(), options, draft) {
            Ok(some) => some.into_iter().for_each(|copy| copies.add(copy, draft)),
            Err(why) => draft.entry(entry.impossible(why)),
        }
    }
    copies.end(options, draft);
}

/// The mirrors of repositories that a rule names, as copies; that of an organization is added at once.
fn rule(policy: &Policy, mut entry: Entry, options: &Options, draft: &mut Draft) -> Result<Vec<Copy>, String> {
    let registry = policy.source()?;
    let mut names = None;
    let mut tags = Tags::all();
    for filter in policy.filters.iter().flatten() {
        let value = filter.text();
        match (filter.kind.as_deref().unwrap_or_default(), value) {
            ("name", Some(value)) if !value.is_empty() => names = Some(value.to_owned()),
            ("tag", Some(value)) if !value.is_empty() => tags = of_tags(filter, value)?,
            ("resource", Some("" | "image" | "artifact")) | ("name" | "tag", Some("")) => {}
            ("resource", _) => return Err("it is of other things than images".to_owned()),
            ("label", _) => return Err("it selects by labels, which registries do not tell".to_owned()),
            _ => return Err("one of its filters is not known".to_owned()),
        }
    }
    let (starts, is_off) = starts(policy, &mut entry)?;
    if policy.r#override == Some(false) {
        entry = entry.changed("tags that move at the registry move here, too; on_move can keep them");
    }
    if policy.speed.is_some_and(|speed| speed > 0) {
        entry = entry.changed("how fast it copies is not limited");
    }
    let unknown = policy.unknown.iter().chain(&registry.unknown);
    entry = unknown.fold(entry, |entry, name| entry.changed(format!("it is not known what {name} means")));
    let settings = Settings {
        starts,
        is_off,
        login: login(registry, &mut entry, draft),
        is_insecure: registry.insecure == Some(true),
        ..Settings::default()
    };
    if settings.is_insecure {
        entry = entry.changed("where the registry does not speak https at all, it is asked by plain http, too");
    }
    let wanted = Wanted { policy, registry, tags, settings, options };
    match names.as_deref().map(repositories::specific) {
        Some(Some(names)) => names.iter().map(|name| wanted.copy(name, entry.clone(), names.len() == 1)).collect(),
        Some(None) => wanted.organization(names.as_deref().unwrap_or_default(), entry, draft).map(|()| Vec::new()),
        None => Err("it is of everything that the registry has: give it a filter of names".to_owned()),
    }
}

fn of_tags(filter: &Filter, value: &str) -> Result<Tags, String> {
    let read = match value.strip_prefix("regex:") {
        Some(expression) => Pattern::somewhere(expression),
        None => Pattern::doublestar(value),
    };
    let pattern = read.map_err(|why| format!("its tags {value:.100}: {why}"))?;
    match filter.decoration.as_deref().unwrap_or_default() {
        "" | "matches" => Ok(Tags::matching(vec![pattern])),
        "excludes" => Ok(Tags::of(crate::import::pattern::tags::Term { deny: vec![pattern], ..Default::default() })),
        _ => Err("it is not known how its tags are selected".to_owned()),
    }
}

/// When it starts, and whether it does.
fn starts(policy: &Policy, entry: &mut Entry) -> Result<(Starts, bool), String> {
    let trigger = policy.trigger.as_ref();
    let cron = trigger.and_then(|trigger| trigger.settings.as_ref()).and_then(|settings| settings.cron.as_deref());
    let is_off = policy.enabled == Some(false);
    match trigger.and_then(|trigger| trigger.kind.as_deref()).unwrap_or("manual") {
        "scheduled" => {
            let (starts, how) = cron::starts(cron.unwrap_or_default())?;
            *entry = std::mem::take(entry).all_changed(how);
            Ok((starts, is_off))
        }
        "manual" => {
            let how = "it is started by hand there: it is off, and starts each day once it is on";
            *entry = std::mem::take(entry).changed(how);
            Ok((Starts::default(), true))
        }
        _ => Err("it is started by what happens in Harbor".to_owned()),
    }
}

fn login(registry: &Registry, entry: &mut Entry, draft: &mut Draft) -> Option<Login> {
    let credential = registry.credential.as_ref()?;
    let username = credential.access_key.clone().filter(|key| !key.is_empty())?;
    if credential.kind.as_deref().is_some_and(|kind| !matches!(kind, "" | "basic")) {
        *entry = std::mem::take(entry)
            .changed("its login is no user with a password: it is asked anonymously until it has one");
        return None;
    }
    let host = names::host(registry.url.as_deref().unwrap_or_default()).to_owned();
    // Harbor never tells it.
    let password = draft.questions.ask(&format!("password of {username} at {host}"), None);
    Some(Login { username, password: Some(password) })
}
