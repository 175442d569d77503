//! The identity provider that people sign in with, as the deployment's settings name it.

use moorage_domain::{GroupName, Guard};
use moorage_identity::{Issuer, IssuerError, Issuers};
use moorage_runtime::StackSecret;

use crate::sign_in::sources::Sources;

/// The identity provider that people sign in with.
pub struct Provider {
    pub(crate) issuer: Issuer,
    pub(crate) client_id: String,
    pub(crate) client_secret: Option<StackSecret>,
    pub(crate) user_claim: String,
    pub(crate) groups_claim: String,
    pub(crate) superusers: Option<GroupName>,
    pub(crate) scopes: String,
    /// What it publishes. Whom workloads' federations name is kept apart: who makes up issuers at its host uses up no question
    /// that people need.
    pub(crate) issuers: Issuers,
    /// Who has had something exchanged.
    pub(crate) sources: Sources,
}

/// The settings, as they are given.
pub struct ProviderSettings {
    /// Whose tokens people show.
    pub issuer: String,
    /// The client that they are for.
    pub client_id: String,
    /// Its secret, if it is not a public one.
    pub client_secret: Option<StackSecret>,
    /// The claim that is a person's name.
    pub user_claim: String,
    /// The claim that has a person's groups.
    pub groups_claim: String,
    /// Whoever is in it may do everything; empty if that is nobody.
    pub superuser_group: String,
    /// What console and CLI ask for.
    pub scopes: String,
}

/// Why nobody can sign in by some settings.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The issuer is none that may be asked.
    #[error("OidcIssuer: {0}")]
    Issuer(#[from] IssuerError),
    /// There is an issuer, and no client of it.
    #[error("OidcClientId is empty")]
    NoClient,
    /// No provider can have such a group.
    #[error("OidcSuperuserGroup is no name of a group")]
    Group,
}

impl Provider {
    /// A provider by its settings. Nothing is asked yet.
    pub fn new(settings: ProviderSettings, guard: &Guard) -> Result<Self, ProviderError> {
        let issuer = Issuer::parse(&settings.issuer, guard)?;
        if settings.client_id.is_empty() {
            return Err(ProviderError::NoClient);
        }
        let group = Some(settings.superuser_group).filter(|group| !group.is_empty());
        Ok(Self {
            issuer,
            client_id: settings.client_id,
            client_secret: settings.client_secret,
            user_claim: settings.user_claim,
            groups_claim: settings.groups_claim,
            superusers: group.map(|group| group.parse()).transpose().map_err(|_| ProviderError::Group)?,
            scopes: settings.scopes,
            issuers: Issuers::new(guard.clone()),
            sources: Sources::default(),
        })
    }

    /// The issuer's host, by which people know it.
    pub(crate) fn host(&self) -> String {
        url::Url::parse(self.issuer.as_str()).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(issuer: &str, client_id: &str, superusers: &str) -> Result<Provider, ProviderError> {
        let settings = ProviderSettings {
            issuer: issuer.into(),
            client_id: client_id.into(),
            client_secret: None,
            user_claim: "preferred_username".into(),
            groups_claim: "groups".into(),
            superuser_group: superusers.into(),
            scopes: "openid".into(),
        };
        Provider::new(settings, &Guard::default())
    }

    #[test]
    fn settings_that_let_nobody_in_are_told() {
        let provider = new("https://idp.example:8443/a", "moorage", "").unwrap();
        assert_eq!((provider.host().as_str(), provider.superusers), ("idp.example", None));
        assert!(new("https://idp.example", "moorage", "platform").unwrap().superusers.is_some());
        assert!(matches!(new("http://idp.example", "moorage", ""), Err(ProviderError::Issuer(_))));
        assert!(matches!(new("https://10.0.0.1", "moorage", ""), Err(ProviderError::Issuer(_))));
        assert!(matches!(new("https://idp.example", "", ""), Err(ProviderError::NoClient)));
        assert!(matches!(new("https://idp.example", "moorage", &"g".repeat(256)), Err(ProviderError::Group)));
    }
}
