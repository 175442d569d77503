use serde_json::json;

use super::*;
use crate::ExposeSecret as _;

fn parse(method: Method, config: Value) -> Result<(Target, Option<SigningSecret>), ConfigError> {
    Target::parse(method, config, &"acme".parse().unwrap(), &Guard::default())
}

fn refused(method: Method, config: Value) -> String {
    parse(method, config).unwrap_err().to_string()
}

#[test]
fn each_method_has_its_configuration() {
    let (webhook, slack) = ("https://hooks.example.com/x?y=1", "https://hooks.slack.com/services/T/B/X");
    let topic = "arn:aws:sns:eu-west-1:123456789012:mirrors";
    for (method, config) in [
        (Method::Webhook, json!({"url": webhook})),
        (Method::Webhook, json!({"url": webhook, "template": "{\"m\": \"${message}\"}", "note": 1})),
        (Method::Webhook, json!({"url": webhook, "template": ""})),
        (Method::Slack, json!({"url": slack})),
        (Method::QuayNotification, json!({"target": {"kind": "org", "name": "acme"}})),
        (Method::QuayNotification, json!({"target": {"kind": "team", "name": "ops", "is_robot": false}})),
        (Method::Sns, json!({"topic_arn": topic})),
        (Method::Eventbridge, json!({"bus": "mirrors"})),
    ] {
        let (target, secret) = parse(method, config.clone()).unwrap();
        assert!(secret.is_none());
        let stored = serde_json::to_value(&target).unwrap();
        assert_eq!(stored, json!({"method": method, "config": config}), "kept as it was sent");
        let read: Target = serde_json::from_value(stored).unwrap();
        assert_eq!((&read, read.destination()), (&target, target.destination()));
    }
    let (target, _) = parse(Method::Sns, json!({"topic_arn": topic})).unwrap();
    assert!(matches!(target.destination(), Destination::Sns(arn) if arn.as_str() == topic));
}

#[test]
fn urls_are_not_printed() {
    let url = "https://hooks.slack.com/services/T/B/hunter2";
    for method in [Method::Webhook, Method::Slack] {
        let (target, _) = parse(method, json!({"url": url})).unwrap();
        let printed = format!("{target:?}");
        assert!(printed.contains("hooks.slack.com") && !printed.contains("hunter2"), "{printed}");
    }
}

#[test]
fn urls_are_refused_in_quays_words() {
    for config in [json!({}), json!({"url": ""}), json!({"url": null})] {
        assert_eq!(refused(Method::Webhook, config.clone()), "Missing webhook URL");
        assert_eq!(refused(Method::Slack, config), "Missing Slack Callback URL");
    }
    for url in [
        json!("hooks.example.com"),
        json!("ftp://hooks.example.com"),
        json!("https://"),
        json!("http://localhost/x"),
        json!("http://LOCALHOST:8080"),
        json!("http://127.0.0.1/x"),
        json!("http://2130706433/"),
        json!("http://[::1]/"),
        json!("http://169.254.169.254/latest"),
        json!("http://metadata"),
        json!(7),
        json!(format!("https://hooks.example.com/{}", "x".repeat(MAX_URL))),
    ] {
        assert_eq!(refused(Method::Webhook, json!({"url": url})), "Invalid webhook URL", "{url}");
        assert_eq!(refused(Method::Slack, json!({"url": url})), "Invalid Slack Callback URL", "{url}");
    }
    for url in ["https://user:hunter2@hooks.example.com", "https://user@hooks.example.com"] {
        let message = refused(Method::Webhook, json!({"url": url}));
        assert!(message.contains("must not have a user or a password") && !message.contains("hunter2"), "{message}");
    }
    let guard = Guard::new("localhost").unwrap();
    let local = Target::parse(Method::Webhook, json!({"url": "http://localhost/x"}), &"a".parse().unwrap(), &guard);
    assert!(local.is_ok(), "what the stack allows");
}

#[test]
fn secrets_are_taken_out() {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let url = "https://hooks.example.com";
    let (target, found) = parse(Method::Webhook, json!({"url": url, "secret": secret})).unwrap();
    assert_eq!(found.unwrap().text().expose_secret(), secret);
    let stored = serde_json::to_string(&target).unwrap();
    assert!(!stored.contains("secret") && !format!("{target:?}").contains(&secret[6..]), "{stored}");
    assert!(parse(Method::Webhook, json!({"url": url, "secret": null})).unwrap().1.is_none());
    for wrong in [json!(""), json!("hunter2"), json!(7)] {
        let message = refused(Method::Webhook, json!({"url": url, "secret": wrong}));
        assert_eq!(message, "config.secret: must be whsec_ and base64 of 24 to 64 bytes");
    }
    assert_eq!(
        refused(Method::Slack, json!({"url": url, "secret": secret})),
        "config.secret: only webhooks are signed"
    );
}

#[test]
fn what_else_is_wrong_is_named() {
    let url = "https://hooks.example.com";
    for (method, config, message) in [
        (Method::Webhook, json!("https://hooks.example.com"), "config: is not an object"),
        (Method::Webhook, json!({"url": url, "x": "x".repeat(MAX_CONFIG)}), "config: is larger"),
        (Method::Webhook, json!({"url": url, "template": "{"}), "Could not parse template: "),
        (Method::Webhook, json!({"url": url, "template": "\"${a..b}\""}), "For expression `a..b`: "),
        (Method::Webhook, json!({"url": url, "template": {}}), "config.template: "),
        (Method::QuayNotification, json!({}), "Missing target"),
        (Method::QuayNotification, json!({"target": {"name": "acme"}}), "Missing target"),
        (Method::QuayNotification, json!({"target": {"kind": "robot", "name": "acme"}}), "config.target: "),
        (Method::QuayNotification, json!({"target": {"kind": "team"}}), "config.target: "),
        (
            Method::QuayNotification,
            json!({"target": {"kind": "org", "name": "other"}}),
            "Organization name must match repository namespace",
        ),
        (Method::Sns, json!({}), "config.topic_arn: "),
        (Method::Sns, json!({"topic_arn": "mirrors"}), "config.topic_arn: "),
        (Method::Eventbridge, json!({"bus": ""}), "config.bus: "),
    ] {
        let found = refused(method, config.clone());
        assert!(found.starts_with(message), "{config}: {found}");
    }
}
