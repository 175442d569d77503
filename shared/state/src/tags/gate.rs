//! What the gate of a mirror remembers: when the registry's images were first seen, and which tags wait.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{
    Digest, RepositoryName, TagName, Timestamp,
    gate::{Facts, Hold, Release, Sighting},
};
use serde::{Deserialize, Serialize};

use crate::{
    StateError, Table,
    key::{Key, prefix, repository_pk},
    table::{Item, Page, Query, conditional, item},
};

/// How long it is remembered when an image was first seen that no sync has seen since: half a year. Then its clock begins
/// anew, which only makes it wait.
const REMEMBERED: std::time::Duration = std::time::Duration::from_secs(180 * 86_400);

/// An image, and when it was first seen.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SightingItem {
    digest: Digest,
    #[serde(flatten)]
    sighting: Sighting,
    expires_at: Timestamp,
}

/// One item of either kind.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum GateItem {
    Hold(Box<Hold>),
    Sighting(SightingItem),
}

/// All that the gate of a repository's mirror remembers.
#[derive(Debug, Default)]
pub struct GateRecords {
    /// When which image was first seen.
    pub sightings: BTreeMap<Digest, Sighting>,
    /// What waited when it was last looked at.
    pub holds: BTreeMap<TagName, Hold>,
    /// The images whose sightings would be forgotten before long, were they not seen again.
    pub fading: Vec<Digest>,
}

/// Some of the tags that wait, by name.
#[derive(Debug)]
pub struct HoldPage {
    /// The tags.
    pub holds: Vec<Hold>,
    /// The last of them, if there are more.
    pub next: Option<TagName>,
}

impl Table {
    /// All that the gate of a repository's mirror remembers.
    pub async fn gate_records(&self, repository: &RepositoryName, now: Timestamp) -> Result<GateRecords, StateError> {
        let items: Vec<GateItem> = self.all(repository_pk(repository), prefix::GATE).await?;
        let mut records = GateRecords::default();
        for item in items {
            match item {
                GateItem::Hold(hold) => _ = records.holds.insert(hold.tag.clone(), *hold),
                // What has faded may still be there for a while.
                GateItem::Sighting(seen) if seen.expires_at <= now => {}
                GateItem::Sighting(SightingItem { digest, sighting, expires_at }) => {
                    if expires_at <= now.plus(REMEMBERED / 2) {
                        records.fading.push(digest.clone());
                    }
                    records.sightings.insert(digest, sighting);
                }
            }
        }
        Ok(records)
    }

    /// Some tags that wait, after a tag.
    pub async fn holds(
        &self,
        repository: &RepositoryName,
        limit: i32,
        after: Option<&TagName>,
    ) -> Result<HoldPage, StateError> {
        let after = after.map(|tag| Key::GateHold(repository, tag).sk());
        let query = Query {
            pk: repository_pk(repository),
            prefix: prefix::HOLD,
            newest_first: false,
            limit: Some(limit),
            after,
        };
        let page: Page<Hold> = self.page(query).await?;
        let next = page.next.and_then(|_| page.items.last().map(|hold| hold.tag.clone()));
        Ok(HoldPage { holds: page.items, next })
    }

    /// Records when images were first seen, and that they were seen now.
    pub async fn put_sightings(
        &self,
        repository: &RepositoryName,
        sightings: impl IntoIterator<Item = (Digest, Sighting)>,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let expires_at = now.plus(REMEMBERED);
        let one = |(digest, sighting): (Digest, Sighting)| {
            let key = Key::Sighting(repository, &digest);
            item(key, &SightingItem { digest: digest.clone(), sighting, expires_at })
        };
        self.put_all(sightings.into_iter().map(one).collect::<Result<_, _>>()?).await
    }

    /// Remembers an image for longer, and what was found out of it. One that was forgotten meanwhile stays forgotten.
    pub async fn keep_sighting(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        facts: &Facts,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let attributes = serde_dynamo::to_item(facts)?;
        match self.change_sighting(repository, digest, attributes, now).await {
            Err(StateError::NotFound) => Ok(()),
            result => result,
        }
    }

    /// Lets an image in, from the next sync on; [`StateError::NotFound`] if nobody has seen it.
    pub async fn release_image(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        release: &Release,
    ) -> Result<(), StateError> {
        let attributes = Item::from([("release".to_owned(), serde_dynamo::to_attribute_value(release)?)]);
        self.change_sighting(repository, digest, attributes, release.at).await
    }

    /// Sets attributes of a sighting that has not faded, and remembers it for longer.
    async fn change_sighting(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        mut attributes: Item,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let moment = |at: Timestamp| AttributeValue::N(at.unix().to_string());
        attributes.insert("expires_at".to_owned(), moment(now.plus(REMEMBERED)));
        let update = self.set(Key::Sighting(repository, digest), attributes);
        let update = update.condition_expression("#expires_at > :now").expression_attribute_values(":now", moment(now));
        match conditional(update).await {
            Err(StateError::Conflict) => Err(StateError::NotFound),
            result => result,
        }
    }

    /// Forgets all tags that wait: nobody asks any more.
    pub async fn forget_holds(&self, repository: &RepositoryName) -> Result<(), StateError> {
        self.delete_all(&repository_pk(repository), prefix::HOLD).await
    }

    /// Records tags that wait.
    pub async fn put_holds<'h>(
        &self,
        repository: &RepositoryName,
        holds: impl IntoIterator<Item = &'h Hold>,
    ) -> Result<(), StateError> {
        let one = |hold: &Hold| item(Key::GateHold(repository, &hold.tag), hold);
        self.put_all(holds.into_iter().map(one).collect::<Result<_, _>>()?).await
    }

    /// Forgets tags that do not wait any more.
    pub async fn delete_holds(
        &self,
        repository: &RepositoryName,
        tags: impl IntoIterator<Item = &TagName>,
    ) -> Result<(), StateError> {
        self.delete_many(tags.into_iter().map(|tag| Key::GateHold(repository, tag).attributes()).collect()).await
    }
}
