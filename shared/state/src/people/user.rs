//! Users: who has signed in at least once. What somebody else can change of them, the teams that they are in, is an item of its
//! own; both are read together.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{Generation, GroupName, Namespace, TeamName, Timestamp, UserName};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    StateError, Table,
    expression::Change,
    key::{Key, PK, SK, USERS, prefix},
    organizations::generation::id_is,
    table::{Item, Query, conditional},
    transaction::Transaction,
};

/// Somebody who has signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Their name, as the provider says it.
    pub name: UserName,
    /// Which of those that bore the name.
    pub id: Generation,
    /// The provider by which they sign in.
    pub issuer: String,
    /// Who they are there. The same name with another subject is somebody else.
    pub subject: String,
    /// Where mail reaches them, as the provider says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Those of their groups that mean something here, as of the last sign-in.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty", with = "serde_dynamo::string_set")]
    pub groups: BTreeSet<GroupName>,
    /// When they signed in for the first time.
    pub created: Timestamp,
    /// When they were last here, to the hour.
    pub last_accessed: Timestamp,
    /// When the newest of the tokens was issued that have said who they are.
    pub signed_in: Timestamp,
    /// Whether they may do anything at all.
    pub enabled: bool,
    /// How often an app token of theirs was made: whoever makes one looks at all of them, and nobody else meanwhile.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) app_tokens_made: u64,
    /// The teams that they were put into. Those that are gone by now may be among them: [`Table::person_teams`] knows.
    #[serde(skip)]
    pub teams: BTreeSet<Membership>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// That somebody is in a team, with what tells the team from those that bore its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Membership {
    /// The team's organization.
    pub organization: Namespace,
    /// Which of those that bore its name.
    pub organization_id: Generation,
    /// The team.
    pub team: TeamName,
    /// Which of those that bore its name.
    pub team_id: Generation,
}

/// A text that is no membership.
#[derive(Debug, thiserror::Error)]
#[error("not a membership of a team")]
pub struct NoMembership;

impl From<Membership> for String {
    fn from(it: Membership) -> Self {
        format!("{}#{}#{}#{}", it.organization, it.team, it.organization_id, it.team_id)
    }
}

impl TryFrom<String> for Membership {
    type Error = NoMembership;

    fn try_from(text: String) -> Result<Self, NoMembership> {
        let mut parts = text.split('#');
        let mut part = || parts.next().ok_or(NoMembership);
        let (organization, team, of_organization, of_team) = (part()?, part()?, part()?, part()?);
        let id = |text| Uuid::try_parse(text).map(Generation::new).map_err(|_| NoMembership);
        let membership = Self {
            organization: organization.parse().map_err(|_| NoMembership)?,
            organization_id: id(of_organization)?,
            team: team.parse().map_err(|_| NoMembership)?,
            team_id: id(of_team)?,
        };
        if parts.next().is_some() { Err(NoMembership) } else { Ok(membership) }
    }
}

/// The teams that a user is in. It is there only together with the very user.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct UserTeams {
    user: UserName,
    user_id: Generation,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty", with = "serde_dynamo::string_set")]
    teams: BTreeSet<Membership>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) name: UserName,
}

/// A user, named by what belongs to them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UserRef {
    /// Their name.
    pub name: UserName,
    /// Which of those that bore it.
    pub id: Generation,
}

impl From<&User> for UserRef {
    fn from(user: &User) -> Self {
        Self { name: user.name.clone(), id: user.id }
    }
}

/// Some users, by name, and where the next page begins.
#[derive(Debug)]
pub struct UserPage {
    /// The users.
    pub users: Vec<User>,
    /// What to pass to [`Table::users`] for the next page.
    pub next: Option<String>,
}

impl Table {
    /// Reads a user, also one who may do nothing.
    pub async fn user(&self, name: &UserName) -> Result<Option<User>, StateError> {
        let keys = keys_of(name).map(|key| key.attributes());
        Ok(users_in(self.get_items(keys.to_vec()).await?)?.pop())
    }

    /// Users by name, from behind `after`.
    pub async fn users(&self, limit: i32, after: Option<&str>) -> Result<UserPage, StateError> {
        let query = Query {
            pk: USERS.to_owned(),
            prefix: prefix::USER,
            newest_first: false,
            limit: Some(limit),
            after: after.map(|after| format!("{}{after}", prefix::USER)),
        };
        let page = self.page::<Entry>(query).await?;
        let keys = page.items.iter().flat_map(|entry| keys_of(&entry.name)).map(|key| key.attributes());
        let users = users_in(self.get_items(keys.collect()).await?)?;
        let next = page.next.and_then(|sk| sk.strip_prefix(prefix::USER).map(str::to_owned));
        Ok(UserPage { users, next })
    }

    /// The names of users that begin with `start`, by name, at most `limit` of them.
    pub async fn user_names(&self, start: &str, limit: i32) -> Result<Vec<UserName>, StateError> {
        let prefix = format!("{}{start}", prefix::USER);
        let query =
            Query { pk: USERS.to_owned(), prefix: &prefix, newest_first: false, limit: Some(limit), after: None };
        Ok(self.page::<Entry>(query).await?.items.into_iter().map(|entry| entry.name).collect())
    }

    /// Which of those that bore their names these users are at present; those that are not there are left out.
    pub(crate) async fn user_generations(
        &self,
        names: impl IntoIterator<Item = &UserName>,
    ) -> Result<HashMap<UserName, Generation>, StateError> {
        // Who is named twice is asked for once.
        let names: BTreeSet<_> = names.into_iter().collect();
        let keys = names.into_iter().map(|name| Key::User(name).attributes()).collect();
        let present: Vec<UserRef> = self.get_all(keys).await?;
        Ok(present.into_iter().map(|user| (user.name, user.id)).collect())
    }

    /// Lets a user do what they may, or nothing at all; [`StateError::NotFound`] if it is not this one any more: the next of the
    /// name is not meant.
    pub async fn set_user_enabled(&self, user: &UserRef, enabled: bool) -> Result<(), StateError> {
        let (id, value) = id_is(user.id)?;
        let condition = format!("attribute_exists(#pk) AND {id}");
        let values = [(":id".to_owned(), value), (":enabled".to_owned(), AttributeValue::Bool(enabled))];
        let change = Change { update: "SET #enabled = :enabled", condition: &condition };
        match conditional(self.change(Key::User(&user.name), change, Item::from(values))).await {
            Err(StateError::Conflict) => Err(StateError::NotFound),
            result => result,
        }
    }
}

/// What a whole user is read by.
pub(crate) const fn keys_of(name: &UserName) -> [Key<'_>; 2] {
    [Key::User(name), Key::UserTeams(name)]
}

/// The users among some items, with their teams, by name.
pub(crate) fn users_in(items: Vec<Item>) -> Result<Vec<User>, StateError> {
    let (mut users, mut teams) = (Vec::<User>::new(), HashMap::new());
    for item in items {
        let is = |name: &str, what: &str| {
            item.get(name).and_then(|it| it.as_s().ok()).is_some_and(|it| it.starts_with(what))
        };
        if is(PK, prefix::USER) && is(SK, "USER") {
            users.push(serde_dynamo::from_item(item)?);
        } else if is(PK, prefix::USER_ROLES_PK) && is(SK, "TEAMS") {
            let found: UserTeams = serde_dynamo::from_item(item)?;
            teams.insert((found.user, found.user_id), found.teams);
        }
    }
    for user in &mut users {
        user.teams = teams.remove(&(user.name.clone(), user.id)).unwrap_or_default();
    }
    users.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(users)
}

/// Expects a user to be this one still, enabled or not.
pub(crate) fn expect_user(transaction: &mut Transaction<'_>, user: &UserRef) -> Result<(), StateError> {
    let (id, value) = id_is(user.id)?;
    let values = Item::from([(":id".to_owned(), value)]);
    transaction.check(Key::User(&user.name), &format!("attribute_exists(#pk) AND {id}"), values)
}

/// Expects a user to be this one still, and enabled.
pub(crate) fn expect_enabled(transaction: &mut Transaction<'_>, user: &UserRef) -> Result<(), StateError> {
    let (id, value) = id_is(user.id)?;
    let values = [(":id".to_owned(), value), (":true".to_owned(), AttributeValue::Bool(true))];
    let condition = format!("attribute_exists(#pk) AND {id} AND #enabled = :true");
    transaction.check(Key::User(&user.name), &condition, Item::from(values))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::table::item;

    /// Somebody of this name, the `id`th of it.
    pub(crate) fn user(name: &str, id: u128) -> User {
        User {
            name: name.parse().unwrap(),
            id: Generation::new(Uuid::from_u128(id)),
            issuer: "https://idp.example.com".into(),
            subject: "1".into(),
            email: None,
            groups: BTreeSet::new(),
            created: Timestamp::from_unix(0),
            last_accessed: Timestamp::from_unix(0),
            signed_in: Timestamp::from_unix(0),
            enabled: true,
            app_tokens_made: 0,
            teams: BTreeSet::new(),
        }
    }

    pub(crate) fn membership(team: &str, id: u128) -> Membership {
        let (organization, team) = team.split_once('/').unwrap();
        let id = Generation::new(Uuid::from_u128(id));
        Membership {
            organization: organization.parse().unwrap(),
            organization_id: id,
            team: team.parse().unwrap(),
            team_id: id,
        }
    }

    #[test]
    fn a_membership_is_a_text() {
        let it = membership("acme/dev.ops-1", 7);
        let text = String::from(it.clone());
        assert!(text.starts_with("acme#dev.ops-1#0000"), "{text}");
        assert_eq!(Membership::try_from(text.clone()).unwrap(), it);
        for text in ["", "acme#dev", "acme#dev#1#2", &format!("{text}#"), &text.replace("acme", "ACME")] {
            assert!(Membership::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn teams_of_somebody_else_who_bore_the_name_are_not_theirs() {
        let (ann, bob) = (user("ann", 1), user("bob", 2));
        let teams = |of: &User, id: u128| UserTeams {
            user: of.name.clone(),
            user_id: Generation::new(Uuid::from_u128(id)),
            teams: [membership("acme/dev", 1)].into(),
        };
        let items = [
            item(Key::UserTeams(&bob.name), &teams(&bob, 2)),
            item(Key::User(&bob.name), &bob),
            item(Key::UserTeams(&ann.name), &teams(&ann, 7)),
            item(Key::User(&ann.name), &ann),
        ];
        let users = users_in(items.into_iter().collect::<Result<_, _>>().unwrap()).unwrap();
        assert_eq!(users, [ann, User { teams: [membership("acme/dev", 1)].into(), ..bob }]);
    }
}
