//! Which robots a namespace's mirrors have, by the index of all mirrors.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{Namespace, RepositoryName, RobotName};
use serde::Deserialize;

use crate::{
    StateError, Table,
    error::failed,
    key::{PK, prefix},
    mirrors::{
        listed::{ATTRIBUTE, INDEX},
        mirror::LISTED,
    },
    table::readable,
};

/// The most mirrors that are named of a robot.
const MOST_NAMES: usize = 100;
/// Queries that look for them: DynamoDB looks at a megabyte in each, which are about a thousand mirrors.
const QUERIES: usize = 10;

/// The mirrors of a robot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RobotMirrors {
    /// The first [`MOST_NAMES`] of them, by name.
    pub names: Vec<RepositoryName>,
    /// How many there are; at least so many where a namespace has more mirrors than are looked at.
    pub total: u64,
}

/// What is read of a mirror.
#[derive(Debug, Deserialize)]
struct Found {
    pk: String,
    /// Missing where an earlier index does not have it.
    robot: Option<RobotName>,
}

impl Table {
    /// The mirrors of the robots of a namespace. The index is some moments behind the table.
    pub async fn mirrors_of_robots(
        &self,
        namespace: &Namespace,
    ) -> Result<HashMap<RobotName, RobotMirrors>, StateError> {
        let (mut of_robots, mut start) = (HashMap::<_, RobotMirrors>::new(), None);
        for _ in 0..QUERIES {
            let query = self.client.query().table_name(&self.name).index_name(INDEX);
            let query = query.key_condition_expression("#listed = :listed AND begins_with(#pk, :pk)");
            let query = query.expression_attribute_names("#listed", ATTRIBUTE).expression_attribute_names("#pk", PK);
            let query = query.expression_attribute_values(":listed", AttributeValue::S(LISTED.to_owned()));
            let pk = AttributeValue::S(format!("{}{namespace}/", prefix::REPOSITORY_PK));
            let query = query.expression_attribute_values(":pk", pk);
            let query = query.projection_expression("#pk, #robot").expression_attribute_names("#robot", "robot");
            let page = query.set_exclusive_start_key(start).send().await.map_err(failed)?;
            for Found { pk, robot } in readable(page.items.unwrap_or_default()) {
                let name = pk.strip_prefix(prefix::REPOSITORY_PK).and_then(|name| name.parse().ok());
                let (Some(robot), Some(name)) = (robot, name) else { continue };
                let of_robot = of_robots.entry(robot).or_default();
                of_robot.total = of_robot.total.saturating_add(1);
                if of_robot.names.len() < MOST_NAMES {
                    of_robot.names.push(name);
                }
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        Ok(of_robots)
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::{Client, operation::query::QueryOutput};
    use aws_smithy_mocks::{RuleMode, mock, mock_client};

    use super::*;
    use crate::table::Item;

    fn item(number: usize, robot: Option<&str>) -> Item {
        let text = |text: String| AttributeValue::S(text);
        let mut item = Item::from([(PK.to_owned(), text(format!("REPO#acme/app{number:03}")))]);
        item.extend(robot.map(|robot| ("robot".to_owned(), text(robot.to_owned()))));
        item
    }

    #[tokio::test]
    async fn all_are_counted_and_some_are_named() {
        let page = |numbers: std::ops::Range<usize>, is_last: bool| {
            mock!(Client::query).then_output(move || {
                let items = numbers.clone().map(|number| item(number, Some("acme+bot"))).collect();
                let last = (!is_last).then(|| item(numbers.end, None));
                QueryOutput::builder().set_items(Some(items)).set_last_evaluated_key(last).build()
            })
        };
        let others = mock!(Client::query)
            .then_output(|| QueryOutput::builder().items(item(1, Some("acme+other"))).items(item(2, None)).build());
        let (first, second) = (page(0..90, false), page(90..150, true));
        let acme = "acme".parse().unwrap();
        let client = mock_client!(aws_sdk_dynamodb, RuleMode::Sequential, [&first, &second, &others]);
        let table = Table::new(client, "table");
        let found = table.mirrors_of_robots(&acme).await.unwrap();
        let bot = &found[&"acme+bot".parse().unwrap()];
        assert_eq!((bot.total, bot.names.len()), (150, MOST_NAMES));
        assert_eq!(bot.names[0].as_str(), "acme/app000");
        let found = table.mirrors_of_robots(&acme).await.unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[&"acme+other".parse().unwrap()].names, ["acme/app001".parse().unwrap()]);
    }
}
