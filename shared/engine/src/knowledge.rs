//! What a run knows of its registry: asked once, in however many invocations.

use std::sync::{Mutex, MutexGuard, PoisonError};

use moorage_domain::{Digest, TagName, learnt::Learnt, plan::Word, referrers::ReferrerList};
use moorage_upstream::{Referrers, Registry, Resolved, UpstreamError};

/// What was learnt so far.
#[derive(Debug, Default)]
pub(crate) struct Knowledge(Mutex<Learnt>);

impl Knowledge {
    pub(crate) fn new(learnt: Learnt) -> Self {
        Self(Mutex::new(learnt))
    }

    fn lock(&self) -> MutexGuard<'_, Learnt> {
        // What was learnt stays true after a panic elsewhere.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of it, to be kept.
    pub(crate) fn learnt(&self) -> Learnt {
        self.lock().clone()
    }

    /// How much was learnt: what tells whether a run gets anywhere.
    pub(crate) fn count(&self) -> u64 {
        self.lock().count()
    }

    /// All tags that the registry listed to an earlier invocation.
    pub(crate) fn tags(&self) -> Option<Vec<TagName>> {
        self.lock().tags().map(<[TagName]>::to_vec)
    }

    /// Keeps the tags that the registry lists.
    pub(crate) fn listed(&self, tags: &[TagName]) {
        self.lock().listed(tags);
    }

    /// What a tag points to.
    pub(crate) async fn resolve(&self, registry: &Registry, tag: &TagName) -> Result<Resolved, UpstreamError> {
        let known = { self.lock().digest(tag).cloned() };
        if let Some(digest) = known {
            return Ok(Resolved { digest, manifest: None });
        }
        let resolved = registry.resolve(tag).await?;
        self.lock().resolved(tag, &resolved.digest);
        Ok(resolved)
    }

    /// What refers to a manifest; nothing if the registry has no such list.
    pub(crate) async fn referrers(
        &self,
        registry: &Registry,
        subject: &Digest,
    ) -> Result<Option<Referrers>, UpstreamError> {
        let known = { self.lock().referrers(subject).cloned() };
        if let Some(known) = known {
            let list = |referrers| ReferrerList { referrers, is_index: true, ..ReferrerList::default() };
            return Ok(known.map(|referrers| Referrers { list: list(referrers), cut: None }));
        }
        let said = registry.referrers(subject).await?;
        // A list that cannot be read whole is told of, in whichever invocation that is.
        if said.as_ref().is_none_or(|said| said.list.unreadable == 0 && said.cut.is_none()) {
            self.lock().referred(subject, said.as_ref().map(|said| said.list.referrers.as_slice()));
        }
        Ok(said)
    }

    /// What the registry says of a tag that its list lacks. Fails only if it may not be asked now.
    pub(crate) async fn word(&self, registry: &Registry, tag: &TagName) -> Result<Word, UpstreamError> {
        let known = { self.lock().word(tag) };
        if let Some(word) = known {
            return Ok(word);
        }
        let word = match registry.resolve(tag).await {
            Ok(_) => Word::There,
            Err(UpstreamError::NotFound(_)) => Word::Gone,
            Err(error @ UpstreamError::RateLimited { .. }) => return Err(error),
            Err(_) => Word::Unclear,
        };
        self.lock().said(tag, word);
        Ok(word)
    }

    /// Whether the registry speaks http or https, where that had to be found out.
    pub(crate) fn spoke(&self, registry: &Registry) {
        self.lock().scheme = registry.scheme();
    }

    /// Has a registry speak what it spoke in an earlier invocation.
    pub(crate) fn speak(&self, registry: &Registry) {
        if let Some(scheme) = &self.lock().scheme {
            registry.assume_scheme(scheme);
        }
    }
}
