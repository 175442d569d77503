//! Collections by what the table knows of earlier ones: those that were broken off, and those that are a measure.

use moorage_tests::table::{self, Key};

use super::*;

/// JSON as the table has it.
fn attribute(value: &Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(value) => AttributeValue::Bool(*value),
        Value::Number(value) => AttributeValue::N(value.to_string()),
        Value::String(value) => AttributeValue::S(value.clone()),
        Value::Array(values) => AttributeValue::L(values.iter().map(attribute).collect()),
        Value::Object(fields) => {
            AttributeValue::M(fields.iter().map(|(name, value)| (name.clone(), attribute(value))).collect())
        }
    }
}

/// Writes a collection as it is stored. Returns its key.
async fn write(stack: &Stack, collection: &Value) -> Key {
    let (id, started) = (collection["run_id"].as_str().unwrap(), collection["started_at"].as_i64().unwrap());
    let (pk, sk) = ("GARBAGE".to_owned(), format!("COLLECTION#{started:012}#{id}"));
    let put = aws_sdk_dynamodb::Client::new(&stack.aws).put_item().table_name(&stack.table);
    let mut put = put.item("pk", AttributeValue::S(pk.clone())).item("sk", AttributeValue::S(sk.clone()));
    for (name, value) in collection.as_object().unwrap() {
        put = put.item(name, attribute(value));
    }
    put.item("expires_at", AttributeValue::N((started + 86_400).to_string())).send().await.unwrap();
    Key(pk, sk)
}

#[tokio::test]
async fn a_collection_goes_on_where_its_last_invocation_ended() {
    let world = World::new("goes-on").await;
    let stack = world.stack.clone();
    let upstream = format!("http://{}", stack.upstream);
    for tag in 0..10 {
        small().push(&upstream, &world.path, &format!("t{tag}")).await;
    }
    world.create_mirror(&stack.upstream, json!({})).await;
    assert_eq!(world.sync().await["status"], "SUCCESS");
    // Its invocation may have invoked the next one, or have been killed: then whoever comes next goes on with it.
    for is_named in [true, false] {
        let mut collection = collect(&stack, json!({"dry_run": true})).await;
        // As if the time had been up half-way through the blobs.
        collection["stage"] = json!("sweep");
        collection["after"] = json!(128);
        collection["ended_at"] = Value::Null;
        let blobs = collection["blobs"].as_u64().unwrap();
        let id = collection["run_id"].clone();
        write(&stack, &collection).await;
        let request = if is_named { json!({"dry_run": true, "run_id": id}) } else { json!({"dry_run": true}) };
        let done = collect(&stack, request).await;
        assert_eq!((&done["run_id"], &done["stage"], &done["invocations"]), (&id, &json!("done"), &json!(2)), "{done}");
        let keys = bucket::keys(&stack, "docker/registry/v2/blobs/sha256/").await;
        let second_half = keys.iter().filter(|key| key["docker/registry/v2/blobs/sha256/".len()..] >= *"80").count();
        assert_eq!(done["blobs"].as_u64().unwrap() - blobs, second_half as u64, "{done}");
        assert!(done["ended_at"].is_number(), "{done}");
    }
}

#[tokio::test]
async fn a_request_to_go_on_that_comes_twice_is_followed_once() {
    let stack = Stack::from_env().await;
    let mut collection = collect(&stack, json!({"dry_run": true})).await;
    (collection["stage"], collection["after"], collection["ended_at"]) = (json!("sweep"), json!(0), Value::Null);
    write(&stack, &collection).await;
    // The lease was left to whoever comes with this.
    let lease = "00000000-0000-4000-8000-000000000042";
    let key = Key("GARBAGE".to_owned(), "LEASE".to_owned());
    table::set(&stack, &key, [("holder", table::text(lease)), ("held_until", table::ahead(Duration::from_secs(60)))])
        .await;
    assert_eq!(collect_once(&stack, &json!({"dry_run": true})).await, Value::Null, "nobody else goes on with it");
    let request = json!({"dry_run": true, "run_id": collection["run_id"], "lease": lease});
    let (one, two) = tokio::join!(collect_once(&stack, &request), collect_once(&stack, &request));
    assert_ne!(one.is_null(), two.is_null(), "{one} {two}");
}

#[tokio::test]
async fn links_are_measured_by_the_last_collection_that_was_neither_held_nor_dry() {
    let stack = Stack::from_env().await;
    let last = collect(&stack, json!({"dry_run": true})).await;
    // One that has seen far more links, then a dry one, one that was held, and one that is not over.
    let mut measure = last.clone();
    (measure["dry_run"], measure["links"]) = (json!(false), json!(50_000_000));
    let few = |id: &str, fields: Value| {
        let mut few = measure.clone();
        few["run_id"] = format!("00000000-0000-4000-8000-0000000000{id}").into();
        few["started_at"] = (few["started_at"].as_i64().unwrap() + 1).into();
        few["links"] = json!(1);
        few.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        few
    };
    let held = json!({"held": {"reason": "links_shrank", "links": 1, "before": 50_000_000}});
    let mut keys = vec![write(&stack, &measure).await];
    for few in [few("01", json!({"dry_run": true})), few("02", held)] {
        keys.push(write(&stack, &few).await);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let held = collect(&stack, json!({})).await;
    let again = collect(&stack, json!({})).await;
    let forced = collect(&stack, json!({"force": true})).await;
    for key in &keys {
        table::delete(&stack, key).await;
    }
    for held in [held, again] {
        assert_eq!((&held["held"]["reason"], &held["held"]["before"]), (&json!("links_shrank"), &json!(50_000_000)));
        assert_eq!(held["deleted"], 0, "{held}");
    }
    assert_eq!(forced["held"], Value::Null, "{forced}");
    // The forced one is the measure from now on.
    assert_eq!(collect(&stack, json!({})).await["held"], Value::Null);
}
