//! The algorithms by which tokens may be signed, and signatures by them.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

/// An algorithm of RFC 7518 or RFC 8037 by which nobody but the holder of a private key can sign. `none` is none of them,
/// and neither is any HMAC: whoever can check that could sign by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PublicKey {
    /// Of 2,048 to 8,192 bits; others check nothing.
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    /// A point, uncompressed.
    P256(Vec<u8>),
    /// A point, uncompressed.
    P384(Vec<u8>),
    /// A point, as RFC 8032 has it.
    Ed25519(Vec<u8>),
}

impl Algorithm {
    /// The algorithm of a name, if it is one of these.
    pub(crate) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "EdDSA" | "Ed25519" => Self::EdDsa,
            _ => return None,
        })
    }

    /// Whether a key is of the algorithm's type.
    pub(crate) fn takes(self, key: &PublicKey) -> bool {
        match key {
            PublicKey::Rsa { .. } => self.rsa().is_some(),
            PublicKey::P256(_) => self == Self::Es256,
            PublicKey::P384(_) => self == Self::Es384,
            PublicKey::Ed25519(_) => self == Self::EdDsa,
        }
    }

    /// Whether the holder of `key` has signed `message` by this algorithm.
    pub(crate) fn verifies(self, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        let by = |algorithm: &'static dyn VerificationAlgorithm, point: &[u8]| {
            UnparsedPublicKey::new(algorithm, point).verify(message, signature).is_ok()
        };
        match (self, key) {
            (Self::Es256, PublicKey::P256(point)) => by(&ECDSA_P256_SHA256_FIXED, point),
            (Self::Es384, PublicKey::P384(point)) => by(&ECDSA_P384_SHA384_FIXED, point),
            (Self::EdDsa, PublicKey::Ed25519(point)) => by(&ED25519, point),
            (_, PublicKey::Rsa { modulus: n, exponent: e }) => {
                self.rsa().is_some_and(|how| RsaPublicKeyComponents { n, e }.verify(how, message, signature).is_ok())
            }
            _ => false,
        }
    }

    fn rsa(self) -> Option<&'static RsaParameters> {
        Some(match self {
            Self::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
            Self::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
            Self::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
            Self::Ps256 => &RSA_PSS_2048_8192_SHA256,
            Self::Ps384 => &RSA_PSS_2048_8192_SHA384,
            Self::Ps512 => &RSA_PSS_2048_8192_SHA512,
            Self::Es256 | Self::Es384 | Self::EdDsa => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_whoever_checks_could_sign() {
        for name in ["none", "None", "NONE", "HS256", "HS384", "HS512", "", "rs256", "RS1", "ES256K", "ES512"] {
            assert_eq!(Algorithm::of(name), None, "{name}");
        }
    }
}
