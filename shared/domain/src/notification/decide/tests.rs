use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::{
    Digest, FailureReason, Guard, Warning,
    changes::{TagChange, TagState},
    failure::Failure,
    notification::{Asked, Attempt, Delivery, Draft, FailedTag},
};

const NOW: i64 = 1_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(seconds)
}

fn notification(event: Event, event_config: Value) -> Notification {
    let config = json!({"url": "https://hooks.example.com"});
    let (event, method) = (event.to_string(), "webhook".to_owned());
    let asked = Asked { title: None, event, method, config, event_config };
    let draft = Draft::new(asked, &"acme".parse().unwrap(), &Guard::default()).unwrap();
    draft.store(Uuid::nil(), None, at(0))
}

fn change(tag: &str, before: Option<u8>, after: Option<u8>) -> TagChange {
    let state = |n: Option<u8>| TagState { digest: n.map(|n| Digest::sha256(&[n])), held: None };
    TagChange::between(&tag.parse().unwrap(), &state(before), &state(after)).unwrap()
}

fn held(tag: &str) -> TagChange {
    let image = |n: u8| Some(Digest::sha256(&[n]));
    let [before, after] = [None, image(2)].map(|held| TagState { digest: image(1), held });
    TagChange::between(&tag.parse().unwrap(), &before, &after).unwrap()
}

fn failed(tag: &str, reason: FailureReason) -> FailedTag {
    FailedTag { tag: tag.parse().unwrap(), failure: Failure::new(reason, "x".to_owned()) }
}

fn ended(ending: Ending) -> Happening {
    Happening::new(Moment::Ended { ending, before: None })
}

fn decided(event: Event, config: Value, happening: &Happening) -> Decision {
    decide(&notification(event, config), happening, at(NOW))
}

#[test]
fn what_happened_is_said_by_events() {
    let late = Moment::Late { since: at(0), intervals: 3 };
    let waiting = Moment::Waiting { until: at(0), again: false };
    let recovered = Moment::Ended { ending: Ending::Success, before: Some(Ending::Failure) };
    let moved = vec![change("v1", Some(1), Some(2))];
    for (happening, expected) in [
        (Happening::new(Moment::Started), vec![Event::Started]),
        (Happening::new(waiting), vec![Event::Waiting]),
        (Happening::new(late), vec![Event::Late]),
        (ended(Ending::Success), vec![Event::Success]),
        (ended(Ending::Failure), vec![Event::Failed]),
        (ended(Ending::Cancelled), vec![]),
        (Happening::new(recovered), vec![Event::Success, Event::Recovered]),
        (Happening { changes: moved.clone(), ..ended(Ending::Failure) }, vec![Event::Failed, Event::Changed]),
        (Happening { changes: moved, ..ended(Ending::Cancelled) }, vec![Event::Changed]),
        (Happening { changes: vec![held("v1")], ..ended(Ending::Success) }, vec![Event::Success, Event::Held]),
        (
            Happening { warning: Some(Warning::ListEmpty { tags: 4 }), ..ended(Ending::Success) },
            vec![Event::Success, Event::DeletionsHeld],
        ),
        (
            Happening { warning: Some(Warning::TagsHeld { tags: 4, until: None }), ..ended(Ending::Success) },
            vec![Event::Success],
        ),
        (
            Happening { refused: vec!["v1".parse().unwrap()], ..ended(Ending::Failure) },
            vec![Event::Failed, Event::SignatureRefused],
        ),
    ] {
        assert_eq!(events(&happening), expected, "{happening:?}");
    }
}

#[test]
fn a_run_is_told_once_and_its_attempts_to_those_who_ask() {
    let attempt = |ending: Ending, is_first: bool, is_last: bool| Happening {
        attempt: Attempt { is_first, is_last },
        ..ended(ending)
    };
    let (first, last) = (attempt(Ending::Failure, true, false), attempt(Ending::Failure, false, true));
    let every = || json!({"every_attempt": true});
    assert_eq!(decided(Event::Failed, json!({}), &first), Decision::Quiet(Quiet::NotTheEnd));
    assert_eq!(decided(Event::Failed, json!({}), &last), Decision::Send);
    assert_eq!(decided(Event::Failed, every(), &first), Decision::Send);
    assert_eq!(decided(Event::Failed, every(), &last), Decision::Send);
    assert_eq!(decided(Event::Success, json!({}), &attempt(Ending::Success, false, false)), Decision::Send);
    let started =
        |is_first| Happening { attempt: Attempt { is_first, is_last: false }, ..Happening::new(Moment::Started) };
    assert_eq!(decided(Event::Started, json!({}), &started(true)), Decision::Send);
    assert_eq!(decided(Event::Started, json!({}), &started(false)), Decision::Quiet(Quiet::NotTheEnd));
    assert_eq!(decided(Event::Started, every(), &started(false)), Decision::Send);
    let waiting = |again| Happening::new(Moment::Waiting { until: at(0), again });
    assert_eq!(decided(Event::Waiting, json!({}), &waiting(false)), Decision::Send);
    assert_eq!(decided(Event::Waiting, json!({}), &waiting(true)), Decision::Quiet(Quiet::NotTheEnd));
}

#[test]
fn who_cancels_is_not_told_of_a_failure() {
    let cancelled = ended(Ending::Cancelled);
    for event in Event::ALL {
        assert_eq!(decided(event, json!({}), &cancelled), Decision::Quiet(Quiet::OtherEvent), "{event}");
    }
}

#[test]
fn filters_pass_what_they_name() {
    let changed = Happening { changes: vec![change("v1", None, Some(1))], ..ended(Ending::Success) };
    let partial = Happening {
        failed: vec![failed("v2", FailureReason::NotFound), failed("nightly", FailureReason::ContentRefused)],
        failure: Some(Failure::new(FailureReason::NotFound, "x".to_owned())),
        ..ended(Ending::Failure)
    };
    let whole =
        Happening { failure: Some(Failure::new(FailureReason::AuthFailed, "x".to_owned())), ..ended(Ending::Failure) };
    let (send, quiet) = (Decision::Send, Decision::Quiet);
    for (event, config, happening, expected) in [
        (Event::Success, json!({"only": "change"}), &changed, send),
        (Event::Success, json!({"only": "change"}), &ended(Ending::Success), quiet(Quiet::Only)),
        (Event::Changed, json!({"only": ["failure", "recovery"]}), &changed, quiet(Quiet::Only)),
        (Event::Success, json!({"only": "recovery"}), &changed, quiet(Quiet::Only)),
        (Event::Failed, json!({"reasons": ["content_refused"]}), &partial, send),
        (Event::Failed, json!({"reasons": ["content_refused"]}), &whole, quiet(Quiet::Reasons)),
        (Event::Failed, json!({"reasons": ["auth_failed", "tls_error"]}), &whole, send),
        (Event::Failed, json!({"tags": ["v*"]}), &partial, send),
        (Event::Failed, json!({"tags": ["x*"]}), &partial, quiet(Quiet::Tags)),
        (Event::Failed, json!({"tags": ["x*"]}), &whole, send),
        (Event::Changed, json!({"tags": ["v?"]}), &changed, send),
        (Event::Changed, json!({"tags": ["latest"]}), &changed, quiet(Quiet::Tags)),
    ] {
        assert_eq!(decided(event, config.clone(), happening), expected, "{event} {config}");
    }
}

#[test]
fn who_is_off_or_was_told_lately_is_left_alone() {
    let whole = ended(Ending::Failure);
    let mut told = notification(Event::Failed, json!({"min_interval": 600}));
    assert_eq!(decide(&told, &whole, at(NOW)), Decision::Send);
    told.last_sent = Some(at(NOW));
    assert_eq!(decide(&told, &whole, at(NOW + 599)), Decision::Quiet(Quiet::TooSoon));
    assert_eq!(decide(&told, &whole, at(NOW + 600)), Decision::Send);
    for _ in 0..3 {
        told = told.after(Delivery::Failed, at(NOW));
    }
    assert_eq!(decide(&told, &whole, at(NOW + 600)), Decision::Quiet(Quiet::Off));
    assert_eq!(decide(&told.reset(), &whole, at(NOW + 600)), Decision::Send);
}

#[test]
fn silence_is_told_once_or_as_often_as_is_asked() {
    let late = |since: i64, intervals| Happening::new(Moment::Late { since: at(since), intervals });
    let mut once = notification(Event::Late, json!({"intervals": 3}));
    assert_eq!(decide(&once, &late(0, 2), at(NOW)), Decision::Quiet(Quiet::NotLateYet));
    assert_eq!(decide(&once, &late(0, 3), at(NOW)), Decision::Send);
    once.last_sent = Some(at(NOW));
    assert_eq!(decide(&once, &late(0, 9), at(NOW + 9_000)), Decision::Quiet(Quiet::Told));
    assert_eq!(decide(&once, &late(NOW + 1, 3), at(NOW + 9_000)), Decision::Send, "another silence");
    let mut again = notification(Event::Late, json!({"min_interval": 600}));
    again.last_sent = Some(at(NOW));
    assert_eq!(decide(&again, &late(0, 9), at(NOW + 600)), Decision::Send);
}

fn happenings() -> impl Strategy<Value = Happening> {
    let endings = || select(vec![Ending::Success, Ending::Failure, Ending::Cancelled]);
    let changes = select(vec![change("v1", Some(1), Some(2)), change("v2", None, Some(1)), held("v3")]);
    let warning = select(vec![Warning::ListEmpty { tags: 1 }, Warning::TagsHeld { tags: 1, until: None }]);
    let failed = select(vec![failed("v4", FailureReason::NotFound)]);
    (endings(), option::of(endings()), vec(changes, 0..3), vec(failed, 0..2), option::of(warning), any::<bool>())
        .prop_map(|(ending, before, changes, failed, warning, is_refused)| Happening {
            changes,
            failed,
            refused: is_refused.then(|| "v5".parse().unwrap()).into_iter().collect(),
            warning,
            ..Happening::new(Moment::Ended { ending, before })
        })
}

fn configs() -> impl Strategy<Value = Value> {
    select(vec![
        json!({}),
        json!({"only": "change"}),
        json!({"reasons": ["not_found"]}),
        json!({"tags": ["v1", "v4"]}),
        json!({"min_interval": 60}),
    ])
}

proptest! {
    /// A run of some attempts, each of which begins and ends; all but the last fail.
    #[test]
    fn each_run_leads_to_at_most_one_message_for_a_subscription(
        (attempts, last) in (vec(happenings(), 0..3), happenings()),
        event in select(Event::ALL.to_vec()),
        config in configs(),
    ) {
        let Ok(parsed) = crate::notification::EventConfig::parse(event, config.clone()) else { return Ok(()) };
        let subscription = Notification { event_config: parsed, ..notification(event, json!({})) };
        let count = attempts.len();
        let fails = |mut happening: Happening| {
            if let Moment::Ended { ending, .. } = &mut happening.moment {
                *ending = Ending::Failure;
            }
            happening
        };
        let all: Vec<_> = attempts.into_iter().map(fails).chain([last]).enumerate().flat_map(|(place, end)| {
            let attempt = Attempt { is_first: place == 0, is_last: place == count };
            [Happening { attempt, ..Happening::new(Moment::Started) }, Happening { attempt, ..end }]
        }).collect();
        for happening in &all {
            let happened = events(happening);
            prop_assert!(happened.is_sorted_by(|one, other| one < other), "each once");
        }
        let sent = all.iter().filter(|happening| decide(&subscription, happening, at(NOW)) == Decision::Send);
        prop_assert!(sent.count() <= 1);
    }

    #[test]
    fn nobody_is_told_of_what_has_not_happened(happening in happenings(), event in select(Event::ALL.to_vec())) {
        let happened = events(&happening).contains(&event);
        prop_assert_eq!(decided(event, json!({}), &happening) == Decision::Send, happened);
    }
}
