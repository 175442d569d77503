//! CloudWatch's embedded metric format: a metric is a log line.

use std::{
    io::Write as _,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Map, Value, json};

use crate::logs::Log;

/// The namespace of all our metrics.
const NAMESPACE: &str = "Moorage";

/// A metric's unit, by CloudWatch's names.
#[derive(Debug, Clone, Copy)]
pub enum Unit {
    /// `Count`.
    Count,
    /// `Seconds`.
    Seconds,
    /// `Bytes`.
    Bytes,
    /// `None`.
    None,
}

/// One measured value.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// Its value.
    pub value: f64,
}

/// Writes the metrics as one line with these fields, of which the first `dimensions` are the metrics' dimensions:
/// CloudWatch keeps, and charges for, one of each metric for all that agree in them. The others can only be searched for.
pub fn emit(fields: &[(&str, &str)], dimensions: usize, metrics: &[Metric]) {
    let timestamp = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let line = line(fields, dimensions, metrics, u64::try_from(timestamp).unwrap_or(u64::MAX));
    // A metric that cannot be written must not end what it measures.
    let _ = Log::open().write_all(format!("{line}\n").as_bytes());
}

fn line(fields: &[(&str, &str)], dimensions: usize, metrics: &[Metric], timestamp: u64) -> Value {
    let names: Vec<_> = fields.iter().take(dimensions).map(|(name, _)| *name).collect();
    let definitions: Vec<_> =
        metrics.iter().map(|metric| json!({"Name": metric.name, "Unit": format!("{:?}", metric.unit)})).collect();
    let directive = json!({"Namespace": NAMESPACE, "Dimensions": [names], "Metrics": definitions});
    let mut line = Map::new();
    line.insert("_aws".into(), json!({"Timestamp": timestamp, "CloudWatchMetrics": [directive]}));
    line.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
    line.extend(metrics.iter().map(|metric| (metric.name.to_owned(), json!(metric.value))));
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_cloudwatchs_form() {
        let metric = Metric { name: "lag", unit: Unit::Seconds, value: 1.5 };
        let expected = json!({
            "_aws": {"Timestamp": 7, "CloudWatchMetrics": [{
                "Namespace": "Moorage", "Dimensions": [["namespace"]], "Metrics": [{"Name": "lag", "Unit": "Seconds"}],
            }]},
            "namespace": "a",
            "repository": "b",
            "lag": 1.5,
        });
        let fields = [("namespace", "a"), ("repository", "b")];
        assert_eq!(line(&fields, 1, &[metric], 7), expected);
        let both = &line(&fields, 2, &[metric], 7)["_aws"]["CloudWatchMetrics"][0]["Dimensions"];
        assert_eq!(*both, json!([["namespace", "repository"]]));
    }
}
