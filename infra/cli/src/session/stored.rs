//! A sign-in, as it is kept.

use moorage_client::{Claims, Endpoint, ExposeSecret, SecretString, Tokens, ends_within};
use moorage_domain::Timestamp;
use serde::Deserialize;
use serde_json::json;

use crate::clock::now;

/// So many seconds before its end a token is renewed: no call takes longer to arrive.
const MARGIN: i64 = 30;

/// A sign-in: its tokens, and by whom they are renewed. That is kept with it, so that a refresh token goes to nobody but the
/// provider that has given it, whatever the deployment says by then.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Stored {
    /// The deployment.
    pub(crate) url: String,
    /// Who has signed it.
    pub(crate) issuer: String,
    /// For which client.
    pub(crate) client_id: String,
    /// Where it is renewed.
    pub(crate) token_endpoint: String,
    pub(crate) id_token: SecretString,
    pub(crate) refresh_token: Option<SecretString>,
    /// When its token came, by this machine's clock, which may be another than the provider's.
    pub(crate) received: Timestamp,
}

impl Stored {
    /// When its token ends, by this machine's clock.
    pub(crate) fn ends(&self) -> Option<Timestamp> {
        self.claims().map(|claims| claims.ends_after(self.received))
    }

    fn claims(&self) -> Option<Claims> {
        Claims::of(self.id_token.expose_secret())
    }

    /// Whether another one is the same person's.
    pub(crate) fn is_same_person(&self, other: &Self) -> bool {
        let subject = |stored: &Self| stored.claims().and_then(|claims| claims.subject);
        self.issuer == other.issuer && subject(self).is_some_and(|it| subject(other) == Some(it))
    }

    /// Whether its token has ended.
    pub(crate) fn has_ended(&self, now: Timestamp) -> bool {
        self.is_within(0, now)
    }

    /// Whether its token has ended, or does soon.
    pub(crate) fn ends_soon(&self, now: Timestamp) -> bool {
        self.is_within(MARGIN, now)
    }

    fn is_within(&self, margin: i64, now: Timestamp) -> bool {
        self.ends().is_none_or(|ends| ends_within(ends, margin, now))
    }

    /// Where it is renewed, and by what; nothing if it is not.
    pub(crate) fn renewal(&self) -> Option<(Endpoint, &SecretString)> {
        Some((Endpoint::parse(&self.token_endpoint).ok()?, self.refresh_token.as_ref()?))
    }

    /// The same with other tokens.
    pub(crate) fn with(self, tokens: Tokens) -> Self {
        Self { id_token: tokens.id_token, refresh_token: tokens.refresh_token, received: now(), ..self }
    }

    /// What the file has. It is not to be printed.
    pub(super) fn text(&self) -> String {
        let refresh_token = self.refresh_token.as_ref().map(ExposeSecret::expose_secret);
        let text = json!({
            "url": self.url, "issuer": self.issuer, "client_id": self.client_id, "token_endpoint": self.token_endpoint,
            "id_token": self.id_token.expose_secret(), "refresh_token": refresh_token, "received": self.received,
        });
        text.to_string()
    }
}
