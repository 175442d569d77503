//! Tokens that are not the provider's, or not for us, or not of now, are nobody's.

use moorage_tests::{
    people::{By, People},
    provider::{MAIN, Provider},
    world::World,
};
use serde_json::{Value, json};

use super::Visitor;

#[tokio::test]
async fn forgeries_are_refused() {
    let (world, people) = (World::new("forged-people").await, People::of_stack());
    let name = format!("victim-{:08x}", rand::random::<u32>());
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let mine = |changes: Value| {
        let mut claims =
            json!({"preferred_username": name, "sub": format!("subject-of-{name}"), "groups": ["platform"]});
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        claims
    };
    let by = async |key: By| people.forged(mine(json!({})), key).await;
    let own = async |changes: Value| people.forged(mine(changes), By::Own).await;

    let good = own(json!({})).await;
    let (status, user) = Visitor::with(&world, &good).get("user/").await;
    assert_eq!((status, &user["super_user"]), (200, &json!(true)), "it is the claims that are wrong below: {user}");

    let (stranger, forger) = (Provider::start(), Provider::forging(&people.issuer));
    let parts: Vec<&str> = good.split('.').collect();
    let (algorithm, signature, key) = (
        "the token is not signed by an algorithm that is taken here",
        "the token's signature is not that of its issuer",
        "the token was given to another party",
    );
    let another = "the token is for another audience";
    let workload = stranger.token(MAIN, "https://registry.example/RS256").await;
    for (what, token, why) in [
        ("another key under the same id", by(By::Other).await, signature),
        ("a public key as a secret", by(By::Public).await, algorithm),
        (
            "a provider that says it is ours",
            People::of(&forger).person(&name, &["platform"]).await.token().await,
            signature,
        ),
        ("another provider", People::of(&stranger).forged(mine(json!({})), By::Own).await, signature),
        ("another provider's workload", workload, signature),
        ("another issuer", own(json!({"iss": stranger.issuer})).await, "the token is of another issuer"),
        (
            "almost the issuer",
            own(json!({"iss": format!("{}/", people.issuer)})).await,
            "the token is of another issuer",
        ),
        ("another audience", own(json!({"aud": "another"})).await, another),
        ("other audiences", own(json!({"aud": ["a", "Moorage"]})).await, another),
        ("no audience", own(json!({"aud": null})).await, another),
        ("no audience that is one", own(json!({"aud": 7})).await, "the token's claim aud is missing or malformed"),
        ("another party", own(json!({"azp": "another"})).await, key),
        ("several audiences and no party", own(json!({"aud": ["moorage", "another"]})).await, key),
        ("several audiences and another party", own(json!({"aud": ["moorage", "a"], "azp": "a"})).await, key),
        ("expired", own(json!({"iat": now - 7_200, "exp": now - 3_600})).await, "the token has expired"),
        ("not yet", own(json!({"nbf": now + 3_600})).await, "the token is not valid yet"),
        ("of the future", own(json!({"iat": now + 3_600, "exp": now + 7_200})).await, "the token is not valid yet"),
        ("for ever", own(json!({"exp": null})).await, "the token's claim exp is missing or malformed"),
        ("nobody's", own(json!({"sub": null})).await, "the token's claim sub is missing or malformed"),
        ("cut", format!("{}.{}.{}", parts[0], parts[1], &parts[2][..100]), signature),
    ] {
        let visitor = Visitor::with(&world, &token);
        let (status, answer) = visitor.get("user/").await;
        assert_eq!((status, &answer["message"]), (401, &json!(why)), "{what}: {answer}");
        let kind = if what == "expired" { "expired_token" } else { "invalid_token" };
        assert_eq!(answer["error_type"], kind, "{what}");
        assert!(!answer.to_string().contains(parts[2]), "no answer has a token");
        for path in [format!("repository/{}", world.repository), "superuser/users/".into(), "tokens".into()] {
            assert_eq!(visitor.get(&path).await.0, 401, "{what}: {path}");
        }
    }
    // These do not even look like one, and are no token that anybody knows.
    for token in [by(By::Nobody).await, format!("{}.{}.", parts[0], parts[1]), "a.b.c.d".into(), "..".into()] {
        assert_eq!(Visitor::with(&world, &token).get("user/").await.0, 401, "{token}");
    }
    // The name is free still for who has it: nobody was made by any of them.
    let of_several = own(json!({"aud": ["moorage", "another"], "azp": "moorage"})).await;
    assert_eq!(Visitor::with(&world, of_several).get("user/").await.0, 200);
}
