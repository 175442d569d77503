//! What whoever runs the deployment has to know, by the names of the metrics that alarms are made of.

use std::collections::HashMap;

use moorage_domain::{
    Namespace, Timestamp,
    collection::{Collection, Skipped},
    health::{CollectionHealth, MirrorHealth},
};
use moorage_state::{Mirror, Survey, now};
use serde_json::{Value, json};

use crate::{api::Api, http::error::ApiError};

/// The facts of the mirrors of these namespaces and of their repositories, and of collections.
pub(crate) async fn view(api: &Api, namespaces: &[Namespace], mirrors: &[Mirror]) -> Result<Value, ApiError> {
    let mut survey = Survey::new(api.late_intervals, now());
    let mut of = HashMap::<_, Vec<_>>::new();
    for mirror in mirrors {
        of.entry(mirror.config.repository.namespace()).or_default().push(mirror);
    }
    let organizations = api.table.organization_mirrors(namespaces).await?;
    let mut organizations: HashMap<_, _> =
        organizations.into_iter().map(|mirror| (mirror.config.organization.clone(), mirror)).collect();
    for namespace in namespaces {
        survey.enter(namespace, organizations.remove(namespace));
        for mirror in of.remove(namespace).unwrap_or_default() {
            survey.look(&api.table, mirror).await?;
        }
    }
    let health = survey.health();
    let collections = api.table.recent_collections().await?;
    Ok(facts(&health, &CollectionHealth::of(&collections, health.since, now())))
}

fn facts(mirrors: &MirrorHealth, collections: &CollectionHealth<'_>) -> Value {
    json!({
        "mirrors": mirrors.mirrors,
        "mirrors_late": mirrors.late.count, "late": mirrors.late.examples,
        "mirrors_held": mirrors.held.count, "held": mirrors.held.examples,
        "claims_expired": mirrors.expired.count, "expired": mirrors.expired.examples,
        "claim_expired_seconds": mirrors.claim_expired_seconds,
        "collection_held": collections.is_held,
        "collection_age_seconds": collections.age_seconds,
        "collection": collections.last.map(collection),
    })
}

fn collection(last: &Collection) -> Value {
    json!({
        "started_at": last.started_at.iso(), "ended_at": last.ended_at.map(Timestamp::iso),
        "invocations": last.invocations, "held": last.held,
        "repositories": last.counts.repositories, "repositories_skipped": last.counts.repositories_skipped,
        "deleted": last.counts.deleted, "skipped": last.skipped.iter().map(skipped).collect::<Vec<_>>(),
    })
}

/// A repository that the collection left alone.
fn skipped(it: &Skipped) -> Value {
    json!({"repository": it.repository, "message": it.why.to_string()})
}

#[cfg(test)]
mod tests {
    use moorage_domain::collection::{CollectRequest, Held, Skip};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_last_collection_is_shown_as_far_as_it_is() {
        let (at, id) = (Timestamp::from_unix(7), Uuid::nil());
        let mut last = Collection::new(id, CollectRequest::default(), at);
        assert_eq!(collection(&last)["ended_at"], Value::Null);
        last.ended_at = Some(Timestamp::from_unix(8));
        last.skip("acme/app".parse().unwrap(), Skip::Busy);
        last.held = Some(Held::LinksShrank { links: 1, before: 9 });
        let shown = facts(&MirrorHealth::default(), &CollectionHealth::of(&[last], None, Timestamp::from_unix(9)));
        assert_eq!(
            (&shown["collection_held"], &shown["collection_age_seconds"], &shown["mirrors_late"]),
            (&json!(true), &json!(2), &json!(0))
        );
        assert_eq!(
            (&shown["collection"]["held"], &shown["late"]),
            (&json!({"reason": "links_shrank", "links": 1, "before": 9}), &json!([]))
        );
        let named = json!([{"repository": "acme/app", "message": "somebody else works in it"}]);
        assert_eq!(
            (&shown["collection"]["repositories_skipped"], &shown["collection"]["skipped"]),
            (&json!(1), &named)
        );
    }
}
