//! Whose calls they are, where that is not one token for all of them.

use std::{fmt, pin::Pin};

use moorage_domain::SecretString;

use crate::error::ClientError;

/// A token that is to come.
pub type TokenFuture<'a> = Pin<Box<dyn Future<Output = Result<SecretString, ClientError>> + Send + 'a>>;

/// Who has a token for each call: a sign-in's ends while a command still waits, and is renewed.
pub trait Credentials: fmt::Debug + Send + Sync {
    /// The token of the next call. It is asked for before each try.
    fn token(&self) -> TokenFuture<'_>;
}
