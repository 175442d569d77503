#![doc = include_str!("../README.md")]

mod api_token;
mod error;
mod key;
mod mirror;
mod organization;
mod permission;
mod referrers;
mod repository;
mod robot;
mod run;
mod secret;
mod skipped;
mod table;
mod tag;
mod tag_history;
mod team;
mod transaction;
mod upload;
mod usage_log;

pub use api_token::{ApiToken, ApiTokenPage, NewApiToken};
pub use error::StateError;
pub use mirror::{CreateMirrorError, Mirror, NewMirror, TransitionError};
pub use organization::{ADMIN, Organization};
pub use permission::Role;
pub use repository::{Repository, RepositoryPage};
pub use robot::{Robot, RobotRegistry, RobotToken};
pub use run::RunPage;
pub use secret::{Ciphertext, MAX_SECRET_LENGTH, Purpose, SecretBox, SecretError};
pub use skipped::SkippedTag;
pub use table::Table;
pub use tag_history::TAG_RETENTION;
pub use team::{OWNERS, Team, TeamRole};
pub use upload::PendingUpload;
pub use usage_log::{LogOf, LogPage, LogQuery};
