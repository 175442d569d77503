//! The table of all endpoints: what the router and the API's description are made of.

use crate::{
    account::endpoints as account,
    http::endpoint::Endpoints,
    mirror::endpoints as mirror,
    notification::endpoints as notification,
    organization::{endpoints as organization, team_endpoints as team},
    organization_mirror::endpoints as organization_mirror,
    people::endpoints as people,
    repository::endpoints as repository,
    robot::endpoints as robot,
    sign_in::endpoints as sign_in,
    trust_root::endpoints as trust_root,
    webhook::endpoints as webhook,
};

/// All endpoints. Of those of one path, an answer names the methods in this order.
pub(crate) const ENDPOINTS: Endpoints = Endpoints(&[
    mirror::ENDPOINTS,
    webhook::OF_MIRROR,
    account::CAPABILITIES,
    repository::ENDPOINTS,
    notification::OF_REPOSITORY,
    account::USER,
    organization::ENDPOINTS,
    notification::OF_ORGANIZATION,
    account::TOKENS,
    account::ABOUT,
    organization_mirror::ENDPOINTS,
    robot::OF_ORGANIZATION,
    robot::OF_ADMIN,
    team::ENDPOINTS,
    trust_root::ENDPOINTS,
    webhook::DELIVERIES,
    sign_in::ENDPOINTS,
    people::ENDPOINTS,
]);
