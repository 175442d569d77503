//! What a request consumes, on demand, as DynamoDB's documentation has it: a unit reads 4 KiB (half of one, if it may be a
//! moment old), or writes 1 KiB; in a transaction twice that; and an index is written when what it has of an item changes.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use rustack_dynamodb_core::handler::RustackDynamoDBHandler;
use rustack_dynamodb_http::{DynamoDBHandler, DynamoDBResponseBody, response::json_response};
use rustack_dynamodb_model::{error::DynamoDBError, operations::DynamoDBOperation};
use serde_json::{Value, json};

use crate::item::size;

/// Bytes that one unit reads, and that one unit writes.
const READ: usize = 4096;
const WRITE: usize = 1024;

type Answer = Result<hyper::Response<DynamoDBResponseBody>, DynamoDBError>;

/// The tables, and what requests to them consume.
pub(crate) struct Charging {
    tables: Arc<RustackDynamoDBHandler>,
    schema: Arc<Mutex<Schema>>,
}

/// What an item's key is, and what indices have of an item: there is one table.
#[derive(Debug, Default, Clone)]
struct Schema {
    key: Vec<String>,
    indices: Vec<Index>,
}

#[derive(Debug, Clone)]
struct Index {
    key: Vec<String>,
    /// The attributes; all of them if it is none.
    has: Option<Vec<String>>,
}

/// One item that a request writes.
#[derive(Debug)]
struct Write {
    table: Value,
    key: Value,
    before: Value,
}

impl Charging {
    pub(crate) fn new(tables: RustackDynamoDBHandler) -> Self {
        Self { tables: Arc::new(tables), schema: Arc::default() }
    }
}

impl DynamoDBHandler for Charging {
    fn handle_operation(
        &self,
        operation: DynamoDBOperation,
        body: Bytes,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
        let (tables, schema) = (Arc::clone(&self.tables), Arc::clone(&self.schema));
        Box::pin(async move {
            let mut request: Value = serde_json::from_slice(&body).unwrap_or_default();
            // The server keeps all tokens of ten minutes, and takes no transactions beyond so many. Nothing is sent twice here.
            let token = request.as_object_mut().and_then(|request| request.remove("ClientRequestToken"));
            let body = if token.is_some() { request.to_string().into() } else { body };
            if operation == DynamoDBOperation::CreateTable {
                *schema.lock().unwrap() = Schema::of(&request);
            }
            if request["ReturnConsumedCapacity"].as_str().is_none_or(|asked| asked == "NONE") {
                return tables.handle_operation(operation, body).await;
            }
            let schema = schema.lock().unwrap().clone();
            let mut writes = schema.writes(operation, &request);
            for write in &mut writes {
                write.before = write.read(&tables).await?;
            }
            let answer = tables.handle_operation(operation, body).await?;
            let mut answer = read(answer).await;
            let mut units = reads(operation, &request, &answer);
            for write in &writes {
                let after = write.read(&tables).await?;
                units += schema.write(&write.before, &after);
            }
            if operation == DynamoDBOperation::TransactWriteItems {
                units *= 2.0;
            }
            let (table, is_many) = table_of(operation, &request);
            let consumed = json!({"TableName": table, "CapacityUnits": units});
            answer["ConsumedCapacity"] = if is_many { json!([consumed]) } else { consumed };
            Ok(json_response(answer.to_string().into_bytes(), "measured"))
        })
    }
}

impl Write {
    /// The item as it is now; `null` if there is none.
    async fn read(&self, tables: &RustackDynamoDBHandler) -> Result<Value, DynamoDBError> {
        let request = json!({"TableName": self.table, "Key": self.key, "ConsistentRead": true});
        let answer = tables.handle_operation(DynamoDBOperation::GetItem, request.to_string().into()).await?;
        Ok(read(answer).await["Item"].take())
    }
}

impl Schema {
    fn of(request: &Value) -> Self {
        let names = |of: &Value| -> Vec<String> {
            let elements = of.as_array().into_iter().flatten();
            elements.filter_map(|element| element["AttributeName"].as_str().map(str::to_owned)).collect()
        };
        let key = names(&request["KeySchema"]);
        let index = |index: &Value| {
            let own = names(&index["KeySchema"]);
            let others = index["Projection"]["NonKeyAttributes"].as_array().into_iter().flatten();
            let others = others.filter_map(|name| name.as_str().map(str::to_owned));
            let has = (index["Projection"]["ProjectionType"] != "ALL")
                .then(|| key.iter().chain(&own).cloned().chain(others).collect());
            Index { key: own, has }
        };
        let indices = request["GlobalSecondaryIndexes"].as_array().into_iter().flatten().map(index).collect();
        Self { key, indices }
    }

    /// The items that a request writes.
    fn writes(&self, operation: DynamoDBOperation, request: &Value) -> Vec<Write> {
        let write = |table: &Value, of: &Value| {
            let key = if of["Key"].is_object() { of["Key"].clone() } else { self.key_of(&of["Item"]) };
            Write { table: table.clone(), key, before: Value::Null }
        };
        match operation {
            DynamoDBOperation::PutItem | DynamoDBOperation::UpdateItem | DynamoDBOperation::DeleteItem => {
                vec![write(&request["TableName"], request)]
            }
            DynamoDBOperation::BatchWriteItem => {
                let tables = request["RequestItems"].as_object().into_iter().flatten();
                let all = tables.flat_map(|(table, items)| {
                    items.as_array().into_iter().flatten().map(move |item| (json!(table), item))
                });
                all.filter_map(|(table, item)| {
                    let (_, of) = item.as_object()?.iter().next()?;
                    Some(write(&table, of))
                })
                .collect()
            }
            DynamoDBOperation::TransactWriteItems => {
                let items = request["TransactItems"].as_array().into_iter().flatten();
                items
                    .filter_map(|item| item.as_object()?.values().next())
                    .map(|of| write(&of["TableName"], of))
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    fn key_of(&self, item: &Value) -> Value {
        self.key.iter().map(|name| (name.clone(), item[name].clone())).collect::<serde_json::Map<_, _>>().into()
    }

    /// The units of one item's write, which is as large as it was or became.
    fn write(&self, before: &Value, after: &Value) -> f64 {
        let table = pieces(size(before, None).max(size(after, None)), WRITE);
        table + self.indices.iter().map(|index| index.write(before, after)).sum::<f64>()
    }
}

impl Index {
    fn write(&self, before: &Value, after: &Value) -> f64 {
        let is_in = |item: &Value| self.key.iter().all(|name| !item[name].is_null());
        let of = self.has.as_deref();
        let entry = |item: &Value| pieces(size(item, of), WRITE);
        let differs =
            |item: &Value, other: &Value, names: &[String]| names.iter().any(|name| item[name] != other[name]);
        match (is_in(before), is_in(after)) {
            (false, false) => 0.0,
            (true, false) => entry(before),
            (false, true) => entry(after),
            // The old entry goes, and a new one comes.
            _ if differs(before, after, &self.key) => entry(before) + entry(after),
            _ if of.map_or(before != after, |names| differs(before, after, names)) => entry(before).max(entry(after)),
            _ => 0.0,
        }
    }
}

/// The units of what a request reads.
fn reads(operation: DynamoDBOperation, request: &Value, answer: &Value) -> f64 {
    let units = |bytes: usize, is_strong: bool| pieces(bytes, READ) * if is_strong { 1.0 } else { 0.5 };
    let sum = |items: &Value| items.as_array().into_iter().flatten().map(|item| size(item, None)).sum::<usize>();
    match operation {
        DynamoDBOperation::GetItem => units(size(&answer["Item"], None), request["ConsistentRead"] == true),
        // What a filter or a projection leaves out is read, too, and not known here: ours have none that take much.
        DynamoDBOperation::Query | DynamoDBOperation::Scan => {
            units(sum(&answer["Items"]), request["ConsistentRead"] == true)
        }
        DynamoDBOperation::BatchGetItem => {
            let tables = request["RequestItems"].as_object().into_iter().flatten();
            tables
                .map(|(table, keys)| {
                    let is_strong = keys["ConsistentRead"] == true;
                    let items = answer["Responses"][table].as_array().into_iter().flatten();
                    let found = items.clone().map(|item| units(size(item, None), is_strong)).sum::<f64>();
                    let asked = keys["Keys"].as_array().map_or(0, Vec::len);
                    found + (0..asked.saturating_sub(items.count())).map(|_| units(0, is_strong)).sum::<f64>()
                })
                .sum()
        }
        _ => 0.0,
    }
}

/// The table of a request, and whether its answer has a list of what was consumed.
fn table_of(operation: DynamoDBOperation, request: &Value) -> (Value, bool) {
    match operation {
        DynamoDBOperation::BatchGetItem | DynamoDBOperation::BatchWriteItem => {
            let table = request["RequestItems"].as_object().and_then(|tables| tables.keys().next());
            (table.map_or(Value::Null, |table| json!(table)), true)
        }
        DynamoDBOperation::TransactWriteItems => {
            let first = request["TransactItems"][0].as_object().and_then(|item| item.values().next());
            (first.map_or(Value::Null, |of| of["TableName"].clone()), true)
        }
        _ => (request["TableName"].clone(), false),
    }
}

async fn read(answer: hyper::Response<DynamoDBResponseBody>) -> Value {
    let body = answer.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    serde_json::from_slice(&body).unwrap_or_default()
}

/// So many units: at least one.
fn pieces(bytes: usize, size: usize) -> f64 {
    u32::try_from(bytes.div_ceil(size).max(1)).map_or(f64::MAX, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Schema {
        Schema::of(&json!({
            "KeySchema": [{"AttributeName": "pk"}, {"AttributeName": "sk"}],
            "GlobalSecondaryIndexes": [{
                "KeySchema": [{"AttributeName": "state"}], "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["x"]},
            }],
        }))
    }

    #[test]
    fn an_index_is_written_when_what_it_has_changes() {
        let item = |state: Value, x: &str, other: &str| json!({"pk": {"S": "a"}, "sk": {"S": "b"}, "state": state, "x": {"S": x}, "other": {"S": other}});
        let (on, off) = (json!({"S": "on"}), json!({"S": "off"}));
        let write = |before: &Value, after: &Value| schema().write(before, after);
        assert_eq!(write(&Value::Null, &item(Value::Null, "1", "1")), 1.0);
        assert_eq!(write(&Value::Null, &item(on.clone(), "1", "1")), 2.0);
        assert_eq!(write(&item(on.clone(), "1", "1"), &item(on.clone(), "1", "2")), 1.0);
        assert_eq!(write(&item(on.clone(), "1", "1"), &item(on.clone(), "2", "1")), 2.0);
        assert_eq!(write(&item(on.clone(), "1", "1"), &item(off, "1", "1")), 3.0);
        assert_eq!(write(&item(on, "1", &"1".repeat(2000)), &Value::Null), 3.0);
    }

    #[test]
    fn reads_follow_size_and_consistency() {
        let answer = json!({"Item": {"x": {"S": "1".repeat(5000)}}});
        assert_eq!(reads(DynamoDBOperation::GetItem, &json!({}), &answer), 1.0);
        assert_eq!(reads(DynamoDBOperation::GetItem, &json!({"ConsistentRead": true}), &answer), 2.0);
        let keys = json!({"RequestItems": {"t": {"Keys": [1, 2, 3], "ConsistentRead": true}}});
        let found = json!({"Responses": {"t": [{"x": {"S": "1"}}]}});
        assert_eq!(reads(DynamoDBOperation::BatchGetItem, &keys, &found), 3.0);
    }
}
