//! `skopeo sync --src yaml`: a file of registries, with the images of each.

use std::{collections::BTreeMap, path::Path};

use moorage_domain::{Namespace, RepositoryName, TagName};

use crate::{
    error::CliError,
    import::{
        draft::Draft,
        input::{self, record},
        mirrors::{Copies, Copy, Login, Settings},
        names::{self, Image},
        options::Options,
        pattern::{
            Pattern,
            tags::{Tags, Term, Versions},
        },
        report::Entry,
        times::Starts,
    },
};

/// What holds for everything that comes from it.
const NOTES: [&str; 5] = [
    "skopeo deletes nothing; a mirror deletes tags that its registry no longer has, or that it no longer selects (see \
     deletion_limit)",
    "indexes are mirrored whole; skopeo copies the image for its own machine alone, unless it is called with --all",
    "signatures and other referrers always come with the images that they are attached to",
    "the file does not say when it is used: mirrors start each day",
    "what skopeo's command line says (--append-suffix, logins, destinations) is not in the file",
];

/// The tags that are versions for the gate and not for skopeo: here, `_` begins a build.
const NO_VERSION: &str = "*_*";

record! {
    /// A registry.
    Registry {
        /// Images, with their tags; all of them, if there are none.
        images: BTreeMap<String, Option<Vec<String>>> = "images",
        /// Images, with an expression of their tags.
        by_regex: BTreeMap<String, String> = "images-by-tag-regex",
        /// Images, with a range of their versions.
        by_version: BTreeMap<String, String> = "images-by-semver",
        /// The login there.
        credentials: Credentials = "credentials",
        /// Whether its certificate has to be right.
        tls_verify: bool = "tls-verify",
        /// Where its certificates are.
        cert_dir: String = "cert-dir",
    }
}

record! {
    /// A login.
    Credentials {
        /// The user.
        username: String = "username",
        /// The password.
        password: String = "password",
    }
}

/// Reads a file. With `is_scoped`, whole names are kept, as skopeo does with `--scoped`.
pub(crate) fn import(path: &Path, is_scoped: bool, options: &Options, draft: &mut Draft) -> Result<(), CliError> {
    let registries: BTreeMap<String, Registry> = input::load(path)?;
    let into = options.organization.clone();
    let into =
        into.ok_or(CliError::Source("skopeo's file does not say where images go: give --organization".to_owned()))?;
    draft.notes.extend(NOTES);
    let mut copies = Copies::default();
    for (name, registry) in &registries {
        let settings = of_registry(name, registry, draft);
        let of = Of { name, settings: &settings, into: &into, is_scoped, options };
        for (image, tags) in registry.images.iter().flatten() {
            of.add(draft, &mut copies, "images", image, |entry| listed(tags.as_deref().unwrap_or_default(), entry));
        }
        for (image, expression) in registry.by_regex.iter().flatten() {
            of.add(draft, &mut copies, "images-by-tag-regex", image, |entry| {
                let pattern = Pattern::somewhere(expression);
                let pattern = pattern.map_err(|why| format!("its expression {expression:.100}: {why}"))?;
                Ok((Tags::matching(vec![pattern]), entry))
            });
        }
        for (image, range) in registry.by_version.iter().flatten() {
            of.add(draft, &mut copies, "images-by-semver", image, |entry| {
                let versions = Versions { ranges: vec![range.clone()], has_prereleases: false };
                let deny = vec![Pattern::Globs(vec![NO_VERSION.to_owned()])];
                Ok((Tags::of(Term { versions: Some(versions), deny, ..Term::default() }), entry))
            });
        }
    }
    copies.end(options, draft);
    Ok(())
}

/// What is said of the images of a registry.
struct Of<'a> {
    name: &'a str,
    settings: &'a Settings,
    into: &'a Namespace,
    is_scoped: bool,
    options: &'a Options,
}

impl Of<'_> {
    /// Adds the copy of an image, or tells why there is none.
    fn add(
        &self,
        draft: &mut Draft,
        copies: &mut Copies,
        list: &str,
        image: &str,
        tags: impl FnOnce(Entry) -> Result<(Tags, Entry), String>,
    ) {
        let entry = Entry::new(format!("{}.{list}.{image}", self.name), format!("{}/{image}", self.name));
        let made = self.names(image).and_then(|(from, to)| Ok((from, to, tags(entry.clone())?)));
        match made {
            Ok((from, to, (tags, entry))) => {
                let settings = self.settings.clone();
                copies.add(Copy { entry, from: from.repository, to, tags, settings }, draft);
            }
            Err(why) => draft.entry(entry.impossible(why)),
        }
    }

    fn names(&self, image: &str) -> Result<(Image, RepositoryName), String> {
        let from = Image::parse(&format!("{}/{image}", self.name))?;
        if from.tag.is_some() || from.has_digest {
            return Err("it names a tag where a repository has to be".to_owned());
        }
        let name = if self.is_scoped {
            format!("{}/{}", from.repository.authority(), from.path())
        } else {
            from.path().rsplit('/').next().unwrap_or_default().to_owned()
        };
        let to = self.options.renames.repository(self.into, &name)?;
        Ok((from, to))
    }
}

/// Tags one by one. Digests are not tags, and what is neither is passed over by skopeo, too.
fn listed(tags: &[String], mut entry: Entry) -> Result<(Tags, Entry), String> {
    if tags.is_empty() {
        return Ok((Tags::all(), entry));
    }
    let mut patterns = Vec::new();
    for text in tags {
        match text.parse::<TagName>() {
            Ok(tag) => patterns.push(Pattern::tag(tag.as_str())),
            Err(_) if text.contains(':') => {
                entry = entry.changed(format!("{text:.100} is a digest, and is left out: a mirror follows tags"));
            }
            Err(_) => entry = entry.note(format!("{text:.100} is no tag: skopeo passes it over, too")),
        }
    }
    if patterns.is_empty() { Err("it has no tag".to_owned()) } else { Ok((Tags::matching(patterns), entry)) }
}

/// The settings of a registry, with an entry for them if it has any.
fn of_registry(name: &str, registry: &Registry, draft: &mut Draft) -> Settings {
    let mut entry = Entry::new(name, format!("the registry {name}"));
    let mut is_said = false;
    let credentials =
        registry.credentials.as_ref().filter(|it| it.username.as_ref().is_some_and(|user| !user.is_empty()));
    let login = credentials.map(|credentials| {
        is_said = true;
        let username = credentials.username.clone().unwrap_or_default();
        let password = credentials.password.as_deref().filter(|password| !password.is_empty());
        let what = format!("password of {username} at {}", names::host(name));
        Login { password: password.map(|it| draft.questions.ask(&what, Some(it.into()))), username }
    });
    if let Some(verify) = registry.tls_verify {
        is_said = true;
        entry = entry.note(if verify { "certificates are checked" } else { "certificates are not checked" });
    }
    if registry.cert_dir.is_some() {
        is_said = true;
        entry =
            entry.changed("certificates of its own cannot be given: it has to have one that the function's roots know");
    }
    let of_credentials = registry.credentials.iter().flat_map(|credentials| &credentials.unknown);
    for field in registry.unknown.iter().chain(of_credentials) {
        is_said = true;
        entry = entry.changed(format!("it is not known what {field} means"));
    }
    let is_empty =
        [&registry.by_regex, &registry.by_version].into_iter().all(|it| it.as_ref().is_none_or(BTreeMap::is_empty))
            && registry.images.as_ref().is_none_or(BTreeMap::is_empty);
    if is_empty {
        is_said = true;
        entry = entry.note("it has no images");
    }
    if is_said {
        draft.entry(entry);
    }
    Settings {
        login,
        is_insecure: registry.tls_verify == Some(false),
        starts: Starts::default(),
        ..Settings::default()
    }
}
