//! What is asked of AWS, as far as a plan needs to know.

use std::fmt;

use hyper::{Method, http::request::Parts};
use serde_json::Value;

/// A service of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// The table.
    DynamoDb,
    /// The bucket.
    S3,
    /// Functions.
    Lambda,
    /// Schedules.
    Scheduler,
    /// The key.
    Kms,
    /// The stack's secrets.
    SecretsManager,
    /// Any other.
    Other,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Which one it is, from 1.
    pub number: usize,
    /// Of whom it is asked.
    pub service: Service,
    /// What is asked, in the service's own words.
    pub operation: String,
    /// What it is about: a path in the bucket, a function, the partition of the first item that a batch writes.
    pub target: String,
    /// Which part of an object it stores, from 1.
    pub part: Option<usize>,
    /// Whether it changes anything.
    pub writes: bool,
    /// Whether others were under way when it came.
    pub overlaps: bool,
    /// How many requests were waited for one after the other until it was answered, with itself: one more than the most of
    /// those that had been answered when it came.
    pub round: usize,
    /// Halves of units that the answer says that it consumed, if it is one to the table.
    pub half_units: u64,
}

impl Request {
    /// Reads a request; nothing else is under way, or was before.
    pub fn read(number: usize, head: &Parts, body: &[u8]) -> Self {
        let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
        let named = head.headers.get("x-amz-target").and_then(|value| value.to_str().ok());
        if let Some((service, operation)) = named.and_then(|named| named.split_once('.')) {
            let service = match service {
                "TrentService" => Service::Kms,
                "secretsmanager" => Service::SecretsManager,
                service if service.starts_with("DynamoDB") => Service::DynamoDb,
                _ => Service::Other,
            };
            let writes =
                ["Put", "Update", "Delete", "TransactWrite", "BatchWrite"].iter().any(|it| operation.starts_with(it));
            return Self {
                number,
                service,
                operation: operation.to_owned(),
                target: if operation == "BatchWriteItem" { partition(body) } else { String::new() },
                part: None,
                writes,
                overlaps: false,
                round: 1,
                half_units: 0,
            };
        }
        if let Some(function) = path.strip_prefix("/2015-03-31/functions/") {
            let name = function.split('/').next().unwrap_or_default();
            let name = name.rsplit("%3A").next().and_then(|name| name.rsplit(':').next()).unwrap_or(name);
            return Self {
                number,
                service: Service::Lambda,
                operation: "Invoke".to_owned(),
                target: name.to_owned(),
                part: None,
                writes: true,
                overlaps: false,
                round: 1,
                half_units: 0,
            };
        }
        let service = if path.starts_with("/schedule") { Service::Scheduler } else { Service::S3 };
        let detail = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
        let detail: Vec<&str> =
            detail.filter(|name| ["uploads", "uploadId", "partNumber", "list-type", "delete"].contains(name)).collect();
        let operation = format!("{} {}", head.method, detail.join(" ")).trim_end().to_owned();
        let part = query.split('&').find_map(|pair| pair.strip_prefix("partNumber=")?.parse().ok());
        let writes = ![Method::GET, Method::HEAD].contains(&head.method);
        let target = path.to_owned();
        Self { number, service, operation, target, part, writes, overlaps: false, round: 1, half_units: 0 }
    }
}

/// The partition of the first item that a batch puts.
fn partition(batch: &[u8]) -> String {
    let batch: Value = serde_json::from_slice(batch).unwrap_or_default();
    let first = batch["RequestItems"].as_object().and_then(|tables| tables.values().next()?.get(0));
    let partition = first.and_then(|first| first["PutRequest"]["Item"]["pk"]["S"].as_str());
    partition.unwrap_or_default().to_owned()
}

/// Halves of units that an answer of the table says were consumed.
pub(super) fn half_units(answer: &[u8]) -> u64 {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let of_one =
        |capacity: &Value| (capacity["CapacityUnits"].as_f64().unwrap() * 2.0).to_string().parse::<u64>().unwrap();
    match &answer["ConsumedCapacity"] {
        Value::Array(all) => all.iter().map(of_one).sum(),
        Value::Null => 0,
        one => of_one(one),
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {} {}", self.number, self.service, self.operation, self.target)
    }
}
