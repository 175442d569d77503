//! What DynamoDB charges for a request, on demand: what its answer says, if it was asked to; else as far as sizes show here.
//! Items are measured as JSON then, which is longer than what DynamoDB counts, so that this is rather too much; of an item
//! that is updated or deleted only what the request says of it is known.

use serde_json::Value;

/// Bytes that one unit reads, and that one unit writes.
const READ: usize = 4096;
const WRITE: usize = 1024;

/// Units of one request.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(crate) struct Units {
    pub(crate) read: f64,
    pub(crate) write: f64,
}

/// The units of a request.
pub(crate) fn of(operation: &str, request: &[u8], answer: &[u8]) -> Units {
    let said = said(answer);
    if said > 0.0 {
        let reads = ["Get", "Query", "Scan"].iter().any(|word| operation.contains(word));
        return if reads { Units { read: said, write: 0.0 } } else { Units { read: 0.0, write: said } };
    }
    guessed(operation, request, answer.len())
}

/// What an answer says of that.
fn said(answer: &[u8]) -> f64 {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let units = |capacity: &Value| capacity["CapacityUnits"].as_f64();
    match &answer["ConsumedCapacity"] {
        Value::Array(tables) => tables.iter().filter_map(units).sum(),
        table => units(table).unwrap_or_default(),
    }
}

/// The units of a request whose answer, of so many bytes, says nothing of them.
fn guessed(operation: &str, request: &[u8], answer: usize) -> Units {
    let request: Value = serde_json::from_slice(request).unwrap_or_default();
    match operation {
        "GetItem" | "Query" | "Scan" | "BatchGetItem" => {
            let each = if request["ConsistentRead"] == true { 1.0 } else { 0.5 };
            Units { read: each * pieces(answer, READ), write: 0.0 }
        }
        "TransactGetItems" => Units { read: 2.0 * pieces(answer, READ), write: 0.0 },
        "BatchWriteItem" => {
            let tables = request["RequestItems"].as_object().into_iter().flatten();
            let items = tables.flat_map(|(_, items)| items.as_array().into_iter().flatten());
            Units { read: 0.0, write: items.map(|item| pieces(item.to_string().len(), WRITE)).sum() }
        }
        "TransactWriteItems" => {
            let items = request["TransactItems"].as_array().into_iter().flatten();
            Units { read: 0.0, write: items.map(|item| 2.0 * pieces(item.to_string().len(), WRITE)).sum() }
        }
        "PutItem" => Units { read: 0.0, write: pieces(request["Item"].to_string().len(), WRITE) },
        "UpdateItem" => {
            Units { read: 0.0, write: pieces(request["ExpressionAttributeValues"].to_string().len(), WRITE) }
        }
        _ => Units { read: 0.0, write: 1.0 },
    }
}

#[expect(clippy::cast_precision_loss, reason = "requests and answers have megabytes at most")]
fn pieces(bytes: usize, size: usize) -> f64 {
    bytes.div_ceil(size).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_what_was_consumed() {
        let one = br#"{"ConsumedCapacity":{"TableName":"t","CapacityUnits":2.5}}"#;
        let many = br#"{"ConsumedCapacity":[{"CapacityUnits":3.0},{"CapacityUnits":1.0}]}"#;
        assert_eq!(of("BatchGetItem", b"{}", one), Units { read: 2.5, write: 0.0 });
        assert_eq!(of("TransactWriteItems", b"{}", many), Units { read: 0.0, write: 4.0 });
        assert_eq!(of("GetItem", b"{}", &[b' '; 5000]), Units { read: 1.0, write: 0.0 }, "it says nothing");
    }

    #[test]
    fn units_follow_size_and_consistency() {
        let strong = br#"{"ConsistentRead":true}"#;
        assert_eq!(guessed("Query", b"{}", 9000), Units { read: 1.5, write: 0.0 });
        assert_eq!(guessed("GetItem", strong, 10), Units { read: 1.0, write: 0.0 });
        let batch = br#"{"RequestItems":{"table":[{"PutRequest":{}},{"DeleteRequest":{}}]}}"#;
        assert_eq!(guessed("BatchWriteItem", batch, 2), Units { read: 0.0, write: 2.0 });
        let pair = br#"{"TransactItems":[{"Put":{}},{"Delete":{}}]}"#;
        assert_eq!(guessed("TransactWriteItems", pair, 2), Units { read: 0.0, write: 4.0 });
    }
}
