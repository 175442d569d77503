//! regsync: a file of copies from registry to registry.

mod config;
mod entry;
mod hosts;
mod versions;

use std::path::Path;

use config::{Config, Settings};

use crate::{
    error::CliError,
    import::{draft::Draft, input, mirrors::Copies, options::Options, report::Entry},
};

/// What holds for everything that comes from it.
const NOTES: [&str; 4] = [
    "regsync deletes nothing; a mirror deletes tags that its registry no longer has, or that it no longer selects (see \
     deletion_limit)",
    "signatures and other referrers, and tags that are made of digests, always come with the images that they are attached \
     to",
    "times of schedules are taken as UTC's",
    "logins of Docker's own configuration are not looked at: what has none under creds is asked anonymously",
];

/// The newest format that there is.
const VERSION: u64 = 1;

/// Reads a file.
pub(crate) fn import(path: &Path, options: &Options, draft: &mut Draft) -> Result<(), CliError> {
    translate(input::load(path)?, options, draft)
}

/// What a file says.
fn translate(config: Config, options: &Options, draft: &mut Draft) -> Result<(), CliError> {
    if config.version.unwrap_or(VERSION) > VERSION {
        return Err(CliError::Source("its version is newer than what is known of regsync's files".to_owned()));
    }
    draft.notes.extend(NOTES);
    for name in &config.unknown {
        let entry = Entry::new(name, "a field that regsync does not know");
        draft.entry(if name.starts_with("x-") { entry } else { entry.impossible("it is not known what it means") });
    }
    let entries = config.sync.unwrap_or_default();
    let hosts = hosts::Hosts::read(config.creds.unwrap_or_default(), &entries, draft);
    let defaults = config.defaults.unwrap_or_default();
    if let Some(entry) = of_defaults(&defaults) {
        draft.entry(entry);
    }
    let mut copies = Copies::default();
    for (at, sync) in entries.iter().enumerate() {
        match entry::copies(&format!("sync[{at}]"), sync, &defaults, &hosts, options) {
            Ok(some) => some.into_iter().for_each(|copy| copies.add(copy, draft)),
            Err(impossible) => draft.entry(impossible),
        }
    }
    copies.end(options, draft);
    Ok(())
}

/// What is said of defaults that no entry can have; what entries can have is said of each of them.
fn of_defaults(defaults: &Settings) -> Option<Entry> {
    let mut entry = Entry::new("defaults", "settings of all entries");
    if defaults.parallel.is_some() {
        entry = entry.note("how much is copied at once is the deployment's");
    }
    if defaults.blob_limit.is_some() || defaults.cache_count.is_some() || defaults.cache_time.is_some() {
        entry = entry.note("limits of its memory have no meaning here");
    }
    if defaults.user_agent.is_some() {
        entry = entry.changed("registries are told that Moorage asks");
    }
    let unknown = defaults.unknown.iter();
    entry = unknown.fold(entry, |entry, name| entry.changed(format!("it is not known what {name} means")));
    (!entry.why.is_empty()).then_some(entry)
}
