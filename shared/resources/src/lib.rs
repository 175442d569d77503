#![doc = include_str!("../README.md")]

mod answer;
mod callback;
mod calls;
mod declared;
mod event;
mod failure;
mod kind;
mod provision;
mod registry;
mod request;
mod resources;
mod secrets;
mod settings;
mod target;
mod typed;

pub use callback::CallbackError;
pub use moorage_client::ClientError;
pub use request::Unanswered;
pub use resources::{Deployment, Resources};
