//! Who may sign, and how.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{identity::Identity, public_key::PublicKey};

/// The longest name of a trusted root, in bytes: it is a part of a key of the table.
const MAX_ROOT_LENGTH: usize = 64;
/// The longest ARN, in bytes, as IAM has it.
const MAX_ARN_LENGTH: usize = 2_048;

/// One of those who may sign.
#[derive(Debug, Clone)]
pub struct Authority {
    /// Its name, for people.
    pub name: String,
    /// What its signatures are verified with.
    pub signer: Signer,
    /// The formats in which they are taken: at least one.
    pub(super) formats: Vec<Format>,
    /// Whether a log has to have them.
    pub transparency_log: TransparencyLog,
    /// The predicate types of which it has to have made an attestation each; with none, it has to have signed the image.
    pub attestations: Vec<String>,
}

/// What signatures are verified with.
#[derive(Debug, Clone)]
pub enum Signer {
    /// A public key.
    Key(KeySource),
    /// A certificate that a CA has given to one of these.
    Keyless {
        /// Of whom one has to have signed.
        identities: Vec<Identity>,
        /// Whose CA, log and clock are believed.
        trust_root: TrustRootId,
    },
}

/// Where a public key is from.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// From the policy.
    Pem(PublicKey),
    /// From KMS.
    Kms(KmsKey),
}

/// The ARN of a key, or of an alias of one, in KMS.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KmsKey(String);

/// A text that is no [`KmsKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no ARN of a key in KMS, as arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab")]
pub struct KmsKeyError;

/// How signatures are kept beside images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Sigstore's bundles, as referrers.
    Bundle,
    /// Simple signing, in tags that are named after the image's digest.
    Simple,
}

/// Whether a transparency log has to have a signature.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransparencyLog {
    /// It has to.
    #[default]
    Required,
    /// It need not.
    Optional,
}

/// The name of a trusted root: whose CA, log and clock are believed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TrustRootId {
    /// Sigstore's public instance.
    Public,
    /// GitHub's, for attestations of private repositories.
    Github,
    /// Another one.
    Other(String),
}

/// A text that is no [`TrustRootId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no name of a trusted root: `public`, `github`, or 1 to 64 lower case letters, digits and `-`")]
pub struct TrustRootIdError;

impl Authority {
    /// Whether its signatures are taken in a format.
    pub fn takes(&self, format: Format) -> bool {
        self.formats.contains(&format)
    }
}

impl KmsKey {
    /// The ARN.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The region that has it: the fourth part.
    pub fn region(&self) -> &str {
        self.0.split(':').nth(3).unwrap_or_default()
    }
}

impl TryFrom<String> for KmsKey {
    type Error = KmsKeyError;

    fn try_from(text: String) -> Result<Self, KmsKeyError> {
        let is_part = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_/".contains(&byte));
        let is_arn = match text.split(':').collect::<Vec<_>>()[..] {
            ["arn", partition, "kms", region, account, resource] => {
                let has_name = ["key/", "alias/"]
                    .iter()
                    .any(|kind| resource.strip_prefix(kind).is_some_and(|name| !name.is_empty()));
                partition.starts_with("aws")
                    && !region.is_empty()
                    && account.len() == 12
                    && account.bytes().all(|byte| byte.is_ascii_digit())
                    && has_name
                    && [partition, region, resource].into_iter().all(is_part)
            }
            _ => false,
        };
        if is_arn && text.len() <= MAX_ARN_LENGTH { Ok(Self(text)) } else { Err(KmsKeyError) }
    }
}

impl From<KmsKey> for String {
    fn from(key: KmsKey) -> Self {
        key.0
    }
}

impl TrustRootId {
    /// The name.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Public => "public",
            Self::Github => "github",
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for TrustRootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<String> for TrustRootId {
    type Error = TrustRootIdError;

    fn try_from(text: String) -> Result<Self, TrustRootIdError> {
        let is_taken = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        match text.as_str() {
            "public" => Ok(Self::Public),
            "github" => Ok(Self::Github),
            name if (1..=MAX_ROOT_LENGTH).contains(&name.len()) && name.bytes().all(is_taken) => Ok(Self::Other(text)),
            _ => Err(TrustRootIdError),
        }
    }
}

impl From<TrustRootId> for String {
    fn from(id: TrustRootId) -> Self {
        id.as_str().to_owned()
    }
}
