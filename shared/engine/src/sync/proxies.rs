//! The proxies of a mirror with their passwords, which are kept apart.

use moorage_domain::{ExposeSecret as _, ProxyUrl, SecretString, mirror::RegistryConfig};
use moorage_state::{MirrorSecrets, Owner, Purpose};

use crate::{error::WorkError, sync::Engine};

/// URLs with their passwords.
pub(crate) struct Proxies {
    pub(crate) http: Option<SecretString>,
    pub(crate) https: Option<SecretString>,
}

/// Puts the passwords into the URLs of a configuration.
pub(crate) async fn decrypted(
    engine: &Engine,
    config: &RegistryConfig,
    owner: Owner<'_>,
    registry: &str,
    secrets: &MirrorSecrets,
) -> Result<Proxies, WorkError> {
    let whole = async |key: &str| -> Result<Option<SecretString>, WorkError> {
        let Some(text) = config.proxy(key) else { return Ok(None) };
        let (Some(password), Ok(url)) = (secrets.proxy(key), ProxyUrl::split(text)) else {
            return Ok(Some(text.into()));
        };
        let purpose = Purpose::Proxy { owner, registry, proxy: url.address() };
        let password = engine.secrets.decrypt(purpose, password).await?;
        Ok(Some(url.with_password(password.expose_secret()).into()))
    };
    Ok(Proxies { http: whole("http_proxy").await?, https: whole("https_proxy").await? })
}
