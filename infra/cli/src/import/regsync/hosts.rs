//! Registries and their logins.

use std::collections::BTreeMap;

use moorage_declaration::SecretSource;
use moorage_domain::ExternalReference;

use super::config::{Host, Sync};
use crate::import::{draft::Draft, mirrors::Login, names, report::Entry};

/// What is known of a registry.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    pub(super) login: Option<Login>,
    pub(super) is_insecure: bool,
    /// What is said of each entry that copies from there.
    pub(super) changes: Vec<String>,
}

/// Registries, by their names.
#[derive(Debug, Default)]
pub(super) struct Hosts(BTreeMap<String, Known>);

impl Hosts {
    /// Reads them, with an entry for each.
    pub(super) fn read(hosts: Vec<Host>, entries: &[Sync], draft: &mut Draft) -> Self {
        let mut known = BTreeMap::new();
        for (at, host) in hosts.into_iter().enumerate() {
            let at = format!("creds[{at}]");
            let name = host.registry.clone().unwrap_or_default();
            if name.is_empty() || is_template(&name) {
                let entry = Entry::new(at, "a registry");
                draft.entry(entry.impossible("it has no name, or one that is a template: write its name"));
                continue;
            }
            let name = names::host(&name).to_owned();
            let entry = Entry::new(at, format!("the registry {name}"));
            let is_source =
                entries.iter().any(|sync| sync.source.as_deref().is_some_and(|source| is_of(source, &name)));
            if !is_source {
                draft.entry(entry.note("nothing is copied from there; here a robot writes"));
                continue;
            }
            let (entry, read) = read(entry, &name, &host, draft);
            draft.entry(entry);
            known.insert(name, read);
        }
        Self(known)
    }

    /// What is known of the registry of a repository.
    pub(super) fn of(&self, repository: &ExternalReference) -> Known {
        self.0.get(names::host(repository.authority())).cloned().unwrap_or_default()
    }
}

/// Whether an image is of a registry.
fn is_of(source: &str, host: &str) -> bool {
    let image = names::Image::parse(source);
    names::host(source) == host || image.is_ok_and(|image| names::host(image.repository.authority()) == host)
}

pub(super) fn is_template(text: &str) -> bool {
    text.contains("{{")
}

fn read(mut entry: Entry, name: &str, host: &Host, draft: &mut Draft) -> (Entry, Known) {
    let mut known = Known::default();
    match (host.tls.as_deref().unwrap_or_default(), host.scheme.as_deref().unwrap_or_default()) {
        ("disabled", _) | ("", "http") => {
            known.is_insecure = true;
            entry = entry.changed("it is asked by https first, and by plain http where it does not speak that");
        }
        ("insecure", _) => {
            known.is_insecure = true;
            entry = entry.changed("where it does not speak https at all, it is asked by plain http, too");
        }
        ("" | "enabled", "" | "https") => {}
        _ => entry = entry.impossible("how it is asked cannot be read"),
    }
    let user = host.user.as_deref().unwrap_or_default();
    if host.cred_helper.is_some() || host.token.is_some() {
        let why = "its login comes from a program or is a token, which is not known here: it is asked anonymously until it \
                   has a user and a password";
        known.changes.push(format!("{name}: {why}"));
        entry = entry.changed(why);
    } else if is_template(user) {
        let why = "its user is a template, which is not evaluated: it is asked anonymously until its user is written";
        known.changes.push(format!("{name}: {why}"));
        entry = entry.changed(why);
    } else if !user.is_empty() {
        let what = format!("password of {user} at {name}");
        let password = password(&what, host.pass.as_deref().unwrap_or_default(), draft);
        known.login = Some(Login { username: user.to_owned(), password });
    }
    let lost = [
        (
            host.reg_cert.is_some(),
            "its own certificate cannot be given: it has to be one that the function's roots know",
        ),
        (host.client_cert.is_some() || host.client_key.is_some(), "no certificate is shown to it"),
        (host.mirrors.as_ref().is_some_and(|mirrors| !mirrors.is_empty()), "its mirrors are not asked"),
        (host.path_prefix.is_some(), "nothing is put before its names"),
        (host.hostname.as_deref().is_some_and(|hostname| names::host(hostname) != name), "it is asked by its own name"),
        (host.req_per_sec.is_some_and(|rate| rate > 0.0), "how many requests it gets in a second is not limited"),
    ];
    for (_, why) in lost.iter().filter(|(is_lost, _)| *is_lost) {
        known.changes.push(format!("{name}: {why}"));
        entry = entry.changed(*why);
    }
    let unknown = host.unknown.iter();
    entry = unknown.fold(entry, |entry, field| entry.changed(format!("it is not known what {field} means")));
    (entry, known)
}

/// What the document has in place of a password. What regsync would take from a variable or a file is taken from there by
/// whoever applies it; nothing else of templates is looked at.
fn password(what: &str, pass: &str, draft: &mut Draft) -> Option<SecretSource> {
    if pass.is_empty() {
        return None;
    }
    if !is_template(pass) {
        return Some(draft.questions.ask(what, Some(pass.into())));
    }
    let inner = pass.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")).map(str::trim);
    let argument = |function: &str| {
        let quoted = inner?.strip_prefix(function)?.trim().strip_prefix('"')?.strip_suffix('"')?;
        (!quoted.is_empty() && !quoted.contains(['"', '\\', '{', '}'])).then(|| quoted.to_owned())
    };
    let named = argument("env ").map(SecretSource::Env).or_else(|| argument("file ").map(SecretSource::File));
    Some(match named {
        Some(source) => draft.questions.named(what, source),
        None => draft.questions.ask(what, None),
    })
}
