//! Makes, changes and removes what a stack declares.
//!
//! The table knows which stack has made what. So a request that comes twice, and a stack that goes back to what it was, find
//! what is theirs, and what was there before them is left alone.

use std::sync::Mutex;

use moorage_client::{Client, ClientError, Method, Request};
use moorage_state::{StackResource, Table, now};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    declared::{Declared, OnDelete},
    failure::Failure,
    kind::Kind,
    registry::Registry,
    secrets::Secrets,
    settings,
    target::Target,
};

/// One request's work.
pub(crate) struct Provisioner<'a> {
    /// Calls that are done in seconds.
    pub(crate) client: &'a Client,
    /// Removals, which go on as long as the invocation does.
    pub(crate) patient: &'a Client,
    pub(crate) table: &'a Table,
    pub(crate) secrets: &'a Secrets,
    pub(crate) registry: &'a Registry,
    /// Whose request it is.
    pub(crate) resource: StackResource,
    /// What may have been made, should the request end at this moment.
    pub(crate) begun: &'a Begun,
}

/// The physical id of what may have been made.
#[derive(Default)]
pub(crate) struct Begun(Mutex<Option<String>>);

/// What a request has made.
pub(crate) struct Done {
    pub(crate) physical_id: String,
    pub(crate) data: Map<String, Value>,
}

impl Begun {
    /// It, if there is any.
    pub(crate) fn get(&self) -> Option<String> {
        self.0.lock().ok()?.clone()
    }

    fn set(&self, physical_id: Option<String>) {
        if let Ok(mut begun) = self.0.lock() {
            *begun = physical_id;
        }
    }
}

impl Provisioner<'_> {
    /// Makes what is declared. What is there already has to be this resource's, or to be taken over.
    pub(crate) async fn create(&self, declared: &Declared) -> Result<Done, Failure> {
        let physical_id = declared.target.to_string();
        let known = self.table.stack_resource(&physical_id).await?;
        let present = self.present(&declared.target, known.as_ref().and_then(|it| it.uuid)).await?;
        let is_ours = known.as_ref().is_some_and(|it| it.is_of(&self.resource));
        match present {
            Some(present) if is_ours || declared.adopt => {
                let uuid = known.and_then(|it| it.uuid);
                self.keep(&physical_id, uuid).await?;
                let settings = self.with_secret(declared, declared.settings.clone()).await?;
                self.change(declared, settings, &present).await?;
                Ok(self.done(&declared.target, uuid))
            }
            Some(_) => Err(Failure::Exists(declared.target.clone())),
            None => self.make(declared).await,
        }
    }

    /// Makes what an update of the same thing declares.
    pub(crate) async fn update(&self, before: Option<&Declared>, after: &Declared) -> Result<Done, Failure> {
        let physical_id = after.target.to_string();
        let known = self.table.stack_resource(&physical_id).await?;
        if let Some(other) = known.as_ref().filter(|it| !it.is_of(&self.resource)) {
            return Err(Failure::Elsewhere(after.target.clone(), other.stack_id.clone()));
        }
        let uuid = known.and_then(|it| it.uuid);
        let Some(present) = self.present(&after.target, uuid).await? else {
            // Somebody has removed it.
            return self.make(after).await;
        };
        self.keep(&physical_id, uuid).await?;
        let changed = before.map_or_else(|| after.settings.clone(), |before| settings::changed(before, after));
        let changed = self.with_secret(after, changed).await?;
        self.change(after, changed, &present).await?;
        Ok(self.done(&after.target, uuid))
    }

    /// Ends what a resource has made. What is gone, or somebody else's, is no failure.
    pub(crate) async fn delete(&self, kind: Kind, physical_id: &str, how: OnDelete) -> Result<(), Failure> {
        let Some(target) = Target::parse(kind, physical_id) else { return Ok(()) };
        let known = self.table.stack_resource(physical_id).await?;
        let Some(known) = known.filter(|it| it.is_of(&self.resource)) else {
            tracing::info!(physical_id, "it is not this stack's, and stays as it is");
            return Ok(());
        };
        let goes = match how {
            OnDelete::Keep => false,
            OnDelete::Remove => true,
            OnDelete::RemoveIfEmpty => self.is_empty(&target).await?,
        };
        if goes && let Some(path) = target.path(known.uuid) {
            self.remove(&target, &path).await?;
        }
        tracing::info!(physical_id, removed = goes, "the stack no longer has it");
        Ok(self.table.forget_stack_resource(physical_id).await?)
    }

    /// Makes what is not there.
    async fn make(&self, declared: &Declared) -> Result<Done, Failure> {
        let physical_id = declared.target.to_string();
        let settings = self.with_secret(declared, declared.settings.clone()).await?;
        // First it is written down: a request that is killed hereafter comes again, and finds that it was its own.
        self.keep(&physical_id, None).await?;
        self.begun.set(Some(physical_id.clone()));
        let answer = match self.client.call(&declared.target.create(settings, now()).request()).await {
            Ok(answer) => answer.body,
            Err(error) => return self.not_made(declared, error.into()).await,
        };
        let uuid = match declared.kind {
            Kind::Notification => Some(uuid_of(&answer).ok_or(Failure::Answer)?),
            _ => None,
        };
        // Once more, as whoever tried the same at the same time may have written, too; and with the name that it has got.
        self.keep(&physical_id, uuid).await?;
        Ok(self.done(&declared.target, uuid))
    }

    /// What was not made is nobody's, unless an earlier try of the same call has made it after all.
    async fn not_made(&self, declared: &Declared, failure: Failure) -> Result<Done, Failure> {
        if !failure.is_refusal() {
            return Err(failure);
        }
        let was_tried_before = self.present(&declared.target, None).await.is_ok_and(|present| present.is_some());
        if was_tried_before {
            return Ok(self.done(&declared.target, None));
        }
        self.table.forget_stack_resource(&declared.target.to_string()).await?;
        self.begun.set(None);
        Err(failure)
    }

    async fn change(&self, declared: &Declared, settings: Map<String, Value>, present: &Value) -> Result<(), Failure> {
        for call in declared.target.change(declared.kind.fixed(), settings, present)? {
            self.client.call(&call.request()).await?;
        }
        Ok(())
    }

    async fn with_secret(
        &self,
        declared: &Declared,
        changed: Map<String, Value>,
    ) -> Result<Map<String, Value>, Failure> {
        let Some(arn) = &declared.secret_arn else { return Ok(changed) };
        let fields = self.secrets.read(arn, settings::form(declared.kind)).await?;
        Ok(settings::add_secret(declared, changed, arn, &fields)?)
    }

    /// The API's view of something; nothing if it is not there.
    async fn present(&self, target: &Target, uuid: Option<Uuid>) -> Result<Option<Value>, Failure> {
        let Some(path) = target.path(uuid) else { return Ok(None) };
        match self.client.get(&path).await {
            Err(error) if error.status().is_some_and(|status| target.is_absent(status)) => Ok(None),
            result => Ok(Some(result?)),
        }
    }

    async fn is_empty(&self, target: &Target) -> Result<bool, Failure> {
        for (path, is_empty) in target.contents() {
            if let Some(answer) = self.client.find(&path).await?
                && !is_empty(&answer.body)
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn remove(&self, target: &Target, path: &str) -> Result<(), Failure> {
        match self.patient.call(&Request::new(Method::Delete, path)).await {
            Ok(_) | Err(ClientError::NotFound { .. }) => Ok(()),
            // What is not there may be refused, too.
            Err(error) if error.status() == Some(400) && target.is_absent(400) => {
                match self.client.call(&Request::new(Method::Get, path)).await {
                    Err(ref gone) if gone.status().is_some_and(|status| target.is_absent(status)) => Ok(()),
                    _ => Err(error.into()),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn keep(&self, physical_id: &str, uuid: Option<Uuid>) -> Result<(), Failure> {
        let resource = StackResource { uuid, ..self.resource.clone() };
        Ok(self.table.put_stack_resource(physical_id, &resource).await?)
    }

    fn done(&self, target: &Target, uuid: Option<Uuid>) -> Done {
        Done { physical_id: target.to_string(), data: target.data(self.registry, uuid) }
    }
}

fn uuid_of(created: &Value) -> Option<Uuid> {
    created["uuid"].as_str()?.parse().ok()
}
