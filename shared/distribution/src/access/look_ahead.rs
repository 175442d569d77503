//! What a request will ask of the table, read at once: who has shown what they call with, and the repository that it is about.

use futures_util::future::{try_join, try_join3};
use moorage_domain::{RepositoryName, Timestamp, UserName};
use moorage_state::{PersonIdentity, PersonStanding, Standing};
use uuid::Uuid;

use crate::{
    access::{
        Access,
        caller::{Caller, Shown},
    },
    error::PullError,
};

impl Access {
    /// Reads in one round trip what is not known yet of a caller and of a repository, and keeps it.
    pub(super) async fn look_ahead(
        &self,
        shown: Option<&Shown>,
        wanted: Option<&RepositoryName>,
        now: Timestamp,
    ) -> Result<(), PullError> {
        let (Some(shown), Some(wanted)) = (shown, wanted) else { return Ok(()) };
        if self.repositories.get(wanted, now).is_some() {
            return Ok(());
        }
        let caller = match shown {
            Shown::Caller(caller) => caller,
            Shown::AppToken(id) => {
                let people = &self.callers.people;
                let known = Box::pin(people.known((*id, None), now));
                try_join3(known, Box::pin(people.bound(now)), Box::pin(self.repository(wanted, now))).await?;
                return Ok(());
            }
        };
        match caller {
            Caller::Person(name, token) => Box::pin(self.look_ahead_of_person((name, *token), wanted, now)).await?,
            // One that is known is read again: it costs no request more.
            Caller::Robot(robot) => {
                let Standing { robot: found, repository, role } = self.table.standing(robot, wanted).await?;
                if let (Some(robot), Some(repository)) = (&found, &repository) {
                    self.roles.found((repository.id, robot.id, wanted.clone()), role, now);
                }
                self.callers.keep(robot, found, now);
                self.repositories.insert(wanted.clone(), repository, now);
            }
            Caller::Token(id) => {
                try_join(self.callers.look_ahead(*id, now), self.repository(wanted, now)).await?;
            }
            Caller::Admin | Caller::Anonymous => {}
        }
        Ok(())
    }

    /// The same of a person. Of one who is in no team of the repository's organization, that is all that decides.
    async fn look_ahead_of_person(
        &self,
        (name, token): (&UserName, Uuid),
        wanted: &RepositoryName,
        now: Timestamp,
    ) -> Result<(), PullError> {
        let (people, asked) = (&self.callers.people, (token, Some(name.clone())));
        if !people.is_on() {
            return Ok(());
        }
        let standing = async { Ok(self.table.person_standing(token, name, wanted, now).await?) };
        let (PersonStanding { login, repository, own }, bound) = try_join(standing, people.bound(now)).await?;
        if let (Some((_, user)), Some(on)) = (&login, &repository) {
            let is_in = |person: PersonIdentity| person.teams.iter().any(|it| it.organization == wanted.namespace());
            let own = own.filter(|_| !user.identity(&bound).is_none_or(is_in));
            self.roles.found((on.id, user.id, wanted.clone()), own, now);
        }
        people.keep(asked, login, now);
        self.repositories.insert(wanted.clone(), repository, now);
        Ok(())
    }
}
