//! Robot accounts and their tokens.

use moorage_domain::{Namespace, RobotName, SecretString, Timestamp};
use rand::Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::{
    Ciphertext, StateError, Table,
    key::{Key, namespace_pk, prefix},
};

/// The length of a token, as in Quay.
const TOKEN_LENGTH: usize = 64;
/// What tokens are made of, as in Quay: 36^64 of them are about 2^330.
const TOKEN_ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// A robot account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Robot {
    /// Its full name.
    pub name: RobotName,
    /// Free text.
    pub description: String,
    /// When it was created.
    pub created: Timestamp,
    /// Whatever its owner keeps with it; a JSON object.
    pub unstructured_metadata: Map<String, Value>,
    /// SHA-256 of the token, in hexadecimal: for checking it.
    pub token_hash: String,
    /// The token for showing it to its owner.
    pub token: Ciphertext,
}

/// A robot's token.
#[derive(Debug, Clone)]
pub struct RobotToken(pub SecretString);

impl RobotToken {
    /// A new token from the operating system's randomness.
    pub fn generate() -> Self {
        let mut random = rand::rng();
        let token: String = (0..TOKEN_LENGTH)
            .map(|_| char::from(TOKEN_ALPHABET[random.random_range(0..TOKEN_ALPHABET.len())]))
            .collect();
        Self(token.into())
    }

    /// What is stored to check it.
    pub fn hash(&self) -> String {
        use moorage_domain::ExposeSecret as _;
        hex::encode(Sha256::digest(self.0.expose_secret()))
    }
}

impl Table {
    /// Creates a robot; [`StateError::Conflict`] if the name is taken.
    pub async fn create_robot(&self, robot: &Robot) -> Result<(), StateError> {
        self.create(Key::Robot(&robot.name), robot).await
    }

    /// Reads a robot.
    pub async fn robot(&self, name: &RobotName) -> Result<Option<Robot>, StateError> {
        self.get(Key::Robot(name)).await
    }

    /// The robots of a namespace, by name.
    pub async fn robots(&self, namespace: &Namespace) -> Result<Vec<Robot>, StateError> {
        self.all(namespace_pk(namespace), prefix::ROBOT).await
    }
}
