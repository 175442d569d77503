//! What a sync would do: the same questions to the registry, the same decisions, and nothing written.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Instant,
};

use futures_util::{StreamExt as _, stream};
use moorage_domain::{
    Digest, FailureReason, RootRule, TagName,
    failure::Failure,
    plan::{self, Cause, HeldTag, Prune, Seen, TagAction},
    preview::{Preview, PreviewAction, PreviewRequest, PreviewTag},
    referrers::{attached_tags, referrers_tag},
    rule::RuleError,
    task::TaskAnswer,
};
use moorage_state::{Login, Mirror};
use moorage_upstream::{Meter, Registry};

use crate::{engine::Engine, error::WorkError, sync::source, tasks::answer};

/// Tags whose digests are asked for at once.
const HEADS_IN_FLIGHT: usize = 32;

/// What the registry said of a tag.
type Resolved = Result<Digest, Failure>;

impl Engine {
    /// Says what a sync would do, as far as the registry answers until `end`.
    pub async fn preview(&self, request: &PreviewRequest, end: Instant) -> TaskAnswer {
        answer(self.try_preview(request, end).await)
    }

    async fn try_preview(&self, request: &PreviewRequest, end: Instant) -> Result<TaskAnswer, WorkError> {
        let mirror = self.table.mirror(&request.repository).await?;
        let Some(wanted) = Wanted::new(request, mirror.as_ref()) else { return Ok(TaskAnswer::NotFound) };
        let (registry, warning) = match (&request.source, &mirror) {
            (Some(source), _) => {
                let login = self.table.login_to(&request.repository, source).await?;
                (source::open_candidate(self, source, &login, self.meter(&login).await?).await?, login.warning)
            }
            (None, Some(mirror)) => {
                let login = self.table.login(mirror).await?;
                (source::open(self, mirror, &login, self.meter(&login).await?).await?, login.warning)
            }
            (None, None) => return Ok(TaskAnswer::NotFound),
        };
        let listing = tokio::time::timeout_at(end.into(), registry.tags()).await;
        let Ok(listing) = listing else {
            let message = "the registry did not list its tags in time".to_owned();
            return Ok(TaskAnswer::Failed(Failure::new(FailureReason::NetworkTimeout, message)));
        };
        let listed = listing.map_err(|error| match error.into() {
            WorkError::Failed(failure) => WorkError::Failed(failure.explained_by(warning)),
            other => other,
        })?;
        let listed = listed.tags;
        let rule = wanted.rule;
        let unknown =
            |error: RuleError| WorkError::Failed(Failure::new(FailureReason::UnknownError, error.to_string()));
        let patterns = rule.explain(&listed).map_err(unknown)?;
        let matched: BTreeMap<&TagName, &str> =
            listed.iter().zip(patterns).filter_map(|(tag, pattern)| Some((tag, pattern?))).collect();
        let held = self.table.tags(&request.repository).await?;
        let digests = resolve(&registry, matched.keys().copied(), end).await;
        let held_matched = rule.select(held.keys().cloned()).map_err(unknown)?.into_iter().collect();
        let view = View { listed: &listed, matched, held: &held, held_matched, digests };
        Ok(TaskAnswer::Preview(Preview::new(listed.len(), view.tags(wanted))))
    }

    /// What is known of the registry's limit for this identity.
    async fn meter(&self, login: &Login) -> Result<Meter, WorkError> {
        Ok(Meter::new(self.table.rate_limit(&login.account).await?, 0))
    }
}

/// Asks for what the tags point to. Those that nobody answered for in time are left out.
async fn resolve<'t>(
    registry: &Registry,
    tags: impl Iterator<Item = &'t TagName>,
    end: Instant,
) -> HashMap<TagName, Resolved> {
    let ask = async |tag: &'t TagName| {
        let resolved = tokio::time::timeout_at(end.into(), registry.resolve(tag)).await.ok()?;
        let resolved = resolved.map(|resolved| resolved.digest);
        Some((tag.clone(), resolved.map_err(|error| Failure::new(error.reason(), error.to_string()))))
    };
    stream::iter(tags).map(ask).buffer_unordered(HEADS_IN_FLIGHT).filter_map(std::future::ready).collect().await
}

/// What is to be mirrored.
#[derive(Debug, Clone, Copy)]
struct Wanted<'a> {
    rule: &'a RootRule,
    architectures: &'a [String],
    deletion_limit: Option<u64>,
}

impl<'a> Wanted<'a> {
    /// As the request says, and as the mirror does where that says nothing; nothing if neither says what is mirrored.
    fn new(request: &'a PreviewRequest, mirror: Option<&'a Mirror>) -> Option<Self> {
        let config = mirror.map(|mirror| &mirror.config);
        Some(Self {
            rule: request.root_rule.as_ref().or(config.map(|config| &config.root_rule))?,
            architectures: request
                .architecture_filter
                .as_deref()
                .or(config.map(|config| config.architecture_filter.as_slice()))
                .unwrap_or_default(),
            deletion_limit: request.deletion_limit.or(config.and_then(|config| config.policy.deletion_limit)),
        })
    }
}

/// Everything that is known of the tags.
struct View<'a> {
    listed: &'a [TagName],
    matched: BTreeMap<&'a TagName, &'a str>,
    held: &'a BTreeMap<TagName, HeldTag>,
    /// The held tags whose names the rule selects, listed or not.
    held_matched: BTreeSet<TagName>,
    digests: HashMap<TagName, Resolved>,
}

impl View<'_> {
    fn tags(&self, wanted: Wanted<'_>) -> Vec<PreviewTag> {
        let attached = self.attached();
        let kept = self.matched.keys().copied().chain(&attached).cloned().collect();
        let seen = Seen { listed: self.listed.len(), kept: &kept, matched: &self.held_matched };
        let Prune { delete, held_back, limit } = plan::prune(self.held, seen, wanted.deletion_limit);
        let selected = self.matched.iter().map(|(tag, pattern)| self.selected(tag, pattern, wanted.architectures));
        let attached = attached.iter().filter(|tag| !self.matched.contains_key(tag)).map(|tag| {
            let action = if self.held.contains_key(tag) { PreviewAction::Keep } else { PreviewAction::Copy };
            self.tag(tag, action, "it is attached to an image that is mirrored".to_owned())
        });
        let listed: BTreeSet<_> = self.listed.iter().collect();
        let obsolete = |action: PreviewAction, (tag, cause): (TagName, Cause)| {
            let why = match cause {
                Cause::Deselected => "no pattern matches it, or the image that it is attached to",
                Cause::Vanished => "the registry does not list it; it is asked for it once more before it is deleted",
            };
            let reason = match limit.filter(|_| action == PreviewAction::Hold) {
                None => why.to_owned(),
                Some(limit) => format!("{why}; one sync deletes at most {limit} such tags"),
            };
            PreviewTag { cause: Some(cause), ..self.tag(&tag, action, reason) }
        };
        let deleted = delete.into_iter().map(|tag| obsolete(PreviewAction::Delete, tag));
        let deleted = deleted.chain(held_back.into_iter().map(|tag| obsolete(PreviewAction::Hold, tag)));
        let mut tags: Vec<_> = selected.chain(attached).chain(deleted).collect();
        let told: BTreeSet<_> = tags.iter().map(|tag| tag.name.clone()).collect();
        let others = self.listed.iter().filter(|tag| !told.contains(*tag));
        tags.extend(others.map(|tag| self.tag(tag, PreviewAction::Ignore, "no pattern matches it".to_owned())));
        // Only if the registry lists nothing at all.
        let others = self.held.keys().filter(|tag| !told.contains(*tag) && !listed.contains(tag));
        let reason = "the registry lists no tags, which deletes nothing";
        tags.extend(others.map(|tag| self.tag(tag, PreviewAction::Keep, reason.to_owned())));
        tags
    }

    /// The tags that clients look for what is attached to a selected image under: those that the registry lists, and the
    /// held indexes of referrers, which it need not list.
    fn attached(&self) -> BTreeSet<TagName> {
        let subjects = self.matched.keys().flat_map(|tag| {
            let upstream = self.digests.get(*tag).and_then(|digest| digest.as_ref().ok()).into_iter().cloned();
            let held = self.held.get(*tag).into_iter().flat_map(|held| held.manifests.iter().chain([&held.digest]));
            upstream.chain(held.cloned())
        });
        let listed: BTreeSet<_> = self.listed.iter().collect();
        let known = |subject: Digest| {
            let held = Some(referrers_tag(&subject)).filter(|tag| self.held.contains_key(tag));
            attached_tags(&subject).filter(|tag| listed.contains(tag)).chain(held).collect::<Vec<_>>()
        };
        subjects.flat_map(known).collect()
    }

    fn selected(&self, tag: &TagName, pattern: &str, architectures: &[String]) -> PreviewTag {
        let held = self.held.get(tag);
        let (action, reason) = match self.digests.get(tag) {
            None => (PreviewAction::Unknown, "there was no time to ask what it points to".to_owned()),
            Some(Err(failure)) => (PreviewAction::Fail, failure.message.clone()),
            Some(Ok(digest)) => match (plan::action(held, digest, architectures), held) {
                (TagAction::Keep, _) => (PreviewAction::Keep, "it has not changed".to_owned()),
                (TagAction::Copy, None) => (PreviewAction::Copy, "it is new".to_owned()),
                (TagAction::Copy, Some(held)) if held.digest == *digest => {
                    (PreviewAction::Copy, "architectures are missing".to_owned())
                }
                (TagAction::Copy, Some(_)) => (PreviewAction::Copy, "it points to another image".to_owned()),
            },
        };
        PreviewTag { matched_by: Some(pattern.to_owned()), ..self.tag(tag, action, reason) }
    }

    fn tag(&self, tag: &TagName, action: PreviewAction, reason: String) -> PreviewTag {
        let resolved = self.digests.get(tag);
        PreviewTag {
            name: tag.clone(),
            action,
            reason,
            matched_by: None,
            digest: resolved.and_then(|digest| digest.as_ref().ok()).cloned(),
            held_digest: self.held.get(tag).map(|held| held.digest.clone()),
            failure: resolved.and_then(|digest| digest.as_ref().err()).cloned(),
            cause: None,
        }
    }
}
