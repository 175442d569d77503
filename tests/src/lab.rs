//! A stack of one's own: a copy of the emulator, the functions as plain processes, and AWS by plan in between. Nothing
//! starts by itself: schedules fire and asynchronous invocations arrive when the test says so.

pub mod gateway;
pub mod running;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_config::SdkConfig;
use moorage_domain::task::Task;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::task::AbortOnDropHandle;

use self::running::Running;
use crate::{
    aws::{Aws, Invocation, Plan, request::Request},
    fork::Fork,
    function::{Function, Outcome},
    stack::Stack,
};

/// How long an invocation may take, unless it is said.
const WITHIN: Duration = Duration::from_secs(40);
/// How often it is looked for calls from function to function.
const LOOK: Duration = Duration::from_millis(5);
/// The most invocations that one thing may lead to.
const MAX_EVENTS: usize = 200;

/// The stack.
#[derive(Debug)]
pub struct Lab {
    /// As any stack: its API is there, and what is asked of AWS here is neither counted nor troubled.
    pub stack: Stack,
    inner: Arc<Inner>,
    _calls: AbortOnDropHandle<()>,
    _gateway: AbortOnDropHandle<()>,
}

/// The time that an invocation has, and what makes its plan.
type Slow = (Duration, fn() -> Plan);

struct Inner {
    fork: Fork,
    honest: Aws,
    proxies: Mutex<Vec<Aws>>,
    variables: HashMap<String, HashMap<String, String>>,
    folder: TempDir,
    /// What AWS does to the next invocation.
    next: Mutex<Option<Plan>>,
    /// The time that invocations have, and what AWS does to each.
    slow: Mutex<Option<Slow>>,
    /// The namespace that everything is about.
    only: Mutex<Option<String>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("fork", &self.fork).finish_non_exhaustive()
    }
}

/// How an invocation ended, and what was asked of AWS for it.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub outcome: Outcome,
    /// What was asked for, in order.
    pub asked: Vec<Request>,
    /// What the function wrote.
    pub log: String,
}

impl Lab {
    /// A copy of the stack as it is now, where functions have these `settings` besides their own.
    pub async fn new(original: &Stack, settings: &[(&str, &str)]) -> Self {
        let fork = Fork::of_emulator().await;
        let honest = Aws::honest(&fork.endpoint).await;
        let aws = at(&original.aws, &fork.endpoint);
        let mut variables = HashMap::new();
        for name in [&original.sync_function, &original.gc_function, &original.api_function] {
            let mut own = settings_of(&aws, name).await;
            own.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
            variables.insert(name.clone(), own);
        }
        let folder = tempfile::tempdir().unwrap();
        let proxies = Mutex::new(vec![honest.clone()]);
        let inner = Arc::new(Inner {
            fork,
            honest,
            proxies,
            variables,
            folder,
            next: Mutex::default(),
            slow: Mutex::default(),
            only: Mutex::default(),
        });
        let calls = AbortOnDropHandle::new(tokio::spawn(deliver_calls(Arc::clone(&inner))));
        let (url, gateway) = gateway::listen(inner.start(&original.api_function, &inner.honest).await).await;
        let stack = Stack { url, aws, ..original.clone() };
        Self { stack, inner, _calls: calls, _gateway: gateway }
    }

    /// Invokes a function once, in a process of its own, with AWS by `plan`.
    pub async fn invoke(&self, function: &str, event: &Value, plan: Plan) -> Ended {
        self.invoke_within(function, event, plan, WITHIN).await
    }

    /// As [`Self::invoke`], with so much time.
    pub async fn invoke_within(&self, function: &str, event: &Value, plan: Plan, within: Duration) -> Ended {
        self.inner.begin(function, event, plan, within).await.end().await
    }

    /// As [`Self::invoke_within`], beside the test.
    pub async fn begin(&self, function: &str, event: &Value, plan: Plan, within: Duration) -> Running {
        self.inner.begin(function, event, plan, within).await
    }

    /// Leaves alone what other tests have left in the stack: of the sync function's invocations and of the schedules only
    /// those happen that have this namespace in what they are told.
    pub fn only(&self, namespace: &str) {
        *self.inner.only.lock().unwrap() = Some(namespace.to_owned());
    }

    /// From now on untroubled invocations have so much time, and AWS goes by a plan of this kind.
    pub fn slow_down(&self, within: Duration, plan: fn() -> Plan) {
        *self.inner.slow.lock().unwrap() = Some((within, plan));
    }

    /// Has AWS go by `plan` for the next of the invocations that are untroubled else.
    pub fn trouble_next(&self, plan: Plan) {
        *self.inner.next.lock().unwrap() = Some(plan);
    }

    /// Has the sync function do a task, untroubled.
    pub async fn task(&self, task: &Task) -> Outcome {
        self.inner.run(&self.stack.sync_function, &serde_json::to_value(task).unwrap()).await
    }

    /// Invokes a function, untroubled.
    pub async fn run(&self, function: &str, event: &Value) -> Outcome {
        self.inner.run(function, event).await
    }

    /// Takes the next asynchronous invocation: the function, and what it is invoked with.
    pub fn take_event(&self) -> Option<(String, Value)> {
        self.inner.next_event().map(|event| (event.function, event.payload))
    }

    /// Delivers asynchronous invocations, and those that they lead to, until there are none. Returns how many.
    pub async fn deliver_events(&self) -> usize {
        let mut delivered = 0;
        while let Some(event) = self.inner.next_event() {
            delivered += 1;
            assert!(delivered <= MAX_EVENTS, "it never ends: {event:?}");
            self.inner.run(&event.function, &event.payload).await;
        }
        delivered
    }

    /// Fires the schedules that were made for a single moment, whenever that is, and removes them. Returns how many.
    pub async fn fire_once_schedules(&self) -> usize {
        let scheduler = aws_sdk_scheduler::Client::new(&self.stack.aws);
        let group = &self.stack.schedule_group;
        let mut listed = scheduler.list_schedules().group_name(group).into_paginator().items().send();
        let mut names = Vec::new();
        while let Some(schedule) = listed.next().await {
            names.push(schedule.unwrap().name.unwrap());
        }
        let mut fired = 0;
        for name in names {
            let schedule = scheduler.get_schedule().group_name(group).name(&name).send().await.unwrap();
            let is_once = schedule.schedule_expression().unwrap_or_default().starts_with("at(");
            let input = serde_json::from_str(schedule.target().unwrap().input().unwrap()).unwrap();
            if !is_once || !self.inner.concerns(&self.stack.sync_function, &input) {
                continue;
            }
            fired += 1;
            scheduler.delete_schedule().group_name(group).name(&name).send().await.unwrap();
            self.inner.run(&self.stack.sync_function, &input).await;
        }
        fired
    }

    /// Delivers and fires until there is nothing left to do. Returns how many invocations that were.
    pub async fn settle(&self) -> usize {
        let mut all = 0;
        for _ in 0..MAX_EVENTS {
            let some = self.deliver_events().await + self.fire_once_schedules().await;
            if some == 0 {
                return all;
            }
            all += some;
        }
        panic!("it never ends");
    }

    /// What all functions have asked of AWS; of the table, only those that were invoked by plan.
    pub fn asked(&self) -> Vec<Request> {
        self.inner.proxies.lock().unwrap().iter().flat_map(Aws::seen).collect()
    }
}

impl Inner {
    async fn start(&self, function: &str, aws: &Aws) -> Function {
        let mut variables = self.variables[function].clone();
        variables.insert("AWS_ENDPOINT_URL".to_owned(), aws.url.clone());
        if aws.url == self.honest.url {
            // Nothing happens to it, and it is most of what is asked.
            variables.insert("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), self.fork.endpoint.clone());
        }
        let binary = function.rsplit('-').next().unwrap();
        Function::start(binary, &variables, self.folder.path()).await
    }

    async fn begin(&self, function: &str, event: &Value, plan: Plan, within: Duration) -> Running {
        let aws = Aws::before(&self.fork.endpoint, Duration::ZERO, plan).await;
        self.proxies.lock().unwrap().push(aws.clone());
        let process = self.start(function, &aws).await;
        aws.aim_at(process.process());
        Running::of(process, aws, event.clone(), within)
    }

    async fn run(&self, function: &str, event: &Value) -> Outcome {
        let plan = self.next.lock().unwrap().take();
        let slow = || self.slow.lock().unwrap().map(|(within, plan)| (plan(), within));
        if let Some((plan, within)) = plan.map(|plan| (plan, WITHIN)).or_else(slow) {
            let ended = self.begin(function, event, plan, within).await.end().await;
            if ended.outcome == Outcome::TimedOut {
                eprintln!("{function} {event}: not within {within:?}\n{}", ended.log);
            }
            return ended.outcome;
        }
        let process = self.start(function, &self.honest).await;
        let outcome = process.invoke(event, WITHIN).await;
        if !matches!(outcome, Outcome::Answer(_)) {
            eprintln!("{function} {event}: {outcome:?}\n{}", process.log());
        }
        outcome
    }

    fn next_event(&self) -> Option<Invocation> {
        loop {
            let event = self.proxies.lock().unwrap().iter().find_map(Aws::next_event)?;
            if self.concerns(&event.function, &event.payload) {
                return Some(event);
            }
        }
    }

    fn concerns(&self, function: &str, payload: &Value) -> bool {
        // Whoever is told of what happens changes nothing of it.
        if function.ends_with("-events") {
            return false;
        }
        let only = self.only.lock().unwrap();
        !function.ends_with("-sync") || only.as_ref().is_none_or(|only| payload.to_string().contains(only.as_str()))
    }

    fn next_call(&self) -> Option<Invocation> {
        self.proxies.lock().unwrap().iter().find_map(Aws::next_call)
    }
}

/// Delivers what functions wait for.
async fn deliver_calls(inner: Arc<Inner>) {
    loop {
        while let Some(call) = inner.next_call() {
            let inner = Arc::clone(&inner);
            tokio::spawn(async move {
                let answer = match inner.run(&call.function, &call.payload).await {
                    Outcome::Answer(answer) | Outcome::Failed(answer) => answer,
                    Outcome::Killed | Outcome::TimedOut => json!({"errorType": "Sandbox.Timedout"}),
                };
                // The caller may be dead.
                call.waits.and_then(|waits| waits.send(answer).ok());
            });
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The same AWS elsewhere. Made anew: what was read from the environment would have its own endpoint, which comes first.
fn at(aws: &SdkConfig, endpoint: &str) -> SdkConfig {
    let builder = SdkConfig::builder().behavior_version(aws_config::BehaviorVersion::latest());
    let builder = builder.region(aws.region().cloned()).endpoint_url(endpoint);
    builder.credentials_provider(aws.credentials_provider().unwrap()).build()
}

/// A deployed function's variables, and what Lambda sets itself.
pub async fn settings_of(aws: &SdkConfig, name: &str) -> HashMap<String, String> {
    let lambda = aws_sdk_lambda::Client::new(aws);
    let function = lambda.get_function_configuration().function_name(name).send().await.unwrap();
    let mut variables = function.environment.and_then(|environment| environment.variables).unwrap_or_default();
    for (name, value) in [
        ("AWS_LAMBDA_FUNCTION_NAME", name),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ] {
        variables.insert(name.to_owned(), value.to_owned());
    }
    variables
}
