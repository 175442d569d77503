//! The values of stored enums: each keeps the name by which earlier builds wrote it.

#![allow(clippy::unwrap_used, reason = "a test may fail by unwrapping")]

#[macro_use]
mod rows;
mod runs;
mod written;

use moorage_domain::{
    CloudLogin, Digest, DigestListing, Dropped, FailureReason, Fallback, Timestamp, Warning,
    changes::ChangeKind,
    collection::{Held, Skip, Stage},
    discovery::Skipped,
    gate::{Mode, Move, Question, Reason},
    lock::LockKind,
    notification::{Event, Method, Notice, Owner},
    organization::RegistryKind,
    preview::PreviewAction,
    rights::{Right, Tried},
    run::RunId,
    selection::Step,
    signature_policy::{Format, Refusal, Require, TransparencyLog, TrustRootId, Verdict},
    trust_root::TrustRootSource,
    usage_log::LogKind,
    webhook::HintedTags,
};
use serde_json::{Value, json};
use uuid::Uuid;

names! {
    Right.as_str {
        Answer => "answer",
        ReadBucket => "read_bucket",
        WriteBucket => "write_bucket",
        ReadTable => "read_table",
        WriteTable => "write_table",
        EncryptSecrets => "encrypt_secrets",
        DecryptSecrets => "decrypt_secrets",
        ChangeSchedules => "change_schedules",
        InvokeSync => "invoke_sync",
        InvokeEvents => "invoke_events",
    }
    Tried {
        Ok => "ok",
        Denied => "denied",
        Failed => "failed",
    }
    TrustRootSource {
        TrustedRoot(Value::Null) => {"trusted_root": null},
        Tuf { url: "https://tuf.example.com/".to_owned().try_into().unwrap(), root: Value::Null } => {"tuf": {"url": "https://tuf.example.com/", "root": null}},
    }
    LogKind {
        RepoMirrorSyncStarted => "repo_mirror_sync_started",
        RepoMirrorSyncSuccess => "repo_mirror_sync_success",
        RepoMirrorSyncFailed => "repo_mirror_sync_failed",
        RepoMirrorSyncWarning => "repo_mirror_sync_warning",
        RepoMirrorSyncTagSuccess => "repo_mirror_sync_tag_success",
        RepoMirrorSyncTagFailed => "repo_mirror_sync_tag_failed",
        RepoMirrorConfigChanged => "repo_mirror_config_changed",
        OrgMirrorEnabled => "org_mirror_enabled",
        OrgMirrorDisabled => "org_mirror_disabled",
        OrgMirrorConfigChanged => "org_mirror_config_changed",
        OrgMirrorSyncNowRequested => "org_mirror_sync_now_requested",
        OrgMirrorSyncCancelled => "org_mirror_sync_cancelled",
        OrgMirrorSyncStarted => "org_mirror_sync_started",
        OrgMirrorSyncSuccess => "org_mirror_sync_success",
        OrgMirrorSyncFailed => "org_mirror_sync_failed",
        OrgMirrorRepoCreated => "org_mirror_repo_created",
        OrgMirrorRepoCreationFailed => "org_mirror_repo_creation_failed",
        CreateRepo => "create_repo",
        DeleteRepo => "delete_repo",
        ChangeRepoState => "change_repo_state",
        ChangeRepoVisibility => "change_repo_visibility",
        SetRepoDescription => "set_repo_description",
        ChangeRepoPermission => "change_repo_permission",
        DeleteRepoPermission => "delete_repo_permission",
        CreateTag => "create_tag",
        MoveTag => "move_tag",
        DeleteTag => "delete_tag",
        RevertTag => "revert_tag",
        CreateRobot => "create_robot",
        DeleteRobot => "delete_robot",
        RegenerateRobotToken => "regenerate_robot_token",
        CreateRobotFederation => "create_robot_federation",
        DeleteRobotFederation => "delete_robot_federation",
        FederatedRobotTokenExchange => "federated_robot_token_exchange",
        OrgCreate => "org_create",
        OrgDelete => "org_delete",
        OrgChangeEmail => "org_change_email",
        OrgCreateTeam => "org_create_team",
        OrgDeleteTeam => "org_delete_team",
        OrgSetTeamRole => "org_set_team_role",
        OrgSetTeamDescription => "org_set_team_description",
        OrgAddTeamMember => "org_add_team_member",
        OrgRemoveTeamMember => "org_remove_team_member",
        EnableTeamSync => "enable_team_sync",
        DisableTeamSync => "disable_team_sync",
        AddRepoNotification => "add_repo_notification",
        DeleteRepoNotification => "delete_repo_notification",
        ResetRepoNotification => "reset_repo_notification",
        CreateRepoMirrorWebhook => "create_repo_mirror_webhook",
        DeleteRepoMirrorWebhook => "delete_repo_mirror_webhook",
        PinRepoMirrorRun => "pin_repo_mirror_run",
        UnpinRepoMirrorRun => "unpin_repo_mirror_run",
    }
    LockKind {
        Prune => "prune",
        Tag => "tag",
        Purge => "purge",
    }
    FailureReason.as_str {
        AuthFailed => "auth_failed",
        NetworkTimeout => "network_timeout",
        ConnectionError => "connection_error",
        NotFound => "not_found",
        TlsError => "tls_error",
        DecryptionFailed => "decryption_failed",
        Preempted => "preempted",
        InvalidSourceRegistry => "invalid_source_registry",
        UnknownError => "unknown_error",
        RateLimited => "rate_limited",
        DigestMismatch => "digest_mismatch",
        ContentRefused => "content_refused",
        RegistryError => "registry_error",
        StorageError => "storage_error",
        QuotaExceeded => "quota_exceeded",
        SignatureRefused => "signature_refused",
        ContentGone => "content_gone",
    }
    PreviewAction {
        Copy => "copy",
        Keep => "keep",
        Delete => "delete",
        Hold => "hold",
        Wait => "wait",
        Refuse => "refuse",
        Ignore => "ignore",
        Fail => "fail",
        Unknown => "unknown",
    }
    Fallback {
        Range => "range",
        Head => "head",
        Referrers => "referrers",
        ParallelRequests => "parallel_requests",
        KeepAlive => "keep_alive",
        DigestListing => "digest_listing",
        ManifestByDigest => "manifest_by_digest",
        Http2 => "http2",
    }
    Skipped {
        Vanished => "vanished",
        Filtered => "filtered",
    }
    CloudLogin {
        Ecr { role_arn: None } => {"type": "ecr"},
        Google {
            provider: "projects/1/locations/global/workloadIdentityPools/a/providers/b".to_owned().try_into().unwrap(),
            service_account: "a@b.iam.gserviceaccount.com".to_owned().try_into().unwrap(),
        } => {
            "type": "google", "provider": "projects/1/locations/global/workloadIdentityPools/a/providers/b",
            "service_account": "a@b.iam.gserviceaccount.com",
        },
        Azure { tenant_id: Uuid::nil(), client_id: Uuid::nil() } => {
            "type": "azure", "tenant_id": "00000000-0000-0000-0000-000000000000",
            "client_id": "00000000-0000-0000-0000-000000000000",
        },
    }
    RegistryKind.as_str { Harbor => "harbor", Quay => "quay", Distribution => "distribution", }
    DigestListing.as_str {
        Auto => "auto",
        Off => "off",
        TagsList => "tags_list",
        Quay => "quay",
        Harbor => "harbor",
        DockerHub => "docker_hub",
    }
    Stage {
        Prune("acme".into()) => {"stage": "prune", "after": "acme"},
        Sweep(7) => {"stage": "sweep", "after": 7},
        Uploads => {"stage": "uploads"},
        Done => {"stage": "done"},
    }
    Held {
        TooMany { deletions: 3, blobs: 4 } => {"reason": "too_many", "deletions": 3, "blobs": 4},
        LinksShrank { links: 3, before: 9 } => {"reason": "links_shrank", "links": 3, "before": 9},
    }
    Skip {
        Busy => {"reason": "busy"},
        Unreadable { digest: Digest::sha256(b"") } => {
            "reason": "unreadable",
            "digest": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        },
        Unknown => {"reason": "unknown"},
        Recent => {"reason": "recent"},
        TooLarge => {"reason": "too_large"},
        TooLong => {"reason": "too_long"},
        Failed => {"reason": "failed"},
    }
    Step {
        Derived => "derived",
        IncludeRegex => "include_regex",
        Version => "version",
        Exclude => "exclude",
        Newest => "newest",
        Platforms => "platforms",
        MinAge => "min_age",
        MaxSize => "max_size",
    }
    Mode {
        Off => "off",
        Observe => "observe",
        Enforce => "enforce",
    }
    Move {
        Follow => "follow",
        Hold => "hold",
        Keep => "keep",
    }
    Question.field {
        Selection => "selection",
        MinAge => "min_age",
        OnMove => "on_move",
        SignaturePolicy => "signature_policy",
    }
    Reason {
        Deselected => "deselected",
        TooYoung => "too_young",
        Moved => "moved",
        Kept => "kept",
        EvidenceUnavailable => "evidence_unavailable",
        Refused(Refusal::Unsigned) => "unsigned",
    }
    Format {
        Bundle => "bundle",
        Simple => "simple",
    }
    TransparencyLog {
        Required => "required",
        Optional => "optional",
    }
    TrustRootId.as_str {
        Public => "public",
        Github => "github",
        Other("private".into()) => "private",
    }
    Require {
        Any => "any",
        All => "all",
    }
    Refusal.as_str {
        Unsigned => "unsigned",
        BadSignature => "bad_signature",
        WrongDigest => "wrong_digest",
        UntrustedRoot => "untrusted_root",
        NoTime => "no_time",
        WrongIdentity => "wrong_identity",
        TooManyReferrers => "too_many_referrers",
        OlderSignature => "older_signature",
    }
    Event.as_str {
        Started => "repo_mirror_sync_started",
        Success => "repo_mirror_sync_success",
        Failed => "repo_mirror_sync_failed",
        Changed => "repo_mirror_changed",
        Recovered => "repo_mirror_recovered",
        Late => "repo_mirror_late",
        DeletionsHeld => "repo_mirror_deletions_held",
        Held => "repo_mirror_held",
        SignatureRefused => "repo_mirror_signature_refused",
        Waiting => "repo_mirror_waiting",
    }
    Method.as_str {
        Webhook => "webhook",
        Slack => "slack",
        QuayNotification => "quay_notification",
        Sns => "sns",
        Eventbridge => "eventbridge",
    }
    Owner {
        Repository("acme/app".parse().unwrap()) => {"repository": "acme/app"},
        Organization("acme".parse().unwrap()) => {"organization": "acme"},
    }
    Notice {
        Started { repository: "acme/app".parse().unwrap(), run_id: RunId(Uuid::nil()) } => {
            "notice": "started", "repository": "acme/app", "run_id": "00000000-0000-0000-0000-000000000000"
        },
        Waiting { repository: "acme/app".parse().unwrap(), run_id: RunId(Uuid::nil()) } => {
            "notice": "waiting", "repository": "acme/app", "run_id": "00000000-0000-0000-0000-000000000000"
        },
        Ended { repository: "acme/app".parse().unwrap(), run_id: RunId(Uuid::nil()) } => {
            "notice": "ended", "repository": "acme/app", "run_id": "00000000-0000-0000-0000-000000000000"
        },
        Late { repository: "acme/app".parse().unwrap() } => {"notice": "late", "repository": "acme/app"},
        Test { owner: Owner::Organization("acme".parse().unwrap()), uuid: Uuid::nil() } => {
            "notice": "test", "owner": {"organization": "acme"}, "uuid": "00000000-0000-0000-0000-000000000000"
        },
    }
    ChangeKind.as_str {
        Created => "created",
        Moved => "moved",
        Deleted => "deleted",
        Held => "held",
        NoLongerHeld => "no_longer_held",
    }
    HintedTags {
        All => "all",
        Only(vec!["v1".parse().unwrap()]) => {"only": ["v1"]},
    }
    Verdict {
        Verified { by: Vec::new() } => {"verdict": "verified", "by": []},
        Refused { reason: Refusal::Unsigned, detail: "x".into() } =>
            {"verdict": "refused", "reason": "unsigned", "detail": "x"},
        Unavailable { detail: "x".into() } => {"verdict": "unavailable", "detail": "x"},
    }
    Warning {
        DeletionsHeld { tags: 12, limit: 10, deselected: 5 } =>
            {"reason": "deletions_held", "tags": 12, "limit": 10, "deselected": 5},
        ListEmpty { tags: 4 } => {"reason": "list_empty", "tags": 4},
        ListIncomplete { tags: 2 } => {"reason": "list_incomplete", "tags": 2},
        AttachmentsIncomplete { unasked: 1, missing: 2, taken: 3 } =>
            {"reason": "attachments_incomplete", "unasked": 1, "missing": 2, "taken": 3},
        TagsHeld { tags: 2, until: Some(Timestamp::from_unix(1_790_000_000)) } =>
            {"reason": "tags_held", "tags": 2, "until": 1_790_000_000},
        CredentialsDropped(Dropped { external_registry_password: true, http_proxy: false, https_proxy: true, tls: false }) => {
            "reason": "credentials_dropped",
            "external_registry_password": true, "http_proxy": false, "https_proxy": true,
        },
        CredentialsWithheld { insecure: true, proxy: false } =>
            {"reason": "credentials_withheld", "insecure": true, "proxy": false},
    }
}
