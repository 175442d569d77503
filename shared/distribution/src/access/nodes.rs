//! Who is answered by which mirror, where a client names the original: containerd, and whatever pulls by its code, says of
//! whom it thinks (`ns`), and asks everybody it is told to.
//!
//! The mirrors of one repository are asked by name, those of the caller's own namespace first. Whoever may not read a mirror
//! does not learn that it is there: to them it is as if nobody mirrored that repository, in what they are told and in what is
//! read for it.

use std::{
    collections::{BTreeSet, HashMap},
    str::FromStr,
    sync::Arc,
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_domain::{Digest, NameError, Namespace, Origin, Owner, RepositoryName, Timestamp};
use moorage_state::Repository;

use crate::{
    access::{Access, Permit, Session, caller::Caller, scope::Scope},
    error::PullError,
};

/// How many mirrors of one repository are looked at for one caller. Their repositories and the organizations of these are read
/// by one request, which has a hundred keys.
const MAX_CANDIDATES: usize = 32;
/// How many of them are asked for what they hold, one after the other: people have one, or one for each stage of a release.
const MAX_ASKED: usize = 8;
/// Roles that are looked up at once.
const AT_ONCE: usize = 8;
/// In whose namespace a mirror is looked for that there is not.
const NOBODY: &str = "nobody";

/// The namespaces whose mirrors answer for what they mirror. A public one speaks for its original to everybody, so whoever may
/// make one has to be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeNamespaces {
    /// All.
    All,
    /// These.
    Only(BTreeSet<Namespace>),
}

impl NodeNamespaces {
    fn has(&self, namespace: &Namespace) -> bool {
        match self {
            Self::All => true,
            Self::Only(these) => these.contains(namespace),
        }
    }

    /// Those of some mirrors, which are by name, that are looked at for somebody of the namespace `home`: first its own.
    fn candidates<'a>(&self, mirrors: &'a [RepositoryName], home: Option<&Namespace>) -> Vec<&'a RepositoryName> {
        let is_own = |mirror: &&RepositoryName| home.is_some_and(|home| mirror.namespace() == *home);
        let own = mirrors.iter().filter(|mirror| is_own(mirror));
        let others = mirrors.iter().filter(|mirror| !is_own(mirror) && self.has(&mirror.namespace()));
        own.chain(others).take(MAX_CANDIDATES).collect()
    }
}

impl Default for NodeNamespaces {
    /// None.
    fn default() -> Self {
        Self::Only(BTreeSet::new())
    }
}

impl FromStr for NodeNamespaces {
    type Err = NameError;

    /// `*`, or names with commas between.
    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.trim() == "*" {
            return Ok(Self::All);
        }
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.map(str::parse).collect::<Result<_, _>>().map(Self::Only)
    }
}

/// The mirrors of a repository that a caller may read.
#[derive(Debug, Default)]
pub(crate) struct Readable {
    /// In the order in which they are asked.
    pub(crate) owners: Vec<Arc<Owner>>,
    /// Whether there are others that the caller may read, and not by the token that was shown.
    pub(crate) is_narrowed: bool,
}

impl Access {
    /// The mirrors of a repository, by name, whoever may read them.
    async fn mirrors(&self, origin: &Origin, now: Timestamp) -> Result<Arc<[RepositoryName]>, PullError> {
        if let Some(mirrors) = self.origins.get(origin, now) {
            return Ok(mirrors);
        }
        let mirrors: Arc<[_]> = self.table.mirrors_of_origin(origin).await?.into();
        self.origins.insert(origin.clone(), Arc::clone(&mirrors), now);
        Ok(mirrors)
    }

    /// The repositories that a request may be about which asks for `origin`.
    pub(crate) async fn likely(&self, origin: &Origin, now: Timestamp) -> Result<Arc<[RepositoryName]>, PullError> {
        let mirrors = self.mirrors(origin, now).await?;
        Ok(if mirrors.is_empty() { stand_in(NOBODY, origin).into_iter().collect() } else { mirrors })
    }

    /// The mirrors of a repository that the session's caller may read, in the order in which they are asked. Where there are
    /// none, something else is looked for that is not there: time must not tell.
    pub(crate) async fn readable(
        &self,
        session: &Session,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<Readable, PullError> {
        let mirrors = self.mirrors(origin, now).await?;
        let reach = self.reach(&session.caller, now).await?;
        let candidates = self.nodes.candidates(&mirrors, reach.home());
        let nobodys = stand_in(NOBODY, origin).filter(|_| candidates.is_empty());
        let is_mirrored = nobodys.is_none();
        let candidates = candidates.into_iter().chain(&nobodys).collect::<Vec<_>>();
        let found = self.repositories(&candidates, now).await?;
        // Others' private ones are read by nobody who has a namespace of their own.
        let is_readable = |it: &Repository| it.is_public || reach.has(&it.repository.namespace());
        let found = found.into_iter().filter(|it| is_mirrored && it.state.is_mirror() && is_readable(it));
        let found = found.collect::<Vec<_>>();
        if found.is_empty() {
            let home = reach.home().map_or(NOBODY, Namespace::as_str);
            if let Some(nobodys) = stand_in(home, origin) {
                let organization = self.callers.organization(&session.caller, now).await?;
                self.may(&session.caller, &super::nobodys(&nobodys, organization, now), now).await?;
            }
            return Ok(Readable::default());
        }
        let is_covered = session.covers(&Scope::Mirror(origin.clone()));
        let permits = stream::iter(found).map(async |repository| {
            let permit = self.permit(&session.caller, &repository.repository, now).await?;
            Ok::<_, PullError>((repository.repository, permit))
        });
        let permits: Vec<_> = permits.buffered(AT_ONCE).try_collect().await?;
        let mut readable = Readable::default();
        for (repository, permit) in permits {
            match permit {
                Permit::Granted(_) if !is_covered => readable.is_narrowed = true,
                Permit::Public(generation) | Permit::Granted(generation) => {
                    readable.owners.push(Arc::new(Owner { repository, generation }));
                }
                Permit::Refused | Permit::Missing => {}
            }
        }
        readable.owners.truncate(MAX_ASKED);
        Ok(readable)
    }

    /// Whose private repositories a caller could be let read.
    async fn reach(&self, caller: &Caller, now: Timestamp) -> Result<Reach, PullError> {
        Ok(match caller {
            Caller::Anonymous => Reach::Nowhere,
            Caller::Robot(robot) => Reach::Namespace(robot.namespace()),
            Caller::Admin => Reach::Everywhere,
            Caller::Token(id) => self.callers.limit(*id, now).await?.map_or(Reach::Everywhere, Reach::Namespace),
        })
    }

    /// Those repositories of some names that there are, in this order. What is not known yet is read at once.
    async fn repositories(&self, names: &[&RepositoryName], now: Timestamp) -> Result<Vec<Repository>, PullError> {
        let known = names.iter().filter_map(|name| Some(((*name).clone(), self.repositories.get(name, now)?)));
        let mut all: HashMap<_, _> = known.collect();
        let open: Vec<_> = names.iter().filter(|name| !all.contains_key(**name)).map(|name| (*name).clone()).collect();
        if !open.is_empty() {
            let read = self.table.repositories_named(&open).await?;
            let mut read: HashMap<_, _> = read.into_iter().map(|it| (it.repository.clone(), it)).collect();
            for name in open {
                let found = read.remove(&name);
                self.repositories.insert(name.clone(), found.clone(), now);
                all.insert(name, found);
            }
        }
        Ok(names.iter().filter_map(|name| all.remove(*name).flatten()).collect())
    }
}

/// What is looked for in place of a mirror that there is not. It is another name for each origin, so that it is remembered as one
/// would be.
fn stand_in(namespace: &str, origin: &Origin) -> Option<RepositoryName> {
    RepositoryName::new(namespace, &Digest::sha256(origin.to_string().as_bytes()).hex()).ok()
}

/// Whose private repositories a caller could be let read.
enum Reach {
    Nowhere,
    Namespace(Namespace),
    Everywhere,
}

impl Reach {
    /// The caller's own namespace.
    fn home(&self) -> Option<&Namespace> {
        match self {
            Self::Namespace(home) => Some(home),
            Self::Nowhere | Self::Everywhere => None,
        }
    }

    fn has(&self, namespace: &Namespace) -> bool {
        match self {
            Self::Nowhere => false,
            Self::Namespace(home) => home == namespace,
            Self::Everywhere => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<RepositoryName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn ones_own_mirrors_are_asked_first_and_others_as_the_setting_allows() {
        let mirrors = names(&["a/nginx", "b/nginx", "b/old", "c/nginx"]);
        let (b, x) = ("b".parse().unwrap(), "x".parse().unwrap());
        for (setting, home, expected) in [
            ("*", None, &["a/nginx", "b/nginx", "b/old", "c/nginx"][..]),
            (" * ", Some(&b), &["b/nginx", "b/old", "a/nginx", "c/nginx"]),
            ("c, a,", None, &["a/nginx", "c/nginx"]),
            ("c", Some(&b), &["b/nginx", "b/old", "c/nginx"]),
            ("", Some(&b), &["b/nginx", "b/old"]),
            ("", Some(&x), &[]),
            ("", None, &[]),
        ] {
            let setting: NodeNamespaces = setting.parse().unwrap();
            let candidates: Vec<_> =
                setting.candidates(&mirrors, home).into_iter().map(RepositoryName::as_str).collect();
            assert_eq!(candidates, expected, "{setting:?} {home:?}");
        }
        assert_eq!("".parse(), Ok(NodeNamespaces::default()));
        assert!("a b".parse::<NodeNamespaces>().is_err() && "a,*".parse::<NodeNamespaces>().is_err());
    }

    #[test]
    fn a_crowd_does_not_hide_ones_own() {
        let mut crowd: Vec<RepositoryName> = (0..100).map(|n| format!("a{n:03}/nginx").parse().unwrap()).collect();
        crowd.extend(names(&["z/nginx"]));
        let candidates = NodeNamespaces::All.candidates(&crowd, Some(&"z".parse().unwrap()));
        assert_eq!((candidates.len(), candidates[0].as_str()), (MAX_CANDIDATES, "z/nginx"));
    }

    #[test]
    fn what_is_not_there_can_be_looked_for() {
        let of = |text: &str| stand_in(NOBODY, &text.parse().unwrap()).unwrap();
        assert!(of("quay.io/a") != of("quay.io/b") && of("quay.io/a").as_str().starts_with("nobody/"));
    }
}
