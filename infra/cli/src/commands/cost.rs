//! `cost`.

use moorage_domain::RepositoryName;
use serde_json::{Value, json};

use crate::{
    arguments::Cost,
    context::Context,
    error::CliError,
    exit::Exit,
    output::{Table, bytes, count, duration},
    target::{Target, mirror_of},
};

/// The parts of a cost, and what they are.
const PARTS: [(&str, &str); 8] = [
    ("lambda", "Lambda"),
    ("s3_requests", "S3, requests"),
    ("dynamodb", "DynamoDB"),
    ("kms", "KMS"),
    ("logs", "logs"),
    ("scheduler", "Scheduler"),
    ("storage", "S3, stored"),
    ("total", "in all"),
];
/// A day, in seconds.
const DAY: u64 = 86_400;
/// After so many days a month is one, and no estimate.
const ENOUGH: u64 = 28;
/// Digits that are shown of an amount from the first that is not zero on: prices differ by region by more.
const SHOWN: usize = 3;

pub(super) async fn run(asked: &Cost, context: &Context) -> Result<Exit, CliError> {
    match &asked.target {
        Target::Repository(repository) => one(repository, context).await?,
        target @ Target::Organization(_) => many(target, asked.limit, context).await?,
    }
    Ok(Exit::Done)
}

async fn one(repository: &RepositoryName, context: &Context) -> Result<(), CliError> {
    let found = context.client()?.get(&format!("{}/cost", mirror_of(repository))).await?;
    let screen = context.screen;
    if screen.is_json() {
        return screen.json(&found);
    }
    let of = |name: &str| found[name].as_u64().unwrap_or_default();
    let mut table = Table::new(&["PART", "RUNS", "A MONTH LIKE THIS"]);
    for (part, name) in PARTS {
        table.row([name.to_owned(), dollars(&found["cost"][part]), dollars(&found["month"][part])]);
    }
    screen.table(&table)?;
    let more = if found["truncated"] == true { " and more" } else { "" };
    let span = duration(of("covered_seconds"));
    screen.line(&format!("Of {}{more} in {span}; {} stored.", count(of("runs"), "run"), bytes(of("stored_bytes"))))?;
    if of("runs_not_counted") > 0 {
        screen
            .line(&format!("{} of an earlier release could not be counted.", count(of("runs_not_counted"), "run")))?;
    }
    screen.line(&format!("The month is {}.", estimated(of("covered_seconds"))))?;
    screen.line(&priced(&found["prices"]))
}

async fn many(target: &Target, limit: u32, context: &Context) -> Result<(), CliError> {
    let client = context.client()?;
    let path = format!("{}/cost", target.mirror());
    // Also which prices these are, which is said beside the pages.
    let first = client.get(&format!("{path}?limit=1")).await?;
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let found = client.pages(&format!("{path}?limit=50"), "repositories", most).await?;
    let screen = context.screen;
    if screen.is_json() {
        let prices = &first["prices"];
        return screen.json(&json!({"repositories": found.entries, "is_more": found.is_more, "prices": prices}));
    }
    let mut table = Table::new(&["REPOSITORY", "RUNS", "THEY COST", "OF", "A MONTH LIKE THIS", "STORED"]);
    for mirror in &found.entries {
        let of = |name: &str| mirror[name].as_u64().unwrap_or_default();
        table.row([
            mirror["repository"].as_str().unwrap_or("-").to_owned(),
            of("runs").to_string(),
            dollars(&mirror["cost"]["total"]),
            duration(of("covered_seconds")),
            dollars(&mirror["month"]["total"]),
            bytes(of("stored_bytes")),
        ]);
    }
    if table.is_empty() {
        return screen.line(&format!("{target} has no mirrors."));
    }
    screen.table(&table)?;
    if found.is_more {
        screen.line("There are more: --limit says how many are listed.")?;
    }
    let covered = |mirror: &Value| mirror["covered_seconds"].as_u64().unwrap_or_default();
    let least = found.entries.iter().map(covered).min().unwrap_or_default();
    screen.line(&format!("Months are {}.", estimated(least)))?;
    screen.line(&priced(&first["prices"]))
}

/// How sure a month is that is made of what was seen in so many seconds.
fn estimated(seconds: u64) -> String {
    let days = seconds / DAY;
    match days {
        ENOUGH.. => format!("what the last {days} days have cost"),
        0 => "estimated from less than a day, in which a first sync counts as if it came again".to_owned(),
        _ => format!("estimated from {}, in which a first sync counts as if it came again", count(days, "day")),
    }
}

fn priced(prices: &Value) -> String {
    let text = |name: &str| prices[name].as_str().unwrap_or("-");
    format!("By AWS's list prices of {} in {}, in dollars.", text("date"), text("region"))
}

/// An amount, with as many digits as anybody compares.
fn dollars(amount: &Value) -> String {
    let Some(amount) = amount.as_str() else { return "-".to_owned() };
    let (whole, part) = amount.split_once('.').unwrap_or((amount, ""));
    if whole != "0" {
        return format!("{whole}.{part:0<2.2}");
    }
    let zeros = part.chars().take_while(|digit| *digit == '0').count();
    let shown: String = part.chars().take(zeros.saturating_add(SHOWN)).collect();
    if shown.is_empty() { "0".to_owned() } else { format!("0.{shown}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_says_what_it_is_made_of() {
        assert!(estimated(86_399).starts_with("estimated from less than a day,"));
        assert!(estimated(86_400).starts_with("estimated from 1 day,"));
        assert!(estimated(20 * 86_400 + 7).starts_with("estimated from 20 days,"));
        assert_eq!(estimated(30 * 86_400), "what the last 30 days have cost");
    }

    #[test]
    fn amounts_have_the_digits_that_matter() {
        for (amount, shown) in [
            (json!("0"), "0"),
            (json!("0.000033129876"), "0.0000331"),
            (json!("0.25"), "0.25"),
            (json!("12.3"), "12.30"),
            (json!("12.345"), "12.34"),
            (json!("7"), "7.00"),
            (json!(null), "-"),
        ] {
            assert_eq!(dollars(&amount), shown);
        }
    }
}
