//! A queue of syncs and the function that runs them, played: what the table and Lambda would do.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use aws_sdk_dynamodb::{
    operation::{
        delete_item::DeleteItemOutput,
        get_item::GetItemOutput,
        put_item::PutItemOutput,
        query::QueryOutput,
        update_item::{UpdateItemError, UpdateItemOutput},
    },
    types::{AttributeValue, error::ConditionalCheckFailedException},
};
use aws_sdk_lambda::{
    error::ErrorMetadata,
    operation::invoke::{InvokeError, InvokeOutput},
    types::error::TooManyRequestsException,
};
use aws_smithy_mocks::{MockResponse, RuleMode, mock, mock_client};
use aws_types::SdkConfig;
use moorage_clouds::Clouds;
use moorage_domain::{
    CloudRules, Guard,
    run::{SyncRequest, Trigger},
};
use moorage_schedule::{Invoker, Scheduler, SchedulerSettings};
use moorage_state::{SecretBox, Table};
use moorage_upstream::Limits;

use crate::{Organizations, Settings};

/// What there is, and what has become of it.
#[derive(Default)]
pub(crate) struct World {
    /// Repositories whose sync is queued.
    pub(crate) queued: BTreeSet<String>,
    /// Those of them that somebody is about to start.
    pub(crate) claimed: BTreeSet<String>,
    /// Those that the queue still lists, but that somebody else has taken.
    pub(crate) taken: BTreeSet<String>,
    /// Repositories whose sync was started.
    pub(crate) started: Vec<String>,
    /// How many invocations Lambda refuses after.
    pub(crate) capacity: usize,
    /// How often the queue was looked at.
    pub(crate) looks: usize,
    /// Who leaves the queue after its first look.
    pub(crate) moves: Option<String>,
}

#[derive(Clone, Default)]
pub(crate) struct Played(Arc<Mutex<World>>);

impl Played {
    /// `acme`'s queue, and room for so many invocations.
    pub(crate) fn new(queued: &[&str], capacity: usize) -> Self {
        let queued = queued.iter().map(ToString::to_string).collect();
        Self(Arc::new(Mutex::new(World { queued, capacity, ..World::default() })))
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// How many syncs were started, and how many are queued.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let world = self.world();
        (world.started.len(), world.queued.len())
    }

    /// What works with it: two syncs of an organization at once.
    pub(crate) fn organizations(&self) -> Organizations {
        let settings = SchedulerSettings {
            group: String::new(),
            role_arn: String::new(),
            target_arn: String::new(),
            dead_letter_arn: String::new(),
        };
        Organizations {
            table: self.table(),
            scheduler: Scheduler::new(mock_client!(aws_sdk_scheduler, RuleMode::MatchAny, []), settings),
            invoker: self.invoker(),
            clouds: Clouds::new(&SdkConfig::builder().build(), CloudRules::default(), Guard::default()),
            secrets: SecretBox::new(mock_client!(aws_sdk_kms, RuleMode::MatchAny, []), ""),
            settings: Settings {
                claim: Duration::from_secs(60),
                retry_backoff: Duration::from_secs(60),
                syncs: 2,
                repositories: 0,
                limits: Limits::default(),
                guard: Guard::default(),
            },
        }
    }

    fn table(&self) -> Table {
        use aws_sdk_dynamodb::Client;
        let played = self.clone();
        let query = mock!(Client::query).then_compute_output(move |query| {
            let mut world = played.world();
            let prefix = query.expression_attribute_values().and_then(|values| values[":sk"].as_s().ok());
            if prefix.is_none_or(|prefix| prefix != "TURN#") {
                return QueryOutput::builder().set_items(Some(Vec::new())).build();
            }
            let listed = world.queued.union(&world.taken).map(|name| item(name)).collect();
            world.looks += 1;
            if let Some(moved) = world.moves.take() {
                world.queued.remove(&moved);
            }
            QueryOutput::builder().set_items(Some(listed)).build()
        });
        let played = self.clone();
        let take = mock!(Client::update_item).then_compute_response(move |update| {
            let (name, mut world) = (named(update.key()), played.world());
            if world.queued.contains(&name) && world.claimed.insert(name) {
                return MockResponse::Output(UpdateItemOutput::builder().build());
            }
            let error = ConditionalCheckFailedException::builder().build();
            MockResponse::Error(UpdateItemError::ConditionalCheckFailedException(error))
        });
        let played = self.clone();
        let delete = mock!(Client::delete_item).then_compute_output(move |delete| {
            let (name, mut world) = (named(delete.key()), played.world());
            assert!(world.claimed.remove(&name) && world.queued.remove(&name));
            DeleteItemOutput::builder().build()
        });
        let played = self.clone();
        let put = mock!(Client::put_item).then_compute_output(move |put| {
            let (name, mut world) = (put.item().unwrap()["repository"].as_s().unwrap().clone(), played.world());
            world.claimed.remove(&name);
            world.queued.insert(name);
            PutItemOutput::builder().build()
        });
        // The organization's mirror, which nobody has cancelled, or there is none.
        let get = mock!(Client::get_item).then_compute_output(|_| GetItemOutput::builder().build());
        Table::new(mock_client!(aws_sdk_dynamodb, RuleMode::MatchAny, [&query, &take, &delete, &put, &get]), "table")
    }

    fn invoker(&self) -> Invoker {
        let played = self.clone();
        let invoke = mock!(aws_sdk_lambda::Client::invoke).then_compute_response(move |invoke| {
            let mut world = played.world();
            if world.started.len() == world.capacity {
                let code = ErrorMetadata::builder().code("TooManyRequestsException").build();
                let error = TooManyRequestsException::builder().meta(code).build();
                return MockResponse::Error(InvokeError::TooManyRequestsException(error));
            }
            let request: SyncRequest = serde_json::from_slice(invoke.payload().unwrap().as_ref()).unwrap();
            assert_eq!(request.trigger, Trigger::Organization);
            world.started.push(request.repository.to_string());
            MockResponse::Output(InvokeOutput::builder().status_code(202).build())
        });
        let client = mock_client!(aws_sdk_lambda, RuleMode::MatchAny, [&invoke], |config| {
            config.retry_config(aws_sdk_lambda::config::retry::RetryConfig::disabled())
        });
        Invoker::new(client, "sync")
    }
}

/// The repository of a turn's key.
fn named(key: Option<&std::collections::HashMap<String, AttributeValue>>) -> String {
    key.unwrap()["sk"].as_s().unwrap().replace("TURN#", "acme/")
}

fn item(repository: &str) -> std::collections::HashMap<String, AttributeValue> {
    let sk = repository.replace("acme/", "TURN#");
    [("pk", "NS#acme"), ("sk", sk.as_str()), ("repository", repository)]
        .map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned())))
        .into()
}
