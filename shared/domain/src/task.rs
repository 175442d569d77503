//! What the sync function is asked for besides syncs: work on the bucket, on registries and on all schedules, which the
//! API has no access to.

use serde::{Deserialize, Serialize};

use crate::{
    Ciphertext, Digest, Namespace, RepositoryName, TagName,
    details::{Details, DetailsOf},
    failure::Failure,
    pin::Pin,
    preview::{Preview, PreviewRequest},
    rights::RightCheck,
    rollback::{OrganizationPlan, RollbackPlan},
    run::{RunId, SyncRequest, Trigger},
    signature_policy::TrustRootId,
    target::Target,
    trust_root::TrustRootSource,
    usage_log::LogEntry,
    webhook::EcrEvent,
};

/// The most further invocations of one reconciliation, or of one end of an organization: hours, in which hundreds of
/// thousands of schedules are made, or repositories deleted. The next reconciliation goes on.
const MAX_INVOCATIONS: u32 = 20;

/// What the sync function is invoked with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Order {
    /// Anything but a sync: the only one with a field `task`.
    Task(Task),
    /// A sync.
    Sync(SyncRequest),
    /// What EventBridge says of ECR.
    Event(Box<EcrEvent>),
}

/// Work that is not a sync.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum Task {
    /// Says what a sync would do.
    Preview(PreviewRequest),
    /// Says what images of a repository are for, and what is attached to them.
    DescribeImages {
        /// The repository.
        repository: RepositoryName,
        /// The images, which may be of past tags: those that the bucket has no more are left out of the answer.
        images: Vec<DetailsOf>,
    },
    /// Points a tag of an ordinary repository to a manifest that the repository has, or deletes it.
    ChangeTag {
        /// The repository.
        repository: RepositoryName,
        /// The tag.
        tag: TagName,
        /// The manifest; nothing deletes the tag.
        digest: Option<Digest>,
        /// Whether it pointed to the manifest before.
        #[serde(default)]
        reversion: bool,
    },
    /// Says what turning a mirror's tags back would come to.
    PlanRollback {
        /// The repository.
        repository: RepositoryName,
        /// To what.
        target: Target,
    },
    /// Says what turning an organization's mirror back would come to.
    PlanOrganizationRollback {
        /// The organization.
        organization: Namespace,
        /// To what.
        target: Target,
        /// The most repositories that are told of: those behind `after`, by name.
        limit: usize,
        /// The last repository that the answers before have told of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<RepositoryName>,
    },
    /// Keeps what a run of a mirror has left, until that is unpinned.
    PinRun {
        /// The repository.
        repository: RepositoryName,
        /// The run.
        run_id: RunId,
        /// Why, for people.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// What the usage logs tell of it, if it is pinned now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        log: Option<Box<LogEntry>>,
    },
    /// Removes everything of a repository that was deleted.
    Purge {
        /// The repository.
        repository: RepositoryName,
    },
    /// Makes all schedules what the mirrors' configurations say.
    Reconcile {
        /// Which invocation of one reconciliation it is, from 0.
        #[serde(default, rename = "round")]
        invocation: u32,
        /// The last mirror that the ones before looked at.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<RepositoryName>,
    },
    /// Starts syncs, discoveries and purges again that nobody works on although they have begun, or were asked for.
    Watch {},
    /// Finds the repositories that an organization's mirror is to mirror, and has them synced.
    Discover {
        /// The organization.
        organization: Namespace,
        /// Who asks.
        trigger: Trigger,
    },
    /// Ends all syncs of an organization's mirror that run or are to run.
    CancelDiscovered {
        /// The organization.
        organization: Namespace,
    },
    /// Has all repositories of an organization's mirror that were turned back synced again, and then the mirror itself.
    ResumeDiscovered {
        /// The organization.
        organization: Namespace,
    },
    /// Makes the repositories of an organization's mirror that was deleted ordinary ones.
    ReleaseDiscovered {
        /// The organization.
        organization: Namespace,
    },
    /// Deletes what is in an organization that was marked as ending, and then itself.
    EndOrganization {
        /// The organization.
        organization: Namespace,
        /// Which invocation of one end it is; 0 if somebody waits for it.
        #[serde(default, rename = "round", skip_serializing_if = "is_first")]
        invocation: u32,
    },
    /// Says whether the registry of an organization's mirror can be asked.
    CheckSource {
        /// The organization.
        organization: Namespace,
    },
    /// Sets a trusted root, by which keyless signatures are verified.
    SetTrustRoot {
        /// Its name.
        id: TrustRootId,
        /// Where it comes from.
        source: TrustRootSource,
    },
    /// Fetches the trusted roots that are refreshed.
    RefreshTrust {},
    /// Says whether the function may do what it has to.
    CheckRights {
        /// What the API has encrypted as it does with passwords of registries: no secret, but what only their reader decrypts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sample: Option<Ciphertext>,
    },
}

impl Task {
    /// The name on the wire.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Preview(_) => "preview",
            Self::DescribeImages { .. } => "describe_images",
            Self::ChangeTag { .. } => "change_tag",
            Self::PlanRollback { .. } => "plan_rollback",
            Self::PlanOrganizationRollback { .. } => "plan_organization_rollback",
            Self::PinRun { .. } => "pin_run",
            Self::Purge { .. } => "purge",
            Self::Reconcile { .. } => "reconcile",
            Self::Watch {} => "watch",
            Self::Discover { .. } => "discover",
            Self::CancelDiscovered { .. } => "cancel_discovered",
            Self::ResumeDiscovered { .. } => "resume_discovered",
            Self::ReleaseDiscovered { .. } => "release_discovered",
            Self::EndOrganization { .. } => "end_organization",
            Self::CheckSource { .. } => "check_source",
            Self::SetTrustRoot { .. } => "set_trust_root",
            Self::RefreshTrust {} => "refresh_trust",
            Self::CheckRights { .. } => "check_rights",
        }
    }
}

impl Task {
    /// What goes on with a reconciliation that was not finished in time, began behind the mirror `after`, and has reached
    /// another one in this `invocation`; nothing if this one neither did anything nor got any further, or was the last. Where
    /// nothing was to be mended, what lies behind is to be looked at all the same.
    pub fn next_invocation(
        invocation: u32,
        has_done: bool,
        after: Option<&RepositoryName>,
        reached: Option<RepositoryName>,
    ) -> Option<Self> {
        ((has_done || reached.as_ref() != after) && invocation < MAX_INVOCATIONS)
            .then(|| Self::Reconcile { invocation: invocation + 1, after: reached })
    }

    /// What goes on with the end of an organization that was not finished in this `invocation`; nothing if it was the last.
    pub fn next_end(organization: &Namespace, invocation: u32) -> Option<Self> {
        let invocation = invocation.saturating_add(1);
        (invocation <= MAX_INVOCATIONS)
            .then(|| Self::EndOrganization { organization: organization.clone(), invocation })
    }

    /// The organization that it is about, if it is about one.
    pub const fn organization(&self) -> Option<&Namespace> {
        match self {
            Self::Discover { organization, .. }
            | Self::PlanOrganizationRollback { organization, .. }
            | Self::CancelDiscovered { organization }
            | Self::ResumeDiscovered { organization }
            | Self::ReleaseDiscovered { organization }
            | Self::EndOrganization { organization, .. }
            | Self::CheckSource { organization } => Some(organization),
            Self::Preview(_)
            | Self::DescribeImages { .. }
            | Self::ChangeTag { .. }
            | Self::PlanRollback { .. }
            | Self::PinRun { .. }
            | Self::Purge { .. }
            | Self::Reconcile { .. }
            | Self::SetTrustRoot { .. }
            | Self::RefreshTrust {}
            | Self::CheckRights { .. }
            | Self::Watch {} => None,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's interface")]
fn is_first(invocation: &u32) -> bool {
    *invocation == 0
}

/// What came of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskAnswer {
    /// It is done.
    Done,
    /// There was not enough time; another invocation goes on.
    Unfinished,
    /// What it is about does not exist.
    NotFound,
    /// The repository is in use, and was for as long as somebody waits.
    Busy,
    /// The answer to [`Task::Preview`].
    Preview(Preview),
    /// The answer to [`Task::DescribeImages`], as far as there was time.
    Described(Vec<Details>),
    /// The answer to [`Task::PlanRollback`].
    RollbackPlan(RollbackPlan),
    /// The answer to [`Task::PlanOrganizationRollback`], as far as there was time.
    OrganizationPlan(OrganizationPlan),
    /// The answer to [`Task::PinRun`].
    Pinned {
        /// The pin: the first one, if there was one.
        pin: Box<Pin>,
        /// Whether it was made now.
        is_new: bool,
    },
    /// It cannot be done, whatever is tried: why, for people.
    Refused(String),
    /// What [`Task::Reconcile`] mended.
    Reconciled {
        /// Schedules that were missing or wrong.
        mended: u64,
        /// Schedules of mirrors that are gone.
        removed: u64,
        /// Schedules that Scheduler refused, and deleted repositories that could not be removed.
        failed: u64,
    },
    /// What [`Task::Watch`] started again.
    Watched {
        /// Syncs, discoveries and purges.
        restarted: u64,
    },
    /// The answer to [`Task::CheckSource`].
    Checked {
        /// Whether the registry answers, and has the namespace.
        success: bool,
        /// What is wrong, for people.
        message: String,
    },
    /// The answer to [`Task::Discover`].
    Discovered {
        /// Repositories that are mirrored.
        repositories: u64,
        /// Repositories that were created.
        created: u64,
    },
    /// The answer to [`Task::RefreshTrust`].
    TrustRefreshed {
        /// How many are current.
        refreshed: u64,
        /// How many could not be had.
        failed: u64,
        /// Since when the oldest of them has not been known to be current, in seconds.
        age_seconds: u64,
    },
    /// The answer to [`Task::CheckRights`].
    Rights(Vec<RightCheck>),
    /// It failed.
    Failed(Failure),
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reconciliation_goes_on_while_it_gets_anywhere() {
        let reached: RepositoryName = "a/b".parse().unwrap();
        let next = |invocation, has_done, after| {
            Task::next_invocation(invocation, has_done, after, Some(reached.clone())).map(|task| match task {
                Task::Reconcile { invocation, after } => (invocation, after),
                task => panic!("{task:?}"),
            })
        };
        let expected = Some((1, Some(reached.clone())));
        assert_eq!(next(0, true, Some(&reached)), expected);
        assert_eq!(next(0, false, None), expected, "nothing was to be mended so far");
        assert_eq!(next(0, false, Some(&reached)), None);
        assert_eq!(next(MAX_INVOCATIONS, true, None), None);
    }

    #[test]
    fn the_end_of_an_organization_goes_on_by_itself() {
        let acme: Namespace = "acme".parse().unwrap();
        let order = json!({"task": "end_organization", "organization": "acme"});
        let Task::EndOrganization { organization, invocation } = serde_json::from_value(order.clone()).unwrap() else {
            panic!()
        };
        assert_eq!((&organization, invocation), (&acme, 0));
        let next = Task::next_end(&acme, 0).unwrap();
        assert_eq!(next, Task::EndOrganization { organization: acme.clone(), invocation: 1 });
        assert_eq!(serde_json::from_value::<Task>(serde_json::to_value(&next).unwrap()).unwrap(), next);
        assert_eq!(Task::next_end(&acme, MAX_INVOCATIONS), None);
    }

    #[test]
    fn orders_are_told_apart() {
        let sync = json!({"repository": "a/b", "trigger": "sync_now"});
        let request = SyncRequest { repository: "a/b".parse().unwrap(), trigger: Trigger::SyncNow };
        assert_eq!(serde_json::from_value::<Order>(sync).unwrap(), Order::Sync(request));
        assert_eq!(
            serde_json::from_value::<Order>(json!({"task": "reconcile"})).unwrap(),
            Order::Task(Task::Reconcile { invocation: 0, after: None })
        );
        let preview = Order::Task(Task::Preview(PreviewRequest {
            repository: "a/b".parse().unwrap(),
            root_rule: None,
            architecture_filter: None,
            deletion_limit: Some(3),
            gate: Box::default(),
            source: None,
        }));
        assert_eq!(serde_json::from_value::<Order>(serde_json::to_value(&preview).unwrap()).unwrap(), preview);
        let discover = json!({"task": "discover", "organization": "acme", "trigger": "schedule"});
        let expected = Task::Discover { organization: "acme".parse().unwrap(), trigger: Trigger::Schedule };
        assert_eq!(serde_json::from_value::<Order>(discover).unwrap(), Order::Task(expected));
        assert!(serde_json::from_value::<Order>(json!({"task": "format"})).is_err());
    }
}
