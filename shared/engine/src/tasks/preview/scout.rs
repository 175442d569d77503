//! What the registry is asked for a preview.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use moorage_domain::{
    Digest, TagName,
    failure::Failure,
    gate::{Ask, Facts},
    selection::Needs,
};
use moorage_upstream::Registry;

use crate::{
    error::WorkError,
    gate::{
        ask::Answer,
        facts::{self, Document},
    },
};

/// Tags whose digests are asked for at once.
const HEADS_IN_FLIGHT: usize = 32;

/// What the registry said of a tag.
pub(crate) type Resolved = Result<Digest, Failure>;

/// Asks as long as there is time.
pub(crate) struct Scout<'a> {
    pub(super) registry: &'a Registry,
    pub(super) end: Instant,
    needs: Needs,
    digests: Mutex<HashMap<TagName, Resolved>>,
}

impl<'a> Scout<'a> {
    /// Until `end`.
    pub(crate) fn new(registry: &'a Registry, end: Instant, needs: Needs) -> Self {
        Self { registry, end, needs, digests: Mutex::default() }
    }

    /// Answers a question of the gate.
    pub(crate) async fn answer(&self, question: &Ask) -> Answer {
        match question {
            Ask::Digest(tag) => Answer::Digest(self.digest(tag).await.and_then(Result::ok)),
            Ask::Facts(tag, image) => {
                let facts = tokio::time::timeout_at(self.end.into(), self.facts(tag, image)).await;
                Answer::Facts(facts.ok().and_then(Result::ok))
            }
        }
    }

    /// Asks for what the tags point to that were not asked for yet. Those that nobody answered for in time are left out.
    pub(crate) async fn resolve<'t>(&self, tags: impl Iterator<Item = &'t TagName>) {
        let ask = async |tag: &'t TagName| _ = self.digest(tag).await;
        stream::iter(tags).map(ask).buffer_unordered(HEADS_IN_FLIGHT).collect::<()>().await;
    }

    /// Takes what the registry has said of tags.
    pub(crate) fn digests(&self) -> HashMap<TagName, Resolved> {
        std::mem::take(&mut *self.digests.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn digest(&self, tag: &TagName) -> Option<Resolved> {
        let known = { self.digests.lock().unwrap_or_else(PoisonError::into_inner).get(tag).cloned() };
        if known.is_some() {
            return known;
        }
        let resolved = tokio::time::timeout_at(self.end.into(), self.registry.resolve(tag)).await.ok()?;
        let resolved = resolved.map(|resolved| resolved.digest);
        let resolved = resolved.map_err(|error| Failure::new(error.reason(), error.to_string()));
        self.digests.lock().unwrap_or_else(PoisonError::into_inner).insert(tag.clone(), resolved.clone());
        Some(resolved)
    }

    async fn facts(&self, tag: &TagName, image: &Digest) -> Result<Facts, WorkError> {
        let read = async |document: Document<'_>| -> Result<Bytes, WorkError> {
            Ok(match document {
                Document::Manifest(digest) => {
                    self.registry.manifest(digest, Some(tag).filter(|_| digest == image)).await?
                }
                Document::Config(config) => self.registry.blob(&config.digest, config.size, 0).await?.rest().await?,
            })
        };
        facts::look(image, self.needs, read).await
    }
}
