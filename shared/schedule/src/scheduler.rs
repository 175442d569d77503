//! EventBridge Scheduler: a mirror's schedule, and one-time schedules.

use std::time::Duration;

use aws_sdk_scheduler::{
    Client,
    error::SdkError,
    operation::update_schedule::UpdateScheduleError,
    primitives::DateTime,
    types::{
        ActionAfterCompletion, DeadLetterConfig, FlexibleTimeWindow, FlexibleTimeWindowMode, RetryPolicy,
        ScheduleState, Target,
    },
};
use moorage_domain::{
    MirrorOf, Namespace, RepositoryName, Timestamp, Timetable,
    run::{SyncRequest, Trigger},
    task::{Order, Task},
};
use rand::Rng;

use crate::{ScheduleError, SchedulePlan, error::SCHEDULER, plan::schedule_name};

/// The kind of a mirror's own schedule, which its name begins with.
pub(crate) const MIRROR: &str = "mirror";
/// The kind of the schedule of an organization's mirror.
pub(crate) const ORGANIZATION: &str = "organization";
/// How often Scheduler repeats a failed delivery. The claim and the mirror's own retries do the rest.
const DELIVERY_RETRIES: i32 = 2;
/// How often a schedule is written again that somebody else was writing. With the pauses that is two seconds on average.
const MAX_RACES: u32 = 6;
/// The longest first pause; it doubles each time.
const RACE_PAUSE: Duration = Duration::from_millis(50);
/// How long a one-time occurrence is worth delivering, in seconds.
const ONCE_EVENT_AGE: i32 = 3_600;

/// Where schedules live and what they start.
#[derive(Debug, Clone)]
pub struct SchedulerSettings {
    /// The stack's schedule group.
    pub group: String,
    /// The role that Scheduler takes on to deliver.
    pub role_arn: String,
    /// The sync function.
    pub target_arn: String,
    /// The queue for what cannot be delivered.
    pub dead_letter_arn: String,
}

impl SchedulerSettings {
    /// The environment variables of the stack's template, as `variable` reads them.
    pub fn read<E>(variable: impl Fn(&'static str) -> Result<String, E>) -> Result<Self, E> {
        Ok(Self {
            group: variable("SCHEDULE_GROUP")?,
            role_arn: variable("SCHEDULE_ROLE_ARN")?,
            target_arn: variable("SYNC_FUNCTION_ARN")?,
            dead_letter_arn: variable("SCHEDULE_DEAD_LETTER_ARN")?,
        })
    }
}

/// Creates, changes and removes schedules.
#[derive(Debug, Clone)]
pub struct Scheduler {
    pub(crate) client: Client,
    pub(crate) settings: SchedulerSettings,
}

/// All of a schedule that differs between schedules.
struct Schedule {
    name: String,
    expression: String,
    start: Option<Timestamp>,
    window: u64,
    state: ScheduleState,
    after: ActionAfterCompletion,
    event_age: i32,
    input: Order,
}

/// The name of a one-time schedule of an organization's mirror.
pub(crate) fn organization_once(trigger: Trigger, organization: &Namespace) -> String {
    schedule_name(&format!("discover-{}", trigger.as_str()), organization.as_str())
}

impl Scheduler {
    /// With the stack's settings.
    pub fn new(client: Client, settings: SchedulerSettings) -> Self {
        Self { client, settings }
    }

    /// The name of a mirror's schedule.
    pub fn name_of(repository: &RepositoryName) -> String {
        schedule_name(MIRROR, repository.as_str())
    }

    /// The name of the schedule of an organization's mirror.
    pub fn name_of_organization(organization: &Namespace) -> String {
        schedule_name(ORGANIZATION, organization.as_str())
    }

    /// Makes a mirror's schedule what `plan` says, whether or not there is one.
    pub async fn ensure(&self, of: &MirrorOf, plan: &SchedulePlan) -> Result<(), ScheduleError> {
        let trigger = Trigger::Schedule;
        match of {
            MirrorOf::Repository(repository) => {
                let request = SyncRequest { repository: repository.clone(), trigger };
                self.repeat(Self::name_of(repository), plan, Order::Sync(request.clone())).await?;
                match plan.once {
                    Some(at) => self.once(request, at).await,
                    None => Ok(()),
                }
            }
            MirrorOf::Organization(organization) => {
                let task = Task::Discover { organization: organization.clone(), trigger };
                self.repeat(Self::name_of_organization(organization), plan, Order::Task(task)).await?;
                match plan.once {
                    Some(at) => self.discover_once(organization, trigger, at).await,
                    None => Ok(()),
                }
            }
        }
    }

    /// Makes the schedule of a mirror whose configuration was changed, or whose schedule is wrong:
    /// [`SchedulePlan::following`].
    pub async fn follow(&self, timetable: Timetable, started: bool, now: Timestamp) -> Result<(), ScheduleError> {
        self.ensure(&timetable.of, &SchedulePlan::following(&timetable, started, now)).await
    }

    async fn repeat(&self, name: String, plan: &SchedulePlan, input: Order) -> Result<(), ScheduleError> {
        self.put(Schedule {
            name,
            expression: plan.expression.clone(),
            start: Some(plan.start),
            window: plan.window,
            state: if plan.is_enabled { ScheduleState::Enabled } else { ScheduleState::Disabled },
            after: ActionAfterCompletion::None,
            event_age: i32::try_from(plan.event_age).unwrap_or(ONCE_EVENT_AGE),
            input,
        })
        .await
    }

    /// Starts a sync once, at a moment that lies ahead; Scheduler may be up to a minute late. A later call for the same
    /// repository and trigger replaces an earlier one that has not fired.
    pub async fn once(&self, request: SyncRequest, at: Timestamp) -> Result<(), ScheduleError> {
        let name = schedule_name(request.trigger.as_str(), request.repository.as_str());
        self.put_once(name, Order::Sync(request), at).await
    }

    /// As [`Self::once`], for the discovery of an organization's mirror.
    pub async fn discover_once(
        &self,
        organization: &Namespace,
        trigger: Trigger,
        at: Timestamp,
    ) -> Result<(), ScheduleError> {
        let name = organization_once(trigger, organization);
        let task = Task::Discover { organization: organization.clone(), trigger };
        self.put_once(name, Order::Task(task), at).await
    }

    /// As [`Self::once`], for what is left of a repository that was deleted.
    pub async fn purge_once(&self, repository: &RepositoryName, at: Timestamp) -> Result<(), ScheduleError> {
        let task = Task::Purge { repository: repository.clone() };
        self.put_once(schedule_name(task.as_str(), repository.as_str()), Order::Task(task), at).await
    }

    /// As [`Self::once`], for what is left of an organization that ends.
    pub async fn end_once(&self, organization: &Namespace, order: Task, at: Timestamp) -> Result<(), ScheduleError> {
        self.put_once(schedule_name(order.as_str(), organization.as_str()), Order::Task(order), at).await
    }

    async fn put_once(&self, name: String, input: Order, at: Timestamp) -> Result<(), ScheduleError> {
        self.put(Schedule {
            name,
            expression: format!("at({})", at.at_expression()),
            start: None,
            window: 0,
            state: ScheduleState::Enabled,
            after: ActionAfterCompletion::Delete,
            event_age: ONCE_EVENT_AGE,
            input,
        })
        .await
    }

    /// Makes a schedule what it is to be, whether or not there is one. Somebody else may make, change or remove it at the
    /// same moment, which Scheduler refuses to whoever comes second.
    async fn put(&self, schedule: Schedule) -> Result<(), ScheduleError> {
        let failed = |message: String| ScheduleError::Failed { by: SCHEDULER, message };
        let input = serde_json::to_string(&schedule.input).map_err(|error| failed(error.to_string()))?;
        let retry = RetryPolicy::builder().maximum_retry_attempts(DELIVERY_RETRIES);
        let target = Target::builder()
            .arn(&self.settings.target_arn)
            .role_arn(&self.settings.role_arn)
            .dead_letter_config(DeadLetterConfig::builder().arn(&self.settings.dead_letter_arn).build())
            .retry_policy(retry.maximum_event_age_in_seconds(schedule.event_age).build())
            .input(input)
            .build()
            .map_err(|error| failed(error.to_string()))?;
        let window = FlexibleTimeWindow::builder();
        let window = match i32::try_from(schedule.window) {
            Ok(minutes @ 1..) => window.mode(FlexibleTimeWindowMode::Flexible).maximum_window_in_minutes(minutes),
            _ => window.mode(FlexibleTimeWindowMode::Off),
        };
        let window = window.build().map_err(|error| failed(error.to_string()))?;
        let start = schedule.start.map(|start| DateTime::from_secs(start.unix()));
        let create = self.client.create_schedule().name(&schedule.name).group_name(&self.settings.group);
        let create = create
            .schedule_expression(&schedule.expression)
            .schedule_expression_timezone("UTC")
            .set_start_date(start)
            .flexible_time_window(window.clone())
            .state(schedule.state.clone())
            .action_after_completion(schedule.after.clone())
            .target(target.clone());
        let update = self.client.update_schedule().name(&schedule.name).group_name(&self.settings.group);
        let update = update
            .schedule_expression(&schedule.expression)
            .schedule_expression_timezone("UTC")
            .set_start_date(start)
            .flexible_time_window(window)
            .state(schedule.state)
            .action_after_completion(schedule.after)
            .target(target);
        for race in 0..=MAX_RACES {
            match create.clone().send().await {
                Ok(_) => return Ok(()),
                Err(SdkError::ServiceError(error)) if error.err().is_conflict_exception() => {}
                Err(error) => return Err(ScheduleError::new(SCHEDULER, error)),
            }
            match update.clone().send().await {
                Ok(_) => return Ok(()),
                Err(SdkError::ServiceError(error)) if race < MAX_RACES && is_race(error.err()) => {}
                Err(error) => return Err(ScheduleError::new(SCHEDULER, error)),
            }
            let pause = rand::rng().random_range(Duration::ZERO..=RACE_PAUSE * 2u32.pow(race));
            tokio::time::sleep(pause).await;
        }
        Err(failed("others change the schedule all the time".to_owned()))
    }
}

/// Whether somebody else changes a schedule at this moment, or has just removed it.
fn is_race(error: &UpdateScheduleError) -> bool {
    error.is_conflict_exception() || error.is_resource_not_found_exception()
}
