//! Which public keys are taken.

use super::P256;
use crate::signature_policy::{KeyAlgorithm, PublicKey, PublicKeyError};

const P384: &str = include_str!("keys/p384.pem");
const ED25519: &str = include_str!("keys/ed25519.pem");
const RSA: &str = include_str!("keys/rsa2048.pem");

#[test]
fn each_kind_is_known() {
    for (pem, algorithm) in [
        (P256, KeyAlgorithm::EcdsaP256),
        (P384, KeyAlgorithm::EcdsaP384),
        (ED25519, KeyAlgorithm::Ed25519),
        (RSA, KeyAlgorithm::Rsa),
    ] {
        let key = PublicKey::from_pem(pem).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        assert_eq!(PublicKey::from_der(key.der()).unwrap(), key);
        let windows = pem.replace('\n', "\r\n");
        assert_eq!(PublicKey::from_pem(&format!("\n {windows} \n")).unwrap(), key, "however its lines end");
    }
}

#[test]
fn others_are_not() {
    for pem in [
        include_str!("keys/p521.pem"),
        // It is as long as P-256.
        include_str!("keys/secp256k1.pem"),
        include_str!("keys/rsa1024.pem"),
    ] {
        assert_eq!(PublicKey::from_pem(pem), Err(PublicKeyError::Unsupported), "{pem}");
    }
}

#[test]
fn what_is_no_key_is_refused_by_what_it_is() {
    let labelled = |label: &str| P256.replace("PUBLIC KEY", label);
    for (text, error) in [
        (labelled("PRIVATE KEY"), PublicKeyError::Private),
        (labelled("ENCRYPTED SIGSTORE PRIVATE KEY"), PublicKeyError::Private),
        (labelled("CERTIFICATE"), PublicKeyError::OtherLabel),
        (labelled("RSA PUBLIC KEY"), PublicKeyError::OtherLabel),
        (String::new(), PublicKeyError::NotPem),
        ("MFkw".to_owned(), PublicKeyError::NotPem),
        (P256.replace("-----END PUBLIC KEY-----", ""), PublicKeyError::NotPem),
        (format!("{P256}{P256}"), PublicKeyError::NotPem),
        (P256.replace('M', "!"), PublicKeyError::NotPem),
        (format!("{P256}{}", "\n".repeat(5_000)), PublicKeyError::TooLong),
    ] {
        assert_eq!(PublicKey::from_pem(&text), Err(error), "{text}");
    }
}

#[test]
fn a_key_is_all_of_its_bytes() {
    for pem in [P256, P384, ED25519, RSA] {
        let der = PublicKey::from_pem(pem).unwrap().der().to_vec();
        for length in 0..der.len() {
            assert_eq!(PublicKey::from_der(&der[..length]), Err(PublicKeyError::Unsupported), "{length} of {pem}");
        }
        assert_eq!(PublicKey::from_der(&[&der[..], &[0]].concat()), Err(PublicKeyError::Unsupported));
    }
}
