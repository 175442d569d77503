#![doc = include_str!("../README.md")]

mod access;
mod clock;
mod error;
mod expression;
mod garbage;
#[cfg(test)]
mod golden;
mod key;
mod mirrors;
mod organizations;
mod race;
mod repositories;
mod runs;
mod table;
mod tags;
mod transaction;
mod usage_log;

pub use access::api_token::{ApiToken, ApiTokenPage, MAX_MAKERS, NewApiToken};
pub use access::permission::Role;
pub use access::robot::{Robot, RobotRegistry, RobotToken};
pub use access::secret::{Ciphertext, MAX_SECRET_LENGTH, MirrorSecrets, Owner, Purpose, SecretBox, SecretError};
pub use access::team_role::RobotIdentity;
pub use clock::now;
pub use error::StateError;
pub use garbage::possession::{Clue, recorded};
pub use mirrors::discovery::{Discoverer, NewDiscovered};
pub use mirrors::mirror::{CreateMirrorError, Mirror, NewMirror};
pub use mirrors::organization_mirror::{CreateOrganizationMirrorError, OrganizationMirror};
pub use mirrors::transition::TransitionError;
pub use organizations::generation::ADMIN;
pub use organizations::organization::Organization;
pub use organizations::team::{OWNERS, Team, TeamRole};
pub use organizations::team_member::{AddMemberError, MAX_TEAMS};
pub use race::Race;
pub use repositories::repository::{NewRepository, Repository, RepositoryPage};
pub use runs::account::Account;
pub use runs::run::RunPage;
pub use runs::share::Share;
pub use runs::slot::{Slot, free_slot};
pub use runs::upload::PendingUpload;
pub use table::{TAG_RETENTION, Table};
pub use tags::referrers::ReferrersChecked;
pub use tags::skipped::SkippedTag;
pub use tags::tag_write::Right;
pub use tags::tag_writer::Tags;
pub use usage_log::{LogOf, LogPage, LogQuery};
