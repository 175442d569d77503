//! The tokens of the API that there are.

use moorage_domain::{Generation, Timestamp, UserName};
use uuid::Uuid;

use crate::{
    StateError, Table,
    access::api_token::ApiToken,
    error::or_gone,
    key::{API_TOKENS, Key, prefix},
    organizations::{generation::within, organization::Organization},
    people::user::expect_enabled,
    table::Query,
    transaction::{Committed, Transaction},
};

/// How many tokens may have made each other before one: each is looked up with it.
pub const MAX_MAKERS: usize = 8;
/// Tokens that are looked at together.
const CHECKED_AT_ONCE: usize = 100;

/// Some tokens, and where the next page begins.
#[derive(Debug)]
pub struct ApiTokenPage {
    /// The tokens.
    pub tokens: Vec<ApiToken>,
    /// What to pass to [`Table::api_tokens`] for the next page.
    pub next: Option<String>,
}

impl Table {
    /// Records a token. [`StateError::NotFound`] if one of those that made it is gone, a person who did may do nothing, or its
    /// organization is not there any more or ends; [`StateError::Conflict`] if more than [`MAX_MAKERS`] have made it.
    pub async fn create_api_token(&self, token: &ApiToken) -> Result<(), StateError> {
        if token.makers.len() > MAX_MAKERS {
            return Err(StateError::Conflict);
        }
        let mut transaction = Transaction::new(self);
        transaction.create(Key::ApiToken(token.id), token)?;
        for maker in &token.makers {
            transaction.expect(Key::ApiToken(*maker))?;
        }
        if let Some(user) = &token.user {
            expect_enabled(&mut transaction, user)?;
        }
        if let Some(namespace) = &token.namespace {
            within(&mut transaction, namespace, token.organization_id)?;
        }
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(_) => Err(StateError::NotFound),
        }
    }

    /// Reads a token that is good: neither it nor one of those that made it has ended, a person who made it is there and
    /// enabled, and its organization is the one that it was made for.
    pub async fn api_token(&self, id: Uuid, now: Timestamp) -> Result<Option<ApiToken>, StateError> {
        let token: Option<ApiToken> = self.get(Key::ApiToken(id)).await?;
        Ok(self.good_api_tokens(token.into_iter().collect(), now).await?.pop())
    }

    /// Good tokens from behind `after` that are asked for by `which`. Others are passed over, however many there are, and no
    /// page ends with one of them.
    pub async fn api_tokens(
        &self,
        which: impl Fn(&ApiToken) -> bool + Send,
        limit: usize,
        after: Option<&str>,
        now: Timestamp,
    ) -> Result<ApiTokenPage, StateError> {
        let mut tokens = Vec::new();
        let mut after = after.map(|after| format!("{}{after}", prefix::API_TOKEN));
        loop {
            let query =
                Query { pk: API_TOKENS.to_owned(), prefix: prefix::API_TOKEN, newest_first: false, limit: None, after };
            let mut page = self.page::<ApiToken>(query).await?;
            page.items.retain(&which);
            for some in page.items.chunks(CHECKED_AT_ONCE) {
                tokens.extend(self.good_api_tokens(some.to_vec(), now).await?);
                if tokens.len() > limit {
                    tokens.truncate(limit);
                    let next = tokens.last().map(|last| last.id.to_string());
                    return Ok(ApiTokenPage { tokens, next });
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(ApiTokenPage { tokens, next: None });
            }
        }
    }

    /// Revokes all tokens that are limited to an organization. Without it they are void.
    pub async fn delete_api_tokens_of(&self, organization: &Organization) -> Result<(), StateError> {
        let is_of = |token: &ApiToken| {
            token.namespace.as_ref() == Some(&organization.name) && token.organization_id == organization.id
        };
        self.delete_api_tokens(is_of).await
    }

    /// Revokes the tokens of users of a name that are void.
    pub(crate) async fn delete_api_tokens_of_users(
        &self,
        name: &UserName,
        is_void: impl Fn(Generation) -> bool,
    ) -> Result<(), StateError> {
        let is_of = |token: &ApiToken| token.user.as_ref().is_some_and(|user| user.name == *name && is_void(user.id));
        self.delete_api_tokens(is_of).await
    }

    /// Revokes a token and all that it has made, which are void without it. It goes last, so that a deletion that was
    /// interrupted can be called again; [`StateError::NotFound`] if there is none.
    pub async fn delete_api_token(&self, id: Uuid) -> Result<(), StateError> {
        self.delete_api_tokens(|token| token.makers.contains(&id)).await?;
        self.delete(Key::ApiToken(id)).await?;
        // What it made meanwhile.
        self.delete_api_tokens(|token| token.makers.contains(&id)).await
    }

    async fn delete_api_tokens(&self, which: impl Fn(&ApiToken) -> bool) -> Result<(), StateError> {
        let tokens: Vec<ApiToken> = self.all(API_TOKENS.to_owned(), prefix::API_TOKEN).await?;
        for token in tokens.iter().filter(|token| which(token)) {
            or_gone(self.delete(Key::ApiToken(token.id)).await)?;
        }
        Ok(())
    }
}
