//! One transaction of what is written of tags.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{
    RepositoryName, TagName, Timestamp,
    lock::Lock,
    plan::{HeldTag, Missing},
    signature_policy::Approval,
};
use uuid::Uuid;

use crate::{
    StateError, Table,
    clock::now,
    expression::Change,
    key::Key,
    mirrors::transition::TransitionError,
    repositories::lock_condition::at_present,
    table::Item,
    tags::{skipped::SkippedTag, tag::TagItem},
    transaction::{Committed, Transaction},
    usage_log::Told,
};

/// By what somebody may change the tags of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// The claim of a sync, by its transaction id.
    Claim(Uuid),
    /// A lock of the repository.
    Lock(Lock),
}

/// What is written of a tag.
#[derive(Debug, Clone)]
pub(crate) enum Write {
    Put { held: Box<HeldTag>, is_first: bool, told: Option<Told> },
    Delete(Option<Told>),
    Seen(Option<Timestamp>, Option<Missing>),
    Skip(Box<SkippedTag>),
    Unskip,
    Approve(Box<Approval>),
}

impl Write {
    /// How many digests it lists, at least one, with those of what the tag was before.
    pub(crate) fn digests(&self, before: Option<&HeldTag>) -> usize {
        let listed = |held: &HeldTag| 1 + held.manifests.len() + held.nested.len() + held.left_out.len();
        match self {
            Self::Put { held, .. } => listed(held) + before.map_or(0, listed),
            Self::Delete(_) => 1 + before.map_or(0, listed),
            _ => 1,
        }
    }

    /// How many items it changes at most: the tag's, that of its past, and what is told of it.
    pub(crate) fn items(&self) -> usize {
        match self {
            Self::Put { is_first, told, .. } => 1 + usize::from(!is_first) + usize::from(told.is_some()),
            Self::Delete(told) => 2 + usize::from(told.is_some()),
            Self::Seen(..) | Self::Skip(_) | Self::Unskip | Self::Approve(_) => 1,
        }
    }

    /// Whether it depends on what the tag is.
    fn reads(&self) -> bool {
        matches!(self, Self::Put { is_first: false, .. } | Self::Delete(_) | Self::Seen(..) | Self::Approve(_))
    }
}

/// A tag that is written again, with the same image as `before`: it has that since then. Otherwise nobody would know that it
/// has had it at the moments between, and who turns back to one of them would delete it.
fn still(before: Option<&HeldTag>, held: HeldTag) -> HeldTag {
    match before.filter(|before| before.digest == held.digest && before.generation == held.generation) {
        Some(before) => HeldTag { first_seen: before.first_seen, reversion: before.reversion, ..held },
        None => held,
    }
}

impl Table {
    /// What these tags are, as far as what is written of them depends on it.
    pub(crate) async fn tags_before<'w>(
        &self,
        repository: &RepositoryName,
        writes: impl IntoIterator<Item = (&'w TagName, &'w Write)>,
    ) -> Result<HashMap<TagName, HeldTag>, StateError> {
        let keys = writes.into_iter().filter(|(_, write)| write.reads());
        let keys = keys.map(|(tag, _)| Key::Tag(repository, tag).attributes()).collect();
        Ok(self.tag_items(keys).await?.into_iter().map(|it| (it.tag, it.held)).collect())
    }

    /// Writes all of this, or nothing; [`TransitionError::ClaimLost`] if the right is gone. `before` is what
    /// [`Self::tags_before`] has read.
    pub(crate) async fn write_tags(
        &self,
        repository: &RepositoryName,
        right: Right,
        writes: &[(TagName, Write)],
        before: &HashMap<TagName, HeldTag>,
    ) -> Result<(), TransitionError> {
        let mut transaction = Transaction::new(self);
        for (tag, write) in writes {
            let before = before.get(tag);
            match write {
                Write::Put { held, told, .. } => {
                    if let Some(before) = before.filter(|before| before.digest != held.digest) {
                        self.end_tag(&mut transaction, repository, tag, before, held.first_seen)?;
                    }
                    let item = TagItem { tag: tag.clone(), held: still(before, HeldTag::clone(held)) };
                    transaction.put(Key::Tag(repository, tag), &item)?;
                    told.iter().try_for_each(|told| told.add(&mut transaction, repository))?;
                }
                Write::Delete(told) => {
                    if let Some(before) = before {
                        self.end_tag(&mut transaction, repository, tag, before, now())?;
                    }
                    transaction.delete(Key::Tag(repository, tag), None)?;
                    told.iter().try_for_each(|told| told.add(&mut transaction, repository))?;
                }
                Write::Seen(..) | Write::Approve(_) if before.is_none() => {}
                Write::Seen(last_seen, missing) => {
                    let update = "SET #last_seen = :seen, #missing = :missing";
                    let change = Change { update, condition: "attribute_exists(#pk)" };
                    let seen = serde_dynamo::to_attribute_value(last_seen).map_err(StateError::from)?;
                    let missing = serde_dynamo::to_attribute_value(missing).map_err(StateError::from)?;
                    let values = Item::from([(":seen".into(), seen), (":missing".into(), missing)]);
                    transaction.update(Key::Tag(repository, tag), change, values)?;
                }
                Write::Approve(approval) => {
                    let change = Change { update: "SET #approval = :approval", condition: "attribute_exists(#pk)" };
                    let approval = serde_dynamo::to_attribute_value(approval).map_err(StateError::from)?;
                    transaction.update(
                        Key::Tag(repository, tag),
                        change,
                        Item::from([(":approval".into(), approval)]),
                    )?;
                }
                Write::Skip(skipped) => self.put_skipped(&mut transaction, repository, tag, skipped)?,
                Write::Unskip => transaction.delete(Key::Skipped(repository, tag), None)?,
            }
        }
        if transaction.is_empty() {
            return Ok(());
        }
        match right {
            Right::Claim(id) => {
                let id = Item::from([(":id".to_owned(), AttributeValue::S(id.to_string()))]);
                transaction.check(Key::Mirror(repository), "#sync_transaction_id = :id", id)?;
            }
            Right::Lock(lock) => {
                let mut values = at_present();
                values.insert(":by".to_owned(), AttributeValue::S(lock.by.to_string()));
                let ours = "#lock_by = :by AND #lock_until > :now";
                transaction.check(Key::Repository(repository), ours, values)?;
            }
        }
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            // Be it the right itself, or a tag that whoever has it now took away.
            Committed::Refused(_) => Err(TransitionError::ClaimLost),
        }
    }
}
