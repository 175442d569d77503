//! Who has signed in here, by deployment: kept in a private folder, and renewed by the provider when it has ended.

mod folder;
mod held;
mod sign_in;
mod stored;

pub(crate) use folder::{Folder, SessionError};
pub(crate) use held::Held;
pub(crate) use sign_in::{Endpoints, SignIn};
pub(crate) use stored::Stored;
