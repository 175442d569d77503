//! From a notice to messages.

use moorage_domain::{
    RepositoryName, Timestamp,
    notification::{
        Decision, Event, Happening, Message, MessageId, Moment, Notice, Notification, Owner, Place, body, decide,
        sample,
    },
    run::{Run, RunId},
};
use moorage_state::{Mirror, now};
use serde_json::Value;
use uuid::Uuid;

use crate::{error::NotifyError, notifier::Notifier};

impl Notifier {
    /// Looks what a notice is about, and has those told who want to know.
    pub async fn tell(&self, notice: &Notice) -> Result<(), NotifyError> {
        match notice {
            Notice::Started { repository, run_id } => {
                self.tell_of(repository, Some(*run_id), |_, _| Moment::Started).await
            }
            Notice::Waiting { repository, run_id } => {
                let waits = |run: Option<&Run>, _: &Mirror| Moment::Waiting {
                    until: run.and_then(|run| run.waiting_until).unwrap_or_default(),
                    again: run.is_some_and(|run| run.waits > 1),
                };
                self.tell_of(repository, Some(*run_id), waits).await
            }
            Notice::Late { repository } => self.tell_of(repository, None, |_, mirror| late(mirror, now())).await,
            Notice::Ended { repository, run_id } => self.tell_of_end(repository, *run_id).await,
            Notice::Test { owner, uuid } => self.tell_of_nothing(owner, *uuid).await,
        }
    }

    /// Everybody who wants to know what happens to a repository's mirror.
    async fn subscribers(&self, repository: &RepositoryName) -> Result<Vec<(Owner, Notification)>, NotifyError> {
        let mut all = Vec::new();
        for owner in [Owner::Repository(repository.clone()), Owner::Organization(repository.namespace())] {
            let found = self.table.notifications(&owner).await?;
            // What an organization's was told, it was told of one repository.
            let told = match &owner {
                Owner::Organization(_) if !found.is_empty() => self.table.told_of(repository).await?,
                Owner::Repository(_) | Owner::Organization(_) => Vec::new(),
            };
            all.extend(found.into_iter().map(|notification| {
                let told = told.iter().find(|told| told.uuid == notification.uuid);
                let notification = match &owner {
                    Owner::Repository(_) => notification,
                    Owner::Organization(_) => Notification {
                        last_sent: told.map(|told| told.last_sent),
                        last_message: told.map(|told| told.last_message.clone()),
                        ..notification
                    },
                };
                (owner.clone(), notification)
            }));
        }
        Ok(all)
    }

    async fn tell_of(
        &self,
        repository: &RepositoryName,
        run: Option<RunId>,
        moment: impl Fn(Option<&Run>, &Mirror) -> Moment,
    ) -> Result<(), NotifyError> {
        let Some(mirror) = self.table.mirror(repository).await? else { return Ok(()) };
        let run = match run {
            Some(run) => self.table.run(repository, run).await?,
            None => None,
        };
        let subscribers = self.subscribers(repository).await?;
        let mut happening = Happening::new(moment(run.as_ref(), &mirror));
        if let Some(run) = &run {
            happening.attempt = crate::happening::attempt(run);
        }
        self.tell_all(&mirror, &happening, run.as_ref(), subscribers).await
    }

    /// That a run has ended is told on the account's bus, too; then it is no longer among those of which nobody was told.
    async fn tell_of_end(&self, repository: &RepositoryName, id: RunId) -> Result<(), NotifyError> {
        let (mirror, run) = (self.table.mirror(repository).await?, self.table.run(repository, id).await?);
        if let (Some(mirror), Some(run)) = (mirror, &run) {
            let subscribers = self.subscribers(repository).await?;
            let happening = self.ended(repository, run, !subscribers.is_empty()).await?;
            let place = self.place(&mirror);
            self.tell_all(&mirror, &happening, Some(run), subscribers).await?;
            let mut detail = body(ending(&happening), place, &happening, Some(run));
            // What is on the bus is a run, however it ended: its status says that.
            if let Some(fields) = detail.as_object_mut() {
                fields.remove("event");
            }
            self.announce(run, &detail).await?;
        }
        match run {
            Some(run) => Ok(self.table.run_told(repository, &run).await?),
            None => Ok(()),
        }
    }

    async fn tell_all(
        &self,
        mirror: &Mirror,
        happening: &Happening,
        run: Option<&Run>,
        subscribers: Vec<(Owner, Notification)>,
    ) -> Result<(), NotifyError> {
        let at = now();
        for (owner, notification) in subscribers {
            let told = decide(&notification, happening, at);
            tracing::debug!(%owner, uuid = %notification.uuid, event = %notification.event, ?told, "a notification");
            if told == Decision::Send {
                let event = notification.event;
                let body = body(event, self.place(mirror), happening, run);
                let id = MessageId::new(notification.uuid, event, &subject(mirror, happening, run, &notification));
                // A notice may come twice.
                if notification.last_message.as_deref() == Some(id.as_str()) {
                    continue;
                }
                let message = message(owner.clone(), notification.uuid, id.as_str(), (event, body), at);
                self.queue.put(&message).await?;
                let (uuid, told) = (notification.uuid, (id.as_str(), at));
                match &owner {
                    Owner::Repository(_) => self.table.notification_told(&owner, uuid, told).await?,
                    Owner::Organization(_) => {
                        self.table.put_told_of(&mirror.config.repository, uuid, told).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// A test, whether the notification is off or not.
    async fn tell_of_nothing(&self, owner: &Owner, uuid: Uuid) -> Result<(), NotifyError> {
        let Some(notification) = self.table.notification(owner, uuid).await? else { return Ok(()) };
        let event = notification.event;
        let body = sample_of(owner, event, &self.settings.public_url);
        let id = MessageId::new(uuid, event, &Uuid::new_v4().to_string());
        let message = message(owner.clone(), uuid, id.as_str(), (event, body), now());
        self.queue.put(&Message { is_test: true, ..message }).await
    }

    fn place<'a>(&'a self, mirror: &'a Mirror) -> Place<'a> {
        let config = &mirror.config;
        Place {
            repository: &config.repository,
            public_url: &self.settings.public_url,
            reference: &config.external_reference,
            rule: &config.root_rule,
        }
    }
}

fn message(owner: Owner, uuid: Uuid, id: &str, (event, body): (Event, Value), at: Timestamp) -> Message {
    Message { owner, uuid, id: id.to_owned(), event, body, made: at, tries: 0, due: at, is_test: false }
}

/// The event that stands for the end of a run.
fn ending(happening: &Happening) -> Event {
    if happening.failure.is_some() { Event::Failed } else { Event::Success }
}

/// What a message is about, so that it has the same name however often it is made.
fn subject(mirror: &Mirror, happening: &Happening, run: Option<&Run>, notification: &Notification) -> String {
    let repository = &mirror.config.repository;
    match (happening.moment, run) {
        // Each time that it is told of the same silence is another message.
        (Moment::Late { since, .. }, _) => {
            format!("{repository}/late/{}/{:?}", since.unix(), notification.last_sent.map(Timestamp::unix))
        }
        (Moment::Waiting { .. }, Some(run)) => format!("{}/{}", run.run_id, run.waits),
        (_, Some(run)) => run.run_id.to_string(),
        (_, None) => repository.to_string(),
    }
}

/// How late a mirror is.
fn late(mirror: &Mirror, now: Timestamp) -> Moment {
    let since = mirror.state.last_success.unwrap_or(mirror.created);
    let silent = u64::try_from(now.unix().saturating_sub(since.unix())).unwrap_or_default();
    Moment::Late { since, intervals: silent.checked_div(mirror.config.sync_interval).unwrap_or_default() }
}

/// Quay's body of a test. What is mirrored has no place in it.
fn sample_of(owner: &Owner, event: Event, public_url: &str) -> Value {
    match owner {
        Owner::Repository(repository) => sample(event, repository, public_url),
        Owner::Organization(namespace) => {
            let mut body = match format!("{namespace}/example").parse() {
                Ok(repository) => sample(event, &repository, public_url),
                Err(_) => Value::default(),
            };
            body["organization"] = namespace.as_str().into();
            body
        }
    }
}
