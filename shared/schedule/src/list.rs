//! Which schedules there are, and their end.

use aws_sdk_scheduler::{
    error::SdkError,
    operation::{delete_schedule::DeleteScheduleError, get_schedule::GetScheduleError},
    types::ScheduleState,
};
use moorage_domain::{Namespace, RepositoryName, run::Trigger, task::Order};

use crate::{
    ScheduleError, Scheduler,
    error::SCHEDULER,
    plan::schedule_name,
    scheduler::{MIRROR, ORGANIZATION, organization_once},
};

/// A name that no schedule has: theirs end with a hash.
const NO_SCHEDULE: &str = "rights";
/// Schedules on a page: Scheduler's limit.
const PAGE: i32 = 100;

/// A mirror's schedule, as the list of all shows it. Its name does not tell which mirror's it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSchedule {
    /// Its name.
    pub name: String,
    /// Whether it fires.
    pub is_enabled: bool,
}

impl Scheduler {
    /// The schedules of all mirrors.
    pub async fn list_mirrors(&self) -> Result<Vec<ListedSchedule>, ScheduleError> {
        self.list_kind(MIRROR).await
    }

    /// The schedules of all organizations' mirrors.
    pub async fn list_organizations(&self) -> Result<Vec<ListedSchedule>, ScheduleError> {
        self.list_kind(ORGANIZATION).await
    }

    async fn list_kind(&self, kind: &str) -> Result<Vec<ListedSchedule>, ScheduleError> {
        let (mut listed, mut next) = (Vec::new(), None);
        loop {
            let list = self.client.list_schedules().group_name(&self.settings.group).name_prefix(format!("{kind}-"));
            let page = list.max_results(PAGE).set_next_token(next).send().await;
            let page = page.map_err(|error| ScheduleError::new(SCHEDULER, error))?;
            listed.extend(page.schedules.into_iter().filter_map(|schedule| {
                let is_enabled = schedule.state != Some(ScheduleState::Disabled);
                Some(ListedSchedule { name: schedule.name?, is_enabled })
            }));
            next = page.next_token;
            if next.is_none() {
                return Ok(listed);
            }
        }
    }

    /// What a schedule orders; nothing if there is no such schedule, or it is none of ours.
    pub async fn order_of(&self, name: &str) -> Result<Option<Order>, ScheduleError> {
        let get = self.client.get_schedule().name(name).group_name(&self.settings.group);
        let schedule = match get.send().await {
            Ok(schedule) => schedule,
            Err(SdkError::ServiceError(error))
                if matches!(error.err(), GetScheduleError::ResourceNotFoundException(_)) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(ScheduleError::new(SCHEDULER, error)),
        };
        let input = schedule.target.and_then(|target| target.input).unwrap_or_default();
        Ok(serde_json::from_str(&input).ok())
    }

    /// Removes all schedules of a repository. That there are none is no error.
    pub async fn remove(&self, repository: &RepositoryName) -> Result<(), ScheduleError> {
        let once = [Trigger::Schedule, Trigger::Retry, Trigger::Hold, Trigger::Webhook].map(Trigger::as_str);
        for kind in std::iter::once(MIRROR).chain(once) {
            self.remove_named(&schedule_name(kind, repository.as_str())).await?;
        }
        Ok(())
    }

    /// Removes all schedules of an organization's mirror. That there are none is no error.
    pub async fn remove_organization(&self, organization: &Namespace) -> Result<(), ScheduleError> {
        self.remove_named(&Self::name_of_organization(organization)).await?;
        for trigger in [Trigger::Schedule, Trigger::Retry, Trigger::Continuation] {
            self.remove_named(&organization_once(trigger, organization)).await?;
        }
        Ok(())
    }

    /// Whether schedules may be removed, by one that there is not.
    pub async fn try_removing(&self) -> Result<(), ScheduleError> {
        self.remove_named(NO_SCHEDULE).await
    }

    /// Removes a schedule by its name. That there is none is no error.
    pub async fn remove_named(&self, name: &str) -> Result<(), ScheduleError> {
        let delete = self.client.delete_schedule().name(name).group_name(&self.settings.group);
        match delete.send().await {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(error))
                if matches!(error.err(), DeleteScheduleError::ResourceNotFoundException(_)) =>
            {
                Ok(())
            }
            Err(error) => Err(ScheduleError::new(SCHEDULER, error)),
        }
    }
}
