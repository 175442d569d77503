//! Why a person's token is not taken.

use moorage_domain::UserName;
use moorage_identity::TokenError;

/// Why a person's token is not taken. No message repeats what the token says, but for the name, which its holder knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// It does not hold.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// It does not say who its holder is.
    #[error("the token has no claim that is a user's name here (OidcUserClaim)")]
    NoName,
    /// What it says of that is no name.
    #[error(
        "what the token says of its holder cannot be a user's name here: 1 to 255 of a-z, 0-9, '.', '_', '@' and '-'"
    )]
    Name,
    /// Whoever enters somebody else's address at the provider could be them.
    #[error("the token's address is not one that the provider has verified")]
    Unverified,
    /// The name was another one's first.
    #[error("the name {0} belongs to somebody else; a superuser can delete that user")]
    Taken(UserName),
    /// They are somebody already.
    #[error("the provider names you {told} now; here you are {here}, until a superuser deletes that user")]
    Renamed {
        /// As the token has it.
        told: UserName,
        /// As they came first.
        here: UserName,
    },
    /// It is from before a superuser deleted them.
    #[error("the token is from before its user was deleted: sign in again")]
    Deleted,
    /// A superuser has said so.
    #[error("the user {0} is disabled")]
    Disabled(UserName),
}
