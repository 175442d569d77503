use proptest::prelude::*;

use super::*;

fn collection() -> Collection {
    Collection::new(Uuid::nil(), CollectRequest::default(), Timestamp::from_unix(7))
}

#[test]
fn only_links_that_shrank_hold_a_collection() {
    for (links, before, held) in [
        (10, None, None),
        (4_999, Some(10_000), Some(Held::LinksShrank { links: 4_999, before: 10_000 })),
        (5_000, Some(10_000), None),
        (0, Some(1_000), None),
        (u64::MAX, Some(u64::MAX), None),
    ] {
        assert_eq!(Held::judge(links, before), held);
    }
}

#[test]
fn what_was_held_measures_by_what_held_it_and_what_was_dry_not_at_all() {
    let counts = Collected { links: 7, ..Collected::default() };
    let ended = Collection { ended_at: Some(Timestamp::from_unix(9)), counts, ..collection() };
    assert_eq!((ended.measure(), collection().measure()), (Some(7), None));
    let dry = Collection { dry_run: true, ..ended.clone() };
    let held = Collection { held: Some(Held::LinksShrank { links: 1, before: 9 }), ..ended.clone() };
    let (dry_and_held, open) =
        (Collection { dry_run: true, ..held.clone() }, Collection { ended_at: None, ..held.clone() });
    let before = Held::TooMany { deletions: 5, blobs: 9 };
    let earlier = Collection { held: Some(before), ..ended.clone() };
    let forced = Collection { force: true, ..ended };
    assert_eq!((held.measure(), forced.measure()), (Some(9), Some(7)));
    for none in [&dry, &dry_and_held, &open, &earlier] {
        assert_eq!(none.measure(), None, "{none:?}");
    }
    assert!(forced.is_good() && [dry, held, open, earlier].iter().all(|it| !it.is_good()));
}

#[test]
fn some_of_what_was_skipped_is_named_and_all_of_it_counted() {
    let mut collection = collection();
    for number in 0..NAMED + 5 {
        collection.skip(format!("acme/app{number}").parse().unwrap(), Skip::Busy);
    }
    assert_eq!((collection.skipped.len(), collection.counts.repositories_skipped), (NAMED, NAMED as u64 + 5));
    assert_eq!(collection.skipped[0].repository.as_str(), "acme/app0");
}

#[test]
fn turns_are_counted_until_it_gets_further() {
    let mut collection = collection();
    collection.turns = 3;
    collection.go_to(Stage::Prune(String::new()));
    assert_eq!(collection.turns, 3);
    collection.go_to(Stage::Prune("acme/app".to_owned()));
    assert_eq!((collection.turns, collection.stage), (0, Stage::Prune("acme/app".to_owned())));
}

#[test]
fn a_collection_is_stored_flat_and_comes_back() {
    let mut collection = collection();
    let digest = Digest::sha256(b"");
    for why in [Skip::Busy, Skip::Unreadable { digest }, Skip::TooLong] {
        collection.skip("acme/app".parse().unwrap(), why);
    }
    for stage in [Stage::Prune("acme/app".to_owned()), Stage::Sweep(9), Stage::Uploads, Stage::Done] {
        collection.stage = stage;
        let stored = serde_json::to_value(&collection).unwrap();
        assert_eq!(serde_json::from_value::<Collection>(stored).unwrap(), collection);
    }
    let request: CollectRequest = serde_json::from_str("{}").unwrap();
    assert_eq!(request, CollectRequest::default());
}

proptest! {
    /// Shard after shard, each with some that are due: never more than a fifth of all, and as many as there may be.
    #[test]
    fn deletions_keep_to_the_limit_and_go_on(shards in proptest::collection::vec((0u64..20_000, 0u64..20_000), 1..64)) {
        let (mut blobs, mut deleted, mut deferred) = (0, 0, 0);
        for (in_shard, due) in shards {
            let due = due.min(in_shard);
            blobs += in_shard;
            let now = due.min(allowance(blobs, deleted));
            deleted += now;
            deferred += due - now;
        }
        prop_assert!(deleted <= MIN_LIMIT.max(blobs * LIMIT_PERCENT / 100));
        // Where some had to wait, at least as many were deleted as always may be.
        prop_assert!(deferred == 0 || deleted >= MIN_LIMIT);
    }
}
