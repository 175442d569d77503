use super::*;
use crate::ExposeSecret as _;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn asked() -> Asked {
    Asked {
        title: Some("to the team".to_owned()),
        event: "repo_mirror_sync_failed".to_owned(),
        method: "webhook".to_owned(),
        config: json!({"url": "https://hooks.example.com", "template": "{\"text\": \"${message}\"}", "secret": SECRET}),
        event_config: json!({"only": "failure", "level": 3}),
    }
}

fn draft(asked: Asked) -> Result<Draft, NotificationError> {
    Draft::new(asked, &"acme".parse().unwrap(), &Guard::default())
}

fn stored() -> Notification {
    let secret = Some(Ciphertext::from("ciphertext".to_owned()));
    draft(asked()).unwrap().store(Uuid::nil(), secret, Timestamp::from_unix(7))
}

#[test]
fn the_view_is_quays_and_has_no_secret() {
    assert_eq!(draft(asked()).unwrap().secret.unwrap().text().expose_secret(), SECRET);
    let view = stored().view();
    let expected = json!({
        "uuid": Uuid::nil(),
        "title": "to the team",
        "event": "repo_mirror_sync_failed",
        "method": "webhook",
        "config": {"url": "https://hooks.example.com", "template": "{\"text\": \"${message}\"}"},
        "event_config": {"only": "failure", "level": 3},
        "number_of_failures": 0,
        "enabled": true,
        "signed": true,
    });
    assert_eq!(view, expected);
    let untitled = draft(Asked { title: None, ..asked() }).unwrap().store(Uuid::nil(), None, Timestamp::default());
    assert_eq!((&untitled.view()["title"], &untitled.view()["signed"]), (&Value::Null, &json!(false)));
    assert!(!format!("{:?} {:?}", draft(asked()).unwrap(), stored()).contains(&SECRET[6..]));
}

#[test]
fn what_is_stored_is_read_back_and_so_is_what_an_earlier_build_stored() {
    let written = serde_json::to_value(stored()).unwrap();
    assert_eq!(serde_json::from_value::<Notification>(written.clone()).unwrap(), stored());
    let least = json!({
        "uuid": Uuid::nil(), "event": "repo_mirror_late", "method": "eventbridge", "config": {"bus": "mirrors"},
        "event_config": {}, "a_later_field": 1,
    });
    let read: Notification = serde_json::from_value(least).unwrap();
    assert_eq!((read.event, read.number_of_failures, read.last_sent, read.secret), (Event::Late, 0, None, None));
}

#[test]
fn three_failures_in_a_row_switch_it_off() {
    let at = Timestamp::from_unix;
    let after = |deliveries: &[Delivery]| deliveries.iter().fold(stored(), |one, delivery| one.after(*delivery, at(9)));
    let (bad, good) = (Delivery::Failed, Delivery::Delivered);
    for (deliveries, count) in [
        (&[][..], 0),
        (&[bad, bad], 2),
        (&[bad, bad, bad], 3),
        (&[bad, bad, good], 0),
        (&[bad, bad, good, bad], 1),
        (&[bad, bad, bad, good], 0),
    ] {
        let notification = after(deliveries);
        assert_eq!((notification.number_of_failures, notification.is_off()), (count, count >= 3), "{deliveries:?}");
        assert_eq!(notification.view()["enabled"], json!(count < 3));
    }
    let off = after(&[bad, bad, bad]);
    assert_eq!((off.last_failed, off.reset().number_of_failures), (Some(at(9)), 0));
    let most = Notification { number_of_failures: u32::MAX, ..stored() };
    assert_eq!(most.after(bad, at(9)).number_of_failures, u32::MAX);
}

#[test]
fn what_is_wrong_is_said() {
    let refused = |asked: Asked| draft(asked).unwrap_err().to_string();
    assert!(refused(Asked { event: "repo_push".to_owned(), ..asked() }).starts_with("event: is none of "));
    assert!(refused(Asked { method: "hipchat".to_owned(), ..asked() }).starts_with("method: flowdock and hipchat"));
    assert_eq!(refused(Asked { config: json!({}), ..asked() }), "Missing webhook URL");
    let event_config = json!({"only": "recovery"});
    assert!(refused(Asked { event_config, ..asked() }).starts_with("eventConfig.only: "));
    assert!(refused(Asked { event_config: Value::Null, ..asked() }).starts_with("eventConfig: "));
    assert!(refused(Asked { title: Some("x".repeat(257)), ..asked() }).starts_with("title: "));
}

#[test]
fn the_usage_log_has_quays_metadata() {
    let metadata = Value::Object(stored().log_metadata(&Owner::Repository("acme/tools/app".parse().unwrap())));
    let expected = json!({
        "repo": "tools/app", "namespace": "acme", "notification_id": Uuid::nil(),
        "event": "repo_mirror_sync_failed", "method": "webhook",
    });
    assert_eq!(metadata, expected);
}
