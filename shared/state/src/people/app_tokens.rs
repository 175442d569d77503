//! The app tokens that there are. Each is found by its id, and by its user.

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{Timestamp, UserName};
use uuid::Uuid;

use crate::{
    Race, StateError, Table,
    expression::Change,
    key::{Key, prefix, user_pk},
    organizations::generation::id_is,
    people::{app_token::AppToken, user::User},
    table::Item,
    transaction::{Committed, Transaction},
};

/// The most app tokens of one user: a few for each machine that they pull from.
pub const MAX_APP_TOKENS: usize = 100;

/// Why an app token is not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateAppTokenError {
    /// There is no such user any more, or they may do nothing.
    #[error("there is no such user")]
    NoUser,
    /// They have [`MAX_APP_TOKENS`].
    #[error("the user has {MAX_APP_TOKENS} app tokens")]
    TooMany,
    /// The table failed.
    #[error(transparent)]
    State(#[from] StateError),
}

impl Table {
    /// Records an app token.
    pub async fn create_app_token(&self, token: &AppToken, now: Timestamp) -> Result<(), CreateAppTokenError> {
        let mut race = Race::begin();
        loop {
            let user = self.user(&token.user.name).await?.filter(|user| user.id == token.user.id && user.enabled);
            let user = user.ok_or(CreateAppTokenError::NoUser)?;
            if self.app_tokens(&user, now).await?.len() >= MAX_APP_TOKENS {
                return Err(CreateAppTokenError::TooMany);
            }
            if let Committed::Yes = self.add_app_token(token, &user).await? {
                return Ok(());
            }
            // Another one was made meanwhile, or it is not the same user any more.
            race.lost().await?;
        }
    }

    /// Writes a token, if none was made since its user was read.
    async fn add_app_token(&self, token: &AppToken, user: &User) -> Result<Committed, StateError> {
        let mut transaction = Transaction::new(self);
        transaction.create(Key::AppToken(token.id), token)?;
        transaction.create(Key::UserAppToken(&user.name, token.id), token)?;
        let (id, value) = id_is(user.id)?;
        let made = user.app_tokens_made;
        let before = if made == 0 { "attribute_not_exists(#app_tokens_made)" } else { "#app_tokens_made = :made" };
        let condition = format!("attribute_exists(#pk) AND {id} AND #enabled = :true AND {before}");
        let change = Change { update: "SET #app_tokens_made = :next", condition: &condition };
        let number = |number: u64| AttributeValue::N(number.to_string());
        let mut values = Item::from([
            (":id".to_owned(), value),
            (":true".to_owned(), AttributeValue::Bool(true)),
            (":next".to_owned(), number(made.saturating_add(1))),
        ]);
        if made > 0 {
            values.insert(":made".to_owned(), number(made));
        }
        transaction.update(Key::User(&user.name), change, values)?;
        transaction.commit().await
    }

    /// Reads a token that is good, with its user: it has not ended, and they are that very user still, and enabled.
    pub async fn app_token(&self, id: Uuid, now: Timestamp) -> Result<Option<(AppToken, User)>, StateError> {
        let Some(token) = self.get::<AppToken>(Key::AppToken(id)).await? else { return Ok(None) };
        let user = self.user(&token.user.name).await?;
        Ok(user.filter(|user| token.is_good_for(user, now)).map(|user| (token, user)))
    }

    /// A user's tokens that have not ended, in no order that means anything.
    pub async fn app_tokens(&self, user: &User, now: Timestamp) -> Result<Vec<AppToken>, StateError> {
        let mut tokens = self.all_app_tokens(&user.name).await?;
        tokens.retain(|token| token.user.id == user.id && token.is_live(now));
        Ok(tokens)
    }

    /// Revokes a user's token; [`StateError::NotFound`] if they have none of this id.
    pub async fn delete_app_token(&self, user: &User, id: Uuid) -> Result<(), StateError> {
        let theirs: Option<AppToken> = self.get(Key::UserAppToken(&user.name, id)).await?;
        theirs.filter(|token| token.user.id == user.id).ok_or(StateError::NotFound)?;
        let mut transaction = Transaction::new(self);
        let there = Some(("attribute_exists(#pk)", Item::new()));
        transaction.delete(Key::UserAppToken(&user.name, id), there)?;
        transaction.delete(Key::AppToken(id), None)?;
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(_) => Err(StateError::NotFound),
        }
    }

    /// The tokens of all users that have borne a name.
    pub(crate) async fn all_app_tokens(&self, user: &UserName) -> Result<Vec<AppToken>, StateError> {
        self.all(user_pk(user), prefix::APP_TOKEN).await
    }
}
