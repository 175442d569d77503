//! Signed deliveries, as GitHub signs them.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::{ExposeSecret as _, SecretString};

/// What the value of `X-Hub-Signature-256` begins with.
const PREFIX: &str = "sha256=";

/// Whether `signature`, the value of `X-Hub-Signature-256`, is that of a body. It takes the same time wherever it differs.
pub fn is_signed(secret: &SecretString, body: &[u8], signature: &str) -> bool {
    let Some(signature) = signature.strip_prefix(PREFIX).and_then(|hex| hex::decode(hex).ok()) else { return false };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else { return false };
    mac.update(body);
    mac.verify_slice(&signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_as_github_documents_them() {
        let secret: SecretString = "It's a Secret to Everybody".into();
        let (body, hex) = (b"Hello, World!", "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
        assert!(is_signed(&secret, body, &format!("sha256={hex}")));
        for wrong in [hex, "", "sha256=", "sha1=00", &format!("sha256={}", &hex[2..]), "sha256=zz"] {
            assert!(!is_signed(&secret, body, wrong), "{wrong}");
        }
        assert!(!is_signed(&secret, b"Hello, world!", &format!("sha256={hex}")));
        assert!(!is_signed(&"another".into(), body, &format!("sha256={hex}")));
    }
}
