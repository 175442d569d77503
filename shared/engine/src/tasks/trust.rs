//! Trusted roots: how an operator sets one, and how all are refreshed. No sync asks anybody for them.

use std::time::{Duration, Instant};

use moorage_domain::{
    FailureReason, Timestamp,
    failure::Failure,
    signature_policy::TrustRootId,
    task::TaskAnswer,
    trust_root::{TrustRootSource, TufUrl},
};
use moorage_signatures::{
    TrustRoot, embedded_on,
    tuf::{self, Anchor, RefreshError, Refreshed, Repository},
};
use moorage_state::{MAX_TRUST_ROOTS, StateError, StoredTrustRoot, TufSource, now};
use moorage_upstream::{Documents, Limits, UpstreamError};
use uuid::Uuid;

use crate::{
    engine::Engine,
    error::{SyncError, WorkError},
    tasks::answer,
};

/// How long a root is believed after it was last found to be what its repository has. Sigstore renews its metadata each
/// week, and changes its keys once in some months: a month is time to mend what keeps a refresh out, and not for ever.
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How long an answer of a repository may take to begin.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a file is asked for.
const TRIES: u32 = 3;

impl Engine {
    /// Sets a trusted root, if it can be read, or be had from its repository now.
    pub async fn set_trust_root(&self, id: &TrustRootId, source: &TrustRootSource, end: Instant) -> TaskAnswer {
        answer(self.try_set(id, source, end).await)
    }

    async fn try_set(&self, id: &TrustRootId, source: &TrustRootSource, end: Instant) -> Result<TaskAnswer, WorkError> {
        let all = self.table.trust_roots().await?;
        if all.len() >= MAX_TRUST_ROOTS && !all.iter().any(|root| root.id == *id) {
            return Err(refused(format!("there are {MAX_TRUST_ROOTS} trusted roots, the most that are refreshed")));
        }
        let root = match source {
            TrustRootSource::TrustedRoot(root) => {
                let json = root.to_string();
                TrustRoot::parse(json.as_bytes(), now()).map_err(|error| refused(reason(&error)))?;
                StoredTrustRoot { trusted_root: Some(json), refreshed_at: Some(now()), ..unset(id) }
            }
            TrustRootSource::Tuf { url, root } => {
                let anchor = Anchor::new(root.to_string().as_bytes()).map_err(|error| refused(reason(&error)))?;
                let tuf = TufSource { url: url.clone().into(), anchor: stored(&anchor)? };
                let open = StoredTrustRoot { tuf: Some(tuf), ..unset(id) };
                self.refreshed(&open, end).await.map_err(WorkError::Failed)?
            }
        };
        self.table.put_trust_root(&root).await?;
        Ok(TaskAnswer::Done)
    }

    /// Refreshes all trusted roots, until `end`: those that operators have set to be, and ours.
    pub async fn refresh_trust(&self, end: Instant) -> Result<TaskAnswer, SyncError> {
        let mut roots = self.table.trust_roots().await?;
        for id in [TrustRootId::Public, TrustRootId::Github] {
            if !roots.iter().any(|root| root.id == id) {
                roots.extend(ours(&id));
            }
        }
        let (mut refreshed, mut failed, mut oldest) = (0, 0, now());
        for before in roots.into_iter().filter(|root| root.tuf.is_some()) {
            let after = match self.refreshed(&before, end).await {
                Ok(after) => {
                    refreshed += 1;
                    after
                }
                Err(failure) => {
                    tracing::warn!(id = %before.id, error = failure.logged(), "the trusted root was not refreshed");
                    failed += 1;
                    StoredTrustRoot { failure: Some(failure.cut()), revision: Uuid::new_v4(), ..before.clone() }
                }
            };
            oldest = oldest.min(age_of(&after));
            let revision = Some(before.revision).filter(|revision| !revision.is_nil());
            match self.table.refresh_trust_root(&after, revision).await {
                // Somebody has set another one meanwhile.
                Ok(()) | Err(StateError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let age_seconds = u64::try_from(now().unix().saturating_sub(oldest.unix())).unwrap_or_default();
        Ok(TaskAnswer::TrustRefreshed { refreshed, failed, age_seconds })
    }

    /// What a root is after a refresh.
    async fn refreshed(&self, before: &StoredTrustRoot, end: Instant) -> Result<StoredTrustRoot, Failure> {
        let unreadable = |error: &dyn std::error::Error| Failure::new(FailureReason::UnknownError, reason(error));
        let Some(TufSource { url, anchor }) = &before.tuf else { return Ok(before.clone()) };
        let base = TufUrl::try_from(url.clone()).map_err(|error| unreadable(&error))?;
        let anchor: Anchor = serde_json::from_str(anchor).map_err(|error| unreadable(&error))?;
        let limits = Limits { patience: PATIENCE, tries: TRIES, ..self.settings.limits.clone() };
        let documents = Documents::new(base.url(), self.settings.guard.clone(), limits)
            .map_err(|error| Failure::of(error.reason(), &error))?;
        let documents = &documents;
        let fetch = |path: String, limit| async move { documents.get(&path, limit).await };
        let late = || Failure::new(FailureReason::NetworkTimeout, format!("{url} did not answer in time"));
        let refresh = tokio::time::timeout_at(end.into(), tuf::refresh(&anchor, fetch, now()));
        let Refreshed { anchor, trust_root, .. } =
            refresh.await.map_err(|_| late())?.map_err(|error| failure(&error))?;
        let trusted_root = String::from_utf8(trust_root).map_err(|error| unreadable(&error))?;
        let anchor = serde_json::to_string(&anchor).map_err(|error| unreadable(&error))?;
        Ok(StoredTrustRoot {
            trusted_root: Some(trusted_root),
            refreshed_at: Some(now()),
            until: Some(now().plus(LIFETIME)),
            tuf: Some(TufSource { url: url.clone(), anchor }),
            failure: None,
            revision: Uuid::new_v4(),
            id: before.id.clone(),
        })
    }
}

/// A root of which nothing is known yet.
fn unset(id: &TrustRootId) -> StoredTrustRoot {
    StoredTrustRoot {
        id: id.clone(),
        trusted_root: None,
        refreshed_at: None,
        until: None,
        tuf: None,
        failure: None,
        revision: Uuid::new_v4(),
    }
}

/// One that our releases know, before its first refresh.
fn ours(id: &TrustRootId) -> Option<StoredTrustRoot> {
    let repository = Repository::of(id)?;
    // Both are read in a test.
    let anchor = serde_json::to_string(&repository.anchor().ok()?).ok()?;
    let tuf = TufSource { url: repository.url.to_owned(), anchor };
    Some(StoredTrustRoot { tuf: Some(tuf), revision: Uuid::nil(), ..unset(id) })
}

/// When a root was last known to be current.
fn age_of(root: &StoredTrustRoot) -> Timestamp {
    let released = Repository::of(&root.id).map(|_| embedded_on());
    root.refreshed_at.max(released).unwrap_or_else(now)
}

fn stored(anchor: &Anchor) -> Result<String, WorkError> {
    serde_json::to_string(anchor).map_err(|error| refused(error.to_string()))
}

fn refused(message: String) -> WorkError {
    WorkError::Failed(Failure::new(FailureReason::ContentRefused, message))
}

/// An error with its causes.
fn reason(error: &dyn std::error::Error) -> String {
    moorage_domain::cause::chain(error)
}

fn failure(error: &RefreshError<UpstreamError>) -> Failure {
    let class = match error {
        RefreshError::Fetch { cause, .. } => cause.reason(),
        RefreshError::Refused { .. } | RefreshError::TooManyRoots => FailureReason::ContentRefused,
    };
    Failure::new(class, reason(error)).cut()
}
