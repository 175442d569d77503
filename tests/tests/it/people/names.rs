//! Whose name is whose: a name belongs to who signed in with it first, and not everything is one.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use moorage_tests::{
    alone::Alone,
    people::{By, People},
    provider::Provider,
    stack::Stack,
    world::World,
};
use serde_json::{Value, json};

use super::{Visitor, admin, next_second};

/// What the API says to the holder of a token with these claims.
async fn told(world: &World, people: &People, claims: Value) -> (u16, Value) {
    Visitor::with(world, people.forged(claims, By::Own).await).get("user/").await
}

#[tokio::test]
async fn a_claim_that_is_no_name_lets_nobody_in() {
    let (world, people) = (World::empty("names").await, People::of_stack());
    let somebody = format!("mixed.case-{:08x}@example.com", rand::random::<u32>());
    let named = async |name: Value| told(&world, &people, json!({"preferred_username": name, "sub": somebody})).await;
    for none in [
        json!("admin"),
        json!("ADMIN"),
        json!(format!("{}+bot", world.namespace)),
        json!("$app"),
        json!("a b"),
        json!("../x"),
        json!("ädä"),
        json!("@x"),
        json!("a".repeat(256)),
    ] {
        let (status, answer) = named(none.clone()).await;
        assert_eq!((status, &answer["error_type"]), (401, &json!("invalid_token")), "{none}");
        assert!(answer["message"].as_str().unwrap().contains("cannot be a user's name"), "{answer}");
    }
    for none in [json!(""), json!(7), json!(["a"]), json!({"a": 1}), Value::Null] {
        let (status, answer) = named(none.clone()).await;
        assert_eq!((status, answer["message"].as_str().unwrap().contains("no claim")), (401, true), "{none}: {answer}");
    }
    // However it is written, it is one.
    for written in [somebody.to_uppercase(), somebody.clone()] {
        let (status, user) = named(json!(written)).await;
        assert_eq!((status, &user["username"]), (200, &json!(somebody)), "{user}");
    }
}

#[tokio::test]
async fn a_name_is_its_first_owners_until_a_superuser_deletes_them() {
    let (world, people) = (World::empty("taken").await, People::of_stack());
    let first = people.person("dora", &[]).await;
    let second = people.somebody(&first.name, json!({})).await;
    Visitor::of(&world, &first).await;
    let refused = async |token: String| {
        let (status, answer) = Visitor::with(&world, token).get("user/").await;
        let why = format!("the name {} belongs to somebody else; a superuser can delete that user", first.name);
        assert_eq!((status, &answer["message"]), (401, &json!(why)));
    };
    refused(second.token().await).await;
    // Nor is it another provider's, whatever that calls its people.
    let other = Provider::start();
    let api = Alone::with(&world.stack, &[("OIDC_ISSUER", &other.issuer)]).await;
    let elsewhere = world.at(&api.stack);
    let same = json!({"preferred_username": first.name, "sub": first.subject});
    let (status, answer) = told(&elsewhere, &People::of(&other), same).await;
    assert_eq!((status, answer["message"].as_str().unwrap().contains("belongs to somebody else")), (401, true));

    let path = format!("superuser/users/{}", first.name);
    assert_eq!(admin(&world).delete(&path).await.0, 204);
    assert_eq!(admin(&world).delete(&path).await.0, 404);
    Visitor::of(&world, &second).await;
    refused(first.token().await).await;
}

#[tokio::test]
async fn whoever_is_given_another_name_stays_who_they_are() {
    let (world, people) = (World::empty("renamed").await, People::of_stack());
    let mut person = people.person("was", &[]).await;
    Visitor::of(&world, &person).await;
    let renamed = format!("is-{}", person.name);
    person.has(json!({"preferred_username": renamed})).await;
    let token = person.token().await;
    let (status, answer) = Visitor::with(&world, &token).get("user/").await;
    let why = format!(
        "the provider names you {renamed} now; here you are {}, until a superuser deletes that user",
        person.name
    );
    assert_eq!((status, &answer["message"]), (401, &json!(why)));
    assert_eq!(admin(&world).get(&format!("superuser/users/{renamed}")).await.0, 404);
    assert_eq!(admin(&world).delete(&format!("superuser/users/{}", person.name)).await.0, 204);
    let (status, answer) = Visitor::with(&world, &token).get("user/").await;
    assert_eq!((status, answer["message"].as_str().unwrap().contains("was deleted")), (401, true), "{answer}");
    next_second().await;
    let (status, user) = Visitor::with(&world, person.token().await).get("user/").await;
    assert_eq!((status, &user["username"]), (200, &json!(renamed)), "{user}");
}

#[tokio::test]
async fn an_address_is_a_name_once_the_provider_has_verified_it() {
    let (stack, provider) = (Stack::from_env().await, Provider::start());
    let settings = [("OIDC_ISSUER", provider.issuer.as_str()), ("OIDC_USER_CLAIM", "email")];
    let api = Alone::with(&stack, &settings).await;
    let (world, people) = (World::empty("addresses").await.at(&api.stack), People::of(&provider));
    let address = format!("{:08x}@example.com", rand::random::<u32>());
    let by = async |verified: Value| {
        told(&world, &people, json!({"email": address, "email_verified": verified, "sub": address})).await
    };
    for no in [json!(false), Value::Null, json!("no"), json!(1)] {
        let (status, answer) = by(no.clone()).await;
        assert_eq!(status, 401, "{no}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains("verified"), "{answer}");
    }
    let (status, user) = by(json!(true)).await;
    assert_eq!((status, &user["username"], &user["email"]), (200, &json!(address), &json!(address)), "{user}");
}

#[tokio::test]
async fn of_all_who_come_by_a_name_at_once_one_has_it() {
    let (world, people) = (World::empty("at-once").await, People::of_stack());
    let name = format!("contested-{:08x}", rand::random::<u32>());
    let come = async |subject: String| {
        let claims = json!({"preferred_username": name, "sub": subject});
        (subject, told(&world, &people, claims).await)
    };
    // Each comes twice, as a page does that asks for several things.
    let subjects = (0..6).flat_map(|number| [number, number]).map(|number| format!("{name}-{number}"));
    let answers = join_all(subjects.map(come)).await;
    let known: BTreeSet<_> =
        answers.iter().filter(|(_, (status, _))| *status == 200).map(|(subject, _)| subject).collect();
    assert_eq!(known.len(), 1, "{answers:?}");
    for (subject, (status, answer)) in &answers {
        let expected = if known.contains(subject) { 200 } else { 401 };
        assert_eq!(*status, expected, "{subject}: {answer}");
    }
}
