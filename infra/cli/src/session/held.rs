//! A sign-in while a command runs.

use moorage_client::{Address, ClientError, Credentials, Provider, ProviderError, Refusal, SecretString, TokenFuture};
use tokio::sync::Mutex;

use crate::{
    agent::AGENT,
    clock::now,
    session::{
        folder::{Folder, SessionError},
        stored::Stored,
    },
};

/// A sign-in while a command runs: its token is renewed when it ends, also in the middle of one that waits.
#[derive(Debug)]
pub(crate) struct Held {
    folder: Folder,
    address: Address,
    stored: Mutex<Stored>,
}

impl Held {
    pub(crate) fn new(folder: Folder, address: Address, stored: Stored) -> Self {
        Self { folder, address, stored: Mutex::new(stored) }
    }

    async fn current(&self) -> Result<SecretString, ClientError> {
        let mut stored = self.stored.lock().await;
        if stored.ends_soon(now()) {
            *stored = self.renewed(&stored).await?;
        }
        Ok(stored.id_token.clone())
    }

    /// The sign-in with a token that goes on. Providers give a refresh token once: of several commands one renews the
    /// sign-in, and the others find it renewed.
    async fn renewed(&self, held: &Stored) -> Result<Stored, ClientError> {
        let lock = self.folder.lock(&self.address).await.map_err(stored_error)?;
        let found = self.folder.read(&self.address).map_err(stored_error)?;
        let found = found.ok_or_else(|| ended("somebody has signed out"))?;
        // What one person has begun is not gone on with as another.
        if !found.is_same_person(held) {
            return Err(ended("somebody else has signed in"));
        }
        if !found.ends_soon(now()) {
            return Ok(found);
        }
        match renew(&found).await {
            Ok(renewed) => {
                self.folder.write(&self.address, &renewed, &lock).map_err(stored_error)?;
                Ok(renewed)
            }
            // It is not over yet: the next call tries it again.
            Err(_) if !held.has_ended(now()) => Ok(held.clone()),
            Err(error) => Err(error),
        }
    }
}

impl Credentials for Held {
    fn token(&self) -> TokenFuture<'_> {
        Box::pin(self.current())
    }
}

/// What the provider gives in its place.
async fn renew(stored: &Stored) -> Result<Stored, ClientError> {
    let (endpoint, refresh_token) =
        stored.renewal().ok_or_else(|| ended("the provider has given nothing to renew it by"))?;
    let provider = Provider::new(endpoint, &stored.client_id, AGENT).map_err(ClientError::SignIn)?;
    match provider.refresh(refresh_token).await {
        Ok(tokens) => Some(stored.clone().with(tokens))
            .filter(|renewed| renewed.is_same_person(stored))
            .ok_or_else(|| ended("the provider has given somebody else's")),
        Err(ProviderError::Refused(Refusal::InvalidGrant)) => Err(ended("the provider does not renew it")),
        Err(error) => Err(ClientError::SignIn(error)),
    }
}

fn ended(why: &str) -> ClientError {
    ClientError::SignInEnded { why: why.to_owned() }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what becomes of an error")]
fn stored_error(error: SessionError) -> ClientError {
    ClientError::Stored { why: error.to_string() }
}

#[cfg(test)]
mod tests;
