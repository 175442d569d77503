//! What is written of mirrors and their runs.

use moorage_domain::{
    MediaType,
    mirror::RepositoryState,
    plan::{Cause, Word},
    run::{Compared, Outcome, RunStatus, Trigger},
    status::{SyncStatus, Unsettled},
    webhook::DeliveryOutcome,
};
use serde_json::json;

names! {
    Trigger.as_str {
        Schedule => "schedule",
        SyncNow => "sync_now",
        Verify => "verify",
        Retry => "retry",
        Organization => "organization",
        Continuation => "continuation",
        Hold => "hold",
        Rollback => "rollback",
        Webhook => "webhook",
    }
    DeliveryOutcome.as_str { Accepted => "accepted", Ignored => "ignored", Unsigned => "unsigned", Invalid => "invalid", }
    RunStatus {
        Syncing => "SYNCING",
        Success => "SUCCESS",
        Fail => "FAIL",
        Cancel => "CANCEL",
    }
    Outcome {
        Copied => "copied",
        Unchanged => "unchanged",
        Repaired => "repaired",
        Refused => "refused",
        Failed => "failed",
        Pruned => "pruned",
        Skipped => "skipped",
        Held => "held",
    }
    RepositoryState.as_str {
        Normal => "NORMAL",
        ReadOnly => "READ_ONLY",
        Mirror => "MIRROR",
        OrgMirror => "ORG_MIRROR",
    }
    SyncStatus.as_str {
        NeverRun => "NEVER_RUN",
        SyncNow => "SYNC_NOW",
        Syncing => "SYNCING",
        Success => "SUCCESS",
        Fail => "FAIL",
        Cancel => "CANCEL",
    }
    Unsettled {
        Latest => "latest",
        Earlier => "earlier",
    }
    Cause {
        Vanished => "vanished",
        Deselected => "deselected",
    }
    Word {
        Gone => "gone",
        There => "there",
        Unclear => "unclear",
        Silent => "silent",
    }
    MediaType.as_str {
        OciManifest => "application/vnd.oci.image.manifest.v1+json",
        OciIndex => "application/vnd.oci.image.index.v1+json",
        DockerManifest => "application/vnd.docker.distribution.manifest.v2+json",
        DockerManifestList => "application/vnd.docker.distribution.manifest.list.v2+json",
    }
    Compared {
        Nothing => "nothing",
        UpTo("v1".parse().unwrap()) => {"up_to": "v1"},
        All => "all",
    }
}
