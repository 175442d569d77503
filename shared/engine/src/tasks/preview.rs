//! What a sync would do: the same questions to the registry, the same decisions, and nothing written.

mod passages;
mod scout;
mod signed;
mod view;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use moorage_domain::{
    FailureReason, Gate, RootRule, TagName,
    failure::Failure,
    gate::{Admission, Mode},
    preview::{Preview, PreviewRequest},
    rule::RuleError,
    signature_policy::SignaturePolicy,
    task::TaskAnswer,
};
use moorage_state::{GateRecords, Login, Mirror, now};
use moorage_upstream::Meter;

use self::{passages::Passages, scout::Scout, view::View};
use crate::{engine::Engine, error::WorkError, gate::ask, sync::source, tasks::answer};

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
        let held_matched: BTreeSet<_> = rule.select(held.keys().cloned()).map_err(unknown)?.into_iter().collect();
        let gate = wanted.gate;
        let records = if gate.asks() {
            self.table.gate_records(&request.repository, now()).await?
        } else {
            GateRecords::default()
        };
        let names: BTreeSet<_> = listed.iter().collect();
        let vanished = held_matched.iter().filter(|tag| !names.contains(tag)).cloned().collect();
        let selected = matched.keys().copied().cloned().collect();
        let scout = Scout::new(&registry, end, gate.needs());
        let mut admission = Admission::new(gate, &held, &records.sightings, (selected, vanished), now());
        let decisions = ask::decide(&mut admission, async |question| Ok(scout.answer(question).await)).await?;
        let passages = Passages::new(gate, decisions, &admission, &records.sightings);
        scout.resolve(passages.passed()).await;
        let digests = scout.digests();
        let signatures = gate.signatures().map_or(Mode::Off, SignaturePolicy::mode);
        let verdicts = BTreeMap::new();
        let mut view =
            View { listed: &listed, matched, held: &held, held_matched, digests, passages, verdicts, signatures };
        if let Some(policy) = gate.signatures() {
            let trust = self.trust(policy).await?;
            let open = view.to_be_signed(policy, wanted.architectures);
            view.verdicts = signed::verdicts(&scout, policy, &trust, &held, open).await;
        }
        Ok(TaskAnswer::Preview(Preview::new(listed.len(), view.tags(wanted))))
    }

    /// What is known of the registry's limit for this identity.
    async fn meter(&self, login: &Login) -> Result<Meter, WorkError> {
        Ok(Meter::new(self.table.rate_limit(&login.account).await?, 0))
    }
}

/// What is to be mirrored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    rule: &'a RootRule,
    architectures: &'a [String],
    deletion_limit: Option<u64>,
    gate: &'a Gate,
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
            gate: &request.gate,
        })
    }
}
