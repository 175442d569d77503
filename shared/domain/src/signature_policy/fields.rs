//! What a policy's fields are, and what they have to be together.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{
    Require,
    authority::{Authority, Format, KeySource, KmsKey, Signer, TransparencyLog, TrustRootId},
    identity::{Identity, IdentityFields},
    public_key::PublicKey,
};
use crate::{
    lists::{GlobList, ListError},
    mode::Mode,
    object::Object,
};

/// The most authorities: each is compared with each signature of an image.
const MAX_AUTHORITIES: usize = 16;
/// The most identities of an authority.
const MAX_IDENTITIES: usize = 32;
/// The most predicate types of an authority.
const MAX_ATTESTATIONS: usize = 16;
/// The longest name of an authority, in bytes. It is in each outcome.
const MAX_NAME_LENGTH: usize = 64;
/// The longest issuer, subject or predicate type, in bytes: URLs, for people.
const MAX_TEXT_LENGTH: usize = 1024;

/// A field's path, and what is wrong with it.
type Refused = (String, String);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fields {
    pub(super) mode: Mode,
    pub(super) require: Option<Require>,
    pub(super) authorities: Option<Vec<Object<AuthorityFields>>>,
    pub(super) tags: Option<GlobList>,
    pub(super) no_rollback: Option<bool>,
    pub(super) judge_served: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthorityFields {
    name: String,
    key: Option<Object<KeyFields>>,
    keyless: Option<Object<KeylessFields>>,
    formats: Option<Vec<Format>>,
    transparency_log: Option<TransparencyLog>,
    attestations: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFields {
    pem: Option<PublicKey>,
    kms: Option<KmsKey>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeylessFields {
    identities: Vec<Object<IdentityFields>>,
    trust_root: Option<TrustRootId>,
}

/// All authorities, of which each has its own name.
pub(super) fn authorities(mode: Mode, given: Vec<Object<AuthorityFields>>) -> Result<Vec<Authority>, Refused> {
    let list = || "authorities".to_owned();
    if given.is_empty() && mode != Mode::Off {
        return Err((list(), "names nobody who may sign".to_owned()));
    }
    bounded(&list(), given.len(), MAX_AUTHORITIES)?;
    let mut names = BTreeSet::new();
    let mut read = |(at, Object(fields)): (usize, Object<AuthorityFields>)| {
        let path = format!("authorities[{at}]");
        if !names.insert(fields.name.clone()) {
            return Err((format!("{path}.name"), "is the name of another authority, too".to_owned()));
        }
        authority(&path, fields)
    };
    given.into_iter().enumerate().map(&mut read).collect()
}

fn authority(path: &str, fields: AuthorityFields) -> Result<Authority, Refused> {
    let refused = |field: &str, reason: &str| Err((format!("{path}.{field}"), reason.to_owned()));
    let AuthorityFields { name, key, keyless, formats, transparency_log, attestations } = fields;
    if !is_name(&name) {
        return refused("name", "is no name: 1 to 64 letters, digits, `-`, `_` and `.`");
    }
    let signer = match (key, keyless) {
        (Some(Object(key)), None) => Signer::Key(match (key.pem, key.kms) {
            (Some(key), None) => KeySource::Pem(key),
            (None, Some(key)) => KeySource::Kms(key),
            _ => return refused("key", "takes `pem` or `kms`, one of them"),
        }),
        (None, Some(Object(keyless))) => {
            let identities = identities(&format!("{path}.keyless.identities"), keyless.identities)?;
            Signer::Keyless { identities, trust_root: keyless.trust_root.unwrap_or(TrustRootId::Public) }
        }
        _ => return Err((path.to_owned(), "takes `key` or `keyless`, one of them".to_owned())),
    };
    let transparency_log = transparency_log.unwrap_or_default();
    if transparency_log == TransparencyLog::Optional && matches!(signer, Signer::Keyless { .. }) {
        return refused(
            "transparency_log",
            "may be optional with a key only: what is signed without one has its time from the log",
        );
    }
    let formats = formats.unwrap_or_else(|| vec![Format::Bundle, Format::Simple]);
    if formats.is_empty() {
        return refused("formats", &ListError::Empty.to_string());
    }
    let attestations = attestations.unwrap_or_default();
    if !attestations.is_empty() && !formats.contains(&Format::Bundle) {
        return refused("attestations", "are taken from bundles only, which `formats` leaves out");
    }
    let field = format!("{path}.attestations");
    bounded(&field, attestations.len(), MAX_ATTESTATIONS)?;
    for (at, text) in attestations.iter().enumerate() {
        self::text(&format!("{field}[{at}]"), text)?;
    }
    Ok(Authority { name, signer, formats, transparency_log, attestations })
}

fn identities(path: &str, given: Vec<Object<IdentityFields>>) -> Result<Vec<Identity>, Refused> {
    if given.is_empty() {
        return Err((path.to_owned(), "names nobody who may sign".to_owned()));
    }
    bounded(path, given.len(), MAX_IDENTITIES)?;
    let read = |(at, Object(fields)): (usize, Object<IdentityFields>)| {
        let path = format!("{path}[{at}]");
        for (name, exact) in fields.texts() {
            text(&format!("{path}.{name}"), exact)?;
        }
        Identity::new(fields).map_err(|reason| (path, reason.to_string()))
    };
    given.into_iter().enumerate().map(read).collect()
}

fn bounded(path: &str, length: usize, most: usize) -> Result<(), Refused> {
    if length > most { Err((path.to_owned(), format!("has more than {most} entries"))) } else { Ok(()) }
}

fn text(path: &str, text: &str) -> Result<(), Refused> {
    match text.len() {
        0 => Err((path.to_owned(), "is empty".to_owned())),
        length if length > MAX_TEXT_LENGTH => Err((path.to_owned(), format!("is longer than {MAX_TEXT_LENGTH} bytes"))),
        _ => Ok(()),
    }
}

fn is_name(name: &str) -> bool {
    let is_taken = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=MAX_NAME_LENGTH).contains(&name.len()) && name.bytes().all(is_taken)
}
