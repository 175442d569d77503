//! Stacks of CloudFormation beside Moorage's own, as their owners make them.

use std::time::Duration;

use reqwest::Url;

use crate::{eventually, http, stack::Stack};

/// How long a stack may take.
const LIMIT: Duration = Duration::from_secs(60);

/// One of them.
#[derive(Debug)]
pub struct Declared {
    endpoint: String,
    name: String,
    template: String,
}

/// What happened to a resource.
#[derive(Debug)]
pub struct Event {
    /// Its name in the template.
    pub resource: String,
    /// Its physical id; empty as long as it has none.
    pub physical_id: String,
    /// What it came to.
    pub status: String,
    /// Why.
    pub reason: String,
}

impl Declared {
    /// One that is still to be made of a template.
    pub fn new(stack: &Stack, name: &str, template: impl Into<String>) -> Self {
        Self { endpoint: stack.endpoint().to_owned(), name: name.to_owned(), template: template.into() }
    }

    /// Makes it, and returns how that ended.
    pub async fn create(&self, parameters: &[(&str, &str)]) -> String {
        self.send("CreateStack", parameters).await;
        self.ended().await
    }

    /// Changes it, and returns how that ended.
    pub async fn update(&self, parameters: &[(&str, &str)]) -> String {
        self.send("UpdateStack", parameters).await;
        self.ended().await
    }

    /// The same with another template.
    pub async fn replace(&mut self, template: impl Into<String>) -> String {
        self.template = template.into();
        self.update(&[]).await
    }

    /// Deletes it, and returns how that ended.
    pub async fn delete(&self) -> String {
        // It is found by its name only as long as it is there.
        let id = self.described("StackId").await;
        self.ask("DeleteStack", &[("StackName", &self.name)]).await;
        eventually("the stack is deleted", LIMIT, async || {
            let described = self.ask("DescribeStacks", &[("StackName", &id)]).await;
            let status =
                between(&described, "StackStatus").first().cloned().unwrap_or_else(|| "DELETE_COMPLETE".into());
            (!status.ends_with("IN_PROGRESS")).then_some(status)
        })
        .await
    }

    /// What it says of itself.
    pub async fn output(&self, key: &str) -> String {
        let described = self.ask("DescribeStacks", &[("StackName", &self.name)]).await;
        let outputs = described.split("<member>").filter(|it| it.contains(&format!("<OutputKey>{key}</OutputKey>")));
        outputs.flat_map(|it| between(it, "OutputValue")).next().unwrap_or_else(|| panic!("no {key}: {described}"))
    }

    /// What happened to its resources, the last first.
    pub async fn events(&self) -> Vec<Event> {
        let described = self.ask("DescribeStackEvents", &[("StackName", &self.name)]).await;
        let one = |text: &str, name| between(text, name).first().cloned().unwrap_or_default();
        let members = between(&described, "member");
        let event = |text: &String| Event {
            resource: one(text, "LogicalResourceId"),
            physical_id: one(text, "PhysicalResourceId"),
            status: one(text, "ResourceStatus"),
            reason: one(text, "ResourceStatusReason"),
        };
        members.iter().map(event).collect()
    }

    /// Why a resource failed the last time.
    pub async fn reason(&self, resource: &str) -> String {
        let events = self.events().await;
        let failed = events.iter().find(|it| it.resource == resource && it.status.ends_with("_FAILED"));
        failed.unwrap_or_else(|| panic!("{resource} did not fail: {events:?}")).reason.clone()
    }

    /// The physical id of a resource.
    pub async fn physical_id(&self, resource: &str) -> String {
        let asked = [("StackName", self.name.as_str()), ("LogicalResourceId", resource)];
        let described = self.ask("DescribeStackResource", &asked).await;
        between(&described, "PhysicalResourceId").first().cloned().unwrap_or_else(|| panic!("{described}"))
    }

    async fn send(&self, action: &str, parameters: &[(&str, &str)]) {
        let mut form = vec![("StackName".to_owned(), self.name.as_str()), ("TemplateBody".to_owned(), &self.template)];
        for (number, (key, value)) in (1..).zip(parameters) {
            form.push((format!("Parameters.member.{number}.ParameterKey"), key));
            form.push((format!("Parameters.member.{number}.ParameterValue"), value));
        }
        let form: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let answer = self.ask(action, &form).await;
        assert!(answer.contains("<StackId>"), "{answer}");
    }

    async fn described(&self, what: &str) -> String {
        let described = self.ask("DescribeStacks", &[("StackName", &self.name)]).await;
        between(&described, what).first().cloned().unwrap_or_else(|| panic!("{described}"))
    }

    async fn ended(&self) -> String {
        eventually("the stack is done", LIMIT, async || {
            let status = self.described("StackStatus").await;
            (!status.ends_with("IN_PROGRESS")).then_some(status)
        })
        .await
    }

    async fn ask(&self, action: &str, form: &[(&str, &str)]) -> String {
        let all = [("Action", action), ("Version", "2010-05-15")].into_iter().chain(form.iter().copied());
        let encoded = Url::parse_with_params("http://form", all).unwrap();
        let request = http().post(&self.endpoint).header("content-type", "application/x-www-form-urlencoded");
        // The emulator reads who asks, and does not check the signature.
        let authorization = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/cloudformation/aws4_request, \
                             SignedHeaders=host, Signature=0";
        let request = request.header("authorization", authorization).body(encoded.query().unwrap().to_owned());
        request.send().await.unwrap().text().await.unwrap()
    }
}

/// What stands between the tags of a name, each time.
fn between(text: &str, name: &str) -> Vec<String> {
    let (start, end) = (format!("<{name}>"), format!("</{name}>"));
    let parts = text.split(&start).skip(1).filter_map(|part| part.split(&end).next());
    parts
        .map(|part| part.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
        .collect()
}
