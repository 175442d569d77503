//! People who sign in by a provider: who they are, the teams that they are in and that their groups are bound to, their roles,
//! and the tokens that they pull with. All that is theirs names which of the users of the name it belongs to.

pub(crate) mod app_token;
pub(crate) mod app_tokens;
pub(crate) mod bound_team;
pub(crate) mod identity;
pub(crate) mod login;
pub(crate) mod member;
pub(crate) mod permission;
pub(crate) mod reach;
pub(crate) mod sign_in;
pub(crate) mod standing;
pub(crate) mod subject;
pub(crate) mod user;
pub(crate) mod user_end;
