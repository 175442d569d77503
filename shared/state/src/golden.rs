//! Items as they are stored: what earlier builds wrote is still read, and means the same.
//!
//! `tests/golden/KIND.json` is an item of each kind in DynamoDB's own JSON, `KIND.older.json` one from before its newer
//! attributes, and where attributes came later, another file has these. A file is never changed: what it holds is in
//! somebody's table.

mod next_page;

use std::{collections::BTreeSet, fs, path::PathBuf};

use aws_sdk_dynamodb::{
    Client,
    operation::update_item::{UpdateItemInput, UpdateItemOutput},
    types::AttributeValue,
};
use aws_smithy_mocks::{RuleMode, mock, mock_client};
use moorage_domain::{
    Hasher, Timestamp, digest::Algorithm, discovery::DiscoveredRepository, gate::Hold, learnt::Learnt,
    notification::Notification, pin::Pin, run::RunId, signature_policy::TrustRootId, webhook::EcrRepository,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    Table,
    access::{
        api_token::ApiToken,
        permission::{self, Role},
        robot::Robot,
        team_role,
    },
    garbage::{collection::CollectionItem, possession::ClueItem, sentence::SentenceItem},
    key::Key,
    mirrors::{discovered::QueuedSync, found_by::FoundBy, mirror::Mirror, organization_mirror::OrganizationMirror},
    notifications::{Note, ToldOf},
    organizations::{
        organization::{self, Organization},
        team::{Team, TeamRole},
        team_member::Member,
    },
    people::{
        app_token::AppToken,
        bound_team::BoundTeam,
        member::TeamUser,
        permission::{UserGrant, UserPermission},
        subject::Subject,
        user::{self, User, UserTeams},
    },
    pins::{LoosePin, snapshot::PinnedTagsItem},
    repositories::{lock::StrayLock, public_entry, repository::Repository},
    runs::{
        account::Account,
        learnt::Part,
        rate_limit::LimitItem,
        run::{OutcomesItem, RunItem},
        slot::Slot,
        slot_kind::SlotKind,
        upload::UploadItem,
    },
    stack_resources::StackResource,
    table::{Item, item},
    tags::{
        gate::SightingItem, referrers::ReferrersChecked, skipped::SkippedItem, tag::TagItem, tag_history::PastTagItem,
    },
    trust_roots::StoredTrustRoot,
    usage_log::LogItem,
    webhooks::{WebhookIdItem, WebhookItem},
};

/// The id of a number, as the files have them.
const fn id(number: u128) -> Uuid {
    Uuid::from_u128((number << 96) | 0x4000_8000_0000_0000_0000)
}

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden"))
}

/// An item of a file.
pub(crate) fn read(name: &str) -> Item {
    let text = fs::read_to_string(folder().join(format!("{name}.json"))).unwrap();
    let object: Map<String, Value> = serde_json::from_str(&text).unwrap();
    object.into_iter().map(|(name, value)| (name, attribute(&value))).collect()
}

/// An attribute from DynamoDB's JSON.
fn attribute(value: &Value) -> AttributeValue {
    let (kind, value) = value.as_object().unwrap().iter().next().unwrap();
    let list = || value.as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    match kind.as_str() {
        "S" => AttributeValue::S(text(value)),
        "N" => AttributeValue::N(text(value)),
        "BOOL" => AttributeValue::Bool(value.as_bool().unwrap()),
        "NULL" => AttributeValue::Null(value.as_bool().unwrap()),
        "SS" => AttributeValue::Ss(list().map(text).collect()),
        "L" => AttributeValue::L(list().map(attribute).collect()),
        "M" => AttributeValue::M(
            value.as_object().unwrap().iter().map(|(name, value)| (name.clone(), attribute(value))).collect(),
        ),
        other => panic!("{other}"),
    }
}

/// Whether an attribute says nothing: what an item without it means.
fn is_nothing(value: &AttributeValue) -> bool {
    match value {
        AttributeValue::Null(_) | AttributeValue::Bool(false) => true,
        AttributeValue::N(number) => number == "0",
        AttributeValue::S(text) => text.is_empty() || *text == Uuid::nil().to_string() || text == "auto",
        AttributeValue::L(list) => list.is_empty(),
        AttributeValue::M(map) => map.values().all(is_nothing),
        _ => false,
    }
}

/// Reads the kind's files as `T`: what this build writes of each adds nothing but attributes that say nothing, and has at
/// least one as it is.
fn check<T: Serialize + DeserializeOwned>(key: Key<'_>) -> String {
    let kind = kind_of(key);
    let names = fs::read_dir(folder()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let names = names.filter_map(|name| name.strip_suffix(".json").map(str::to_owned));
    let ours: Vec<_> = names.filter(|name| name.split('.').next() == Some(&kind)).collect();
    assert!(ours.contains(&kind), "{kind}.json: every kind of item has a golden file");
    let mut is_whole = false;
    for name in ours {
        let stored = read(&name);
        let value: T = serde_dynamo::from_item(stored.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let written = item(key, &value).unwrap();
        for attribute in stored.keys() {
            assert_eq!(written.get(attribute), stored.get(attribute), "{name}: {attribute}");
        }
        let more: Vec<_> = written.iter().filter(|(attribute, _)| !stored.contains_key(*attribute)).collect();
        assert!(more.iter().all(|(_, value)| is_nothing(value)), "{name} is taken to say {more:?}");
        is_whole |= more.is_empty();
    }
    assert!(is_whole, "{kind} has attributes that no golden file has: add one");
    kind
}

/// The name of a key's variant.
fn kind_of(key: Key<'_>) -> String {
    let text = format!("{key:?}");
    text.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap().to_owned()
}

/// The variants of the enum, by its text.
fn kinds() -> BTreeSet<String> {
    let text = include_str!("key.rs");
    let body = text.split_once("enum Key<'a> {").unwrap().1.split_once("\n}").unwrap().0;
    let lines = body.lines().map(str::trim).filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()));
    lines.map(|line| line.split(['(', ',']).next().unwrap().to_owned()).collect()
}

#[test]
fn every_kind_of_item_is_read_as_it_was_written() {
    let (acme, app) = ("acme".parse().unwrap(), "acme/app".parse().unwrap());
    let (robot, dev, latest) = ("acme+mirror".parse().unwrap(), "dev".parse().unwrap(), "latest".parse().unwrap());
    let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".parse().unwrap();
    let (run, at) = (RunId(id(2)), Timestamp::from_unix(1_790_000_000));
    let ecr = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/acme/app".parse().unwrap();
    let ecr = EcrRepository::of(&ecr).unwrap();
    let ann = "ann@example.com".parse().unwrap();
    let account = Account::new("acme".parse().unwrap(), "registry.example.com", None);
    let checked = BTreeSet::from([
        check::<Organization>(Key::Organization(&acme)),
        check::<organization::Entry>(Key::OrganizationEntry(&acme)),
        check::<OrganizationMirror>(Key::OrganizationMirror(&acme)),
        check::<DiscoveredRepository>(Key::Discovered(&app)),
        check::<QueuedSync>(Key::QueuedSync(&app)),
        check::<Slot>(Key::Slot(&acme, SlotKind::Syncs, 3)),
        check::<Team>(Key::Team(&acme, &dev)),
        check::<Member>(Key::TeamMember(&dev, &robot)),
        check::<TeamUser>(Key::TeamUser(&acme, &dev, &ann)),
        check::<BoundTeam>(Key::TeamGroup(&acme, &dev)),
        check::<User>(Key::User(&ann)),
        check::<user::Entry>(Key::UserEntry(&ann)),
        check::<UserTeams>(Key::UserTeams(&ann)),
        check::<Subject>(Key::Subject(&digest)),
        check::<UserGrant>(Key::UserGrant(&ann, &app)),
        check::<UserPermission>(Key::UserPermission(&app, &ann)),
        check::<AppToken>(Key::AppToken(id(22))),
        check::<AppToken>(Key::UserAppToken(&ann, id(22))),
        check::<team_role::TeamGrant>(Key::TeamGrant(&dev, &app)),
        check::<Robot>(Key::Robot(&robot)),
        check::<permission::Grant>(Key::Grant(&robot, &app)),
        check::<LogItem>(Key::NamespaceLog(&acme, at, id(7))),
        check::<ApiToken>(Key::ApiToken(id(8))),
        check::<Repository>(Key::Repository(&app)),
        check::<public_entry::Entry>(Key::Public(&app)),
        check::<StrayLock>(Key::StrayLock(&app)),
        check::<Mirror>(Key::Mirror(&app)),
        check::<ReferrersChecked>(Key::Referrers(&app)),
        check::<permission::Permission>(Key::Permission(&app, &robot)),
        check::<team_role::TeamPermission>(Key::TeamPermission(&app, &dev)),
        check::<PastTagItem>(Key::PastTag(&app, &latest, at)),
        check::<TagItem>(Key::Tag(&app, &latest)),
        check::<SkippedItem>(Key::Skipped(&app, &latest)),
        check::<SightingItem>(Key::Sighting(&app, &digest)),
        check::<Hold>(Key::GateHold(&app, &latest)),
        check::<UploadItem>(Key::Upload(&app, &digest)),
        check::<RunItem>(Key::Run(&app, run)),
        check::<OutcomesItem>(Key::Outcomes(&app, run, 1, 2)),
        check::<Pin>(Key::Pin(&app, run)),
        check::<PinnedTagsItem>(Key::PinnedTags(&app, id(20), 3)),
        check::<LoosePin>(Key::LoosePin(&app, id(20))),
        check::<Part>(Key::Learnt(&app, run, 0)),
        check::<LogItem>(Key::Log(&app, at, id(7))),
        check::<LimitItem>(Key::RateLimit(&account)),
        check::<SentenceItem>(Key::Sentence(&digest)),
        check::<ClueItem>(Key::Hint("acme", &digest)),
        check::<ClueItem>(Key::Receipt(&app, &digest)),
        check::<Notification>(Key::Notification(&app, id(18))),
        check::<Notification>(Key::NamespaceNotification(&acme, id(18))),
        check::<ToldOf>(Key::ToldOf(&app, id(18))),
        check::<Note>(Key::Note(&acme, at, id(19))),
        check::<WebhookItem>(Key::Webhook(&app)),
        check::<WebhookIdItem>(Key::WebhookId(&digest)),
        check::<FoundBy>(Key::EcrMirror(&ecr, &app)),
        check::<FoundBy>(Key::OriginMirror(&"docker.io/nginx".parse().unwrap(), &app)),
        check::<StoredTrustRoot>(Key::TrustRoot(&TrustRootId::Public)),
        check::<StackResource>(Key::StackResource("moorage/acme/app/notification/0a1b2c3d4e5f6071")),
        // It is written by an update, which has a test of its own.
        kind_of(Key::CollectorLease),
        check::<CollectionItem>(Key::Collection(at, id(15))),
    ]);
    assert_eq!(checked, kinds(), "each variant of the key enum has a golden file and is checked here");
}

/// Roles in items keep their names. One without a name here does not compile.
#[test]
fn roles_keep_their_names() {
    for role in Role::ALL {
        let name = match role {
            Role::Read => "read",
            Role::Write => "write",
            Role::Admin => "admin",
        };
        assert_eq!((serde_json::to_value(role).unwrap(), role.as_str()), (name.into(), name));
        assert_eq!(serde_json::from_value::<Role>(name.into()).unwrap(), role);
    }
    for role in [TeamRole::Member, TeamRole::Creator, TeamRole::Admin] {
        let name = match role {
            TeamRole::Member => "member",
            TeamRole::Creator => "creator",
            TeamRole::Admin => "admin",
        };
        assert_eq!(serde_json::to_value(role).unwrap(), name);
        assert_eq!(serde_json::from_value::<TeamRole>(name.into()).unwrap(), role);
    }
}

/// What an update that only sets attributes makes of an item that is not there.
fn set_by(request: &UpdateItemInput) -> Item {
    let values = request.expression_attribute_values().unwrap();
    let sets = request.update_expression().unwrap().strip_prefix("SET ").unwrap().split(", ");
    let sets = sets.map(|set| set.split_once(" = ").unwrap());
    let sets = sets.map(|(attribute, value)| (attribute.to_owned(), values[value].clone()));
    request.key().unwrap().clone().into_iter().chain(sets).collect()
}

#[tokio::test]
async fn a_collectors_lease_is_written_as_it_was() {
    let rule = mock!(Client::update_item)
        .match_requests(|request| set_by(request) == read("CollectorLease"))
        .then_output(|| UpdateItemOutput::builder().build());
    let client = mock_client!(aws_sdk_dynamodb, RuleMode::Sequential, [&rule]);
    let (holder, at) = (id(14), Timestamp::from_unix(1_790_000_000));
    let taken = Table::new(client, "table").take_collector_lease(holder, None, at, Timestamp::from_unix(0)).await;
    assert!(taken.unwrap());
    assert_eq!(rule.num_calls(), 1);
}

#[test]
fn what_is_stored_in_texts_is_read_too() {
    let part: Part = serde_dynamo::from_item(read("Learnt")).unwrap();
    let learnt: Learnt = serde_json::from_str(&part.text).unwrap();
    assert_eq!((learnt.count(), learnt.tags().unwrap().len()), (4, 1));
    let upload: UploadItem = serde_dynamo::from_item(read("Upload")).unwrap();
    let hasher = Hasher::resume(Algorithm::Sha256, &upload.upload.checkpoint.hash_state);
    let mut hasher = hasher.expect("an upload is gone on with");
    // The state is of the two letters before.
    hasher.update(b"c");
    let abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(hasher.finish().to_string(), abc);
}
