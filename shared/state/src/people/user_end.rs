//! The end of users: with their memberships, roles and tokens.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{Generation, Timestamp, UserName};

use crate::{
    Race, StateError, Table,
    key::Key,
    organizations::generation::id_is,
    people::{subject, user::User},
    table::Item,
    transaction::{Committed, Transaction},
};

impl Table {
    /// Deletes a user with their memberships, roles and tokens; [`StateError::NotFound`] if there is none: of several callers
    /// one has deleted them. No token that was issued until `now` signs their subject in any more. What a deletion that was
    /// interrupted has left is void, and goes all the same. Whoever signs in by the name from now on is another user.
    pub async fn delete_user(&self, name: &UserName, now: Timestamp) -> Result<(), StateError> {
        let mut race = Race::begin();
        loop {
            let Some(user) = self.user(name).await? else {
                self.forget_user(name).await?;
                return Err(StateError::NotFound);
            };
            if let Committed::Yes = self.delete_user_as_read(&user, now).await? {
                return self.forget_user(name).await;
            }
            // They just got into a team or out of one, or somebody else has deleted them.
            race.lost().await?;
        }
    }

    async fn delete_user_as_read(&self, user: &User, now: Timestamp) -> Result<Committed, StateError> {
        let mut transaction = Transaction::new(self);
        let (id, value) = id_is(user.id)?;
        let condition = format!("attribute_exists(#pk) AND {id}");
        transaction.delete(Key::User(&user.name), Some((&condition, Item::from([(":id".to_owned(), value)]))))?;
        transaction.delete(Key::UserEntry(&user.name), None)?;
        subject::end(&mut transaction, user, now)?;
        if user.teams.is_empty() {
            let none = Some(("attribute_not_exists(#teams)", Item::new()));
            transaction.delete(Key::UserTeams(&user.name), none)?;
        } else {
            let teams = user.teams.iter().cloned().map(String::from).collect();
            let values = Item::from([(":teams".to_owned(), AttributeValue::Ss(teams))]);
            transaction.delete(Key::UserTeams(&user.name), Some(("#teams = :teams", values)))?;
        }
        // One of which they have been in two that bore its name is one item.
        let teams: BTreeSet<_> = user.teams.iter().map(|it| (&it.organization, &it.team)).collect();
        for (organization, team) in teams {
            transaction.delete(Key::TeamUser(organization, team, &user.name), None)?;
        }
        transaction.commit().await
    }

    /// Deletes what belongs to users that bore the name before. It is void, so that it may go later.
    async fn forget_user(&self, name: &UserName) -> Result<(), StateError> {
        // First what there is, then who bears the name: what is theirs by then stays, and nobody becomes an earlier one again.
        let (grants, app_tokens) = (self.all_user_grants(name).await?, self.all_app_tokens(name).await?);
        let present = self.user(name).await?.map(|user| user.id);
        let is_void = |id: Generation| Some(id) != present;
        for grant in grants.into_iter().filter(|grant| is_void(grant.user_id)) {
            let of_user: AttributeValue = serde_dynamo::to_attribute_value(grant.user_id)?;
            for key in [Key::UserPermission(&grant.repository, name), Key::UserGrant(name, &grant.repository)] {
                // Who bears the name by now may have got a role there.
                match self.delete_if(key, "user_id = :user", (":user", of_user.clone())).await {
                    Ok(()) | Err(StateError::Conflict) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        for token in app_tokens.into_iter().filter(|token| is_void(token.user.id)) {
            let keys = [Key::AppToken(token.id), Key::UserAppToken(name, token.id)];
            self.delete_many(keys.map(|key| key.attributes()).to_vec()).await?;
        }
        self.delete_api_tokens_of_users(name, is_void).await
    }
}
