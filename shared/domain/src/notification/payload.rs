//! What a destination gets of a body.

use serde_json::{Value, json};

use super::{
    event::{Event, Level},
    target::Destination,
    template::TemplateError,
};

/// The name under which Quay writes to Slack.
const SLACK_USER: &str = "quayiobot";
/// The most of a body that goes to Slack, in characters: it cuts longer texts itself, in the middle of an escape, too.
const SLACK_LENGTH: usize = 3_000;
/// The longest subject that SNS takes, in characters, which have to be ASCII without line breaks.
const SUBJECT_LENGTH: usize = 100;
/// What our events are from.
const SOURCE: &str = "moorage";

/// What is sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// JSON, by POST.
    Post(Value),
    /// A note for people.
    Note(Value),
    /// A message to a topic.
    Sns {
        /// For e-mail.
        subject: String,
        /// The body.
        message: Value,
    },
    /// An event on a bus.
    EventBridge {
        /// Always ours.
        source: &'static str,
        /// The event's name.
        detail_type: &'static str,
        /// The body.
        detail: Value,
    },
}

/// What `destination` gets.
pub fn payload(destination: &Destination, event: Event, body: Value) -> Result<Payload, TemplateError> {
    Ok(match destination {
        Destination::Webhook { template: Some(template), .. } => Payload::Post(template.fill(&body)?),
        Destination::Webhook { template: None, .. } => Payload::Post(body),
        Destination::Slack { .. } => Payload::Post(slack(event, message(&body))),
        Destination::People { .. } => Payload::Note(body),
        Destination::Sns(_) => Payload::Sns { subject: subject(event, message(&body)), message: body },
        Destination::EventBridge(_) => {
            Payload::EventBridge { source: SOURCE, detail_type: event.as_str(), detail: body }
        }
    })
}

fn message(body: &Value) -> &str {
    body.get("message").and_then(Value::as_str).unwrap_or_default()
}

/// Quay's body for Slack. What a registry says in a message cannot be taken for a mention or a link, which Quay forgets.
fn slack(event: Event, message: &str) -> Value {
    let words: Vec<_> = message.split_whitespace().collect();
    let short: String = words.join(" ").chars().take(SLACK_LENGTH).collect();
    let text = short.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let summary = event.summary(&text);
    let color = match event.level() {
        Level::Info => "#ffffff",
        Level::Success => "good",
        Level::Warning => "warning",
        Level::Error => "danger",
    };
    json!({
        "text": summary,
        "username": SLACK_USER,
        "attachments": [{"fallback": summary, "text": text, "color": color, "mrkdwn_in": ["text"]}],
    })
}

fn subject(event: Event, message: &str) -> String {
    let summary = event.summary(message);
    let printable = summary.chars().map(|char| if char.is_ascii_graphic() { char } else { ' ' });
    printable.take(SUBJECT_LENGTH).collect::<String>().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notification::{Bus, Template, TopicArn};

    const MESSAGE: &str = "'quay.io/a/b' with tag pattern 'v*'";

    fn url() -> url::Url {
        "https://hooks.example.com/x".parse().unwrap()
    }

    #[test]
    fn slack_gets_quays_body() {
        let destination = Destination::Slack { url: url() };
        let sent = |event: Event, message: &str| match payload(&destination, event, json!({"message": message})) {
            Ok(Payload::Post(body)) => body,
            other => panic!("{other:?}"),
        };
        let summary = "Repository Mirror failed for 'quay.io/a/b' with tag pattern 'v*'";
        assert_eq!(
            sent(Event::Failed, MESSAGE),
            json!({
                "text": summary,
                "username": "quayiobot",
                "attachments": [{"fallback": summary, "text": MESSAGE, "color": "danger", "mrkdwn_in": ["text"]}],
            })
        );
        let color = |event: Event| sent(event, MESSAGE)["attachments"][0]["color"].clone();
        assert_eq!((color(Event::Started), color(Event::Success)), (json!("#ffffff"), json!("good")));
        assert_eq!(color(Event::DeletionsHeld), json!("warning"));
        let hostile = sent(Event::Failed, "a\n\n  <!channel> & <https://x|y>");
        assert_eq!(hostile["attachments"][0]["text"], "a &lt;!channel&gt; &amp; &lt;https://x|y&gt;");
        assert!(!hostile["text"].as_str().unwrap().contains('<'));
        assert!(sent(Event::Failed, &"é".repeat(10_000)).to_string().len() < 20_000);
    }

    #[test]
    fn others_get_the_body() {
        let body = json!({"message": MESSAGE, "repository": "acme/app"});
        let sent = |destination: &Destination| payload(destination, Event::Changed, body.clone()).unwrap();
        assert_eq!(sent(&Destination::Webhook { url: url(), template: None }), Payload::Post(body.clone()));
        let template = Template::parse(r#"{"text": "${repository}: ${message}"}"#).unwrap();
        let filled = json!({"text": format!("acme/app: {MESSAGE}")});
        assert_eq!(sent(&Destination::Webhook { url: url(), template: Some(template) }), Payload::Post(filled));
        let topic = TopicArn::parse("arn:aws:sns:eu-west-1:123456789012:mirrors").unwrap();
        let subject = format!("Repository Mirror changed for {MESSAGE}");
        assert_eq!(sent(&Destination::Sns(topic)), Payload::Sns { subject, message: body.clone() });
        let bus = Destination::EventBridge(Bus::parse("mirrors").unwrap());
        let (source, detail_type) = ("moorage", "repo_mirror_changed");
        assert_eq!(sent(&bus), Payload::EventBridge { source, detail_type, detail: body.clone() });
        assert!(super::subject(Event::Failed, &"é\n".repeat(200)).len() <= SUBJECT_LENGTH);
    }
}
