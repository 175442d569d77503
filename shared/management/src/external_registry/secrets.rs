//! The secrets of mirrors, as calls change them: encrypted for the destination that they were sent for, and dropped
//! when a change names another one. Nothing here can decrypt.

use moorage_domain::{
    Ciphertext, Dropped, ExposeSecret as _, MirrorSecrets, ProxyUrl, SecretString, TlsSecrets,
    mirror::{PROXY_URL_KEYS, RegistryConfig, TLS},
    proxy::MASK,
};
use moorage_state::{Purpose, SecretOwner};
use serde_json::{Map, Value};

use crate::{
    api::Api,
    external_registry::tls::{self, SentTls},
    http::error::ApiError,
};

/// Where the secrets of a mirror go.
#[derive(Debug)]
pub(crate) struct Destination<'a> {
    /// The scheme, where one is given.
    pub(crate) scheme: &'a str,
    /// The registry's host.
    pub(crate) registry: &'a str,
    /// The way there: proxies, and whether certificates are checked.
    pub(crate) config: &'a RegistryConfig,
}

/// What a call says of the password of a proxy that it sets.
#[derive(Debug, Clone)]
pub(crate) enum SentProxy {
    /// It has none.
    Without,
    /// It is the one that is stored.
    Masked,
    /// It is this one.
    With(SecretString),
}

/// What a call says of the passwords of proxies, by [`PROXY_URL_KEYS`]; `None` where it does not set the proxy.
#[derive(Debug, Default, Clone)]
pub(crate) struct SentProxies([Option<SentProxy>; 2]);

/// Passwords that earlier builds have left in the URLs of proxies, by [`PROXY_URL_KEYS`].
#[derive(Debug, Default)]
pub(crate) struct PlainProxies([Option<SecretString>; 2]);

impl SentProxies {
    /// Takes note of a proxy's URL, and returns it without its password.
    pub(crate) fn take(&mut self, key: &str, url: Option<&str>) -> Result<Value, ApiError> {
        let Some(index) = PROXY_URL_KEYS.iter().position(|known| *known == key) else { return Ok(url.into()) };
        let Some(text) = url else {
            self.0[index] = Some(SentProxy::Without);
            return Ok(Value::Null);
        };
        if text.is_empty() {
            self.0[index] = Some(SentProxy::Without);
            return Ok(text.into());
        }
        let url = ProxyUrl::parse(text).map_err(|error| ApiError::InvalidRequest(format!("{key} {error}")))?;
        self.0[index] = Some(match url.password() {
            None => SentProxy::Without,
            Some(MASK) => SentProxy::Masked,
            Some(password) => SentProxy::With(password.into()),
        });
        Ok(url.without_password().into())
    }

    /// Fails if a new mirror is to have a password that is stored: it has none yet.
    pub(crate) fn refuse_masked(&self) -> Result<(), ApiError> {
        let sent = PROXY_URL_KEYS.into_iter().zip(&self.0);
        match sent.into_iter().find(|(_, sent)| matches!(sent, Some(SentProxy::Masked))) {
            Some((key, _)) => Err(ApiError::InvalidRequest(format!(
                "{key}: {MASK} stands for a password that is stored, and a new mirror has none: send the password"
            ))),
            None => Ok(()),
        }
    }
}

/// Takes the passwords out of the proxies of a configuration that an earlier build has stored.
pub(crate) fn take_plain(config: &mut RegistryConfig) -> PlainProxies {
    let mut plain = PlainProxies::default();
    for (key, found) in PROXY_URL_KEYS.into_iter().zip(&mut plain.0) {
        config.change_proxy(key, |text| match ProxyUrl::split(text) {
            Ok(url) => {
                *found = url.password().map(Into::into);
                url.without_password()
            }
            Err(_) => text.to_owned(),
        });
    }
    plain
}

/// A configuration as it is shown: with masks in place of the passwords of proxies, and with what may be told of TLS.
pub(crate) fn shown(config: &RegistryConfig, secrets: &MirrorSecrets) -> RegistryConfig {
    let mut shown = config.clone();
    for key in PROXY_URL_KEYS {
        let is_stored = secrets.proxy(key).is_some();
        shown.change_proxy(key, |text| match ProxyUrl::split(text) {
            Ok(url) if is_stored => url.with_password(MASK),
            Ok(url) => url.masked(),
            // Only an earlier build can have stored it, and there may be a password anywhere in it.
            Err(_) => MASK.to_owned(),
        });
    }
    match tls::shown(&secrets.tls) {
        Some(tls) => shown.with(TLS, tls),
        None => shown,
    }
}

/// What a call changes of the secrets of a mirror.
pub(crate) struct SecretsChange<'a> {
    pub(crate) owner: SecretOwner<'a>,
    /// What there was: `None` for a new mirror.
    pub(crate) before: Option<(&'a MirrorSecrets, Destination<'a>)>,
    pub(crate) plain: &'a PlainProxies,
    pub(crate) after: Destination<'a>,
    /// The password at the registry; `None` where none was sent. An empty one is none without a user name.
    pub(crate) password: Option<&'a Option<SecretString>>,
    pub(crate) proxies: &'a SentProxies,
    pub(crate) tls: &'a SentTls,
    /// Whether there is a user name.
    pub(crate) has_user: bool,
    /// Whether a password is of any use: a mirror without a user name does not send it.
    pub(crate) is_used: bool,
}

impl SecretsChange<'_> {
    /// The secrets as they are to be stored. What is not sent is kept only if it goes where it went before.
    pub(crate) async fn secrets(&self, api: &Api) -> Result<MirrorSecrets, ApiError> {
        let nothing = MirrorSecrets::default();
        let stored = self.before.as_ref().map_or(&nothing, |(secrets, _)| secrets);
        let dropped = stored.credentials_dropped;
        let (password, password_dropped) = match self.password {
            Some(sent) => (self.encrypted(api, sent.as_ref()).await?, false),
            None if stored.external_registry_password.is_none() => (None, dropped.external_registry_password),
            None if self.is_same_way() => (stored.external_registry_password.clone(), false),
            None => (None, true),
        };
        let plain = self.proxy(api, 0, dropped.http_proxy).await?;
        let encrypted = self.proxy(api, 1, dropped.https_proxy).await?;
        let (tls, tls_dropped) = self.tls(api, &stored.tls, dropped.tls).await?;
        Ok(MirrorSecrets {
            external_registry_password: password,
            http_proxy_password: plain.0,
            https_proxy_password: encrypted.0,
            credentials_dropped: Dropped {
                external_registry_password: password_dropped && self.is_used,
                http_proxy: plain.1,
                https_proxy: encrypted.1,
                tls: tls_dropped,
            },
            tls: Box::new(tls),
        })
    }

    /// What TLS goes by, and whether some of it was dropped. What stays goes to the same registry by whatever way: a key that
    /// signs is sent to nobody.
    async fn tls(&self, api: &Api, stored: &TlsSecrets, dropped: bool) -> Result<(TlsSecrets, bool), ApiError> {
        let before = self.before.as_ref().map(|(_, before)| before.registry);
        let is_same = before.is_some_and(|before| before.eq_ignore_ascii_case(self.after.registry));
        let kept = if is_same { stored.clone() } else { TlsSecrets::default() };
        let is_lost = !is_same && self.tls.keeps_any_of(stored);
        let tls = self.tls.sealed(api, (self.owner, self.after.registry), kept).await?;
        Ok((tls, is_lost || (dropped && !self.tls.is_said())))
    }

    async fn encrypted(&self, api: &Api, password: Option<&SecretString>) -> Result<Option<Ciphertext>, ApiError> {
        // An empty password goes with a user name as it is.
        let is_one = |password: &&SecretString| self.has_user || !password.expose_secret().is_empty();
        let Some(password) = password.filter(is_one) else { return Ok(None) };
        let purpose = Purpose::Registry(self.owner, self.after.registry);
        Ok(Some(api.secrets.encrypt(purpose, password).await?))
    }

    /// The password of a proxy, and whether one was dropped.
    async fn proxy(&self, api: &Api, index: usize, dropped: bool) -> Result<(Option<Ciphertext>, bool), ApiError> {
        let key = PROXY_URL_KEYS[index];
        let Some(url) = self.after.config.proxy(key) else { return Ok((None, false)) };
        let stored = self.before.as_ref().and_then(|(secrets, _)| secrets.proxy(key));
        let plain = self.plain.0[index].as_ref();
        let is_stored = stored.is_some() || plain.is_some();
        let is_same = self.before.as_ref().is_some_and(|(_, before)| before.config.proxy(key) == Some(url));
        match &self.proxies.0[index] {
            Some(SentProxy::With(password)) => Ok((Some(self.encrypted_for(api, url, password).await?), false)),
            Some(SentProxy::Without) => Ok((None, dropped && !is_stored && is_same)),
            Some(SentProxy::Masked) | None if is_stored && is_same && self.is_same_host() => match (stored, plain) {
                (None, Some(plain)) => Ok((Some(self.encrypted_for(api, url, plain).await?), false)),
                (stored, _) => Ok((stored.cloned(), false)),
            },
            Some(SentProxy::Masked) => Ok((None, true)),
            None => Ok((None, is_stored || dropped)),
        }
    }

    async fn encrypted_for(&self, api: &Api, url: &str, password: &SecretString) -> Result<Ciphertext, ApiError> {
        // It was split before it was stored.
        let url = ProxyUrl::split(url).map_err(|error| ApiError::InvalidRequest(error.to_string()))?;
        let purpose = Purpose::Proxy { owner: self.owner, registry: self.after.registry, proxy: url.address() };
        Ok(api.secrets.encrypt(purpose, password).await?)
    }

    /// Whether the registry is the same, with the same scheme and the same check of its certificate: whoever has an authority
    /// that is new can be the registry.
    fn is_same_host(&self) -> bool {
        let of =
            |it: &Destination<'_>| (it.registry.to_ascii_lowercase(), it.scheme.to_owned(), it.config.verify_tls());
        !self.tls.trusts_more() && self.before.as_ref().is_some_and(|(_, before)| of(before) == of(&self.after))
    }

    /// Whether it is also reached by the same proxies.
    fn is_same_way(&self) -> bool {
        let is_same = |before: &Destination<'_>| before.config.route() == self.after.config.route();
        self.is_same_host() && self.before.as_ref().is_some_and(|(_, before)| is_same(before))
    }
}

/// The settings whose stored passwords a change has dropped.
pub(crate) fn newly_dropped(before: &MirrorSecrets, after: &MirrorSecrets) -> Vec<&'static str> {
    let before = before.credentials_dropped.settings();
    after.credentials_dropped.settings().into_iter().filter(|name| !before.contains(name)).collect()
}

/// What the usage log says of a setting whose password was dropped.
pub(crate) fn dropped_entry(setting: &str) -> Map<String, Value> {
    let fields = [("changed", setting), ("reason", "credentials_dropped")];
    let fields = fields.map(|(name, value)| (name.to_owned(), Value::from(value)));
    fields.into_iter().chain([("to".to_owned(), Value::Null)]).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(value: &Value) -> RegistryConfig {
        RegistryConfig::new(value.as_object().cloned().unwrap())
    }

    #[test]
    fn passwords_of_proxies_are_taken_at_the_edge() {
        let mut sent = SentProxies::default();
        assert_eq!(sent.take("http_proxy", Some("http://u:hunter2@p:1")).unwrap(), "http://u@p:1");
        assert_eq!(sent.take("https_proxy", Some("http://u:********@p:1")).unwrap(), "http://u@p:1");
        assert_eq!(sent.take("no_proxy", Some("a,b")).unwrap(), "a,b");
        assert!(matches!(&sent.0, [Some(SentProxy::With(_)), Some(SentProxy::Masked)]));
        assert!(!format!("{sent:?}").contains("hunter2"));
        assert!(sent.refuse_masked().unwrap_err().to_string().starts_with("https_proxy"));
        let error = sent.take("http_proxy", Some("http://u:hunter2@p/x@y")).unwrap_err().to_string();
        assert!(error.starts_with("http_proxy must be ") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn what_is_stored_is_for_whom_it_was_trusted_with() {
        let config = config(&json!({"verify_tls": true}));
        let destination = || Destination { scheme: "https", registry: "quay.io", config: &config };
        let (stored, plain, proxies) = (MirrorSecrets::default(), PlainProxies::default(), SentProxies::default());
        let repository = "a/b".parse().unwrap();
        let is_same = |tls: SentTls| {
            let change = SecretsChange {
                owner: SecretOwner::Repository(&repository),
                before: Some((&stored, destination())),
                plain: &plain,
                after: destination(),
                password: None,
                proxies: &proxies,
                tls: &tls,
                has_user: true,
                is_used: true,
            };
            (change.is_same_host(), change.is_same_way())
        };
        assert_eq!(is_same(SentTls::default()), (true, true));
        let sent = |tls: Value| SentTls::parse(&Map::from_iter([(TLS.to_owned(), tls)]), moorage_state::now()).unwrap();
        assert_eq!(is_same(sent(Value::Null)), (true, true));
        assert_eq!(is_same(sent(json!({"ca_bundle": null}))), (true, true));
        let mut authority = rcgen::CertificateParams::default();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = authority.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem();
        assert_eq!(is_same(sent(json!({"ca_bundle": authority}))), (false, false));
    }

    #[test]
    fn what_earlier_builds_left_is_masked_and_taken_out() {
        let mut config = config(&json!({"proxy": {"http_proxy": "http://u:hunter2@p:1", "https_proxy": "http://q:1"}}));
        let masked = json!({"proxy": {"http_proxy": "http://u:********@p:1", "https_proxy": "http://q:1"}});
        assert_eq!(serde_json::to_value(shown(&config, &MirrorSecrets::default())).unwrap(), masked);
        let plain = take_plain(&mut config);
        assert!(plain.0[0].is_some() && plain.0[1].is_none());
        assert_eq!(config.proxy("http_proxy"), Some("http://u@p:1"));
    }
}
