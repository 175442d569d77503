//! One entry of `sync`.

use moorage_domain::RepositoryName;

use super::{
    config::{Hooks, Settings as Defaults, Sync, TagSet},
    hosts::{Hosts, is_template},
    versions,
};
use crate::import::{
    cron,
    mirrors::{Copy, Settings},
    names::Image,
    options::Options,
    pattern::{
        self, Pattern,
        tags::{Tags, Term},
    },
    platforms,
    report::Entry,
    times::{self, Starts},
};

/// What regsync does not take for a version, and the gate does: there, `_` begins a build.
const NO_VERSION: &str = "[^-]*_.*";

/// The copies of an entry, or what is told of it instead.
pub(super) fn copies(
    at: &str,
    sync: &Sync,
    defaults: &Defaults,
    hosts: &Hosts,
    options: &Options,
) -> Result<Vec<Copy>, Entry> {
    let (source, target) = (sync.source.as_deref().unwrap_or_default(), sync.target.as_deref().unwrap_or_default());
    let entry = Entry::new(at, format!("{source} to {target}"));
    let made = match sync.kind.as_deref().unwrap_or_default() {
        _ if is_template(source) || is_template(target) => {
            Err("templates are not evaluated: write what its source and its target become".to_owned())
        }
        "image" => image(source, target, options).map(|copied| vec![copied]),
        "repository" => repository(source, target, options, sync).map(|copied| vec![copied]),
        "registry" => registry(source, target, options, sync),
        _ => Err("its type is none of image, repository and registry".to_owned()),
    };
    let with_settings = made.and_then(|made| Ok((made, settings(entry.clone(), sync, defaults)?)));
    let (made, (entry, settings)) = match with_settings {
        Ok(made) => made,
        Err(why) => return Err(entry.impossible(why)),
    };
    let is_one = made.len() == 1;
    let copy = |copied: Copied| {
        let known = hosts.of(&copied.from.repository);
        let mut entry = entry.clone();
        if !is_one {
            entry.at = format!("{at} {}", copied.from.path());
        }
        entry = copied.notes.into_iter().fold(entry, Entry::note);
        entry = entry.all_changed(copied.changes).all_changed(known.changes);
        let settings = Settings { login: known.login, is_insecure: known.is_insecure, ..settings.clone() };
        Copy { entry, from: copied.from.repository, to: copied.to, tags: copied.tags, settings }
    };
    Ok(made.into_iter().map(copy).collect())
}

/// What is copied where.
struct Copied {
    from: Image,
    to: RepositoryName,
    tags: Tags,
    notes: Vec<String>,
    changes: Vec<String>,
}

fn image(source: &str, target: &str, options: &Options) -> Result<Copied, String> {
    let (from, to) = (Image::parse(source)?, Image::parse(target)?);
    if from.has_digest || to.has_digest {
        return Err("it is of a digest; a mirror follows tags".to_owned());
    }
    let tag = |image: &Image| image.tag.as_ref().map_or_else(|| "latest".to_owned(), ToString::to_string);
    let (tag, other) = (tag(&from), tag(&to));
    if tag != other {
        return Err(format!("it renames the tag {tag} to {other}; a mirror keeps the names of tags"));
    }
    let to = options.target(&to.path())?;
    Ok(Copied { from, to, tags: Tags::matching(vec![Pattern::tag(&tag)]), notes: Vec::new(), changes: Vec::new() })
}

fn repository(source: &str, target: &str, options: &Options, sync: &Sync) -> Result<Copied, String> {
    let (from, to) = (Image::parse(source)?, Image::parse(target)?);
    if from.tag.is_some() || to.tag.is_some() || from.has_digest || to.has_digest {
        return Err("it is of a repository, and names a tag".to_owned());
    }
    let to = options.target(&to.path())?;
    let (tags, notes, changes) = tags(sync)?;
    Ok(Copied { from, to, tags, notes, changes })
}

/// A whole registry, as far as it is said which repositories it has.
fn registry(source: &str, target: &str, options: &Options, sync: &Sync) -> Result<Vec<Copied>, String> {
    let cannot = "it is of a whole registry: name its repositories under repos.allow, or declare an organization's mirror of \
                  each namespace there";
    let empty = Vec::new();
    let (allow, deny) = sync.repos.as_ref().map_or((&empty, &empty), |repos| {
        (repos.allow.as_ref().unwrap_or(&empty), repos.deny.as_ref().unwrap_or(&empty))
    });
    let names = allow.iter().map(|text| plain(text)).collect::<Option<Vec<_>>>().filter(|names| !names.is_empty());
    let names = names.filter(|_| deny.is_empty()).ok_or_else(|| cannot.to_owned())?;
    let host = |text: &str| text.trim_end_matches('/').to_owned();
    let one = |name: String| {
        repository(&format!("{}/{name}", host(source)), &format!("{}/{name}", host(target)), options, sync)
    };
    names.into_iter().map(one).collect()
}

/// The text that an expression is, if it is nothing else.
fn plain(expression: &str) -> Option<String> {
    let text = expression.trim_start_matches('^').trim_end_matches('$').replace("\\.", "\u{0}");
    let is_plain = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || "/_-\u{0}".contains(it);
    (!text.is_empty() && text.chars().all(is_plain)).then(|| text.replace('\u{0}', "."))
}

type Said = (Tags, Vec<String>, Vec<String>);

fn tags(sync: &Sync) -> Result<Said, String> {
    let (mut notes, mut changes) = (Vec::new(), Vec::new());
    let is_said =
        |set: &&TagSet| [&set.allow, &set.deny, &set.semver_range].into_iter().flatten().any(|it| !it.is_empty());
    // A set that says nothing selects everything; `tags` is one only if it says something.
    let sets = sync.tag_sets.iter().flatten().chain(sync.tags.iter().filter(is_said));
    let mut all: Option<Tags> = None;
    for set in sets {
        let expressions = |texts: &Option<Vec<String>>| -> Result<Vec<Pattern>, String> {
            let one = |text: &String| {
                Pattern::between_anchors(text).map_err(|why| format!("its expression {text:.100}: {why}"))
            };
            texts.iter().flatten().map(one).collect()
        };
        let mut term = Term { versions: None, allow: expressions(&set.allow)?, deny: expressions(&set.deny)? };
        if let Some(versions) = versions::translate(set.semver_range.as_deref().unwrap_or_default())? {
            term.versions = Some(versions);
            term.deny.push(Pattern::Regex(NO_VERSION.to_owned()));
            changes.push(versions::OTHERS.to_owned());
        }
        notes.extend(set.allow.iter().chain(&set.deny).flatten().filter_map(|text| pattern::ungrouped(text)));
        changes.extend(set.unknown.iter().map(|name| format!("it is not known what {name} of its tags means")));
        let term = Tags::of(term);
        all = Some(match all {
            Some(before) => before.or(term),
            None => term,
        });
    }
    Ok((all.unwrap_or_else(Tags::all), notes, changes))
}

fn settings(mut entry: Entry, sync: &Sync, defaults: &Defaults) -> Result<(Entry, Settings), String> {
    let (starts, is_off, how) = starts(sync, defaults)?;
    entry = entry.all_changed(how);
    let limit = sync.rate_limit.as_ref().and_then(|limit| limit.min).filter(|min| *min > 0);
    let limit = limit.or_else(|| defaults.rate_limit.as_ref().and_then(|limit| limit.min)).filter(|min| *min > 0);
    let retry = [&sync.rate_limit, &defaults.rate_limit].into_iter().flatten().any(|limit| limit.retry.is_some());
    if limit.is_some() && retry {
        entry = entry.note("where the allowance is used up, it goes on when the registry says, not after a fixed time");
    }
    if [&sync.backup, &defaults.backup].into_iter().flatten().any(|backup| !backup.is_empty()) {
        entry = entry
            .changed("what a tag was before it moved is no other tag, but is remembered, and can be turned back to");
    }
    let (architectures, how) = match (&sync.platform, &sync.platforms) {
        (Some(one), _) if !one.is_empty() => platforms::one(one)?,
        (_, Some(some)) if !some.is_empty() => platforms::several(some)?,
        _ => (None, None),
    };
    entry = entry.all_changed(how);
    let is_called = |hooks: &Hooks| hooks.pre.is_some() || hooks.post.is_some() || hooks.unchanged.is_some();
    let has = |ours: bool, theirs: bool| ours || theirs;
    let said = [
        (
            has(sync.hooks.as_ref().is_some_and(is_called), defaults.hooks.as_ref().is_some_and(is_called)),
            "its hooks are not called; notifications can tell of its syncs",
        ),
        (has(sync.media_types.is_some(), defaults.media_types.is_some()), "images of all kinds are mirrored"),
        (
            has(sync.referrer_filters.is_some(), defaults.referrer_filters.is_some()),
            "all referrers come along, not only those that its filters select",
        ),
        (
            [&sync.referrer_source, &sync.referrer_target, &defaults.referrer_source, &defaults.referrer_target]
                .into_iter()
                .any(Option::is_some),
            "referrers are taken from where the image is, and stay with it",
        ),
        (
            sync.include_external.or(defaults.include_external) == Some(true),
            "layers that are kept elsewhere, and must not be distributed, are not copied",
        ),
    ];
    entry = said.iter().filter(|(is_so, _)| *is_so).fold(entry, |entry, (_, how)| entry.changed(*how));
    let unknown = sync.unknown.iter();
    entry = unknown.fold(entry, |entry, name| entry.changed(format!("it is not known what {name} means")));
    Ok((entry, Settings { starts, is_off, architectures, rate_limit_floor: limit, ..Settings::default() }))
}

fn starts(sync: &Sync, defaults: &Defaults) -> Result<(Starts, bool, Option<String>), String> {
    let of = |schedule: &Option<String>, interval: &Option<String>| {
        let text = |it: &Option<String>| it.clone().filter(|text| !text.is_empty());
        (text(schedule), text(interval))
    };
    let said = match of(&sync.schedule, &sync.interval) {
        (None, None) => of(&defaults.schedule, &defaults.interval),
        said => said,
    };
    match said {
        (Some(schedule), _) => cron::starts(&schedule).map(|(starts, how)| (starts, false, how)),
        (None, Some(every)) => {
            let (seconds, is_exact) = times::duration(&every)?;
            let (interval, how) = times::interval(seconds);
            let how = how.or_else(|| (!is_exact).then(|| format!("it starts every {interval} seconds")));
            Ok((Starts { interval: Some(interval), first: None }, false, how))
        }
        (None, None) => {
            let how =
                "it has neither an interval nor a schedule: it is off, and starts each day once it is on".to_owned();
            Ok((Starts::default(), true, Some(how)))
        }
    }
}
