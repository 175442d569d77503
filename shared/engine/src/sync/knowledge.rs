//! What a run knows of its registry: asked once, in however many invocations.

use std::sync::{Mutex, MutexGuard, PoisonError};

use moorage_domain::{Digest, TagName, Timestamp, learnt::Learnt, plan::Word, referrers::ReferrerList};
use moorage_state::now;
use moorage_upstream::{Referrers, Registry, Resolved, UpstreamError};

/// 408: nothing but another timeout.
const TIMEOUT: u16 = 408;

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
        self.lock().listed(tags, now());
    }

    /// When they were listed.
    pub(crate) fn listed_at(&self) -> Option<Timestamp> {
        self.lock().listed_at()
    }

    /// Forgets what a tag points to that is dealt with.
    pub(crate) fn forget(&self, tag: &TagName) {
        self.lock().forget(tag);
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

    /// Keeps what the registry's listing says that a tag points to.
    pub(crate) fn resolved(&self, tag: &TagName, digest: &Digest) {
        self.lock().resolved(tag, digest);
    }

    /// What the registry says of a tag that its list lacks. A word of an earlier invocation is good for keeping it; where
    /// the tag `goes` by it, it is asked for anew. Fails only if it may not be asked now.
    pub(crate) async fn word(
        &self,
        registry: &Registry,
        tag: &TagName,
        goes: impl Fn(Word) -> bool,
    ) -> Result<Word, UpstreamError> {
        let known = { self.lock().word(tag) }.filter(|word| !goes(*word));
        if let Some(word) = known {
            return Ok(word);
        }
        let word = match registry.resolve(tag).await {
            Ok(_) => Word::There,
            Err(error @ UpstreamError::RateLimited { .. }) => return Err(error),
            Err(error) => word(&error),
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

/// What a registry says of a tag by an error.
fn word(error: &UpstreamError) -> Word {
    match error {
        UpstreamError::NotFound(_) => Word::Gone,
        // What it will answer the next time, too.
        UpstreamError::Auth(_) | UpstreamError::UnknownRepository(_) | UpstreamError::NotFoundElsewhere { .. } => {
            Word::Unclear
        }
        UpstreamError::Status { status, .. } if (400..500).contains(status) && *status != TIMEOUT => Word::Unclear,
        _ => Word::Silent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_registry_answers_for_good_counts() {
        let (url, message) = (|| "https://x/".to_owned(), || "down".to_owned());
        let status = |status| UpstreamError::Status { status, url: url(), said: String::new() };
        for (error, expected) in [
            (UpstreamError::NotFound(message()), Word::Gone),
            (UpstreamError::NotFoundElsewhere { what: message(), at: url() }, Word::Unclear),
            (UpstreamError::Auth(message()), Word::Unclear),
            (status(403), Word::Unclear),
            (status(400), Word::Unclear),
            (status(408), Word::Silent),
            (status(500), Word::Silent),
            (status(503), Word::Silent),
            (UpstreamError::Storage { status: 403, url: url() }, Word::Silent),
            (UpstreamError::Timeout(url()), Word::Silent),
            (UpstreamError::Connection { url: url(), message: message() }, Word::Silent),
            (UpstreamError::Tls { url: url(), message: message() }, Word::Silent),
            (UpstreamError::Protocol(message()), Word::Silent),
        ] {
            assert_eq!(word(&error), expected, "{error}");
        }
    }
}
