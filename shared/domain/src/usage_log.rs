//! The usage log, with Quay's kinds and metadata.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{ExternalReference, RepositoryName, RobotName, RootRule, Timestamp};

/// Quay's kinds of entries, as far as we write them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogKind {
    /// A sync began.
    RepoMirrorSyncStarted,
    /// A sync mirrored everything.
    RepoMirrorSyncSuccess,
    /// A sync failed, in part or as a whole, or was cancelled.
    RepoMirrorSyncFailed,
    /// A sync left something undone on purpose. Ours, not Quay's.
    RepoMirrorSyncWarning,
    /// A tag was copied.
    RepoMirrorSyncTagSuccess,
    /// A tag could not be copied.
    RepoMirrorSyncTagFailed,
    /// A mirror was created, changed, or asked to sync or stop.
    RepoMirrorConfigChanged,
    /// An organization got a mirror.
    OrgMirrorEnabled,
    /// An organization's mirror was deleted.
    OrgMirrorDisabled,
    /// An organization's mirror was changed.
    OrgMirrorConfigChanged,
    /// An organization's mirror was asked to sync.
    OrgMirrorSyncNowRequested,
    /// An organization's mirror was asked to stop.
    OrgMirrorSyncCancelled,
    /// An organization's mirror began to look for repositories.
    OrgMirrorSyncStarted,
    /// It found them.
    OrgMirrorSyncSuccess,
    /// It failed, or was cancelled.
    OrgMirrorSyncFailed,
    /// It created a repository.
    OrgMirrorRepoCreated,
    /// It could not create a repository.
    OrgMirrorRepoCreationFailed,
    /// A repository was created.
    CreateRepo,
    /// A repository was deleted.
    DeleteRepo,
    /// A repository's state was changed.
    ChangeRepoState,
    /// A repository was made public or private.
    ChangeRepoVisibility,
    /// A repository's description was changed.
    SetRepoDescription,
    /// The role of a robot or a team on a repository was changed.
    ChangeRepoPermission,
    /// A robot or a team has no role on a repository any more.
    DeleteRepoPermission,
    /// A tag was made by hand.
    CreateTag,
    /// A tag was pointed to another image by hand.
    MoveTag,
    /// A tag was deleted, by hand or by a sync.
    DeleteTag,
    /// A tag was pointed to an earlier image.
    RevertTag,
    /// A robot account was created.
    CreateRobot,
    /// A robot account was deleted.
    DeleteRobot,
    /// A robot's token was replaced.
    RegenerateRobotToken,
    /// Workloads may log in as a robot.
    CreateRobotFederation,
    /// No workload may log in as a robot any more.
    DeleteRobotFederation,
    /// A workload's token was exchanged for a robot's password.
    FederatedRobotTokenExchange,
    /// An organization was created.
    OrgCreate,
    /// An organization was deleted.
    OrgDelete,
    /// An organization's address was changed.
    OrgChangeEmail,
    /// A team was created.
    OrgCreateTeam,
    /// A team was deleted.
    OrgDeleteTeam,
    /// A team's role in its organization was changed.
    OrgSetTeamRole,
    /// A team's description was changed.
    OrgSetTeamDescription,
    /// A robot was added to a team.
    OrgAddTeamMember,
    /// A robot was taken out of a team.
    OrgRemoveTeamMember,
    /// A team was bound to a group of the identity provider.
    EnableTeamSync,
    /// A team was bound to none any longer.
    DisableTeamSync,
    /// A notification was created.
    AddRepoNotification,
    /// A notification was deleted.
    DeleteRepoNotification,
    /// A notification's counter of failures was set to zero.
    ResetRepoNotification,
    /// A mirror got a webhook, or another one beside it. Ours, not Quay's.
    CreateRepoMirrorWebhook,
    /// A mirror's webhook is valid no more, or the one before it. Ours, not Quay's.
    DeleteRepoMirrorWebhook,
    /// What a run of a mirror has left is kept. Ours, not Quay's.
    PinRepoMirrorRun,
    /// It is kept no longer than anything else. Ours, not Quay's.
    UnpinRepoMirrorRun,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// What happened.
    pub kind: LogKind,
    /// When.
    pub datetime: Timestamp,
    /// Quay's keys of this kind.
    pub metadata: Map<String, Value>,
    /// Who did it; syncs have no performer.
    pub performer: Option<String>,
    /// From which address; syncs have none.
    pub ip: Option<String>,
}

/// What Quay's sync entries say of the mirror: `'<ref>' with tag pattern '<a,b>'`.
pub fn pattern_message(reference: &ExternalReference, rule: &RootRule) -> String {
    format!("'{reference}' with tag pattern '{}'", rule.patterns().join(","))
}

/// An entry of a sync. Quay's metadata keys are always all there.
pub fn sync_entry(kind: LogKind, datetime: Timestamp, repository: &RepositoryName, fields: SyncFields) -> LogEntry {
    let metadata = [
        ("verb", Some(fields.verb.to_owned())),
        ("namespace", Some(repository.namespace().to_string())),
        ("repo", Some(repository.name().to_owned())),
        ("message", Some(fields.message)),
        ("tag", fields.tag),
        ("tags", fields.tags),
        ("stdout", fields.stdout),
        ("stderr", fields.stderr),
    ];
    let metadata =
        metadata.into_iter().map(|(key, value)| (key.to_owned(), value.map_or(Value::Null, Value::String))).collect();
    LogEntry { kind, datetime, metadata, performer: None, ip: None }
}

/// An entry of what an organization's mirror did in the name of its robot.
pub fn organization_entry(
    kind: LogKind,
    datetime: Timestamp,
    robot: &RobotName,
    fields: impl IntoIterator<Item = (&'static str, String)>,
) -> LogEntry {
    let metadata = fields.into_iter().map(|(key, value)| (key.to_owned(), Value::String(value))).collect();
    LogEntry { kind, datetime, metadata, performer: Some(robot.to_string()), ip: None }
}

/// The parts of a sync's entry that differ by kind.
#[derive(Debug, Default)]
pub struct SyncFields {
    /// Quay's verb, `start`, `finish`, `end`, `lost` or `Cancelled`; or our `warn`, `wait` or `delete`.
    pub verb: &'static str,
    /// Quay's message.
    pub message: String,
    /// The tag, in entries of one tag.
    pub tag: Option<String>,
    /// The tags, in the entry that ends a sync.
    pub tags: Option<String>,
    /// What was done: Quay keeps skopeo's output here.
    pub stdout: Option<String>,
    /// What went wrong: Quay keeps skopeo's errors here.
    pub stderr: Option<String>,
}
