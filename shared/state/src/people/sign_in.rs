//! Signing in: whoever comes for the first time is recorded, and of everybody else what the provider says anew.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{Generation, GroupName, Timestamp, UserName};
use uuid::Uuid;

use crate::{
    Race, StateError, Table,
    expression::Change,
    key::Key,
    organizations::generation::id_is,
    people::{
        bound_team::BoundTeam,
        subject::{self, Held, Subject},
        user::{Entry, User},
    },
    table::{Item, conditional},
    transaction::{Committed, Transaction},
};

/// The most groups that are kept of a user: with the longest names they fill two thirds of an item.
const MAX_GROUPS: usize = 1_000;
/// How exactly it is recorded when somebody was last here, in seconds: not each of their requests is a write.
const LAST_ACCESSED: i64 = 3_600;

/// Who signs in, as a token of the provider says that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// Their name.
    pub name: UserName,
    /// The provider.
    pub issuer: String,
    /// Who they are there.
    pub subject: String,
    /// Where mail reaches them.
    pub email: Option<String>,
    /// Those of their groups that mean something here: [`kept_groups`].
    pub groups: BTreeSet<GroupName>,
    /// When the token was issued. What an older one says does not replace what a newer one has said.
    pub issued: Timestamp,
}

/// Why somebody may not sign in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The name belongs to somebody else: to another subject, or a user of another provider.
    #[error("the name belongs to somebody else")]
    Taken,
    /// They are here already, by this other name.
    #[error("the provider has given them another name")]
    Renamed(UserName),
    /// They were deleted after their token was issued.
    #[error("the user was deleted")]
    Deleted,
    /// They may do nothing.
    #[error("the user is disabled")]
    Disabled,
    /// The table failed.
    #[error(transparent)]
    State(#[from] StateError),
}

/// Those of somebody's groups that mean something here: a team is bound to them, or they are the superusers'. The first
/// [`MAX_GROUPS`] of them by name.
pub fn kept_groups(
    told: impl IntoIterator<Item = GroupName>,
    bound: &[BoundTeam],
    superusers: Option<&GroupName>,
) -> BTreeSet<GroupName> {
    let bound: BTreeSet<_> = bound.iter().map(|bound| &bound.group).chain(superusers).collect();
    let kept: BTreeSet<_> = told.into_iter().filter(|group| bound.contains(group)).collect();
    // The superusers' is not lost among many.
    let first = superusers.filter(|group| kept.contains(*group)).cloned();
    let rest = kept.into_iter().filter(|group| Some(group) != superusers);
    first.into_iter().chain(rest).take(MAX_GROUPS).collect()
}

impl Table {
    /// Signs somebody in: records them at the first time, and later what has changed. Returns what is known of them, also
    /// their groups, which a newer token may have said.
    pub async fn sign_in(&self, new: &NewUser, now: Timestamp) -> Result<User, SignInError> {
        let mut race = Race::begin();
        loop {
            let Some(user) = self.user(&new.name).await? else {
                if let Some(user) = self.create_user(new, now).await? {
                    return Ok(user);
                }
                race.lost().await?;
                continue;
            };
            let signed = signed(user.clone(), new, now)?;
            if signed == user {
                return Ok(user);
            }
            match self.update_user(&signed).await {
                // It was changed, or deleted.
                Err(StateError::Conflict) => race.lost().await?,
                result => return Ok(result.map(|()| signed)?),
            }
        }
    }

    /// Records a user; nothing if somebody else just did.
    async fn create_user(&self, new: &NewUser, now: Timestamp) -> Result<Option<User>, SignInError> {
        let user = User {
            name: new.name.clone(),
            id: Generation::new(Uuid::new_v4()),
            issuer: new.issuer.clone(),
            subject: new.subject.clone(),
            email: new.email.clone(),
            groups: new.groups.clone(),
            created: now,
            last_accessed: now,
            signed_in: new.issued,
            enabled: true,
            app_tokens_made: 0,
            teams: BTreeSet::new(),
        };
        let mut transaction = Transaction::new(self);
        transaction.create(Key::User(&user.name), &user)?;
        transaction.put(Key::UserEntry(&user.name), &Entry { name: user.name.clone() })?;
        subject::take(&mut transaction, &user)?;
        match transaction.commit().await? {
            Committed::Yes => return Ok(Some(user)),
            Committed::Refused(2) => {}
            Committed::Refused(_) => return Ok(None),
        }
        let held: Option<Subject> = self.get(Key::Subject(&subject::hash(&user.issuer, &user.subject))).await?;
        match held.and_then(|held| held.held(&user.name, new.issued)) {
            Some(Held::By(name)) => Err(SignInError::Renamed(name)),
            Some(Held::Deleted) => Err(SignInError::Deleted),
            // It was let go meanwhile.
            None => Ok(None),
        }
    }

    /// Writes what a sign-in has changed. [`StateError::Conflict`] if it is not that user any more, they are disabled, or a
    /// newer token was faster.
    async fn update_user(&self, user: &User) -> Result<(), StateError> {
        let (id, value) = id_is(user.id)?;
        let condition = format!("attribute_exists(#pk) AND {id} AND #enabled = :true AND #signed_in <= :signed_in");
        let at = |time: Timestamp| AttributeValue::N(time.unix().to_string());
        let mut values = Item::from([
            (":id".to_owned(), value),
            (":true".to_owned(), AttributeValue::Bool(true)),
            (":signed_in".to_owned(), at(user.signed_in)),
            (":last_accessed".to_owned(), at(user.last_accessed)),
        ]);
        let mut update = "SET #signed_in = :signed_in, #last_accessed = :last_accessed".to_owned();
        let mut gone = Vec::new();
        // A set in the table has something in it.
        if user.groups.is_empty() {
            gone.push("#groups");
        } else {
            update.push_str(", #groups = :groups");
            let groups = user.groups.iter().map(ToString::to_string).collect();
            values.insert(":groups".to_owned(), AttributeValue::Ss(groups));
        }
        match &user.email {
            Some(email) => {
                update.push_str(", #email = :email");
                values.insert(":email".to_owned(), AttributeValue::S(email.clone()));
            }
            None => gone.push("#email"),
        }
        if !gone.is_empty() {
            update = format!("{update} REMOVE {}", gone.join(", "));
        }
        let change = Change { update: &update, condition: &condition };
        conditional(self.change(Key::User(&user.name), change, values)).await
    }
}

/// What a user is after a sign-in.
fn signed(mut user: User, new: &NewUser, now: Timestamp) -> Result<User, SignInError> {
    if user.issuer != new.issuer || user.subject != new.subject {
        return Err(SignInError::Taken);
    }
    if !user.enabled {
        return Err(SignInError::Disabled);
    }
    if new.issued >= user.signed_in {
        user.signed_in = new.issued;
        user.groups.clone_from(&new.groups);
        user.email.clone_from(&new.email);
    }
    if now.unix().saturating_sub(user.last_accessed.unix()) >= LAST_ACCESSED {
        user.last_accessed = now;
    }
    Ok(user)
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::{
        Client,
        config::retry::RetryConfig,
        operation::{batch_get_item::BatchGetItemOutput, get_item::GetItemOutput},
    };
    use aws_smithy_mocks::{RuleMode, mock, mock_client};

    use super::*;
    use crate::{
        golden::read,
        people::{bound_team::tests::bound, user::tests::user},
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix(seconds)
    }

    fn groups(names: &[&str]) -> BTreeSet<GroupName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn new(issued: i64, names: &[&str]) -> NewUser {
        NewUser {
            name: "ann".parse().unwrap(),
            issuer: "https://idp.example.com".into(),
            subject: "1".into(),
            email: Some("ann@example.com".into()),
            groups: groups(names),
            issued: at(issued),
        }
    }

    #[test]
    fn a_name_belongs_to_one_subject_of_one_provider() {
        let ann = user("ann", 1);
        for other in [
            NewUser { subject: "2".into(), ..new(0, &[]) },
            NewUser { issuer: "https://other.example.com".into(), ..new(0, &[]) },
        ] {
            assert!(matches!(signed(ann.clone(), &other, at(0)), Err(SignInError::Taken)));
            let disabled = User { enabled: false, ..ann.clone() };
            let refused = signed(disabled, &other, at(0));
            assert!(matches!(refused, Err(SignInError::Taken)), "who somebody else is, nobody learns");
        }
        let disabled = User { enabled: false, ..ann };
        assert!(matches!(signed(disabled, &new(0, &[]), at(0)), Err(SignInError::Disabled)));
    }

    #[test]
    fn what_a_newer_token_has_said_stays() {
        let first = signed(user("ann", 1), &new(10, &["dev", "ops"]), at(10)).unwrap();
        assert_eq!((first.signed_in, &first.groups), (at(10), &groups(&["dev", "ops"])));
        let later = signed(first.clone(), &new(20, &["dev"]), at(20)).unwrap();
        assert_eq!((later.signed_in, &later.groups), (at(20), &groups(&["dev"])));
        assert_eq!(signed(later.clone(), &new(10, &["dev", "ops"]), at(30)).unwrap(), later, "the old one shown again");
        assert_eq!(signed(later.clone(), &new(20, &["dev"]), at(30)).unwrap(), later, "nothing is written");
    }

    #[test]
    fn when_somebody_was_last_here_is_known_to_the_hour() {
        let ann = signed(user("ann", 1), &new(0, &[]), at(0)).unwrap();
        for (now, last) in [(3_599, 0), (3_600, 3_600), (-5, 0)] {
            assert_eq!(signed(ann.clone(), &new(0, &[]), at(now)).unwrap().last_accessed, at(last), "{now}");
        }
    }

    #[test]
    fn only_groups_that_mean_something_are_kept() {
        let teams = [bound("acme/dev", 1, "dev"), bound("other/dev", 1, "dev"), bound("acme/ops", 1, "ops")];
        let told = || groups(&["dev", "platform", "sales"]);
        let superusers = "platform".parse().unwrap();
        assert_eq!(kept_groups(told(), &teams, Some(&superusers)), groups(&["dev", "platform"]));
        assert_eq!(kept_groups(told(), &teams, None), groups(&["dev"]));
        assert_eq!(kept_groups(told(), &[], None), groups(&[]));
        let many: Vec<_> = (0..1_500).map(|number| bound("acme/dev", 1, &format!("group-{number:04}"))).collect();
        let kept = kept_groups(many.iter().map(|it| it.group.clone()).chain(told()), &many, Some(&superusers));
        assert_eq!(kept.len(), MAX_GROUPS);
        assert!(kept.contains(&superusers), "it is not lost among many");
    }

    /// What comes of a sign-in as `bob` by a token that was issued then, if this is known of the subject.
    async fn bob(known: &'static str, issued: i64) -> Result<User, SignInError> {
        let nobody = mock!(Client::batch_get_item).then_output(|| BatchGetItemOutput::builder().build());
        let body = r#"{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","Message":"no",
            "CancellationReasons":[{"Code":"None"},{"Code":"None"},{"Code":"ConditionalCheckFailed"}]}"#;
        let refused = mock!(Client::transact_write_items).sequence().http_status(400, Some(body.into())).build();
        let subject =
            mock!(Client::get_item).then_output(move || GetItemOutput::builder().set_item(Some(read(known))).build());
        let client = mock_client!(aws_sdk_dynamodb, RuleMode::MatchAny, [&nobody, &refused, &subject], |config| {
            config.retry_config(RetryConfig::disabled())
        });
        let bob = NewUser { name: "bob".parse().unwrap(), ..new(issued, &[]) };
        Table::new(client, "table").sign_in(&bob, at(issued)).await
    }

    #[tokio::test]
    async fn a_subject_is_one_user_and_comes_back_by_a_new_token_alone() {
        let renamed = bob("Subject", 1_790_000_001).await;
        assert!(
            matches!(&renamed, Err(SignInError::Renamed(here)) if here.as_str() == "ann@example.com"),
            "{renamed:?}"
        );
        for issued in [1_789_999_999, 1_790_000_000] {
            let deleted = bob("Subject.deleted", issued).await;
            assert!(matches!(deleted, Err(SignInError::Deleted)), "{deleted:?}");
        }
    }
}
