#![doc = include_str!("../README.md")]

mod body;
mod call;
pub mod compare;
mod declaration;
mod diff;
mod document;
mod element;
mod key;
mod mirror;
pub mod needed;
mod notification;
mod organization;
mod organization_mirror;
pub mod present;
pub mod reading;
mod registry_config;
mod repository;
mod robot;
mod secret;
mod settings;
mod step;
mod team;
mod text;
pub mod undeclared;

pub use call::{Call, Slot, Verb};
pub use compare::{Options, compare, preview, removal};
pub use declaration::{Declaration, DeclarationError};
pub use document::{Document, OrganizationDocument, PermissionsDocument, RepositoryDocument};
pub use element::Element;
pub use key::{Grantee, Key, Kind};
pub use mirror::{Mirror, RuleKind, TagRule};
pub use notification::{Notification, NotificationConfig};
pub use organization::Organization;
pub use organization_mirror::OrganizationMirror;
pub use present::{Answer, Present, PresentError};
pub use reading::Reading;
pub use registry_config::{ProxySettings, RegistryConfig, TlsSettings};
pub use repository::{Repository, Role, Visibility};
pub use robot::{ExternalRegistry, Federation, Robot};
pub use secret::SecretSource;
pub use settings::Moment;
pub use step::{Action, Change, Step, To};
pub use team::{Member, Team, TeamRole};
pub use text::Text;

pub use moorage_domain::notification::Owner;
