//! What failures have left undone of organizations' mirrors: schedules, discoveries, ends, and turns that were lost with a
//! killed sync.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use moorage_domain::{
    Namespace,
    task::{Order, Task},
};
use moorage_schedule::Scheduler;
use moorage_state::{OrganizationMirror, StateError, now};
use tokio::time::timeout_at;

use crate::{error::OrganizationsError, organizations::Organizations};

/// How long a mirror that was deleted is worked at here: the rest has invocations of its own.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a reconciliation did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Schedules that were missing or wrong.
    pub mended: u64,
    /// Schedules of organizations' mirrors that are gone.
    pub removed: u64,
    /// Organizations, and schedules of mirrors that are gone, that something refused to have mended.
    pub failed: u64,
    /// Whether there was time for everything. What was mended stays so, and another one has only the rest to do.
    pub is_whole: bool,
}

/// The counters of one that goes on.
#[derive(Default)]
struct Counts {
    mended: AtomicU64,
    removed: AtomicU64,
    failed: AtomicU64,
}

impl Counts {
    /// What Scheduler or Lambda refuses of one organization, which may be for what its mirror says, keeps nobody from seeing to
    /// the others; nor does somebody who changes the mirror all the time. It is logged and counted; a table that fails ends
    /// everything.
    fn unless_refused(&self, done: Result<(), OrganizationsError>, name: &str) -> Result<(), OrganizationsError> {
        let error = match done {
            Err(error @ (OrganizationsError::Schedule(_) | OrganizationsError::State(StateError::Conflict))) => error,
            done => return done,
        };
        tracing::warn!(name, %error, "an organization's mirror could not be mended");
        self.failed.fetch_add(1, Relaxed);
        Ok(())
    }
}

impl Organizations {
    /// Makes the schedules of all organizations' mirrors what their configurations say, has discoveries gone on with that
    /// were killed, goes on with the ends of mirrors, and gives lost turns out again, until `end`.
    pub async fn reconcile(&self, end: Instant) -> Result<Reconciled, OrganizationsError> {
        let counts = Counts::default();
        // Boxed: it holds the state of every repair.
        let done = timeout_at(end.into(), Box::pin(self.reconcile_all(&counts))).await;
        let is_whole = done.is_ok();
        done.unwrap_or(Ok(()))?;
        let [mended, removed, failed] =
            [&counts.mended, &counts.removed, &counts.failed].map(|count| count.load(Relaxed));
        Ok(Reconciled { mended, removed, failed, is_whole })
    }

    async fn reconcile_all(&self, counts: &Counts) -> Result<(), OrganizationsError> {
        let listed = self.scheduler.list_organizations().await?;
        let mut listed: HashMap<_, _> = listed.into_iter().map(|it| (it.name, it.is_enabled)).collect();
        let mut mirrored = Vec::new();
        for organization in self.table.namespaces().await? {
            let work = self.reconcile_organization(&organization, &mut listed, &mut mirrored, counts);
            let reconciled = Box::pin(work).await;
            counts.unless_refused(reconciled, organization.as_str())?;
        }
        for name in listed.into_keys() {
            counts.unless_refused(self.remove_orphan(&name, counts).await, &name)?;
        }
        self.tend_all(&mirrored).await
    }

    /// Sees to one organization: to what its mirror has left, to its end, or to its mirror, which is added to those that are
    /// `mirrored`, and its schedule, if it has one among those that are `listed`.
    async fn reconcile_organization(
        &self,
        organization: &Namespace,
        listed: &mut HashMap<String, bool>,
        mirrored: &mut Vec<OrganizationMirror>,
        counts: &Counts,
    ) -> Result<(), OrganizationsError> {
        let Some(mirror) = self.table.any_organization_mirror(organization).await? else {
            return self.release_strays(organization).await;
        };
        let end = Instant::now() + PATIENCE;
        if mirror.is_deleted {
            return self.release(organization, end).await.map(drop);
        }
        if self.table.any_organization(organization).await?.is_some_and(|found| found.is_ending) {
            return self.end(organization, end).await.map(drop);
        }
        let is_enabled = listed.remove(&Scheduler::name_of_organization(organization));
        mirrored.push(mirror.clone());
        self.reconcile_mirror(mirror, is_enabled, counts).await
    }

    /// Releases repositories whose organization's mirror is gone.
    async fn release_strays(&self, organization: &Namespace) -> Result<(), OrganizationsError> {
        for stray in self.table.discovered(organization).await? {
            match self.release_repository(&stray.repository).await {
                // Who has it to themselves keeps nobody from looking at the others; the next reconciliation comes again.
                Ok(()) | Err(OrganizationsError::State(StateError::Conflict)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Has a discovery that was killed gone on with, and mends the schedule of its mirror, which is `is_enabled` if there is
    /// one.
    async fn reconcile_mirror(
        &self,
        mirror: OrganizationMirror,
        is_enabled: Option<bool>,
        counts: &Counts,
    ) -> Result<(), OrganizationsError> {
        self.restart(&mirror).await?;
        if is_enabled != Some(mirror.config.is_enabled) || mirror.scheduled_revision != mirror.config_revision {
            self.mend(mirror).await?;
            counts.mended.fetch_add(1, Relaxed);
        }
        Ok(())
    }

    /// Makes the schedule of a mirror again. A start that has come meanwhile is served at once.
    async fn mend(&self, mirror: OrganizationMirror) -> Result<(), OrganizationsError> {
        let make = |timetable| self.scheduler.follow(timetable, false, now());
        self.table.follow_organization_mirror(&mirror, make).await
    }

    /// Removes a schedule, unless it has a mirror by now.
    async fn remove_orphan(&self, name: &str, counts: &Counts) -> Result<(), OrganizationsError> {
        let is_of_use = match self.scheduler.order_of(name).await? {
            Some(Order::Task(Task::Discover { organization, .. })) => {
                self.table.organization_mirror(&organization).await?.is_some()
            }
            Some(_) | None => false,
        };
        if !is_of_use {
            self.scheduler.remove_named(name).await?;
            counts.removed.fetch_add(1, Relaxed);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use aws_sdk_dynamodb::{
        Client,
        operation::{get_item::GetItemOutput, query::QueryOutput, update_item::UpdateItemOutput},
        types::AttributeValue,
    };
    use aws_sdk_scheduler::{
        operation::{
            create_schedule::{CreateScheduleError, CreateScheduleOutput},
            list_schedules::ListSchedulesOutput,
        },
        types::error::ValidationException,
    };
    use aws_smithy_mocks::{MockResponse, RuleMode, mock, mock_client};
    use moorage_schedule::SchedulerSettings;
    use moorage_state::Table;

    use super::*;
    use crate::played::Played;

    type Item = HashMap<String, AttributeValue>;

    fn text(text: &str) -> AttributeValue {
        AttributeValue::S(text.to_owned())
    }

    /// The mirror of an organization, whose schedule is still to be made.
    fn mirror(organization: &str) -> Item {
        let number = |number: &str| AttributeValue::N(number.to_owned());
        let verify = Item::from([("verify_tls".to_owned(), AttributeValue::Bool(true))]);
        Item::from(
            [
                ("organization", text(organization)),
                ("is_enabled", AttributeValue::Bool(true)),
                ("external_registry_type", text("harbor")),
                ("external_registry_url", text("https://harbor.example.com")),
                ("external_namespace", text("library")),
                ("external_registry_username", AttributeValue::Null(true)),
                ("external_registry_password", AttributeValue::Null(true)),
                ("external_registry_config", AttributeValue::M(verify)),
                ("robot", text(&format!("{organization}+mirror"))),
                ("is_public", AttributeValue::Bool(false)),
                ("repository_filters", AttributeValue::L(Vec::new())),
                ("sync_interval", number("3600")),
                ("skopeo_timeout", number("300")),
                ("sync_status", text("SUCCESS")),
                ("sync_transaction_id", text("00000001-0000-4000-8000-000000000000")),
                ("sync_retries_remaining", number("3")),
                ("sync_start_date", number("4000000000")),
                ("created", number("1790000000")),
                ("config_revision", number("7")),
                ("scheduled_revision", number("6")),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        )
    }

    #[tokio::test]
    async fn a_mirror_whose_schedule_is_refused_keeps_nobody_from_mending_the_others() {
        let query = mock!(Client::query).then_compute_output(|query| {
            let of = query.expression_attribute_values().unwrap()[":pk"].as_s().unwrap() == "ORGANIZATIONS";
            let names = ["bad", "good"].into_iter().filter(|_| of);
            let items = names.map(|name| Item::from([("name".to_owned(), text(name))])).collect();
            QueryOutput::builder().set_items(Some(items)).build()
        });
        let get = mock!(Client::get_item).then_compute_output(|get| {
            let key = get.key().unwrap();
            let name = key["pk"].as_s().unwrap().trim_start_matches("NS#");
            let is_mirror = key["sk"].as_s().unwrap() == "ORGANIZATIONMIRROR" && name != "admin";
            GetItemOutput::builder().set_item(is_mirror.then(|| mirror(name))).build()
        });
        let update = mock!(Client::update_item).then_output(|| UpdateItemOutput::builder().build());
        let dynamodb = mock_client!(aws_sdk_dynamodb, RuleMode::MatchAny, [&query, &get, &update]);
        let list = mock!(aws_sdk_scheduler::Client::list_schedules)
            .then_output(|| ListSchedulesOutput::builder().set_schedules(Some(Vec::new())).build().unwrap());
        let create = mock!(aws_sdk_scheduler::Client::create_schedule).then_compute_response(|create| {
            if create.name() == Some(Scheduler::name_of_organization(&"bad".parse().unwrap()).as_str()) {
                let refused = ValidationException::builder().message("no rate").build().unwrap();
                return MockResponse::Error(CreateScheduleError::ValidationException(refused));
            }
            MockResponse::Output(CreateScheduleOutput::builder().schedule_arn("arn").build().unwrap())
        });
        let scheduler = mock_client!(aws_sdk_scheduler, RuleMode::MatchAny, [&list, &create]);
        let settings = SchedulerSettings {
            group: String::new(),
            role_arn: String::new(),
            target_arn: String::new(),
            dead_letter_arn: String::new(),
        };
        let organizations = Organizations {
            table: Table::new(dynamodb, "table"),
            scheduler: Scheduler::new(scheduler, settings),
            ..Played::new(&[], 0).organizations()
        };
        let done = organizations.reconcile(Instant::now() + PATIENCE).await.unwrap();
        assert_eq!(done, Reconciled { mended: 1, removed: 0, failed: 1, is_whole: true });
    }
}
