//! What the integration tests share: the deployed stack as its users see it, real registries and clients, and an
//! upstream that misbehaves on demand.
//!
//! Everything here runs against the stack that `make test` starts, and on loopback only.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a test that cannot go on fails"
)]

pub mod alone;
pub mod aws;
pub mod browser;
pub mod bucket;
pub mod cli;
pub mod client;
pub mod clouds;
pub mod counted;
pub mod declared;
pub mod document;
pub mod fork;
pub mod function;
pub mod gate;
pub mod guarded;
pub mod hostile;
pub mod image;
pub mod invoke;
pub mod lab;
pub mod limited;
pub mod logs;
pub mod node;
pub mod openssl;
pub mod organization_mirror;
pub mod people;
pub mod process;
pub mod provider;
pub mod proxy;
pub mod real;
pub mod receiver;
pub mod registry;
pub mod seed;
pub mod signing;
pub mod sigstore;
pub mod skopeo;
pub mod slow;
pub mod stack;
pub mod table;
pub mod tuf;
pub mod victim;
pub mod world;

use std::time::{Duration, Instant};

/// Asks again and again until there is an answer; panics with `what` if there is none in time.
pub async fn eventually<T>(what: &str, limit: Duration, ask: impl AsyncFnMut() -> Option<T>) -> T {
    within(limit, ask).await.unwrap_or_else(|| panic!("{what}: not within {limit:?}"))
}

/// Asks again and again until there is an answer, or the time is up.
pub async fn within<T>(limit: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        let answer = ask().await;
        if answer.is_some() || Instant::now() >= deadline {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A client that takes nothing from the environment and follows no redirects.
pub fn http() -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    builder.tls_danger_accept_invalid_certs(true).build().unwrap()
}
