//! image-syncer: a file of images and where they go, and one of logins.

use std::{collections::BTreeMap, fmt, path::Path};

use moorage_declaration::SecretSource;
use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor},
};

use crate::{
    error::CliError,
    import::{
        draft::Draft,
        input::{self, record},
        mirrors::{Copies, Copy, Login, Settings},
        names::{self, Image},
        options::Options,
        pattern::{Pattern, tags::Tags},
        report::Entry,
        times::Starts,
    },
};

/// What holds for everything that comes from it.
const NOTES: [&str; 4] = [
    "image-syncer deletes nothing; a mirror deletes tags that its registry no longer has, or that it no longer selects (see \
     deletion_limit)",
    "signatures and other referrers always come with the images that they are attached to",
    "the files do not say when they are used: mirrors start each day",
    "what image-syncer's command line says (--os, --arch) is not in the files",
];

record! {
    /// The file, in the form that has both.
    Whole {
        /// Logins.
        auth: BTreeMap<String, Auth> = "auth",
        /// Images, and where they go.
        images: BTreeMap<String, Targets> = "images",
    }
}

record! {
    /// A login.
    Auth {
        /// The user.
        username: String = "username",
        /// The password.
        password: String = "password",
        /// Whether the registry speaks plain http.
        insecure: bool = "insecure",
    }
}

/// One target or several.
pub(crate) struct Targets(Vec<String>);

impl<'de> Deserialize<'de> for Targets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;

        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Targets;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Targets, E> {
                Ok(Targets(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Targets, A::Error> {
                let mut targets = Vec::new();
                while let Some(target) = list.next_element()? {
                    targets.push(target);
                }
                Ok(Targets(targets))
            }
        }

        deserializer.deserialize_any(OneOrMany)
    }
}

/// Reads the file of images, and that of logins if there is one.
pub(crate) fn import(images: &Path, auth: Option<&Path>, options: &Options, draft: &mut Draft) -> Result<(), CliError> {
    let (name, text) = (images.display().to_string(), input::read(images)?);
    // In a file by itself, images are what is at the top; with logins beside them, they are below `images`.
    let (images, logins) = match auth {
        Some(auth) => (input::parse(&name, &text)?, Logins { all: input::load(auth)?, is_expanded: true }),
        None => match input::parse::<Whole>(&name, &text) {
            Ok(whole) if whole.images.is_some() => {
                for field in &whole.unknown {
                    draft.entry(Entry::new(field, "a field").impossible("it is not known what it means"));
                }
                (whole.images.unwrap_or_default(), Logins { all: whole.auth.unwrap_or_default(), is_expanded: false })
            }
            _ => (input::parse(&name, &text)?, Logins::default()),
        },
    };
    draft.notes.extend(NOTES);
    translate(&images, &logins, options, draft);
    Ok(())
}

fn translate(images: &BTreeMap<String, Targets>, logins: &Logins, options: &Options, draft: &mut Draft) {
    logins.tell(images, draft);
    let mut copies = Copies::default();
    for (source, Targets(targets)) in images {
        if targets.is_empty() {
            draft.entry(Entry::new(format!("images.{source}"), source).impossible("it has no target"));
        }
        for target in targets {
            let entry = Entry::new(format!("images.{source}"), format!("{source} to {target}"));
            match copy(source, target, entry.clone(), logins, options, draft) {
                Ok(copy) => copies.add(copy, draft),
                Err(why) => draft.entry(entry.impossible(why)),
            }
        }
    }
    copies.end(options, draft);
}

fn copy(
    source: &str,
    target: &str,
    entry: Entry,
    logins: &Logins,
    options: &Options,
    draft: &mut Draft,
) -> Result<Copy, String> {
    if target.contains('$') {
        return Err("its target has a variable, which is not looked up: write what it becomes".to_owned());
    }
    let (from, tags) = tags(source)?;
    let to = Image::parse(target.split(',').next().unwrap_or_default())?;
    if from.has_digest || to.has_digest {
        return Err("it is of a digest; a mirror follows tags".to_owned());
    }
    // Tags of the target are names in the order of the source's tags.
    if to.tag.is_some()
        && source.rsplit_once(':').map(|(_, tags)| tags) != target.rsplit_once(':').map(|(_, tags)| tags)
    {
        return Err("it renames tags; a mirror keeps their names".to_owned());
    }
    let to = options.target(&to.path())?;
    let (login, is_insecure, changes) = logins.of(&from, draft);
    let settings = Settings { login, is_insecure, starts: Starts::default(), ..Settings::default() };
    Ok(Copy { entry: entry.all_changed(changes), from: from.repository, to, tags, settings })
}

/// What is copied, and which tags of it.
fn tags(source: &str) -> Result<(Image, Tags), String> {
    if let Some((repository, expression)) = source.split_once(":/") {
        let expression = expression.strip_suffix('/').ok_or("its expression does not end with a slash")?;
        let pattern = Pattern::somewhere(expression);
        let pattern = pattern.map_err(|why| format!("its expression {expression:.100}: {why}"))?;
        return Ok((Image::parse(repository)?, Tags::matching(vec![pattern])));
    }
    let mut texts = source.split(',');
    let image = Image::parse(texts.next().unwrap_or_default())?;
    let Some(first) = &image.tag else {
        let is_one = texts.next().is_none();
        return if is_one { Ok((image, Tags::all())) } else { Err("its tags cannot be read".to_owned()) };
    };
    let others: Result<Vec<moorage_domain::TagName>, _> = texts.map(str::parse).collect();
    let others = others.map_err(|_| "one of its tags is none")?;
    let patterns = std::iter::once(first).chain(&others).map(|tag| Pattern::tag(tag.as_str())).collect();
    Ok((image, Tags::matching(patterns)))
}

/// Logins, by what names begin with.
#[derive(Default)]
struct Logins {
    all: BTreeMap<String, Auth>,
    /// Whether variables in them stand for what they have.
    is_expanded: bool,
}

impl Logins {
    /// The login that fits best, whether the registry may speak plain http, and how that is something else.
    fn of(&self, image: &Image, draft: &mut Draft) -> (Option<Login>, bool, Vec<String>) {
        let name = format!("{}/{}", names::host(image.repository.authority()), image.path());
        let Some((prefix, auth)) =
            self.all.iter().filter(|(prefix, _)| begins(&name, prefix)).max_by_key(|(it, _)| it.len())
        else {
            return (None, false, Vec::new());
        };
        let user = auth.username.as_deref().filter(|user| !user.is_empty() && !self.is_variable(user));
        let login =
            user.map(|user| Login { username: user.to_owned(), password: self.password(prefix, user, auth, draft) });
        let changes = self.changes(auth).into_iter().map(|how| format!("{prefix}: {how}")).collect();
        (login, auth.insecure == Some(true), changes)
    }

    /// Whether a text stands for what a variable has.
    fn is_variable(&self, text: &str) -> bool {
        self.is_expanded && text.contains('$')
    }

    /// How a login is something else.
    fn changes(&self, auth: &Auth) -> Vec<String> {
        let is_variable = auth.username.as_deref().is_some_and(|user| self.is_variable(user));
        let said = [
            (
                is_variable,
                "its user is a variable, which is not looked up: it is asked anonymously until its user is written",
            ),
            (auth.insecure == Some(true), "it is asked by https first, and its certificate is not checked"),
        ];
        said.iter().filter(|(is_so, _)| *is_so).map(|(_, how)| (*how).to_owned()).collect()
    }

    fn password(&self, prefix: &str, user: &str, auth: &Auth, draft: &mut Draft) -> Option<SecretSource> {
        let text = auth.password.as_deref().filter(|text| !text.is_empty())?;
        let what = format!("password of {user} at {prefix}");
        if !self.is_variable(text) {
            return Some(draft.questions.ask(&what, Some(text.into())));
        }
        let name = text.strip_prefix('$')?;
        let name = name.strip_prefix('{').and_then(|name| name.strip_suffix('}')).unwrap_or(name);
        let is_name = !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_');
        Some(if is_name {
            draft.questions.named(&what, SecretSource::Env(name.to_owned()))
        } else {
            draft.questions.ask(&what, None)
        })
    }

    /// An entry for each login.
    fn tell(&self, images: &BTreeMap<String, Targets>, draft: &mut Draft) {
        for (prefix, auth) in &self.all {
            let is_used = images.keys().any(|source| {
                let image = tags(source).map(|(image, _)| image);
                image.is_ok_and(|it| {
                    begins(&format!("{}/{}", names::host(it.repository.authority()), it.path()), prefix)
                })
            });
            let entry = Entry::new(format!("auth.{prefix}"), format!("the login at {prefix}"));
            let entry = if is_used {
                entry.all_changed(self.changes(auth))
            } else {
                entry.note("nothing is copied from there; here a robot writes")
            };
            let unknown = auth.unknown.iter();
            draft.entry(unknown.fold(entry, |entry, name| entry.changed(format!("it is not known what {name} means"))));
        }
    }
}

/// Whether a name is below a prefix.
fn begins(name: &str, prefix: &str) -> bool {
    let prefix = names::host(prefix);
    name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ':']))
}
