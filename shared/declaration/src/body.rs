//! Bodies of calls, with slots for their secrets.

use serde_json::{Map, Value};

use crate::{
    call::Slot,
    diff::Field,
    step::{Change, To},
};

/// A body of fields: each at its path, and secrets as null with a slot.
pub(crate) fn of<'a>(fields: impl IntoIterator<Item = (&'a str, &'a To)>) -> (Map<String, Value>, Vec<Slot>) {
    let (mut body, mut slots) = (Map::new(), Vec::new());
    for (path, to) in fields {
        let value = match to {
            To::Value(value) => value.clone(),
            To::Secret(source) => {
                slots.push(Slot { pointer: format!("/{}", path.replace('.', "/")), source: source.clone() });
                Value::Null
            }
        };
        put(&mut body, path, value);
    }
    (body, slots)
}

/// A body of all fields that are declared.
pub(crate) fn of_fields(fields: &[Field]) -> (Map<String, Value>, Vec<Slot>) {
    of(fields.iter().map(|field| (field.path.as_str(), &field.to)))
}

/// A body of what changes.
pub(crate) fn of_changes(changes: &[Change]) -> (Map<String, Value>, Vec<Slot>) {
    of(changes.iter().map(|change| (change.field.as_str(), &change.to)))
}

/// Adds what is there and stays to an object of which some fields change: the API may replace it as a whole. A masked
/// password stands for the one that is stored.
pub(crate) fn keep(body: &mut Map<String, Value>, name: &str, view: &Map<String, Value>) {
    let (Some(Value::Object(changed)), Some(Value::Object(there))) = (body.get_mut(name), view.get(name)) else {
        return;
    };
    merge(changed, there);
}

fn merge(changed: &mut Map<String, Value>, there: &Map<String, Value>) {
    for (name, value) in there {
        match (changed.get_mut(name), value) {
            (None, value) => drop(changed.insert(name.clone(), value.clone())),
            (Some(Value::Object(changed)), Value::Object(there)) => merge(changed, there),
            (Some(_), _) => {}
        }
    }
}

fn put(body: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => drop(body.insert(path.to_owned(), value)),
        Some((first, rest)) => {
            let inner = body.entry(first).or_insert_with(|| Value::Object(Map::new()));
            if !inner.is_object() {
                *inner = Value::Object(Map::new());
            }
            if let Some(inner) = inner.as_object_mut() {
                put(inner, rest, value);
            }
        }
    }
}
