//! A table of mirrors of nginx, of which each view has its own.

use std::sync::Mutex;

use aws_sdk_dynamodb::{
    Client,
    operation::{batch_get_item::BatchGetItemOutput, query::QueryOutput},
    types::AttributeValue,
};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use moorage_state::MAX_ORIGIN_MIRRORS;
use serde_json::{Value, json};

use super::*;

type Item = std::collections::HashMap<String, AttributeValue>;

/// When all is asked.
const NOW: i64 = 1_790_000_000;

/// A repository that is found by nginx.
#[derive(Clone)]
struct Found {
    name: RepositoryName,
    is_public: bool,
    state: &'static str,
    copies_from: &'static str,
}

fn private(name: &str) -> Found {
    Found { name: name.parse().unwrap(), is_public: false, state: "MIRROR", copies_from: "docker.io/nginx" }
}

fn public(name: &str) -> Found {
    Found { is_public: true, ..private(name) }
}

fn item(value: &Value) -> Item {
    serde_dynamo::to_item(value).unwrap()
}

fn text(key: &Item, name: &str) -> String {
    key[name].as_s().unwrap().clone()
}

impl Found {
    /// Its item of that key.
    fn item(&self, pk: &str, sk: &str) -> Option<Item> {
        let (name, namespace) = (self.name.as_str(), self.name.namespace());
        let entry = json!({"pk": pk, "sk": sk, "created": 1, "repository": name});
        let more = if pk == format!("REPO#{name}") {
            json!({
                "architecture_filter": [], "config_revision": 1, "deletion_limit": null, "external_reference": self.copies_from,
                "external_registry_config": {
                    "proxy": {"http_proxy": null, "https_proxy": null, "no_proxy": null},
                    "token_realms": [], "verify_tls": true,
                },
                "external_registry_password": null, "external_registry_username": null, "is_enabled": true,
                "last_complete": null, "robot": format!("{namespace}+robot"), "root_rule": ["*"],
                "skopeo_timeout_interval": 300, "sync_expiration_date": null, "sync_interval": 86400,
                "sync_retries_remaining": 3, "sync_run_id": null, "sync_start_date": 1, "sync_status": "NEVER_RUN",
                "sync_transaction_id": "00000001-0000-4000-8000-000000000000", "sync_warning": null,
            })
        } else if pk != format!("NS#{namespace}") {
            return None;
        } else if sk == "ORGANIZATION" {
            json!({"email": "", "name": namespace.as_str()})
        } else if sk == format!("REPOSITORY#{}", self.name.name()) {
            json!({"description": "", "is_public": self.is_public, "state": self.state})
        } else {
            return None;
        };
        let mut whole = entry;
        whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Some(item(&whole))
    }
}

/// A table that has these, and how many requests it was sent for what items.
struct Asked {
    originals: Originals,
    repositories: Cache<RepositoryName, Option<Repository>>,
    batches: Arc<Mutex<Vec<String>>>,
    _rules: [Rule; 2],
}

fn asked(mut all: Vec<Found>, nodes: &str) -> Asked {
    all.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    let (found, batches) = (all.clone(), Arc::new(Mutex::new(Vec::new())));
    let query = mock!(Client::query).then_compute_output(move |request| {
        let values = request.expression_attribute_values().unwrap();
        let prefix = text(values, ":sk").replace("REPOSITORY#", "");
        let most = usize::try_from(request.limit().unwrap()).unwrap();
        let found = found.iter().filter(|it| it.name.as_str().starts_with(&prefix)).take(most);
        let entry = |it: &Found| item(&json!({"repository": it.name.as_str()}));
        QueryOutput::builder().set_items(Some(found.map(entry).collect())).build()
    });
    let counted = Arc::clone(&batches);
    let batch = mock!(Client::batch_get_item).then_compute_output(move |request| {
        let keys = request.request_items().unwrap()["table"].keys();
        counted.lock().unwrap().push(text(&keys[0], "sk"));
        let read = |key: &Item| all.iter().find_map(|it| it.item(&text(key, "pk"), &text(key, "sk")));
        BatchGetItemOutput::builder().responses("table", keys.iter().filter_map(read).collect()).build()
    });
    let table = Table::new(mock_client!(aws_sdk_dynamodb, RuleMode::MatchAny, [&query, &batch]), "table");
    let originals = Originals::new(table, nodes.parse().unwrap());
    Asked { originals, repositories: Cache::new(1_000, KEPT), batches, _rules: [query, batch] }
}

impl Asked {
    async fn seen(&self, view: View) -> Vec<String> {
        let origin = "docker.io/library/nginx".parse().unwrap();
        let seen = self.originals.seen(view, &origin, &self.repositories, Timestamp::from_unix(NOW)).await.unwrap();
        seen.iter().map(ToString::to_string).collect()
    }

    /// How many requests there were for mirrors.
    fn rounds(&self) -> usize {
        self.batches.lock().unwrap().iter().filter(|sk| *sk == "MIRROR").count()
    }
}

fn own(namespace: &str) -> View {
    View::Own(namespace.parse().unwrap())
}

#[tokio::test]
async fn ones_own_are_seen_and_others_as_the_setting_allows() {
    let all = || ["a/nginx", "b/nginx", "b/old", "c/nginx"].map(public).into_iter().chain([private("a/x")]).collect();
    for (setting, view, expected) in [
        ("*", View::Public, &["a/nginx", "b/nginx", "b/old", "c/nginx"][..]),
        (" * ", View::All, &["a/nginx", "a/x", "b/nginx", "b/old", "c/nginx"]),
        ("*", own("b"), &["b/nginx", "b/old"]),
        ("c, a,", View::Public, &["a/nginx", "c/nginx"]),
        ("c, a,", View::All, &["a/nginx", "a/x", "c/nginx"]),
        ("c", own("a"), &["a/nginx", "a/x"]),
        ("", own("b"), &["b/nginx", "b/old"]),
        ("", own("x"), &[]),
        ("", View::Public, &[]),
        ("", View::All, &[]),
    ] {
        assert_eq!(asked(all(), setting).seen(view.clone()).await, expected, "{setting:?} {view:?}");
    }
    assert_eq!("".parse(), Ok(NodeNamespaces::default()));
    assert!("a b".parse::<NodeNamespaces>().is_err() && "a,*".parse::<NodeNamespaces>().is_err());
}

#[tokio::test]
async fn a_crowd_does_not_hide_ones_own() {
    // More than one query finds, and all before it by name.
    let most = usize::try_from(MAX_ORIGIN_MIRRORS).unwrap();
    let crowd = (0..=most).map(|number| private(&format!("a{number:04}/nginx")));
    let crowd: Vec<_> = crowd.chain([private("z/nginx"), public("y/nginx")]).collect();
    assert_eq!(asked(crowd.clone(), "*").seen(own("z")).await, ["z/nginx"]);
    assert_eq!(asked(crowd.clone(), "a0000,y").seen(View::Public).await, ["y/nginx"]);
    // That many are gone through, and not more.
    let asked = asked(crowd, "*");
    assert!(asked.seen(View::Public).await.is_empty());
    assert_eq!(asked.rounds(), MAX_CHUNKS);
}

#[tokio::test]
async fn what_nobody_sees_takes_no_place() {
    let crowd = (0..350).map(|number| private(&format!("a{number:03}/nginx")));
    let many = (0..200).map(|number| public(&format!("b{number:03}/nginx")));
    let asked = asked(crowd.chain(many).collect(), "*");
    let first: Vec<_> = (0..MAX_ASKED).map(|number| format!("b{number:03}/nginx")).collect();
    assert_eq!(asked.seen(View::Public).await, first);
    assert_eq!(asked.rounds(), 4, "no more than it takes");
    assert_eq!(asked.seen(View::Public).await, first);
    assert_eq!(asked.rounds(), 4, "what is known is not asked for");
}

#[tokio::test]
async fn a_mirror_says_itself_what_it_copies_from() {
    // Entries that outlived theirs, as many as are asked, and who is no mirror for a while.
    let liars = (0..MAX_ASKED).map(|number| Found { copies_from: "quay.io/nginx", ..public(&format!("a/x{number}")) });
    let paused = Found { state: "READ_ONLY", ..public("a/paused") };
    let asked = asked(liars.chain([paused, public("b/nginx")]).collect(), "*");
    assert_eq!(asked.seen(View::Public).await, ["b/nginx"]);
    assert!(asked.seen(own("a")).await.is_empty());
}

#[tokio::test]
async fn time_does_not_tell_of_what_is_not_seen() {
    let (hidden, none) = (asked(vec![private("a/nginx")], "*"), asked(Vec::new(), "*"));
    for asked in [&hidden, &none] {
        assert!(asked.seen(View::Public).await.is_empty());
    }
    let sorted = |asked: &Asked| {
        let kinds = asked.batches.lock().unwrap().iter().map(|sk| sk.split('#').next().unwrap().to_owned()).collect();
        let mut kinds: Vec<String> = kinds;
        kinds.sort_unstable();
        kinds
    };
    assert_eq!(sorted(&hidden), ["MIRROR", "ORGANIZATION", "REPOSITORY"]);
    assert_eq!(sorted(&hidden), sorted(&none));
}

#[test]
fn what_is_not_there_can_be_looked_for() {
    let of = |text: &str| stand_in(NOBODY, &text.parse().unwrap()).unwrap();
    assert!(of("quay.io/a") != of("quay.io/b") && of("quay.io/a").as_str().starts_with("nobody/"));
}
