//! Content digests, as the OCI image-spec's `descriptor.md` defines them.

use std::{fmt, ops::Deref, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{
    Digest as _, Sha256, Sha512,
    digest::common::hazmat::{SerializableState, SerializedState},
};

/// The registered digest algorithms (image-spec, `descriptor.md`). Others are refused: nobody can verify them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// `sha256`: 64 lower-case hexadecimal characters.
    Sha256,
    /// `sha512`: 128 lower-case hexadecimal characters.
    Sha512,
}

impl Algorithm {
    /// The name before the colon.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    const fn hex_length(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
}

/// A digest: algorithm and value, always of the right length. It takes 40 bytes, because a run may remember hundreds of
/// thousands of them.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(Value);

/// A value as bytes. Hardly anybody uses the longer ones, so that they need not make the others large.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Value {
    Sha256([u8; 32]),
    Sha512(Box<[u8; 64]>),
}

/// A digest's value as text: lower-case hexadecimal.
#[derive(Clone, Copy)]
pub struct Hex {
    text: [u8; Algorithm::Sha512.hex_length()],
    length: usize,
}

impl Deref for Hex {
    type Target = str;

    fn deref(&self) -> &str {
        // It is hexadecimal throughout.
        self.text.get(..self.length).and_then(|text| str::from_utf8(text).ok()).unwrap_or_default()
    }
}

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

/// Why a text is not a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// No `algorithm:hex` form.
    #[error("a digest has the form algorithm:hex")]
    Form,
    /// An algorithm that is not registered.
    #[error("the digest algorithm is neither sha256 nor sha512")]
    Algorithm,
    /// Wrong length, or characters other than `0-9a-f`.
    #[error("the digest's value is not lower-case hexadecimal of the algorithm's length")]
    Value,
}

impl Digest {
    /// The digest of `bytes` by `algorithm`.
    pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    /// The SHA-256 digest of `bytes`.
    pub fn sha256(bytes: &[u8]) -> Self {
        Self::of(Algorithm::Sha256, bytes)
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            Value::Sha256(_) => Algorithm::Sha256,
            Value::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// The value: 32 or 64 bytes.
    pub fn bytes(&self) -> &[u8] {
        match &self.0 {
            Value::Sha256(bytes) => bytes,
            Value::Sha512(bytes) => bytes.as_slice(),
        }
    }

    /// The value: lower-case hexadecimal.
    pub fn hex(&self) -> Hex {
        let mut hex = Hex { text: [0; _], length: 0 };
        let length = self.algorithm().hex_length();
        if let Some(text) = hex.text.get_mut(..length)
            && hex::encode_to_slice(self.bytes(), text).is_ok()
        {
            hex.length = length;
        }
        hex
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (algorithm, hex) = text.split_once(':').ok_or(DigestError::Form)?;
        let algorithm = match algorithm {
            "sha256" => Algorithm::Sha256,
            "sha512" => Algorithm::Sha512,
            _ => return Err(DigestError::Algorithm),
        };
        let lower_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if hex.len() != algorithm.hex_length() || !hex.bytes().all(lower_hex) {
            return Err(DigestError::Value);
        }
        let value = match algorithm {
            Algorithm::Sha256 => {
                let mut bytes = [0; 32];
                hex::decode_to_slice(hex, &mut bytes).map(|()| Value::Sha256(bytes))
            }
            Algorithm::Sha512 => {
                let mut bytes = Box::new([0; 64]);
                hex::decode_to_slice(hex, bytes.as_mut_slice()).map(|()| Value::Sha512(bytes))
            }
        };
        value.map(Self).map_err(|_| DigestError::Value)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm().as_str(), self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// The version of `sha2` by whose format states are written: only its own minor versions read each other's.
const HASH_STATE_VERSION: &str = "sha2-0.11";

/// The state of a [`Hasher`] in the middle of a stream, as text. It reveals nothing that the content's digest would not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HashState(String);

fn deserialize<T: SerializableState>(hex: &str) -> Option<T> {
    let mut state = SerializedState::<T>::default();
    hex::decode_to_slice(hex, &mut state).ok()?;
    T::deserialize(&state).ok()
}

/// Hashes content as it streams by.
#[derive(Debug, Clone)]
pub enum Hasher {
    /// For [`Algorithm::Sha256`].
    Sha256(Sha256),
    /// For [`Algorithm::Sha512`].
    Sha512(Sha512),
}

impl Hasher {
    /// An empty hasher.
    pub fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    /// Adds `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    /// The state after everything added, to go on from elsewhere.
    pub fn state(&self) -> HashState {
        let (algorithm, state) = match self {
            Self::Sha256(hasher) => (Algorithm::Sha256, hex::encode(hasher.serialize())),
            Self::Sha512(hasher) => (Algorithm::Sha512, hex::encode(hasher.serialize())),
        };
        HashState(format!("{HASH_STATE_VERSION}:{}:{state}", algorithm.as_str()))
    }

    /// A hasher of `algorithm` that goes on from `state`; nothing if the state is another algorithm's or was written by
    /// an incompatible version.
    pub fn resume(algorithm: Algorithm, state: &HashState) -> Option<Self> {
        let state = state.0.strip_prefix(HASH_STATE_VERSION)?.strip_prefix(':')?;
        let state = state.strip_prefix(algorithm.as_str())?.strip_prefix(':')?;
        match algorithm {
            Algorithm::Sha256 => deserialize(state).map(Self::Sha256),
            Algorithm::Sha512 => deserialize(state).map(Self::Sha512),
        }
    }

    /// The digest of everything added.
    pub fn finish(self) -> Digest {
        Digest(match self {
            Self::Sha256(hasher) => Value::Sha256(hasher.finalize().into()),
            Self::Sha512(hasher) => Value::Sha512(Box::new(hasher.finalize().into())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_parse_and_print() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::sha256(b"").to_string(), empty);
        assert_eq!(empty.parse(), Ok(Digest::sha256(b"")));
        let long = Digest::of(Algorithm::Sha512, b"x");
        assert_eq!(long.to_string().parse(), Ok(long.clone()));
        assert_eq!((long.hex().len(), Digest::sha256(b"").hex().len()), (128, 64));
        assert_eq!(size_of::<Digest>(), 40);
    }

    #[test]
    fn hashing_goes_on_from_a_state() {
        let content: Vec<u8> = (0..1_000_u32).flat_map(u32::to_le_bytes).collect();
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            for cut in [0, 1, 63, 64, 65, 127, 128, 129, 3_999, 4_000] {
                let mut hasher = Hasher::new(algorithm);
                hasher.update(&content[..cut]);
                let mut resumed = Hasher::resume(algorithm, &hasher.state()).unwrap();
                resumed.update(&content[cut..]);
                assert_eq!(resumed.finish(), Digest::of(algorithm, &content), "{algorithm:?} {cut}");
            }
        }
        let state = Hasher::new(Algorithm::Sha256).state();
        assert!(Hasher::resume(Algorithm::Sha512, &state).is_none());
        for damaged in ["", "sha2-0.11:sha256:", "sha2-0.11:sha256:00", "sha2-0.10:sha256:00"] {
            assert!(Hasher::resume(Algorithm::Sha256, &HashState(damaged.into())).is_none(), "{damaged}");
        }
        assert!(Hasher::resume(Algorithm::Sha256, &HashState(state.0.replace("sha2-0.11", "sha2-0.12"))).is_none());
    }

    #[test]
    fn other_texts_are_refused() {
        let value = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        for (text, error) in [
            (value.to_owned(), DigestError::Form),
            (format!("md5:{value}"), DigestError::Algorithm),
            (format!("SHA256:{value}"), DigestError::Algorithm),
            (format!("sha256:{}", value.to_uppercase()), DigestError::Value),
            (format!("sha256:{value}0"), DigestError::Value),
            (format!("sha512:{value}"), DigestError::Value),
            ("sha256:../../../etc".to_owned(), DigestError::Value),
        ] {
            assert_eq!(text.parse::<Digest>(), Err(error), "{text}");
        }
    }
}
