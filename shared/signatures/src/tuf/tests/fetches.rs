//! What is fetched, in which order, and what if it cannot be.

use std::{error::Error, future::ready, sync::Mutex};

use moorage_domain::cause::chain;
use serde_json::json;

use super::{
    super::{MAX_ROOT, MAX_SNAPSHOT, MAX_TARGETS, MAX_TIMESTAMP, RefreshError, refresh},
    Down, FIRST, at, good, new, now, run,
};
use crate::MAX_TRUST_ROOT;

#[test]
fn files_are_asked_for_one_after_the_other_with_their_bounds() {
    let (mut repository, anchor) = new();
    repository.rotate();
    let asked = Mutex::new(Vec::new());
    let fetch = |path: String, max| {
        let found = repository.files.get(&path).cloned();
        asked.lock().unwrap().push((path, max));
        ready(Ok::<_, Down>(found))
    };
    run(refresh(&anchor, fetch, now())).unwrap();
    let target = repository.target_path(FIRST);
    let expected = [
        ("2.root.json", MAX_ROOT),
        ("3.root.json", MAX_ROOT),
        ("timestamp.json", MAX_TIMESTAMP),
        ("1.snapshot.json", MAX_SNAPSHOT),
        ("1.targets.json", MAX_TARGETS),
        (target.as_str(), MAX_TRUST_ROOT),
    ];
    assert_eq!(asked.into_inner().unwrap(), expected.map(|(path, max)| (path.to_owned(), max)));
}

#[test]
fn a_fetch_that_fails_is_the_end_and_leaves_all_as_it_was() {
    let (mut repository, anchor) = new();
    repository.rotate();
    let target = repository.target_path(FIRST);
    let before = anchor.clone();
    for broken in ["2.root.json", "3.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json", &target] {
        let files = &repository.files;
        let fetch =
            |path: String, _| async move { if path == broken { Err(Down) } else { Ok(files.get(&path).cloned()) } };
        let error = run(refresh(&anchor, fetch, now())).unwrap_err();
        assert_eq!(chain(&error), format!("{broken} cannot be fetched: the network is down"));
        assert!(error.source().is_some_and(<dyn Error>::is::<Down>));
        assert!(matches!(error, RefreshError::Fetch { file, cause: Down } if file == broken));
        assert_eq!(anchor, before);
    }
    assert_eq!(good(&repository, &anchor).trust_root, FIRST);
}

#[test]
fn errors_say_what_is_wrong_with_which_file() {
    let (mut repository, anchor) = new();
    repository.files.remove("timestamp.json");
    let error = at(&repository.files, &anchor, now()).unwrap_err();
    assert_eq!(chain(&error), "timestamp.json is refused: it is missing");
}

#[test]
fn errors_quote_little_of_what_comes() {
    let (mut repository, anchor) = new();
    for mut body in
        [json!({"_type": "x".repeat(10_000)}), json!({"_type": "timestamp", "spec_version": "2\n".repeat(5_000)})]
    {
        body["version"] = json!(1);
        let bytes = json!({"signed": body, "signatures": []}).to_string().into_bytes();
        repository.files.insert("timestamp.json".to_owned(), bytes);
        let text = chain(&at(&repository.files, &anchor, now()).unwrap_err());
        let is_so = text.starts_with("timestamp.json is refused: it cannot be read: malformed metadata: ");
        assert!(is_so && text.len() < 400, "{text}");
    }
}
