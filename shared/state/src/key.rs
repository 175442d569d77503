//! The keys of the table: every item's is a variant of one enum.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{Digest, Namespace, RepositoryName, RobotName, TagName, Timestamp, run::RunId};
use uuid::Uuid;

use crate::Account;

/// The partition key's attribute.
pub(crate) const PK: &str = "pk";
/// The sort key's attribute.
pub(crate) const SK: &str = "sk";

/// One item's key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Key<'a> {
    Organization(&'a Namespace),
    Robot(&'a RobotName),
    Repository(&'a RepositoryName),
    Mirror(&'a RepositoryName),
    Referrers(&'a RepositoryName),
    Permission(&'a RepositoryName, &'a RobotName),
    Tag(&'a RepositoryName, &'a TagName),
    Skipped(&'a RepositoryName, &'a TagName),
    Upload(&'a RepositoryName, &'a Digest),
    Run(&'a RepositoryName, RunId),
    Outcomes(&'a RepositoryName, RunId, u32),
    Log(&'a RepositoryName, Timestamp, Uuid),
    RateLimit(&'a Account),
    Sentence(&'a Digest),
}

impl Key<'_> {
    pub(crate) fn pk(&self) -> String {
        match self {
            Self::Organization(namespace) => namespace_pk(namespace),
            Self::Robot(robot) => namespace_pk(&robot.namespace()),
            Self::Repository(repository) => namespace_pk(&repository.namespace()),
            Self::RateLimit(account) => format!("REGISTRY#{}", account.authority),
            Self::Sentence(digest) => garbage_pk(&digest.hex()[..2]),
            Self::Mirror(repository)
            | Self::Referrers(repository)
            | Self::Permission(repository, _)
            | Self::Tag(repository, _)
            | Self::Skipped(repository, _)
            | Self::Upload(repository, _)
            | Self::Run(repository, _)
            | Self::Outcomes(repository, ..)
            | Self::Log(repository, ..) => repository_pk(repository),
        }
    }

    pub(crate) fn sk(&self) -> String {
        match self {
            Self::Organization(_) => "ORGANIZATION".to_owned(),
            Self::Robot(robot) => format!("{}{}", prefix::ROBOT, robot.short()),
            Self::Repository(repository) => format!("{}{}", prefix::REPOSITORY, repository.name()),
            Self::Mirror(_) => "MIRROR".to_owned(),
            Self::Referrers(_) => "REFERRERS".to_owned(),
            Self::Permission(_, robot) => format!("{}{robot}", prefix::PERMISSION),
            Self::Tag(_, tag) => format!("{}{tag}", prefix::TAG),
            Self::Skipped(_, tag) => format!("{}{tag}", prefix::SKIPPED),
            Self::Upload(_, digest) => format!("{}{digest}", prefix::UPLOAD),
            Self::RateLimit(account) => format!("LIMIT#{}", account.identity),
            Self::Sentence(digest) => format!("{}{digest}", prefix::SENTENCE),
            Self::Run(_, run) => format!("{}{run}", prefix::RUN),
            // Ten digits hold every u32, so that the text order is the numeric order.
            Self::Outcomes(_, run, number) => format!("{}{number:010}", outcomes_prefix(*run)),
            Self::Log(_, datetime, id) => format!("{}{:012}#{id}", prefix::LOG, datetime.unix()),
        }
    }

    pub(crate) fn attributes(&self) -> HashMap<String, AttributeValue> {
        let attributes = [(PK, self.pk()), (SK, self.sk())];
        attributes.into_iter().map(|(name, value)| (name.to_owned(), AttributeValue::S(value))).collect()
    }
}

/// What the sort keys of one kind of item begin with.
pub(crate) mod prefix {
    pub(crate) const ROBOT: &str = "ROBOT#";
    pub(crate) const REPOSITORY: &str = "REPOSITORY#";
    pub(crate) const PERMISSION: &str = "PERMISSION#";
    pub(crate) const TAG: &str = "TAG#";
    pub(crate) const SKIPPED: &str = "SKIPPED#";
    pub(crate) const UPLOAD: &str = "UPLOAD#";
    pub(crate) const RUN: &str = "RUN#";
    pub(crate) const OUTCOMES: &str = "OUTCOMES#";
    pub(crate) const LOG: &str = "LOG#";
    pub(crate) const SENTENCE: &str = "SENTENCE#";
}

pub(crate) fn namespace_pk(namespace: &Namespace) -> String {
    format!("NS#{namespace}")
}

pub(crate) fn repository_pk(repository: &RepositoryName) -> String {
    format!("REPO#{repository}")
}

/// Blobs are spread over partitions by the first two digits of their value.
pub(crate) fn garbage_pk(shard: &str) -> String {
    format!("GARBAGE#{shard}")
}

pub(crate) fn outcomes_prefix(run: RunId) -> String {
    format!("{}{run}#", prefix::OUTCOMES)
}
