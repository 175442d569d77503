//! Where a trusted root comes from, by whom keyless signatures are verified.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

/// The longest URL of a repository, in bytes.
const MAX_URL: usize = 2_048;

/// Where an operator says that it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrustRootSource {
    /// This is it, as TUF distributes it. It stays as it is.
    TrustedRoot(Value),
    /// A repository of The Update Framework distributes it, and it is refreshed from there.
    Tuf {
        /// Where its metadata are.
        url: TufUrl,
        /// A `root.json` of it, with which its successors are verified.
        root: Value,
    },
}

/// The URL of a TUF repository: https, or http, because everything in it is signed. It has no password and no query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TufUrl(Url);

/// A text that is no [`TufUrl`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no URL of a TUF repository, as https://tuf.example.com: without password, query and fragment")]
pub struct TufUrlError;

impl TufUrl {
    /// The URL.
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl TryFrom<String> for TufUrl {
    type Error = TufUrlError;

    fn try_from(text: String) -> Result<Self, TufUrlError> {
        if text.len() > MAX_URL {
            return Err(TufUrlError);
        }
        let url = Url::parse(&text).map_err(|_| TufUrlError)?;
        let is_plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
            && url.has_host();
        (matches!(url.scheme(), "https" | "http") && is_plain).then_some(Self(url)).ok_or(TufUrlError)
    }
}

impl From<TufUrl> for String {
    fn from(url: TufUrl) -> Self {
        url.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_repositories_name_a_place_and_nothing_else() {
        for good in ["https://tuf.example.com", "http://127.0.0.1:8080/tuf"] {
            assert!(TufUrl::try_from(good.to_owned()).is_ok(), "{good}");
        }
        let long = format!("https://x/{}", "a".repeat(MAX_URL));
        for bad in ["", "tuf.example.com", "file:///etc", "https://a:b@x", "https://x/?a", "https://x/#a", &long] {
            assert_eq!(TufUrl::try_from(bad.to_owned()), Err(TufUrlError), "{bad}");
        }
    }
}
