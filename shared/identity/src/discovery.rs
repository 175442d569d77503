//! What an issuer says of itself.

use serde::Deserialize;
use url::Url;

use crate::{fetch_error::FetchError, issuer::Issuer};

/// The longest address of keys, in bytes: it is parsed and asked, and no server takes much longer ones.
const MAX_ADDRESS: usize = 2_048;

/// Where an issuer's keys are, by its discovery document. Another one's document is none: an issuer that names another
/// could lend its keys to that one's tokens.
pub(crate) fn keys_of(issuer: &Issuer, document: &[u8]) -> Result<Url, FetchError> {
    #[derive(Deserialize)]
    struct Document {
        issuer: String,
        jwks_uri: String,
    }
    let document: Document = serde_json::from_slice(document).map_err(|_| FetchError::Malformed)?;
    if document.issuer != issuer.as_str() {
        return Err(FetchError::OtherIssuer);
    }
    if document.jwks_uri.len() > MAX_ADDRESS {
        return Err(FetchError::Malformed);
    }
    Url::parse(&document.jwks_uri).map_err(|_| FetchError::Malformed)
}

#[cfg(test)]
mod tests {
    use moorage_domain::Guard;

    use super::*;

    #[test]
    fn a_document_names_its_issuer_letter_by_letter() {
        let issuer = Issuer::parse("https://idp.example/a", &Guard::default()).unwrap();
        let read = |document: &str| keys_of(&issuer, document.as_bytes()).map(String::from);
        let good = r#"{"issuer": "https://idp.example/a", "jwks_uri": "https://keys.example/jwks", "more": [1]}"#;
        assert_eq!(read(good), Ok("https://keys.example/jwks".into()));
        for other in ["https://idp.example/a/", "https://idp.example", "https://IDP.example/a"] {
            assert_eq!(read(&good.replace("https://idp.example/a", other)), Err(FetchError::OtherIssuer), "{other}");
        }
        for document in
            ["", "[]", "{}", r#"{"issuer": "https://idp.example/a"}"#, &good.replace("https://keys", "keys")]
        {
            assert_eq!(read(document), Err(FetchError::Malformed), "{document}");
        }
        let long =
            |length: usize| good.replace("/jwks", &format!("/{}", "k".repeat(length - "https://keys.example/".len())));
        assert!(read(&long(MAX_ADDRESS)).is_ok());
        assert_eq!(read(&long(MAX_ADDRESS + 1)), Err(FetchError::Malformed));
    }
}
