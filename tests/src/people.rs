//! People who sign in with a provider, as their browsers and devices do it.

mod walk;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use moorage_domain::Digest;
use rand::Rng;
use reqwest::Url;
use serde_json::{Value, json};

use self::walk::Browser;
use crate::{http, provider::Provider};

/// The client that the stack's tokens are for.
pub const CLIENT: &str = "moorage";
/// The client that has a secret.
pub const CONFIDENTIAL: &str = "moorage-confidential";
/// Its secret.
pub const SECRET: &str = "hunter2";
/// The group whose members may do everything.
pub const SUPERUSERS: &str = "platform";
/// What is asked for, unless the stack has it otherwise.
const SCOPES: &str = "openid profile email";
/// What everybody types.
const PASSWORD: &str = "hunter2";

/// A provider, and those whom it knows.
#[derive(Debug, Clone)]
pub struct People {
    /// The issuer of its tokens.
    pub issuer: String,
    /// Where it is.
    url: String,
    /// Where codes are sent.
    pub redirect_uri: String,
    /// The client that they sign in at.
    client: &'static str,
}

/// Somebody whom the provider knows.
#[derive(Debug, Clone)]
pub struct Person {
    people: People,
    /// The user's name: what the test says, and something random.
    pub name: String,
    /// What they type as their name.
    login: String,
    /// What the provider knows them by.
    pub subject: String,
    claims: Value,
}

/// A code, and all that is needed to exchange it.
#[derive(Debug, Clone)]
pub struct Code {
    /// The code.
    pub code: String,
    /// What proves that it was asked for by the same client (RFC 7636).
    pub verifier: String,
    /// Where it was sent.
    pub redirect_uri: String,
    /// What the ID token has to repeat.
    pub nonce: String,
}

/// What a code is exchanged for.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// Who it is.
    pub id: String,
    /// What the provider itself takes.
    pub access: String,
    /// For new ones.
    pub refresh: String,
}

/// By which key a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The provider's own.
    Own,
    /// Somebody else's, under the id of the provider's own.
    Other,
    /// The provider's public one, taken for a secret.
    Public,
    /// None at all.
    Nobody,
}

impl By {
    fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Other => "other",
            Self::Public => "public",
            Self::Nobody => "none",
        }
    }
}

impl People {
    /// Those of the stack's own provider.
    pub fn of_stack() -> Self {
        let variable = |name| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `make test`"));
        let (issuer, console) = (variable("MOORAGE_OIDC_ISSUER"), variable("MOORAGE_URL"));
        Self { url: issuer.clone(), issuer, redirect_uri: format!("{console}/console"), client: CLIENT }
    }

    /// Those of a provider of a test's own.
    pub fn of(provider: &Provider) -> Self {
        let redirect_uri = "http://localhost/console".to_owned();
        Self { issuer: provider.issuer.clone(), url: provider.url(), redirect_uri, client: CLIENT }
    }

    /// The same people at a client that has a secret besides.
    #[must_use]
    pub fn confidential(&self) -> Self {
        Self { client: CONFIDENTIAL, ..self.clone() }
    }

    /// Somebody new, who is in these groups.
    pub async fn person(&self, name: &str, groups: &[&str]) -> Person {
        let name = format!("{name}-{:08x}", rand::rng().random::<u32>());
        self.somebody(&name, json!({"groups": groups})).await
    }

    /// Somebody new with a name of the test's, and with these claims besides or instead of the usual ones.
    pub async fn somebody(&self, name: &str, claims: Value) -> Person {
        let id = format!("{:016x}", rand::rng().random::<u64>());
        let mut person = Person {
            people: self.clone(),
            name: name.to_owned(),
            login: format!("login-{id}"),
            subject: format!("subject-{id}"),
            claims: json!({"preferred_username": name, "email": format!("{id}@example.com"), "email_verified": true}),
        };
        person.has(claims).await;
        person
    }

    /// A token that the provider would not give: these claims besides or instead of those of a good one (null for none),
    /// signed by any key.
    pub async fn forged(&self, claims: Value, by: By) -> String {
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        let mut all = json!({
            "iss": self.issuer, "aud": CLIENT, "sub": "subject-of-forger", "preferred_username": "forger",
            "iat": now, "exp": now + 600,
        });
        merge(&mut all, claims);
        self.told("sign", &json!({"header": {}, "claims": all, "by": by.name()})).await
    }

    /// Takes new keys, and none of the earlier ones.
    pub async fn rotate(&self, key_id: &str) {
        self.told("rotate", &json!({"key_id": key_id})).await;
    }

    async fn told(&self, what: &str, body: &Value) -> String {
        let answer = http().post(format!("{}/test/{what}", self.url)).body(body.to_string()).send().await.unwrap();
        assert!(answer.status().is_success(), "{what}: {answer:?}");
        answer.text().await.unwrap()
    }

    /// What the provider's token endpoint says to a form of the public client.
    ///
    /// # Errors
    ///
    /// The provider's answer, if it gives no tokens.
    pub async fn ask_for_tokens(&self, form: &[(&str, &str)]) -> Result<Tokens, Value> {
        let form = form.iter().chain([&("client_id", CLIENT)]);
        let request = http().post(format!("{}/token", self.url)).body(walk::form(form.copied()));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        let token = |name: &str| answer[name].as_str().map(str::to_owned);
        match (token("id_token"), token("access_token"), token("refresh_token")) {
            (Some(id), Some(access), Some(refresh)) => Ok(Tokens { id, access, refresh }),
            _ => Err(answer),
        }
    }

    /// New tokens by a refresh token.
    ///
    /// # Errors
    ///
    /// The provider's answer, if it gives none.
    pub async fn refresh(&self, token: &str) -> Result<Tokens, Value> {
        self.ask_for_tokens(&[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }
}

impl Person {
    /// Gives them other claims (null takes one away).
    pub async fn has(&mut self, claims: Value) {
        merge(&mut self.claims, claims);
        let (login, subject) = (&self.login, &self.subject);
        let account = json!({"login": login, "password": PASSWORD, "subject": subject, "claims": self.claims});
        self.people.told("accounts", &account).await;
    }

    /// Has them in these groups, and in no other.
    pub async fn is_in(&mut self, groups: &[&str]) {
        self.has(json!({ "groups": groups })).await;
    }

    /// What they type on the provider's page: name and password.
    pub fn login(&self) -> (&str, &str) {
        (&self.login, PASSWORD)
    }

    /// Signs in, and comes back with a code.
    pub async fn code(&self) -> Code {
        let random = || format!("{:032x}{:032x}", rand::rng().random::<u128>(), rand::rng().random::<u128>());
        let (verifier, state, nonce) = (random(), random(), random());
        let challenge = walk::challenge(&Digest::sha256(verifier.as_bytes()));
        let query = [
            ("client_id", self.people.client),
            ("response_type", "code"),
            ("scope", SCOPES),
            ("redirect_uri", &self.people.redirect_uri),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("state", &state),
            ("nonce", &nonce),
        ];
        let mut browser = Browser::new(&self.people.url, &self.people.redirect_uri);
        browser.open(&format!("/auth?{}", walk::form(query))).await;
        browser.submit(&[("login", &self.login), ("password", PASSWORD)]).await;
        let back = browser.left.unwrap_or_else(|| panic!("{} does not come back: {}", self.name, browser.page));
        let answer = |name: &str| {
            let mut pairs = Url::parse(&back).unwrap().query_pairs().into_owned().collect::<Vec<_>>().into_iter();
            pairs.find(|pair| pair.0 == name).map(|pair| pair.1)
        };
        assert_eq!((answer("state"), answer("iss")), (Some(state), Some(self.people.issuer.clone())), "{back}");
        let code = answer("code").unwrap_or_else(|| panic!("{} is refused: {back}", self.name));
        Code { code, verifier, redirect_uri: self.people.redirect_uri.clone(), nonce }
    }

    /// Signs in, and exchanges the code at the provider, as who has nobody to do that.
    pub async fn tokens(&self) -> Tokens {
        let code = self.code().await;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code.code),
            ("code_verifier", &code.verifier),
            ("redirect_uri", &code.redirect_uri),
        ];
        self.people.ask_for_tokens(&form).await.unwrap()
    }

    /// An ID token.
    pub async fn token(&self) -> String {
        self.tokens().await.id
    }

    /// Signs in for a device, in a browser elsewhere.
    pub async fn approve(&self, user_code: &str) {
        let mut browser = Browser::new(&self.people.url, &self.people.redirect_uri);
        browser.open("/device").await;
        browser.submit(&[("user_code", user_code)]).await;
        browser.submit(&[]).await;
        browser.submit(&[("login", &self.login), ("password", PASSWORD)]).await;
        assert!(browser.page.contains("You are signed in"), "{}", browser.page);
    }

    /// Says for a device that it is somebody else's.
    pub async fn deny(&self, user_code: &str) {
        let mut browser = Browser::new(&self.people.url, &self.people.redirect_uri);
        browser.open("/device").await;
        browser.submit(&[("user_code", user_code)]).await;
        browser.submit(&[("abort", "yes")]).await;
    }
}

/// Puts fields into an object; null takes one out.
fn merge(into: &mut Value, changes: Value) {
    let (Value::Object(into), Value::Object(changes)) = (into, changes) else { panic!("objects are merged") };
    for (name, value) in changes {
        if value.is_null() {
            into.remove(&name);
        } else {
            into.insert(name, value);
        }
    }
}

/// What a token's header says.
pub fn header(token: &str) -> Value {
    part(token, 0)
}

/// What a token says.
pub fn claims(token: &str) -> Value {
    part(token, 1)
}

fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).unwrap_or_else(|| panic!("no token"));
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}
