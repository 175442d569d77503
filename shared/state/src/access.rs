//! Who may do what: robots, roles, tokens of the API; and the secrets that are kept with them.

pub(crate) mod api_token;
pub(crate) mod api_token_check;
pub(crate) mod api_tokens;
mod envelope;
pub(crate) mod federation;
pub(crate) mod permission;
mod public_key;
pub(crate) mod robot;
pub(crate) mod robot_end;
pub(crate) mod robot_use;
pub(crate) mod secret;
pub(crate) mod standing;
pub(crate) mod team_role;
pub(crate) mod token_secret;
