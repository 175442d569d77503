//! The field `tls` of an external registry: authorities and a client's certificate, as calls change them. They are sealed for
//! the registry that they were sent for; nothing here can open them, and only what may be told of them is shown.

use moorage_domain::{CaBundle, ClientCertificate, ExposeSecret as _, Timestamp, TlsSecrets, mirror::TLS};
use moorage_state::{Purpose, SecretOwner};
use serde_json::{Map, Value, json};

use crate::{
    api::Api,
    external_registry::certificates::{CertificateError, Judged, authorities, chain, key},
    http::{error::ApiError, field::Fields},
};

/// Authorities in PEM.
const CA_BUNDLE: &str = "ca_bundle";
/// A client's certificate and its chain in PEM.
const CLIENT_CERTIFICATE: &str = "client_certificate";
/// The certificate's key in PEM.
const CLIENT_KEY: &str = "client_key";
/// What is shown, and means nothing where it is sent back.
const SHOWN: [&str; 4] = ["ca_subjects", "ca_expires", "client_subject", "client_expires"];

/// What a call says of it: nothing of what stays, and `Some(None)` of what goes.
#[derive(Debug, Default, Clone)]
pub(crate) struct SentTls {
    ca_bundle: Option<Option<Judged>>,
    /// With the key.
    client: Option<Option<Judged>>,
}

impl SentTls {
    /// Reads the field, and judges what it holds.
    pub(crate) fn parse(sent: &Map<String, Value>, now: Timestamp) -> Result<Self, ApiError> {
        if sent.get(TLS).is_some_and(Value::is_null) {
            return Ok(Self { ca_bundle: Some(None), client: Some(None) });
        }
        let Some(tls) = Fields(sent).object(TLS)? else { return Ok(Self::default()) };
        let fields = Fields(tls);
        let known: Vec<_> = [CA_BUNDLE, CLIENT_CERTIFICATE, CLIENT_KEY].into_iter().chain(SHOWN).collect();
        fields.refuse_others(&known)?;
        let wrong = |name: &str| {
            let name = name.to_owned();
            move |error: CertificateError| ApiError::InvalidRequest(format!("{name}: {error}"))
        };
        let ca_bundle = match fields.nullable_string(CA_BUNDLE)? {
            Some(Some(text)) => Some(Some(authorities(text, now).map_err(wrong(CA_BUNDLE))?)),
            other => other.map(|_| None),
        };
        let pair = (fields.nullable_string(CLIENT_CERTIFICATE)?, fields.nullable_string(CLIENT_KEY)?);
        let client = match pair {
            (None, None) => None,
            (None | Some(None), None | Some(None)) => Some(None),
            (Some(Some(certificates)), Some(Some(text))) => {
                let (judged, chain) = chain(certificates, now).map_err(wrong(CLIENT_CERTIFICATE))?;
                let key = key(text, chain).map_err(wrong(CLIENT_KEY))?;
                let pem = format!("{}{}", judged.pem.expose_secret(), key.expose_secret());
                Some(Some(Judged { pem: pem.into(), ..judged }))
            }
            _ => {
                let message = "client_certificate and client_key go together: send both, or null for none";
                return Err(ApiError::InvalidRequest(message.into()));
            }
        };
        Ok(Self { ca_bundle, client })
    }

    /// Whether something is said of it.
    pub(crate) const fn is_said(&self) -> bool {
        self.ca_bundle.is_some() || self.client.is_some()
    }

    /// Whether somebody is trusted who was not, or might not have been: nothing here can read what is stored.
    pub(crate) const fn trusts_more(&self) -> bool {
        matches!(self.ca_bundle, Some(Some(_)))
    }

    /// Whether something stays of what is stored because nothing is said of it.
    pub(crate) const fn keeps_any_of(&self, stored: &TlsSecrets) -> bool {
        (self.ca_bundle.is_none() && stored.ca_bundle.is_some()) || (self.client.is_none() && stored.client.is_some())
    }

    /// What is to be stored, where `kept` is what stays if nothing is said of it.
    pub(crate) async fn sealed(
        &self,
        api: &Api,
        (owner, registry): (SecretOwner<'_>, &str),
        kept: TlsSecrets,
    ) -> Result<TlsSecrets, ApiError> {
        let purpose = Purpose::Tls(owner, registry);
        let ca_bundle = match &self.ca_bundle {
            Some(Some(judged)) => Some(CaBundle {
                sealed: api.secrets.seal(purpose, &judged.pem).await?,
                subjects: judged.subjects.clone(),
                expires: judged.expires,
            }),
            Some(None) => None,
            None => kept.ca_bundle,
        };
        let client = match &self.client {
            Some(Some(judged)) => Some(ClientCertificate {
                sealed: api.secrets.seal(purpose, &judged.pem).await?,
                subject: judged.subjects.first().cloned().unwrap_or_default(),
                expires: judged.expires,
            }),
            Some(None) => None,
            None => kept.client,
        };
        Ok(TlsSecrets { ca_bundle, client })
    }

    /// What the usage log says of it: whom it is of, or that there is none now.
    pub(crate) fn changes(&self) -> Vec<(&'static str, Value)> {
        let whom = |judged: &Option<Judged>| judged.as_ref().map(|judged| judged.subjects.clone()).into();
        let all = [(CA_BUNDLE, &self.ca_bundle), (CLIENT_CERTIFICATE, &self.client)];
        all.into_iter().filter_map(|(name, said)| Some((name, whom(said.as_ref()?)))).collect()
    }
}

/// What is shown of what is stored, if there is something.
pub(crate) fn shown(stored: &TlsSecrets) -> Option<Value> {
    let mut shown = Map::new();
    if let Some(bundle) = &stored.ca_bundle {
        shown.insert("ca_subjects".to_owned(), json!(bundle.subjects));
        shown.insert("ca_expires".to_owned(), bundle.expires.iso().into());
    }
    if let Some(client) = &stored.client {
        shown.insert("client_subject".to_owned(), json!(client.subject));
        shown.insert("client_expires".to_owned(), client.expires.iso().into());
    }
    (!shown.is_empty()).then(|| shown.into())
}

#[cfg(test)]
mod tests;
