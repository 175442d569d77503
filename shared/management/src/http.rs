//! HTTP's side of the API: paths, bodies, answers, and its description.

pub(crate) mod answer;
pub(crate) mod avatar;
pub(crate) mod call;
pub(crate) mod endpoint;
pub(crate) mod entity_tag;
pub(crate) mod error;
pub(crate) mod field;
pub(crate) mod openapi;
pub(crate) mod route;
pub(crate) mod service;
