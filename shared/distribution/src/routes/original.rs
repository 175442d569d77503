//! What clients ask for that take us for another registry: its mirrors answer, as if they were the original.
//!
//! The mirrors that the caller may read are asked one after the other, and the first that has what is asked for answers. If
//! none has it, whoever has shown nothing is told to log in, whether there is a mirror or not; to everybody else there is no
//! such thing, so that a client goes on to the original.

use std::sync::Arc;

use moorage_domain::{Origin, Owner, Timestamp};

use crate::{
    access::{Session, nodes::Readable},
    answer::Answer,
    error::PullError,
    registry::Registry,
    request::Request,
    routes::{
        of_repository,
        page::Query,
        route::{Route, Wanted},
    },
};

/// Answers from the mirrors of `origin`, which is what `route` wants.
pub(crate) async fn answer(
    registry: &Registry,
    (route, wanted, origin): (&Route, &Wanted, &Origin),
    session: &Session,
    (request, query): (&Request<'_>, &Query),
    now: Timestamp,
) -> Result<Answer, PullError> {
    let Readable { owners, is_narrowed } = registry.access.readable(session, origin, now).await?;
    let mut unknown = PullError::NameUnknown(wanted.name().to_owned());
    for owner in in_order(registry, route, owners, now).await? {
        match of_repository(registry, (route, wanted), &owner, (request, query), now).await {
            Err(error) if error.is_unknown() => unknown = error,
            // Whoever bears the mirror's name by now is no mirror of it.
            Err(PullError::Denied(_)) => {}
            answer => return answer,
        }
    }
    Err(match (session.is_bare(), is_narrowed) {
        (true, _) => route.unauthorized(None),
        (false, true) => route.unauthorized(Some("insufficient_scope")),
        (false, false) => unknown,
    })
}

/// The mirrors in the order in which they are asked: of a list of referrers, which is never unknown, the first that has what
/// they refer to is the first.
async fn in_order(
    registry: &Registry,
    route: &Route,
    mut owners: Vec<Arc<Owner>>,
    now: Timestamp,
) -> Result<Vec<Arc<Owner>>, PullError> {
    let Route::Referrers(_, subject) = route else { return Ok(owners) };
    if owners.len() < 2 {
        return Ok(owners);
    }
    for index in 0..owners.len() {
        if registry.content.revision(&owners[index], subject, now).await?.is_some() {
            owners.swap(0, index);
            break;
        }
    }
    Ok(owners)
}
