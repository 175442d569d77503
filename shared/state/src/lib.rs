#![doc = include_str!("../README.md")]

mod catalog;
mod error;
mod key;
mod mirror;
mod organization;
mod referrers;
mod repository;
mod robot;
mod run;
mod secret;
mod skipped;
mod table;
mod tag;
mod upload;
mod usage_log;

pub use error::StateError;
pub use mirror::{Mirror, NewMirror, TransitionError};
pub use organization::Organization;
pub use repository::{Repository, Role};
pub use robot::{Robot, RobotToken};
pub use run::RunPage;
pub use secret::{Ciphertext, MAX_SECRET_LENGTH, Purpose, SecretBox, SecretError};
pub use skipped::SkippedTag;
pub use table::Table;
pub use upload::PendingUpload;
pub use usage_log::LogPage;
