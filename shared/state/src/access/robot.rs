//! Robot accounts and their tokens.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use moorage_domain::{
    Ciphertext, CloudLogin, Generation, Namespace, RobotName, SecretString, TeamName, Timestamp, TlsSecrets,
    robot_token::{self, RobotTokenError},
};
use rand::Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::{
    StateError, Table,
    access::federation::Federation,
    key::{Key, PK, namespace_pk, prefix},
    organizations::generation::within,
    table::{Item, conditional},
    transaction::{Committed, Transaction},
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
    /// Which of those that bore the name.
    #[serde(default)]
    pub id: Generation,
    /// Which of the organizations that bore the namespace's name it belongs to.
    #[serde(default)]
    pub organization_id: Generation,
    /// Free text.
    pub description: String,
    /// When it was created.
    pub created: Timestamp,
    /// Whatever its owner keeps with it; a JSON object, of which the table cannot hold every number.
    #[serde(with = "json_text")]
    pub unstructured_metadata: Map<String, Value>,
    /// SHA-256 of the token, in hexadecimal: for checking it.
    pub token_hash: String,
    /// The token for showing it to its owner.
    pub token: Ciphertext,
    /// Its credentials at an external registry, for mirrors that have none of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_registry: Option<RobotRegistry>,
    /// Whose tokens workloads may show in its name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub federation: Vec<Federation>,
    /// How many mirrors use it; kept by their transactions.
    #[serde(default)]
    pub mirrors: u64,
    /// The teams that it is in; kept by [`Table::add_member`] and [`Table::remove_member`].
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty", with = "serde_dynamo::string_set")]
    pub teams: BTreeSet<TeamName>,
}

/// A robot's credentials at an external registry. They go to this registry only, whatever mirrors refer to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RobotRegistry {
    /// Host, with its port if it has one, as in mirrors' references.
    pub host: String,
    /// The user name there; empty where a certificate says who asks.
    pub username: String,
    /// The password there; of no use without a user name.
    pub password: Ciphertext,
    /// Whether they may go there without verified TLS.
    #[serde(default)]
    pub allow_insecure: bool,
    /// Whether they may go there by a mirror's proxy.
    #[serde(default)]
    pub allow_proxy: bool,
    /// Authorities and a certificate for there.
    #[serde(default, skip_serializing_if = "TlsSecrets::is_nothing")]
    pub tls: TlsSecrets,
    /// A cloud's login in place of user name and password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<CloudLogin>,
}

/// An object as a text of JSON; earlier builds have stored it as a map.
mod json_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};
    use serde_json::{Map, Value};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Stored {
        Text(String),
        Map(Map<String, Value>),
    }

    pub(super) fn serialize<S: Serializer>(object: &Map<String, Value>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&Value::Object(object.clone()).to_string())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Map<String, Value>, D::Error> {
        match Stored::deserialize(from)? {
            Stored::Text(text) => serde_json::from_str(&text).map_err(D::Error::custom),
            Stored::Map(map) => Ok(map),
        }
    }
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

    /// One that was made elsewhere, as Quay makes them; whoever has it need not learn of the move.
    pub fn given(token: &str) -> Result<Self, RobotTokenError> {
        robot_token::check(token)?;
        Ok(Self(token.into()))
    }

    /// What is stored to check it.
    pub fn hash(&self) -> String {
        use moorage_domain::ExposeSecret as _;
        hex::encode(Sha256::digest(self.0.expose_secret()))
    }
}

impl Table {
    /// Creates a robot; [`StateError::Conflict`] if the name is taken, [`StateError::NotFound`] if its organization is not
    /// there any more or ends.
    pub async fn create_robot(&self, robot: &Robot) -> Result<(), StateError> {
        let mut transaction = Transaction::new(self);
        transaction.create(Key::Robot(&robot.name), robot)?;
        within(&mut transaction, &robot.name.namespace(), robot.organization_id)?;
        match transaction.commit().await? {
            Committed::Yes => Ok(()),
            Committed::Refused(0) => Err(StateError::Conflict),
            Committed::Refused(_) => Err(StateError::NotFound),
        }
    }

    /// Reads a robot.
    pub async fn robot(&self, name: &RobotName) -> Result<Option<Robot>, StateError> {
        let (robot, present) = self.get_within::<Robot>(Key::Robot(name), &name.namespace()).await?;
        let present = present.map(|present| present.id);
        Ok(robot.filter(|robot| Some(robot.organization_id) == present))
    }

    /// The robots of a namespace, by name.
    pub async fn robots(&self, namespace: &Namespace) -> Result<Vec<Robot>, StateError> {
        let robots = self.all::<Robot>(namespace_pk(namespace), prefix::ROBOT);
        let (mut robots, present) = tokio::try_join!(robots, self.generation(namespace))?;
        robots.retain(|robot| Some(robot.organization_id) == present);
        Ok(robots)
    }

    /// Which of those that bore their names these robots are at present; those that are not there are left out.
    pub(crate) async fn robot_generations(
        &self,
        names: &[RobotName],
    ) -> Result<HashMap<RobotName, Generation>, StateError> {
        #[derive(Deserialize)]
        struct Present {
            name: RobotName,
            #[serde(default)]
            id: Generation,
        }
        // Who has several roles is asked for once.
        let keys = names.iter().collect::<BTreeSet<_>>();
        let keys = keys.into_iter().map(|name| Key::Robot(name).attributes()).collect();
        let present: Vec<Present> = self.get_all(keys).await?;
        Ok(present.into_iter().map(|robot| (robot.name, robot.id)).collect())
    }

    /// Replaces a robot's token; [`StateError::NotFound`] if there is no such robot.
    pub async fn set_robot_token(
        &self,
        name: &RobotName,
        token_hash: &str,
        token: &Ciphertext,
    ) -> Result<(), StateError> {
        let values = [("token_hash", token_hash.to_owned()), ("token", String::from(token.clone()))];
        let values = values.map(|(name, value)| (name.to_owned(), AttributeValue::S(value)));
        self.set_robot(name, Item::from(values)).await
    }

    /// Replaces a robot's credentials at an external registry, or removes them; [`StateError::NotFound`] if there is no
    /// such robot.
    pub async fn set_robot_registry(
        &self,
        name: &RobotName,
        registry: Option<&RobotRegistry>,
    ) -> Result<(), StateError> {
        let registry = serde_dynamo::to_attribute_value(registry)?;
        self.set_robot(name, Item::from([("external_registry".to_owned(), registry)])).await
    }

    async fn set_robot(&self, name: &RobotName, values: Item) -> Result<(), StateError> {
        let update = self.set(Key::Robot(name), values);
        let update = update.condition_expression("attribute_exists(#pk)").expression_attribute_names("#pk", PK);
        match conditional(update).await {
            Err(StateError::Conflict) => Err(StateError::NotFound),
            result => result,
        }
    }
}

#[cfg(test)]
mod tests {
    use moorage_domain::ExposeSecret as _;
    use serde_json::json;

    use super::*;

    #[test]
    fn our_own_tokens_could_have_come_from_elsewhere() {
        let ours = RobotToken::generate();
        let given = RobotToken::given(ours.0.expose_secret()).unwrap();
        assert_eq!(given.hash(), ours.hash());
        assert!(RobotToken::given(&"A".repeat(64)).is_err());
    }

    #[test]
    fn metadata_is_any_object_and_may_be_stored_as_before() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Kept(#[serde(with = "json_text")] Map<String, Value>);

        let object = json!({"": {"large": 1e300, "text": "x"}, "list": [null, 1]});
        let kept = Kept(object.as_object().cloned().unwrap());
        let stored: AttributeValue = serde_dynamo::to_attribute_value(&kept).unwrap();
        assert!(stored.as_s().is_ok(), "{stored:?}");
        assert_eq!(serde_dynamo::from_attribute_value::<_, Kept>(stored).unwrap(), kept);
        let earlier: AttributeValue = serde_dynamo::to_attribute_value(json!({"team": "ops", "n": 1})).unwrap();
        let earlier: Kept = serde_dynamo::from_attribute_value(earlier).unwrap();
        assert_eq!(Value::Object(earlier.0), json!({"team": "ops", "n": 1}));
    }
}
