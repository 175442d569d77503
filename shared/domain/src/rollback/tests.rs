use proptest::{collection::btree_map, option, prelude::*};

use super::*;
use crate::{
    RootRule,
    changes::{self, ChangeKind},
    plan::{Children, tests::held},
    referrers::{referrers_tag, signatures_tag},
};

/// The moment that tags are turned back to.
const AT: i64 = 100;

fn tag(name: &str) -> TagName {
    name.parse().unwrap()
}

fn image(n: u8) -> Digest {
    Digest::sha256(&[n])
}

/// What a tag points to since some seconds after the moment.
fn since(n: u8, seconds: i64) -> HeldTag {
    HeldTag { digest: image(n), first_seen: Timestamp::from_unix(AT + seconds), ..held() }
}

/// What a tag was, from some seconds after the moment on, until some.
fn past(name: &TagName, n: u8, start: i64, end: i64) -> PastTag {
    PastTag {
        start: Timestamp::from_unix(AT + start),
        ..PastTag::ended(name, &since(n, 0), Timestamp::from_unix(AT + end))
    }
}

fn target(tags: Option<&[&str]>) -> Target {
    let tags = tags.map(|tags| RootRule::new(tags.iter().map(ToString::to_string).collect()).unwrap());
    Target { at: Timestamp::from_unix(AT), run_id: None, tags, by_organization: false }
}

fn told(changes: &[TagChange]) -> Vec<(String, ChangeKind, Option<Digest>)> {
    changes.iter().map(|it| (it.tag.to_string(), it.change, it.to.clone())).collect()
}

#[test]
fn each_tag_becomes_what_it_was() {
    use ChangeKind as K;
    let [moved, made, gone, same, again] = ["moved", "made", "gone", "same", "again"].map(tag);
    let all = BTreeMap::from([
        (moved.clone(), since(2, 50)),
        (made, since(3, 1)),
        (same, since(4, -5)),
        (again.clone(), since(5, 60)),
    ]);
    let history = [
        past(&moved, 1, -10, 50),
        past(&moved, 9, -20, -10),
        past(&gone, 6, 0, 10),
        past(&again, 5, -1, 20),
        past(&again, 7, 20, 60),
    ];
    let changes = super::changes(&target(None), &all, &history, None, None).unwrap();
    let expected = [
        ("gone".to_owned(), K::Created, Some(image(6))),
        ("made".to_owned(), K::Deleted, None),
        ("moved".to_owned(), K::Moved, Some(image(1))),
    ];
    assert_eq!(told(&changes), expected);
    let chosen = super::changes(&target(Some(&["m*", "nothing"])), &all, &history, None, None).unwrap();
    assert_eq!(told(&chosen), expected[1..]);
    assert_eq!(super::changes(&target(Some(&["same"])), &all, &history, None, None).unwrap(), []);
}

#[test]
fn what_is_pinned_is_what_each_tag_was_though_its_past_is_forgotten() {
    use ChangeKind as K;
    let [moved, made, gone] = ["moved", "made", "gone"].map(tag);
    let signed = signatures_tag(&image(1));
    let all = BTreeMap::from([(moved.clone(), since(2, 50)), (made, since(3, 1))]);
    let pinned = [(&gone, 6), (&moved, 1), (&signed, 7)].map(|(tag, n)| PinnedTag {
        tag: tag.clone(),
        digest: image(n),
        children: vec![],
    });
    let changes = |began| super::changes(&target(None), &all, &[], Some(&pinned), began).unwrap();
    let expected = [
        ("gone".to_owned(), K::Created, Some(image(6))),
        ("made".to_owned(), K::Deleted, None),
        ("moved".to_owned(), K::Moved, Some(image(1))),
        (signed.to_string(), K::Created, Some(image(7))),
    ];
    assert_eq!(told(&changes(None)), expected);
    assert_eq!(told(&changes(Some(Timestamp::from_unix(AT)))), expected, "nobody has turned back what is pinned");
}

#[test]
fn who_goes_on_tells_what_was_turned_before() {
    let [back, gone, came, synced] = ["back", "gone", "came", "synced"].map(tag);
    let began = Timestamp::from_unix(AT + 60);
    let turned_back = |n| HeldTag { reversion: true, ..since(n, 60) };
    let held = BTreeMap::from([(back.clone(), turned_back(1)), (came, turned_back(3)), (synced.clone(), since(5, 20))]);
    let history = [past(&back, 2, 10, 60), past(&gone, 4, 10, 61), past(&synced, 6, 0, 20), past(&gone, 7, 0, 10)];
    let turned = super::turned(&held, &history, began);
    let expected = [
        ("back", ChangeKind::Moved, Some(image(1))),
        ("came", ChangeKind::Created, Some(image(3))),
        ("gone", ChangeKind::Deleted, None),
    ];
    assert_eq!(told(&turned), expected.map(|(name, kind, to)| (name.to_owned(), kind, to)));
    assert_eq!(turned[2].from, Some(image(4)));
}

#[test]
fn nothing_at_all_is_no_state_to_turn_back_to() {
    let held = BTreeMap::from([(tag("a"), since(1, 5)), (tag("b"), since(2, 6))]);
    let all = target(None);
    assert!(leaves_nothing(&all, &held, &changes(&all, &held, &[], None, None).unwrap()));
    let was = [past(&tag("c"), 3, -5, 3)];
    assert!(!leaves_nothing(&all, &held, &changes(&all, &held, &was, None, None).unwrap()), "there was another tag");
    let named = target(Some(&["*"]));
    assert!(
        !leaves_nothing(&named, &held, &changes(&named, &held, &[], None, None).unwrap()),
        "it is asked for by name"
    );
    let none = BTreeMap::new();
    assert!(!leaves_nothing(&all, &none, &changes(&all, &none, &[], None, None).unwrap()));
}

#[test]
fn what_is_attached_follows_its_image() {
    let (v1, v2) = (tag("v1"), tag("v2"));
    let [returns, goes, stays] = [image(1), image(2), image(3)];
    let list = |subject: &Digest| referrers_tag(subject);
    let all = BTreeMap::from([
        (v1.clone(), since(2, 10)),
        (v2, since(3, -10)),
        (list(&goes), since(20, 11)),
        (signatures_tag(&stays), since(30, 12)),
    ]);
    let history = [past(&v1, 1, -10, 10), past(&list(&returns), 10, -9, 10), past(&list(&stays), 31, -9, 5)];
    let changes = super::changes(&target(None), &all, &history, None, None).unwrap();
    let becomes = |name: &TagName| changes.iter().find(|it| it.tag == *name).map(|it| it.to.clone());
    assert_eq!(becomes(&list(&returns)), Some(Some(image(10))), "it comes back");
    assert_eq!(becomes(&list(&goes)), Some(None), "it goes");
    assert_eq!(becomes(&signatures_tag(&stays)), None, "what came later stays");
    assert_eq!(becomes(&list(&stays)), None, "nor does what went come back to one that stayed");
    assert_eq!(changes.len(), 3);
    assert_eq!(super::changes(&target(Some(&["v1"])), &all, &history, None, None).unwrap(), changes);
    assert_eq!(super::changes(&target(Some(&["v2"])), &all, &history, None, None).unwrap(), []);
}

#[test]
fn who_goes_on_takes_away_what_is_attached_to_what_was_left() {
    let v1 = tag("v1");
    let list = referrers_tag(&image(2));
    let began = Timestamp::from_unix(AT + 100);
    let turned = HeldTag { reversion: true, ..since(1, 101) };
    let all = BTreeMap::from([(v1.clone(), turned), (list.clone(), since(20, 11))]);
    let history = [past(&v1, 1, -10, 10), past(&v1, 2, 10, 101)];
    assert_eq!(
        super::changes(&target(None), &all, &history, None, None).unwrap(),
        [],
        "it is attached to nothing that goes"
    );
    let changes = super::changes(&target(None), &all, &history, None, Some(began)).unwrap();
    assert_eq!(told(&changes), [(list.to_string(), ChangeKind::Deleted, None)]);
}

#[test]
fn what_another_tag_still_points_to_keeps_what_is_attached_to_it() {
    let (v1, latest) = (tag("v1"), tag("latest"));
    let list = referrers_tag(&image(2));
    let all =
        BTreeMap::from([(v1.clone(), since(2, 10)), (latest.clone(), since(2, 10)), (list.clone(), since(20, 11))]);
    let history = [past(&v1, 1, -10, 10), past(&latest, 1, -10, 10)];
    let one = super::changes(&target(Some(&["latest"])), &all, &history, None, None).unwrap();
    assert_eq!(told(&one), [("latest".to_owned(), ChangeKind::Moved, Some(image(1)))]);
    let both = super::changes(&target(None), &all, &history, None, None).unwrap();
    assert!(both.iter().any(|it| it.tag == list && it.to.is_none()));
}

#[test]
fn what_is_attached_to_what_is_attached_comes_too_and_so_does_what_is_attached_to_platforms() {
    let v1 = tag("v1");
    let (platform, bundle) = (image(4), image(10));
    let children = |digest: &Digest| Some(Children { present: vec![digest.clone()], left_out: Vec::new() });
    let index = PastTag { children: children(&platform), ..past(&v1, 1, -10, 10) };
    let list = PastTag { children: children(&bundle), ..past(&referrers_tag(&platform), 11, -9, 10) };
    let second = past(&referrers_tag(&bundle), 12, -9, 10);
    let changes = super::changes(&target(None), &BTreeMap::new(), &[index, list, second], None, None).unwrap();
    assert_eq!(changes.len(), 3);
    assert!(changes.iter().all(|it| it.change == ChangeKind::Created));
}

proptest! {
    /// A second implementation: what tags were, and nothing else.
    #[test]
    fn all_of_it_is_as_it_was(
        tags in btree_map("[a-d]", (option::of((0..4_u8, -3..4_i64)), option::of((0..4_u8, -6..0_i64, 1..4_i64))), 0..4),
    ) {
        let (mut all, mut history) = (BTreeMap::new(), Vec::new());
        for (name, (now, before)) in tags {
            let name = tag(&name);
            if let Some((n, start, end)) = before {
                history.push(past(&name, n, start, end));
            }
            // What is now began when that ended.
            let begin = |seconds: i64| before.map_or(seconds, |(_, _, end)| seconds.max(end));
            if let Some((n, seconds)) = now {
                all.insert(name, since(n, begin(seconds)));
            }
        }
        let target = target(None);
        let changes = super::changes(&target, &all, &history, None, None).unwrap();
        let now = all.iter().map(|(tag, held)| (tag.clone(), TagState::at(held.digest.clone()))).collect();
        let then = changes::as_of(target.at, &all, &history);
        prop_assert_eq!(&changes, &changes::diff(&now, &then));
        prop_assert_eq!(changes::apply(&changes, now), then);
    }
}

#[test]
fn what_becomes_of_a_repository_is_counted() {
    let [gone, moved, made] = ["gone", "moved", "made"].map(tag);
    let all = BTreeMap::from([(moved.clone(), since(2, 50)), (made, since(3, 1))]);
    let history = [past(&moved, 1, -10, 50), past(&gone, 6, 0, 10)];
    let changes = changes(&target(None), &all, &history, None, None).unwrap();
    let plan = RepositoryPlan::new("acme/app".parse().unwrap(), &changes, &BTreeSet::from([image(6)]), 2);
    assert_eq!((plan.created, plan.moved, plan.deleted), (1, 1, 1));
    assert_eq!((plan.missing, plan.missing_tags, plan.unverified), (1, vec![gone], 2));
    // Of a repository that there was not, nothing is left.
    let new = BTreeMap::from([(tag("a"), since(2, 5)), (tag("b"), since(3, 5))]);
    let changes = super::changes(&target(Some(&["a"])), &new, &[], None, None).unwrap();
    let plan = RepositoryPlan::new("acme/new".parse().unwrap(), &changes, &BTreeSet::new(), 0);
    assert_eq!((plan.created, plan.moved, plan.deleted), (0, 0, 1), "but what was not asked for");
}
