//! Names of what AWS has: topics of SNS and buses of EventBridge.

/// How many digits an account has.
const ACCOUNT_LENGTH: usize = 12;
/// The longest name of a topic or a bus (both services' limit), and more than any region needs.
const MAX_NAME: usize = 256;
/// The account's own bus.
const DEFAULT_BUS: &str = "default";
/// What the name of a topic ends with that keeps messages in order.
const FIFO: &str = ".fifo";

/// The ARN of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicArn(String);

/// A bus: a name, which is one of the stack's own account and region, or an ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bus(String);

impl TopicArn {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let name = resource(text, "sns")?;
        let is_name = is_name(name.strip_suffix(FIFO).unwrap_or(name), "-_");
        is_name.then(|| Self(text.to_owned()))
    }

    /// The ARN.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The region that has it: the fourth part.
    pub fn region(&self) -> &str {
        self.0.split(':').nth(3).unwrap_or_default()
    }

    /// Whether each message has to be of a group.
    pub fn is_fifo(&self) -> bool {
        self.0.ends_with(FIFO)
    }
}

impl Bus {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let name = if text.starts_with("arn:") { resource(text, "events")?.strip_prefix("event-bus/")? } else { text };
        // Every run is there already, and whoever listens there trusts what is.
        (name != DEFAULT_BUS && is_name(name, "-_./")).then(|| Self(text.to_owned()))
    }

    /// The name or the ARN.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What an ARN of a service names, if its other parts are as they should be.
fn resource<'a>(arn: &'a str, service: &str) -> Option<&'a str> {
    let mut parts = arn.splitn(6, ':');
    let [prefix, partition, named, region, account, resource] =
        std::array::from_fn(|_| parts.next().unwrap_or_default());
    let is_right = prefix == "arn"
        && (partition == "aws" || partition.strip_prefix("aws-").is_some_and(|rest| is_name(rest, "-")))
        && named == service
        && is_name(region, "-")
        && account.len() == ACCOUNT_LENGTH
        && account.bytes().all(|byte| byte.is_ascii_digit());
    is_right.then_some(resource)
}

fn is_name(text: &str, others: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len())
        && text.chars().all(|char| char.is_ascii_alphanumeric() || others.contains(char))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics() {
        for text in [
            "arn:aws:sns:eu-west-1:123456789012:mirrors",
            "arn:aws-cn:sns:cn-north-1:123456789012:a_b-C",
            "arn:aws-us-gov:sns:us-gov-west-1:123456789012:x.fifo",
        ] {
            let topic = TopicArn::parse(text).unwrap();
            assert_eq!((topic.as_str(), topic.is_fifo()), (text, text.ends_with("fifo")));
        }
        for text in [
            "",
            "mirrors",
            "arn:aws:sqs:eu-west-1:123456789012:mirrors",
            "arn:aws:sns:eu-west-1:1234:mirrors",
            "arn:aws:sns::123456789012:mirrors",
            "arn:aws:sns:eu-west-1:123456789012:",
            "arn:aws:sns:eu-west-1:123456789012:.fifo",
            "arn:aws:sns:eu-west-1:123456789012:mirrors:1b2c",
            "arn:elsewhere:sns:eu-west-1:123456789012:mirrors",
            "arn:aws:sns:eu-west-1:123456789012:a\nb",
        ] {
            assert_eq!(TopicArn::parse(text), None, "{text}");
        }
    }

    #[test]
    fn buses() {
        for text in ["mirrors", "my.bus_1", "aws.partner/x/y", "arn:aws:events:eu-west-1:123456789012:event-bus/my-bus"]
        {
            assert_eq!(Bus::parse(text).unwrap().as_str(), text);
        }
        for text in [
            "",
            "a b",
            "default",
            "arn:aws:events:eu-west-1:123456789012:event-bus/default",
            "arn:aws:events:eu-west-1:123456789012:rule/x",
            "arn:aws:events:eu-west-1::event-bus/x",
        ] {
            assert_eq!(Bus::parse(text), None, "{text}");
        }
    }
}
