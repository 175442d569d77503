//! The name of a webhook, which is all that a sender has to know.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{Digest, ExposeSecret as _, SecretString};

/// How many random bytes an id has: nobody guesses 256 bits.
const LENGTH: usize = 32;
/// How long its text is.
const TEXT_LENGTH: usize = (LENGTH * 4).div_ceil(3);

/// A webhook's id: 256 random bits as base64url. It is a secret: never printed, and kept and looked up by its hash, which
/// is what tells ids apart in constant time.
#[derive(Debug, Clone)]
pub struct WebhookId(SecretString);

/// A text that is no id. It says nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a webhook")]
pub struct InvalidId;

impl WebhookId {
    /// Of random bytes.
    pub fn of(random: &[u8; LENGTH]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(random).into())
    }

    /// Parses the last part of a URL. Each id has one text.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        if text.len() != TEXT_LENGTH {
            return Err(InvalidId);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidId)?;
        if bytes.len() == LENGTH { Ok(Self(text.into())) } else { Err(InvalidId) }
    }

    /// The text, to be shown once to whoever asked for it.
    pub fn text(&self) -> &SecretString {
        &self.0
    }

    /// What it is kept by.
    pub fn hash(&self) -> Digest {
        Digest::sha256(self.0.expose_secret().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_strictly_and_never_printed() {
        let id = WebhookId::of(&[0xfb; LENGTH]);
        let text = id.text().expose_secret();
        assert_eq!((text.len(), text), (43, "-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s"));
        assert_eq!(WebhookId::parse(text).unwrap().hash(), id.hash());
        assert_ne!(WebhookId::of(&[0; LENGTH]).hash(), id.hash());
        assert!(!format!("{id:?}").contains(&text[..8]), "{id:?}");
        // The last character holds four bits: others that begin with them would be the same id.
        let (other, standard) = (format!("{}t", &text[..42]), text.replace('-', "+"));
        for wrong in ["", &text[1..], &format!("{text}="), &other, &standard, &format!("{}é", &text[..41])] {
            assert_eq!(WebhookId::parse(wrong).unwrap_err(), InvalidId, "{wrong}");
        }
    }
}
