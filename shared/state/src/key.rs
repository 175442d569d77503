//! The keys of the table: every item's is a variant of one enum.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{
    Digest, Namespace, Origin, RepositoryName, RobotName, TagName, TeamName, Timestamp, UserName, run::RunId,
    signature_policy::TrustRootId, webhook::EcrRepository,
};
use uuid::Uuid;

use crate::runs::{account::Account, slot_kind::SlotKind};

/// The partition key's attribute.
pub(crate) const PK: &str = "pk";
/// The sort key's attribute.
pub(crate) const SK: &str = "sk";

/// The partition that lists the organizations.
pub(crate) const ORGANIZATIONS: &str = "ORGANIZATIONS";
/// The partition of the API's tokens.
pub(crate) const API_TOKENS: &str = "TOKENS";
/// The partition of the trusted roots.
pub(crate) const TRUST: &str = "TRUST";
/// The partition that lists the public repositories.
pub(crate) const PUBLIC: &str = "PUBLIC";

/// The partition that lists the users.
pub(crate) const USERS: &str = "USERS";
/// The partition that lists the teams that are bound to a group.
pub(crate) const TEAM_GROUPS: &str = "TEAMGROUPS";

/// One item's key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Key<'a> {
    Organization(&'a Namespace),
    /// That there is an organization: what lists them all.
    OrganizationEntry(&'a Namespace),
    OrganizationMirror(&'a Namespace),
    /// A repository that its organization's mirror has found.
    Discovered(&'a RepositoryName),
    /// That the sync of a repository is queued.
    QueuedSync(&'a RepositoryName),
    /// One of the slots of a namespace.
    Slot(&'a Namespace, SlotKind, u32),
    Team(&'a Namespace, &'a TeamName),
    /// That a robot is in a team of its organization.
    TeamMember(&'a TeamName, &'a RobotName),
    /// A team's permission as its team sees it.
    TeamGrant(&'a TeamName, &'a RepositoryName),
    /// That a user is in a team of an organization.
    TeamUser(&'a Namespace, &'a TeamName, &'a UserName),
    /// To which group a team of an organization is bound: what lists those that are.
    TeamGroup(&'a Namespace, &'a TeamName),
    User(&'a UserName),
    /// That there is a user: what lists them all.
    UserEntry(&'a UserName),
    /// Which user a provider's subject is, by the hash of both.
    Subject(&'a Digest),
    /// In which teams a user is.
    UserTeams(&'a UserName),
    /// A permission as its user sees it.
    UserGrant(&'a UserName, &'a RepositoryName),
    UserPermission(&'a RepositoryName, &'a UserName),
    /// A token that a user pulls with.
    AppToken(Uuid),
    /// The same, as its user sees it.
    UserAppToken(&'a UserName, Uuid),
    Robot(&'a RobotName),
    /// A permission as its robot sees it.
    Grant(&'a RobotName, &'a RepositoryName),
    NamespaceLog(&'a Namespace, Timestamp, Uuid),
    ApiToken(Uuid),
    Repository(&'a RepositoryName),
    /// That a repository is public: what lists them all.
    Public(&'a RepositoryName),
    /// That somebody looks at what the bucket has of a name that the table does not know.
    StrayLock(&'a RepositoryName),
    Mirror(&'a RepositoryName),
    Referrers(&'a RepositoryName),
    Permission(&'a RepositoryName, &'a RobotName),
    TeamPermission(&'a RepositoryName, &'a TeamName),
    PastTag(&'a RepositoryName, &'a TagName, Timestamp),
    Tag(&'a RepositoryName, &'a TagName),
    Skipped(&'a RepositoryName, &'a TagName),
    /// When the registry's image was first seen.
    Sighting(&'a RepositoryName, &'a Digest),
    /// That a tag waits at the gate.
    GateHold(&'a RepositoryName, &'a TagName),
    Upload(&'a RepositoryName, &'a Digest),
    Run(&'a RepositoryName, RunId),
    /// The outcomes of a run: which of its attempts wrote them, and its number there.
    Outcomes(&'a RepositoryName, RunId, usize, u32),
    /// That what a run has left is kept.
    Pin(&'a RepositoryName, RunId),
    /// A part of what a pin keeps.
    PinnedTags(&'a RepositoryName, Uuid, u32),
    /// That a snapshot is no pin yet, or no longer.
    LoosePin(&'a RepositoryName, Uuid),
    /// A part of what a run has learnt of its registry.
    Learnt(&'a RepositoryName, RunId, u32),
    Log(&'a RepositoryName, Timestamp, Uuid),
    RateLimit(&'a Account),
    Sentence(&'a Digest),
    /// Who of a trust domain has some content.
    Hint(&'a str, &'a Digest),
    /// That a repository's registry has sent some content.
    Receipt(&'a RepositoryName, &'a Digest),
    TrustRoot(&'a TrustRootId),
    Notification(&'a RepositoryName, Uuid),
    /// What an organization's notification was last told of the repository.
    ToldOf(&'a RepositoryName, Uuid),
    NamespaceNotification(&'a Namespace, Uuid),
    /// The webhook of a repository's mirror.
    Webhook(&'a RepositoryName),
    /// Whose webhook an id is, by its hash.
    WebhookId(&'a Digest),
    /// That a mirror copies from a repository of ECR.
    EcrMirror(&'a EcrRepository, &'a RepositoryName),
    /// That a mirror copies from a repository of an external registry.
    OriginMirror(&'a Origin, &'a RepositoryName),
    /// What people of a namespace were told.
    Note(&'a Namespace, Timestamp, Uuid),
    /// Which stack of CloudFormation has made something, by its physical id.
    StackResource(&'a str),
    CollectorLease,
    Collection(Timestamp, Uuid),
}

impl Key<'_> {
    pub(crate) fn pk(&self) -> String {
        match self {
            Self::Organization(namespace)
            | Self::OrganizationMirror(namespace)
            | Self::Team(namespace, _)
            | Self::TeamUser(namespace, ..)
            | Self::Slot(namespace, ..)
            | Self::NamespaceNotification(namespace, _)
            | Self::Note(namespace, ..)
            | Self::NamespaceLog(namespace, ..) => namespace_pk(namespace),
            Self::OrganizationEntry(_) => ORGANIZATIONS.to_owned(),
            Self::UserEntry(_) => USERS.to_owned(),
            Self::TeamGroup(..) => TEAM_GROUPS.to_owned(),
            Self::User(user) | Self::UserAppToken(user, _) => user_pk(user),
            // Apart from who they are, so that whoever ends organizations and repositories need not reach that.
            Self::UserTeams(user) | Self::UserGrant(user, _) => user_roles_pk(user),
            // Each has a partition of its own: it is read by whole ids only.
            Self::AppToken(id) => format!("{}{id}", prefix::APP_TOKEN),
            Self::ApiToken(_) => API_TOKENS.to_owned(),
            Self::Public(_) => PUBLIC.to_owned(),
            Self::TrustRoot(_) => TRUST.to_owned(),
            Self::Robot(robot) | Self::Grant(robot, _) | Self::TeamMember(_, robot) => namespace_pk(&robot.namespace()),
            Self::Repository(repository)
            | Self::TeamGrant(_, repository)
            | Self::Discovered(repository)
            | Self::QueuedSync(repository) => namespace_pk(&repository.namespace()),
            Self::RateLimit(account) => namespace_pk(&account.namespace),
            Self::Sentence(digest) => garbage_pk(&digest.hex()[..2]),
            // Each has a partition of its own: it is read by whole ids only.
            Self::WebhookId(hash) => format!("{}{}", prefix::WEBHOOK_PK, hash.hex()),
            Self::Subject(hash) => format!("{}{}", prefix::SUBJECT_PK, hash.hex()),
            Self::EcrMirror(source, _) => ecr_pk(source),
            Self::OriginMirror(origin, _) => origin_pk(origin),
            Self::StackResource(physical_id) => format!("{}{physical_id}", prefix::RESOURCE_PK),
            // Spread over partitions as sentences are.
            Self::Hint(domain, digest) => format!("CONTENT#{domain}#{}", &digest.hex()[..2]),
            Self::CollectorLease | Self::Collection(..) => collections_pk(),
            Self::Mirror(repository)
            | Self::StrayLock(repository)
            | Self::Referrers(repository)
            | Self::Permission(repository, _)
            | Self::UserPermission(repository, _)
            | Self::TeamPermission(repository, _)
            | Self::PastTag(repository, ..)
            | Self::Tag(repository, _)
            | Self::Skipped(repository, _)
            | Self::Sighting(repository, _)
            | Self::GateHold(repository, _)
            | Self::Upload(repository, _)
            | Self::Notification(repository, _)
            | Self::ToldOf(repository, _)
            | Self::Webhook(repository)
            | Self::Receipt(repository, _)
            | Self::Run(repository, _)
            | Self::Outcomes(repository, ..)
            | Self::Pin(repository, _)
            | Self::PinnedTags(repository, ..)
            | Self::LoosePin(repository, _)
            | Self::Learnt(repository, ..)
            | Self::Log(repository, ..) => repository_pk(repository),
        }
    }

    pub(crate) fn sk(&self) -> String {
        match self {
            Self::Organization(_) => "ORGANIZATION".to_owned(),
            Self::OrganizationEntry(namespace) => format!("{}{namespace}", prefix::ORGANIZATION),
            Self::OrganizationMirror(_) => "ORGANIZATIONMIRROR".to_owned(),
            Self::Discovered(repository) => format!("{}{}", prefix::DISCOVERED, repository.name()),
            Self::QueuedSync(repository) => format!("{}{}", prefix::QUEUED_SYNC, repository.name()),
            Self::Slot(_, kind, number) => format!("{}{number:010}", slots_prefix(*kind)),
            Self::Team(_, team) => format!("{}{team}", prefix::TEAM),
            Self::TeamMember(team, robot) => format!("{}{}", members_prefix(team), robot.short()),
            Self::TeamUser(_, team, user) => format!("{}{user}", team_users_prefix(team)),
            Self::TeamGroup(organization, team) => format!("{organization}#{team}"),
            Self::User(_) => "USER".to_owned(),
            Self::UserEntry(user) => format!("{}{user}", prefix::USER),
            Self::UserTeams(_) => "TEAMS".to_owned(),
            Self::Subject(_) => "SUBJECT".to_owned(),
            Self::UserGrant(_, repository) => format!("{}{repository}", prefix::GRANT),
            Self::UserPermission(_, user) => format!("{}{user}", prefix::USER_PERMISSION),
            Self::AppToken(_) => "TOKEN".to_owned(),
            Self::UserAppToken(_, id) => format!("{}{id}", prefix::APP_TOKEN),
            Self::TeamGrant(team, repository) => format!("{}{}", team_grants_prefix(team), repository.name()),
            Self::ApiToken(id) => format!("{}{id}", prefix::API_TOKEN),
            Self::Robot(robot) => format!("{}{}", prefix::ROBOT, robot.short()),
            Self::Grant(robot, repository) => format!("{}{}", grants_prefix(robot), repository.name()),
            Self::Repository(repository) => format!("{}{}", prefix::REPOSITORY, repository.name()),
            Self::Mirror(_) => "MIRROR".to_owned(),
            Self::Public(repository) | Self::EcrMirror(_, repository) | Self::OriginMirror(_, repository) => {
                format!("{}{repository}", prefix::REPOSITORY)
            }
            Self::StrayLock(_) => "LOCK".to_owned(),
            Self::Referrers(_) => "REFERRERS".to_owned(),
            Self::Permission(_, robot) => format!("{}{robot}", prefix::PERMISSION),
            Self::TeamPermission(_, team) => format!("{}{team}", prefix::TEAM_PERMISSION),
            Self::PastTag(_, tag, start) => format!("{}{:012}#{tag}", prefix::PAST_TAG, start.unix()),
            Self::Tag(_, tag) => format!("{}{tag}", prefix::TAG),
            Self::Skipped(_, tag) => format!("{}{tag}", prefix::SKIPPED),
            Self::Sighting(_, digest) => format!("{}{digest}", prefix::SIGHTING),
            Self::GateHold(_, tag) => format!("{}{tag}", prefix::HOLD),
            Self::Upload(_, digest) => format!("{}{digest}", prefix::UPLOAD),
            Self::Hint(_, digest) => digest.to_string(),
            Self::Receipt(_, digest) => format!("{}{digest}", prefix::RECEIPT),
            Self::RateLimit(account) => format!("{}{}", rate_limits_prefix(&account.authority), account.identity),
            Self::Sentence(digest) => format!("{}{digest}", prefix::SENTENCE),
            Self::Notification(_, uuid) | Self::NamespaceNotification(_, uuid) => {
                format!("{}{uuid}", prefix::NOTIFICATION)
            }
            Self::ToldOf(_, uuid) => format!("{}{uuid}", prefix::TOLD),
            Self::Note(_, created, id) => format!("{}{:012}#{id}", prefix::NOTE, created.unix()),
            Self::TrustRoot(id) => format!("{}{id}", prefix::TRUST_ROOT),
            Self::Webhook(_) => "WEBHOOK".to_owned(),
            Self::WebhookId(_) => "ID".to_owned(),
            Self::StackResource(_) => "RESOURCE".to_owned(),
            Self::CollectorLease => "LEASE".to_owned(),
            Self::Collection(started_at, id) => format!("{}{:012}#{id}", prefix::COLLECTION, started_at.unix()),
            Self::Run(_, run) => format!("{}{run}", prefix::RUN),
            // Ten digits hold every u32, so that the text order is the numeric order.
            Self::Outcomes(_, run, attempt, number) => format!("{}{attempt:010}#{number:010}", outcomes_prefix(*run)),
            Self::Pin(_, run) => format!("{}{run}", prefix::PIN),
            Self::PinnedTags(_, snapshot, number) => format!("{}{number:010}", pinned_prefix(*snapshot)),
            Self::LoosePin(_, snapshot) => format!("{}{snapshot}", prefix::LOOSE_PIN),
            Self::Learnt(_, run, number) => format!("{}{number:010}", learnt_prefix(*run)),
            Self::Log(_, datetime, id) | Self::NamespaceLog(_, datetime, id) => {
                format!("{}{:012}#{id}", prefix::LOG, datetime.unix())
            }
        }
    }

    pub(crate) fn attributes(&self) -> HashMap<String, AttributeValue> {
        let attributes = [(PK, self.pk()), (SK, self.sk())];
        attributes.into_iter().map(|(name, value)| (name.to_owned(), AttributeValue::S(value))).collect()
    }
}

/// What the sort keys of one kind of item begin with, and the partition keys of namespaces and repositories.
pub(crate) mod prefix {
    pub(crate) const NAMESPACE_PK: &str = "NS#";
    pub(crate) const REPOSITORY_PK: &str = "REPO#";
    pub(crate) const WEBHOOK_PK: &str = "WEBHOOK#";
    pub(crate) const ECR_PK: &str = "ECR#";
    pub(crate) const ORIGIN_PK: &str = "ORIGIN#";
    pub(crate) const SUBJECT_PK: &str = "SUBJECT#";
    pub(crate) const RESOURCE_PK: &str = "RESOURCE#";
    pub(crate) const ORGANIZATION: &str = "ORGANIZATION#";
    pub(crate) const DISCOVERED: &str = "DISCOVERED#";
    pub(crate) const QUEUED_SYNC: &str = "TURN#";
    pub(crate) const SLOT: &str = "SLOT#";
    pub(crate) const TEAM: &str = "TEAM#";
    pub(crate) const TEAM_MEMBER: &str = "TEAMMEMBER#";
    pub(crate) const TEAM_USER: &str = "TEAMUSER#";
    /// Both of what lists the users and of their own partitions.
    pub(crate) const USER: &str = "USER#";
    pub(crate) const USER_ROLES_PK: &str = "USERROLES#";
    pub(crate) const USER_PERMISSION: &str = "USERPERMISSION#";
    pub(crate) const APP_TOKEN: &str = "APPTOKEN#";
    pub(crate) const TEAM_GRANT: &str = "TEAMGRANT#";
    pub(crate) const API_TOKEN: &str = "TOKEN#";
    pub(crate) const ROBOT: &str = "ROBOT#";
    pub(crate) const GRANT: &str = "GRANT#";
    pub(crate) const REPOSITORY: &str = "REPOSITORY#";
    pub(crate) const PERMISSION: &str = "PERMISSION#";
    pub(crate) const TEAM_PERMISSION: &str = "TEAMPERMISSION#";
    pub(crate) const PAST_TAG: &str = "TAGHISTORY#";
    pub(crate) const TAG: &str = "TAG#";
    pub(crate) const SKIPPED: &str = "SKIPPED#";
    /// Both of the next two.
    pub(crate) const GATE: &str = "GATE#";
    pub(crate) const SIGHTING: &str = "GATE#SEEN#";
    pub(crate) const HOLD: &str = "GATE#HOLD#";
    pub(crate) const UPLOAD: &str = "UPLOAD#";
    pub(crate) const RECEIPT: &str = "RECEIPT#";
    pub(crate) const RUN: &str = "RUN#";
    pub(crate) const OUTCOMES: &str = "OUTCOMES#";
    pub(crate) const PIN: &str = "PIN#";
    pub(crate) const PINNED_TAGS: &str = "PINNEDTAGS#";
    pub(crate) const LOOSE_PIN: &str = "LOOSEPIN#";
    pub(crate) const LEARNT: &str = "LEARNT#";
    pub(crate) const RATE_LIMIT: &str = "RATELIMIT#";
    pub(crate) const LOG: &str = "LOG#";
    pub(crate) const SENTENCE: &str = "SENTENCE#";
    pub(crate) const NOTIFICATION: &str = "NOTIFICATION#";
    pub(crate) const TOLD: &str = "TOLD#";
    pub(crate) const NOTE: &str = "NOTE#";
    pub(crate) const TRUST_ROOT: &str = "ROOT#";
    pub(crate) const COLLECTION: &str = "COLLECTION#";
}

pub(crate) fn namespace_pk(namespace: &Namespace) -> String {
    format!("{}{namespace}", prefix::NAMESPACE_PK)
}

pub(crate) fn repository_pk(repository: &RepositoryName) -> String {
    format!("{}{repository}", prefix::REPOSITORY_PK)
}

pub(crate) fn user_pk(user: &UserName) -> String {
    format!("{}{user}", prefix::USER)
}

pub(crate) fn user_roles_pk(user: &UserName) -> String {
    format!("{}{user}", prefix::USER_ROLES_PK)
}

pub(crate) fn ecr_pk(source: &EcrRepository) -> String {
    format!("{}{source}", prefix::ECR_PK)
}

pub(crate) fn origin_pk(origin: &Origin) -> String {
    format!("{}{origin}", prefix::ORIGIN_PK)
}

pub(crate) fn collections_pk() -> String {
    "GARBAGE".to_owned()
}

/// Blobs are spread over partitions by the first two digits of their value.
pub(crate) fn garbage_pk(shard: &str) -> String {
    format!("GARBAGE#{shard}")
}

pub(crate) fn outcomes_prefix(run: RunId) -> String {
    format!("{}{run}#", prefix::OUTCOMES)
}

pub(crate) fn pinned_prefix(snapshot: Uuid) -> String {
    format!("{}{snapshot}#", prefix::PINNED_TAGS)
}

pub(crate) fn learnt_prefix(run: RunId) -> String {
    format!("{}{run}#", prefix::LEARNT)
}

pub(crate) fn rate_limits_prefix(authority: &str) -> String {
    format!("{}{authority}#", prefix::RATE_LIMIT)
}

pub(crate) fn slots_prefix(kind: SlotKind) -> String {
    format!("{}{}#", prefix::SLOT, kind.as_str())
}

pub(crate) fn grants_prefix(robot: &RobotName) -> String {
    format!("{}{}#", prefix::GRANT, robot.short())
}

pub(crate) fn members_prefix(team: &TeamName) -> String {
    format!("{}{team}#", prefix::TEAM_MEMBER)
}

pub(crate) fn team_users_prefix(team: &TeamName) -> String {
    format!("{}{team}#", prefix::TEAM_USER)
}

pub(crate) fn team_grants_prefix(team: &TeamName) -> String {
    format!("{}{team}#", prefix::TEAM_GRANT)
}
