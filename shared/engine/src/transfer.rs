//! What is copied: tags with everything below them, from the registry into the repository.

pub(crate) mod adopt;
pub(crate) mod allowance;
pub(crate) mod ask;
pub(crate) mod attached;
pub(crate) mod blob;
pub(crate) mod blobs;
pub(crate) mod copier;
pub(crate) mod copy;
pub(crate) mod describe;
pub(crate) mod follow;
pub(crate) mod gather;
pub(crate) mod leads;
pub(crate) mod manifest;
pub(crate) mod places;
pub(crate) mod plan;
pub(crate) mod possession;
pub(crate) mod protect;
pub(crate) mod publish;
pub(crate) mod referrers;
pub(crate) mod referrers_api;
pub(crate) mod room;
pub(crate) mod single_flight;
pub(crate) mod tag;
pub(crate) mod tree;
pub(crate) mod upload;
