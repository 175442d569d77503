//! How people sign in: the page's code becomes a token, which says who calls.

use moorage_tests::{
    alone::Alone,
    people::{CONFIDENTIAL, Code, People, SECRET, claims},
    provider::Provider,
    stack::Stack,
    world::World,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::Visitor;

/// What the console sends of a code.
fn shown(code: &Code) -> Value {
    json!({"code": code.code, "code_verifier": code.verifier, "redirect_uri": code.redirect_uri})
}

/// Exchanges it, as anybody.
async fn exchange(world: &World, body: &Value) -> (u16, Value) {
    world.send(Method::POST, "signin/oidc", None, Some(body.to_string().into_bytes())).await
}

#[tokio::test]
async fn whoever_signs_in_is_known_by_name() {
    let (world, people) = (World::empty("signs-in").await, People::of_stack());
    let (status, about) = world.send(Method::GET, "signin", None, None).await;
    let issuer = &people.issuer;
    let expected = json!({
        "issuer": issuer, "client_id": "moorage", "scopes": "openid profile email", "device": true,
        "authorization_endpoint": format!("{issuer}/auth"), "token_endpoint": format!("{issuer}/token"),
        "device_authorization_endpoint": format!("{issuer}/device/auth"),
    });
    assert_eq!((status, &about["oidc"]), (200, &expected));

    let mut ada = people.person("ada", &["developers"]).await;
    let code = ada.code().await;
    let (status, signed_in) = exchange(&world, &shown(&code)).await;
    assert_eq!(status, 200, "{signed_in}");
    let token = signed_in["id_token"].as_str().unwrap();
    assert_eq!(claims(token)["nonce"], json!(code.nonce));
    assert!((1..=3_600).contains(&signed_in["expires_in"].as_i64().unwrap()), "{signed_in}");
    let ada_herself = Visitor::with(&world, token);
    let (status, user) = ada_herself.get("user/").await;
    assert_eq!((status, &user["username"], &user["is_me"]), (200, &json!(ada.name), &json!(true)), "{user}");
    for field in ["super_user", "can_create_repo", "preferred_namespace", "anonymous"] {
        assert_eq!(user[field], json!(false), "{field}: {user}");
    }
    assert_eq!(user["organizations"], json!([]));
    let login = json!([{"service": "oidc", "service_identifier": ada.subject, "metadata": {}}]);
    assert_eq!(user["logins"], login);
    assert!(user["email"].as_str().unwrap().ends_with("@example.com"));
    // To others they are a name.
    let bob = people.person("bob", &[]).await;
    let (status, found) = Visitor::of(&world, &bob).await.get(&format!("users/{}", ada.name)).await;
    let avatar = json!({"name": ada.name, "hash": "", "color": "#969696", "kind": "user"});
    assert_eq!((status, found), (200, json!({"anonymous": false, "username": ada.name, "avatar": avatar})));
    assert_eq!(world.send(Method::GET, &format!("users/{}", ada.name), None, None).await.0, 401);
    assert_eq!(ada_herself.get("users/nobody-has-this-name").await.0, 404);

    // A new token has what the provider says by then.
    ada.has(json!({"email": "ada@new.example.com"})).await;
    let refresh = json!({"refresh_token": signed_in["refresh_token"]});
    let (status, refreshed) = exchange(&world, &refresh).await;
    assert_eq!(status, 200, "{refreshed}");
    let newer = Visitor::with(&world, refreshed["id_token"].as_str().unwrap());
    assert_eq!(newer.get("user/").await.1["email"], "ada@new.example.com");

    // What else the provider gives is no token of somebody's here.
    let tokens = bob.tokens().await;
    for other in [&tokens.access, &tokens.refresh] {
        let refused = world.problem(401, "invalid_token", "Requires authentication");
        assert_eq!(Visitor::with(&world, other).get("user/").await, refused);
    }
}

#[tokio::test]
async fn a_code_is_exchanged_once_and_for_whoever_asked_for_it() {
    // An API of its own, as one address has so many exchanged in a minute.
    let api = Alone::with(&Stack::from_env().await, &[]).await;
    let (world, people) = (World::empty("codes").await.at(&api.stack), People::of_stack());
    let person = people.person("once", &[]).await;
    let refused = |(status, answer): (u16, Value)| {
        let fields = answer.as_object().unwrap();
        assert_eq!((status, fields.len()), (401, 1), "{answer}");
        let message = answer["message"].as_str().unwrap();
        assert!(message.contains("invalid_grant") && message.len() < 100, "the code of the failure alone: {message}");
    };
    let (first, second) = (person.code().await, person.code().await);
    refused(exchange(&world, &shown(&Code { verifier: second.verifier.clone(), ..first.clone() })).await);
    let elsewhere = Code { redirect_uri: "https://elsewhere.example/console".into(), ..second.clone() };
    let (status, answer) = exchange(&world, &shown(&elsewhere)).await;
    assert_eq!(status, 400, "the API lends nothing to other pages: {answer}");
    let code = person.code().await;
    let (status, signed_in) = exchange(&world, &shown(&code)).await;
    assert_eq!(status, 200, "{signed_in}");
    refused(exchange(&world, &shown(&code)).await);
    for made_up in ["made up", "a\0b", "ä", "a&client_secret=x&grant_type=password"] {
        refused(exchange(&world, &shown(&Code { code: made_up.into(), ..code.clone() })).await);
        refused(exchange(&world, &json!({"refresh_token": made_up})).await);
    }
}

#[tokio::test]
async fn what_is_no_sign_in_is_told_so_before_anybody_is_asked() {
    let world = World::empty("no-sign-in").await;
    let code = |changes: Value| {
        let mut body =
            json!({"code": "c", "code_verifier": "v".repeat(43), "redirect_uri": "http://localhost/console"});
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        body.to_string()
    };
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for body in [
        String::new(),
        "null".into(),
        "[]".into(),
        "{}".into(),
        "\u{0}".into(),
        deep,
        json!({"refresh_token": ""}).to_string(),
        json!({"refresh_token": "r".repeat(100_000)}).to_string(),
        json!({"refresh_token": ["r"]}).to_string(),
        code(json!({"code": ""})),
        code(json!({"code": "c".repeat(100_000)})),
        code(json!({"code": {"$ne": null}})),
        code(json!({"code_verifier": "short"})),
        code(json!({"code_verifier": "v".repeat(129)})),
        code(json!({"code_verifier": format!("{}\r\nx", "v".repeat(43))})),
        code(json!({"redirect_uri": 7})),
        code(json!({"redirect_uri": "https://elsewhere.example/console"})),
        code(json!({"redirect_uri": "h".repeat(100_000)})),
    ] {
        let (status, answer) = world.send(Method::POST, "signin/oidc", None, Some(body.clone().into_bytes())).await;
        assert_eq!(status, 400, "{body:.100}: {answer}");
    }
    let huge = format!("{{\"code\": \"{}\"}}", "c".repeat(5_000_000));
    let (status, answer) = world.send(Method::POST, "signin/oidc", None, Some(huge.into_bytes())).await;
    assert!(matches!(status, 400 | 413), "{status} {answer:.200}");
    assert_eq!(world.send(Method::POST, "signin/oidc", None, Some(vec![0xff, 0xfe])).await.0, 400);
}

/// What one address has exchanged in a minute.
const EXCHANGES: usize = 15;
/// Where the console of [`People::of`] is.
const CONSOLE: (&str, &str) = ("PUBLIC_URL", "http://localhost");

#[tokio::test]
async fn made_up_codes_keep_nobody_out_who_has_signed_in() {
    let (stack, provider) = (Stack::from_env().await, Provider::start());
    let people = People::of(&provider);
    let api = Alone::with(&stack, &[("OIDC_ISSUER", &provider.issuer), CONSOLE]).await;
    let world = World::empty("budget").await.at(&api.stack);
    let person = people.person("in-already", &[]).await;
    let visitor = Visitor::of(&world, &person).await;
    let mut statuses = Vec::new();
    for number in 0..=EXCHANGES {
        let mut code = json!({"code": number.to_string(), "code_verifier": "v".repeat(43)});
        code["redirect_uri"] = json!("http://localhost/console");
        statuses.push(exchange(&world, &code).await.0);
    }
    assert_eq!(statuses, [vec![401; EXCHANGES], vec![503]].concat());
    assert_eq!(visitor.get("user/").await.0, 200);
    let newer = Visitor::of(&world, &person).await;
    assert_eq!(newer.get("user/").await.0, 200, "a device has its tokens from the provider itself");
}

#[tokio::test]
async fn a_client_may_have_a_secret_which_the_api_alone_knows() {
    let (stack, provider) = (Stack::from_env().await, Provider::start());
    let secrets = aws_sdk_secretsmanager::Client::new(&stack.aws);
    let name = format!("client-{:08x}", rand::random::<u32>());
    let made = secrets.create_secret().name(name).secret_string(SECRET).send().await.unwrap();
    let settings = [
        ("OIDC_ISSUER", provider.issuer.as_str()),
        ("OIDC_CLIENT_ID", CONFIDENTIAL),
        ("OIDC_CLIENT_SECRET_ARN", made.arn().unwrap()),
        CONSOLE,
    ];
    let api = Alone::with(&stack, &settings).await;
    let world = World::empty("confidential").await.at(&api.stack);
    let people = People::of(&provider);
    let person = people.confidential().person("with-secret", &[]).await;
    let code = person.code().await;
    let (status, signed_in) = exchange(&world, &shown(&code)).await;
    assert_eq!(status, 200, "{signed_in}");
    let token = signed_in["id_token"].as_str().unwrap();
    assert_eq!(claims(token)["aud"], json!(CONFIDENTIAL));
    assert_eq!(Visitor::with(&world, token).get("user/").await.1["username"], json!(person.name));
    let (status, refreshed) = exchange(&world, &json!({"refresh_token": signed_in["refresh_token"]})).await;
    assert_eq!(status, 200, "{refreshed}");
    // A code of another client is none, nor is a token.
    let other = people.person("without-secret", &[]).await;
    let (status, refused) = exchange(&world, &shown(&other.code().await)).await;
    assert_eq!(status, 401, "{refused}");
    let (status, refused) = Visitor::with(&world, other.token().await).get("user/").await;
    assert_eq!((status, &refused["message"]), (401, &json!("the token is for another audience")));
    // No log has what anybody has shown.
    let log = api.log();
    assert!(log.contains("a sign-in was not exchanged"), "{log}");
    let (_, signature) = token.rsplit_once('.').unwrap();
    let refresh = signed_in["refresh_token"].as_str().unwrap();
    for secret in [&code.code, &code.verifier, refresh, signature, SECRET] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[tokio::test]
async fn without_a_provider_nobody_signs_in_and_nobody_is_kept_out() {
    let (stack, provider) = (Stack::from_env().await, Provider::start());
    let none = Alone::with(&stack, &[("OIDC_ISSUER", "")]).await;
    let world = World::empty("no-provider").await.at(&none.stack);
    assert_eq!(world.send(Method::GET, "signin", None, None).await, (200, json!({"oidc": null})));
    assert_eq!(exchange(&world, &json!({"refresh_token": "r"})).await.0, 404);
    let token = People::of(&provider).person("nobody", &[]).await.token().await;
    assert_eq!(Visitor::with(&world, token).get("user/").await.0, 401);
    assert_eq!(super::admin(&world).get("user/").await.0, 200);
    // An issuer that may not be asked lets nobody in, and nobody out.
    let wrong = Alone::with(&stack, &[("OIDC_ISSUER", "http://169.254.169.254")]).await;
    let world = world.at(&wrong.stack);
    assert_eq!(world.send(Method::GET, "signin", None, None).await, (200, json!({"oidc": null})));
    assert_eq!(super::admin(&world).get("user/").await.0, 200);
}
