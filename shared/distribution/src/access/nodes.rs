//! Who is answered by which mirror, where a client names the original: containerd, and whatever pulls by its code, says of
//! whom it thinks (`ns`), and asks everybody it is told to.
//!
//! The mirrors of one repository are asked by name, those of the caller's own namespaces first. Whoever may not read a mirror
//! does not learn that it is there: to them it is as if nobody mirrored that repository, in what they are told and in what is
//! read for it.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use futures_util::{StreamExt as _, TryStreamExt as _, future::try_join, stream};
use moorage_domain::{Namespace, Origin, Owner, RepositoryName, Timestamp};
use moorage_state::{PersonIdentity, Repository};

use crate::{
    access::{
        Access, Permit, Session,
        caller::Caller,
        originals::{MAX_ASKED, NOBODY, View, stand_in},
        scope::Scope,
    },
    error::PullError,
};

/// Roles that are looked up at once, and namespaces.
const AT_ONCE: usize = 8;
/// How many namespaces of a person are asked, the first ones by name: each is a request for each original, every half a minute.
const MAX_HOMES: usize = 16;

/// The mirrors of a repository that a caller may read.
#[derive(Debug, Default)]
pub(crate) struct Readable {
    /// In the order in which they are asked.
    pub(crate) owners: Vec<Arc<Owner>>,
    /// Whether there are others that the caller may read, and not by the token that was shown.
    pub(crate) is_narrowed: bool,
}

impl Access {
    /// The mirrors of a repository that the session's caller may read, in the order in which they are asked. Where there are
    /// none, something else is looked for that is not there: time must not tell.
    pub(crate) async fn readable(
        &self,
        session: &Session,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<Readable, PullError> {
        let reach = self.reach(&session.caller, now).await?;
        let candidates = self.candidates(&reach, origin, now).await?;
        let found = self.repositories(&candidates, now).await?;
        // Others' private ones are read by nobody who has a namespace of their own.
        let is_readable = |it: &Repository| it.is_public || reach.has(&it.repository.namespace());
        let found = found.into_iter().filter(|it| it.state.is_mirror() && is_readable(it)).collect::<Vec<_>>();
        if found.is_empty() {
            let home = reach.homes().first().map_or(NOBODY, Namespace::as_str);
            if let Some(nobodys) = stand_in(home, origin) {
                let namespace = nobodys.namespace();
                let organization = self.callers.organization(&session.caller, &namespace, now).await?;
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

    /// The mirrors of a repository that somebody could be let read, first those of the own namespace.
    async fn candidates(
        &self,
        reach: &Reach,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<Vec<RepositoryName>, PullError> {
        let seen = |view: View| Box::pin(self.originals.seen(view, origin, &self.repositories, now));
        let own = stream::iter(reach.homes().to_vec()).map(|home| seen(View::Own(home))).buffered(AT_ONCE);
        let (own, others) = try_join(own.try_collect::<Vec<_>>(), seen(reach.others())).await?;
        let others = others.iter().filter(|it| !reach.homes().contains(&it.namespace()));
        Ok(own.iter().flat_map(|own| own.iter()).chain(others).cloned().collect())
    }

    /// Whose private repositories a caller could be let read.
    async fn reach(&self, caller: &Caller, now: Timestamp) -> Result<Reach, PullError> {
        Ok(match caller {
            Caller::Anonymous => Reach::Nowhere,
            Caller::Robot(robot) => Reach::namespace(robot.namespace()),
            Caller::Admin => Reach::Everywhere,
            Caller::Token(id) => self.callers.limit(*id, now).await?.map_or(Reach::Everywhere, Reach::namespace),
            Caller::Person(name, token) => match self.callers.people.identity(name, *token, now).await? {
                None => Reach::Nowhere,
                Some((person, _)) if person.is_superuser => Reach::Everywhere,
                Some((_, person)) => Reach::Namespaces(homes(&person)),
            },
        })
    }

    /// Those repositories of some names that there are, in this order. What is not known yet is read at once.
    async fn repositories(&self, names: &[RepositoryName], now: Timestamp) -> Result<Vec<Repository>, PullError> {
        let known = names.iter().filter_map(|name| Some((name.clone(), self.repositories.get(name, now)?)));
        let mut all: HashMap<_, _> = known.collect();
        let open: Vec<_> = names.iter().filter(|name| !all.contains_key(*name)).cloned().collect();
        if !open.is_empty() {
            let read = self.table.repositories_named(&open).await?;
            let mut read: HashMap<_, _> = read.into_iter().map(|it| (it.repository.clone(), it)).collect();
            for name in open {
                let found = read.remove(&name);
                self.repositories.insert(name.clone(), found.clone(), now);
                all.insert(name, found);
            }
        }
        Ok(names.iter().filter_map(|name| all.remove(name).flatten()).collect())
    }
}

/// The namespaces whose mirrors answer a person as their own: of the teams that they are in by a group, which a superuser has bound.
/// A role, or a place in a team, anybody may be given without being asked: by these, whoever has a namespace could have a mirror of
/// theirs answer other people's nodes.
fn homes(person: &PersonIdentity) -> Vec<Namespace> {
    let by_groups = person.teams.iter().filter(|team| team.by.is_some()).map(|team| &team.organization);
    by_groups.collect::<BTreeSet<_>>().into_iter().take(MAX_HOMES).cloned().collect()
}

/// Whose private repositories a caller could be let read.
enum Reach {
    Nowhere,
    Namespaces(Vec<Namespace>),
    Everywhere,
}

impl Reach {
    fn namespace(home: Namespace) -> Self {
        Self::Namespaces(vec![home])
    }

    /// The caller's own namespaces.
    fn homes(&self) -> &[Namespace] {
        match self {
            Self::Namespaces(homes) => homes,
            Self::Nowhere | Self::Everywhere => &[],
        }
    }

    /// What the caller could see of the mirrors that answer everybody.
    fn others(&self) -> View {
        match self {
            Self::Everywhere => View::All,
            Self::Nowhere | Self::Namespaces(_) => View::Public,
        }
    }

    fn has(&self, namespace: &Namespace) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Nowhere | Self::Namespaces(_) => self.homes().contains(namespace),
        }
    }
}

#[cfg(test)]
mod tests {
    use moorage_domain::Generation;
    use moorage_state::PersonTeam;

    use super::*;

    #[test]
    fn who_puts_somebody_into_a_team_is_not_their_home() {
        let team = |organization: &str, team: &str, by: Option<&str>| PersonTeam {
            organization: organization.parse().unwrap(),
            organization_id: Generation::default(),
            team: team.parse().unwrap(),
            team_id: Generation::default(),
            by: by.map(|group| group.parse().unwrap()),
        };
        let of = |teams: Vec<PersonTeam>| {
            let teams = teams.into_iter().collect();
            let person = PersonIdentity { name: "ann".parse().unwrap(), id: Generation::default(), teams };
            homes(&person).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert!(of(vec![]).is_empty() && of(vec![team("evil", "all", None)]).is_empty());
        let teams = vec![
            team("acme", "dev", Some("dev")),
            team("acme", "ops", Some("ops")),
            team("evil", "all", None),
            team("base", "all", Some("all")),
        ];
        assert_eq!(of(teams), ["acme", "base"]);
        let many = (0..MAX_HOMES + 4).map(|number| team(&format!("org{number:02}"), "all", Some("all"))).collect();
        assert_eq!(of(many).len(), MAX_HOMES);
    }
}
