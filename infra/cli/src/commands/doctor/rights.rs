//! What the functions may do, and whether anybody is told of alarms.

use serde_json::Value;

use crate::{commands::doctor::check::Check, output::count};

const ADVICE: &str = "Look at the function's role, at the policies of the bucket and of the key, and at those of the account; \
                      infra/README.md says who may do what.";

/// What functions may do, as they have tried it.
pub(super) fn of(facts: &Value) -> Vec<Check> {
    const WHAT: &str = "functions";
    // A release before does not say.
    let Some(rights) = facts["rights"].as_array() else { return Vec::new() };
    let bad: Vec<_> = rights.iter().filter(|right| right["result"] != "ok").map(|right| one(WHAT, right)).collect();
    if !bad.is_empty() {
        return bad;
    }
    let tried = u64::try_from(rights.len()).unwrap_or(u64::MAX);
    vec![Check::fine(
        WHAT,
        format!("the API and the sync function may do what they have to ({} tried)", count(tried, "right")),
    )]
}

fn one(what: &'static str, right: &Value) -> Check {
    let text = |name: &str| right[name].as_str().unwrap_or("-");
    let (function, why) = (text("function"), text("message"));
    let cannot = words(text("right"));
    if text("result") == "denied" {
        return Check::failed(what, format!("the function {function} may not {cannot}: {why}"), Some(ADVICE));
    }
    let message = format!("whether the function {function} may {cannot} is not known: {why}");
    Check::warning(what, message, "Try again in a moment; the function's log says more.")
}

fn words(right: &str) -> &str {
    match right {
        "answer" => "be asked",
        "read_bucket" => "read the bucket",
        "write_bucket" => "write to the bucket",
        "read_table" => "read the table",
        "write_table" => "write to the table",
        "encrypt_secrets" => "encrypt secrets",
        "decrypt_secrets" => "decrypt secrets",
        "change_schedules" => "change schedules",
        "invoke_sync" => "invoke the sync function",
        "invoke_events" => "invoke the function of notifications",
        other => other,
    }
}

/// Whether the stack has alarms.
pub(super) fn alarms(facts: &Value) -> Option<Check> {
    const WHAT: &str = "alarms";
    Some(if facts["alarms_made"].as_bool()? {
        Check::fine(WHAT, "the stack has them, and they tell a topic")
    } else {
        let advice = "Set the stack's parameter AlarmTopicArn to a topic of SNS: nobody is told otherwise that something is wrong.";
        Check::warning(WHAT, "the stack has none", advice)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::commands::doctor::check::Finding;

    #[test]
    fn what_is_denied_names_the_function_and_the_right() {
        let right = |function: &str, right: &str, result: &str, message: Value| json!({"function": function, "right": right, "result": result, "message": message});
        let ok = right("api", "read_table", "ok", Value::Null);
        let fine = of(&json!({"rights": [ok]}));
        assert_eq!((fine.len(), fine[0].finding), (1, Finding::Fine));
        assert!(fine[0].message.ends_with("(1 right tried)"));
        let denied = right("sync", "write_bucket", "denied", json!("S3 denies access to PutObject (AccessDenied)"));
        let failed = right("sync", "answer", "failed", json!("it does not answer in time"));
        let found = of(&json!({"rights": [ok, denied, failed]}));
        assert_eq!(found.iter().map(|check| check.finding).collect::<Vec<_>>(), [Finding::Failed, Finding::Warning]);
        let said = "the function sync may not write to the bucket: S3 denies access to PutObject (AccessDenied)";
        assert_eq!(found[0].message, said);
        assert_eq!(of(&json!({})), []);
    }

    #[test]
    fn a_stack_without_alarms_is_a_warning() {
        let finding = |made: Value| alarms(&json!({"alarms_made": made})).map(|check| check.finding);
        assert_eq!(finding(json!(true)), Some(Finding::Fine));
        assert_eq!(finding(json!(false)), Some(Finding::Warning));
        assert_eq!(finding(Value::Null), None, "a stack that does not say");
    }
}
