//! Why a token is not taken.

/// Why a token is not taken. No message repeats what the token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It has not the form of a signed token.
    #[error("the token is no JSON Web Token")]
    Malformed,
    /// It is longer than any that providers give.
    #[error("the token is too long")]
    TooLong,
    /// It is not signed, or by an algorithm that we do not take.
    #[error("the token is not signed by an algorithm that is taken here")]
    Algorithm,
    /// Its header asks to be understood.
    #[error("the token's header has critical parts that are not known here")]
    Critical,
    /// It is something else than a token.
    #[error("the token is of another type")]
    Type,
    /// The issuer has no such key.
    #[error("the token is signed by a key that its issuer does not publish")]
    UnknownKey,
    /// The signature is not that of the issuer's key.
    #[error("the token's signature is not that of its issuer")]
    Signature,
    /// It is another issuer's.
    #[error("the token is of another issuer")]
    Issuer,
    /// It is for others.
    #[error("the token is for another audience")]
    Audience,
    /// It was given to another party.
    #[error("the token was given to another party")]
    Party,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet")]
    NotYet,
    /// It does not say what it has to, or not in the form that it has to.
    #[error("the token's claim {0} is missing or malformed")]
    Claim(&'static str),
}
