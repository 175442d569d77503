//! People who sign in with the company's OpenID provider.

mod bed;
mod ended;
mod forgeries;
mod groups;
mod logins;
mod names;
mod outage;
mod pulls;
mod roles;
mod sign_in;
mod tenants;
mod tokens;

use std::time::Duration;

use moorage_tests::{people::Person, world::World};
use reqwest::Method;
use serde_json::{Value, json};

/// How long somebody may still have what was taken away, or not yet have what was given: 30 seconds, and some for a slow
/// machine.
const KEPT: Duration = Duration::from_secs(45);

/// Waits until tokens are issued that are newer than what was done just now: they and the table know whole seconds.
async fn next_second() {
    tokio::time::sleep(Duration::from_millis(1_100)).await;
}

/// Somebody who calls the API.
struct Visitor<'w> {
    world: &'w World,
    token: String,
}

impl<'w> Visitor<'w> {
    /// With any token.
    fn with(world: &'w World, token: impl Into<String>) -> Self {
        Self { world, token: token.into() }
    }

    /// Somebody who signs in, and is known from now on.
    async fn of(world: &'w World, person: &Person) -> Self {
        let visitor = Self::with(world, person.token().await);
        let (status, user) = visitor.get("user/").await;
        assert_eq!((status, &user["username"]), (200, &json!(person.name)), "{user}");
        visitor
    }

    /// Without a body where that is null.
    async fn call(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let body = (!body.is_null()).then(|| body.to_string().into_bytes());
        self.world.send(method, path, Some(&self.token), body).await
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.call(Method::GET, path, &Value::Null).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.call(Method::POST, path, &body).await
    }

    async fn put(&self, path: &str, body: Value) -> (u16, Value) {
        self.call(Method::PUT, path, &body).await
    }

    async fn delete(&self, path: &str) -> (u16, Value) {
        self.call(Method::DELETE, path, &Value::Null).await
    }

    /// The names of the repositories of the world's namespace that they are shown.
    async fn repositories(&self) -> Vec<String> {
        let (status, list) = self.get(&format!("repository?namespace={}", self.world.namespace)).await;
        assert_eq!(status, 200, "{list}");
        list["repositories"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
    }
}

/// The stack's admin.
fn admin(world: &World) -> Visitor<'_> {
    Visitor::with(world, &world.stack.token)
}

/// A team of the world's organization.
async fn team(world: &World, name: &str, role: &str) -> String {
    let path = format!("organization/{}/team/{name}", world.namespace);
    assert_eq!(admin(world).put(&path, json!({"role": role})).await.0, 200);
    path
}

/// Takes somebody into a team.
async fn join(world: &World, team: &str, person: &Person) {
    let (status, member) = admin(world).put(&format!("{team}/members/{}", person.name), Value::Null).await;
    let avatar = json!({"name": person.name, "hash": "", "color": "#969696", "kind": "user"});
    let expected = json!({"name": person.name, "kind": "user", "is_robot": false, "avatar": avatar, "invited": false});
    assert_eq!((status, member), (200, expected));
}

/// Gives somebody a role on the world's repository.
async fn grant(world: &World, person: &Person, role: &str) {
    let path = format!("repository/{}/permissions/user/{}", world.repository, person.name);
    let (status, granted) = admin(world).put(&path, json!({"role": role})).await;
    assert_eq!((status, &granted["role"], &granted["is_robot"]), (200, &json!(role), &json!(false)), "{granted}");
}
