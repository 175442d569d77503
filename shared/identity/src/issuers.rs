//! What each issuer publishes: kept, and renewed when it is old or when a token names another key.

use std::{num::NonZeroUsize, sync::Arc};

use lru::LruCache;
use moorage_domain::{Guard, Timestamp};
use tokio::sync::Mutex;

use crate::{
    budget::Budget,
    claims::Claims,
    discovery::Endpoints,
    error::TokenError,
    fetch::{Fetcher, Published},
    fetch_error::FetchError,
    issuer::{Issuer, IssuerError},
    token::Token,
    turns::is_within,
    verify::{Expected, verify},
};

/// How many issuers' keys are kept.
const CAPACITY: NonZeroUsize = NonZeroUsize::MIN.saturating_add(99);
/// How long keys are used before they are read again, in seconds: how long a key that was taken back still works.
const FRESH: i64 = 3_600;
/// How long keys are used if they cannot be read again, in seconds: a day, in which a provider comes back.
const KEPT: i64 = 86_400;
/// How long a provider is not asked again, whatever it said and whatever is sent here, in seconds: tokens of forged key ids
/// must not have us hammer it. Its host has a limit of its own.
const PAUSE: i64 = 60;

/// Why nobody is known by a token.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The token does not hold.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// It is of no issuer that could be asked.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// The issuer's keys cannot be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

/// The issuers that somebody has asked about, and their keys.
pub struct Issuers {
    pub(crate) fetcher: Fetcher,
    /// What codes may be exchanged.
    pub(crate) exchanges: Budget,
    known: std::sync::Mutex<LruCache<String, Arc<Mutex<Known>>>>,
}

/// What is known of an issuer.
#[derive(Default)]
struct Known {
    /// What it publishes, and when that was read.
    published: Option<(Arc<Published>, Timestamp)>,
    /// When it was last asked, and what came of it if that was nothing.
    asked: Option<(Timestamp, Option<FetchError>)>,
}

impl Issuers {
    /// Nobody is asked yet. `guard` says who may be.
    pub fn new(guard: Guard) -> Self {
        let (fetcher, exchanges) = (Fetcher::new(guard), Budget::default());
        Self { fetcher, exchanges, known: std::sync::Mutex::new(LruCache::new(CAPACITY)) }
    }

    /// What a token says that has to be one of this issuer, which a setting names and no token.
    pub async fn verify(
        &self,
        token: &Token<'_>,
        expected: Expected<'_>,
        now: Timestamp,
    ) -> Result<Claims, IdentityError> {
        let issuer = Issuer::parse(expected.issuer, self.fetcher.guard())?;
        let published = self.published(&issuer, |published| published.keys.know(token), now).await?;
        Ok(verify(token, &published.keys, expected, now)?)
    }

    /// Where an issuer lets people sign in, as its discovery document says.
    pub async fn endpoints(&self, issuer: &str, now: Timestamp) -> Result<Endpoints, IdentityError> {
        let issuer = Issuer::parse(issuer, self.fetcher.guard())?;
        Ok(self.published(&issuer, |_| true, now).await?.endpoints.clone())
    }

    /// What an issuer publishes: what is known, if that is fresh and enough. Who asks at the same time waits for one answer.
    async fn published(
        &self,
        issuer: &Issuer,
        is_enough: impl Fn(&Published) -> bool,
        now: Timestamp,
    ) -> Result<Arc<Published>, FetchError> {
        let known = self.known(issuer);
        let mut known = known.lock().await;
        if let Some((published, read)) = &known.published
            && is_within(FRESH, *read, now)
            && is_enough(published)
        {
            return Ok(Arc::clone(published));
        }
        if !known.asked.as_ref().is_some_and(|(asked, _)| is_within(PAUSE, *asked, now)) {
            let failed = match self.fetcher.published(issuer, now).await {
                Ok(published) => {
                    known.published = Some((Arc::new(published), now));
                    None
                }
                Err(error) => {
                    tracing::warn!(%issuer, %error, "the keys of an identity provider cannot be read");
                    Some(error)
                }
            };
            known.asked = Some((now, failed));
        }
        let kept = known.published.as_ref().filter(|(_, read)| is_within(KEPT, *read, now)).map(|(kept, _)| kept);
        let failed = known.asked.as_ref().and_then(|(_, failed)| failed.clone());
        match (kept, failed) {
            // Which keys there are now is not known, so that a token by another one may be good.
            (Some(kept), Some(error)) if !is_enough(kept) => Err(error),
            (Some(kept), _) => Ok(Arc::clone(kept)),
            (None, error) => Err(error.unwrap_or(FetchError::Unreachable)),
        }
    }

    fn known(&self, issuer: &Issuer) -> Arc<Mutex<Known>> {
        let mut known = self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Arc::clone(known.get_or_insert(issuer.as_str().to_owned(), Arc::default))
    }
}

#[cfg(test)]
mod tests;
