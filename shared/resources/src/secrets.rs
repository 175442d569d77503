//! What no template may hold: secrets of Secrets Manager, read when they are needed, and kept nowhere.

use aws_sdk_secretsmanager::{Client, error::ProvideErrorMetadata as _};
use moorage_domain::{ServiceError, ServiceErrorKind};
use serde_json::{Map, Value};

/// The fields of a secret. They are not printed.
#[derive(Default)]
pub(crate) struct SecretFields(Map<String, Value>);

/// Why a secret cannot be had. None of them says what is in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretsError {
    #[error("the function may not read {0}: the stack's parameter ResourceSecretArns has to allow it")]
    Denied(String),
    #[error("there is no secret {0}")]
    Missing(String),
    #[error("the secret {0} cannot be read at present")]
    Unavailable(String, #[source] ServiceError),
    #[error("the secret {0} has to be JSON, an object with {1}")]
    Malformed(String, &'static str),
    #[error("the secret {0} is the deployment's own")]
    Own(String),
}

/// Reads secrets.
pub(crate) struct Secrets {
    client: Client,
    /// The deployment's own secret, which goes to nobody.
    own: String,
}

impl SecretFields {
    /// A field that is a text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }
}

#[cfg(test)]
impl From<Value> for SecretFields {
    fn from(fields: Value) -> Self {
        Self(fields.as_object().cloned().unwrap_or_default())
    }
}

impl Secrets {
    /// All but the deployment's own.
    pub(crate) fn new(client: Client, own: String) -> Self {
        Self { client, own }
    }

    /// The present version of a secret, which has to have what `form` says.
    pub(crate) async fn read(&self, arn: &str, form: &'static str) -> Result<SecretFields, SecretsError> {
        let named = || arn.to_owned();
        if arn == self.own {
            return Err(SecretsError::Own(named()));
        }
        let answer = self.client.get_secret_value().secret_id(arn).send().await.map_err(|error| {
            let status = error.raw_response().map(|answer| answer.status().as_u16());
            let error = ServiceError::new("Secrets Manager", error.code().map(str::to_owned), status, error);
            match error.kind() {
                ServiceErrorKind::AccessDenied => SecretsError::Denied(named()),
                ServiceErrorKind::Missing => SecretsError::Missing(named()),
                _ => SecretsError::Unavailable(named(), error),
            }
        })?;
        let fields = answer.secret_string.and_then(|text| serde_json::from_str(&text).ok());
        fields.map(SecretFields).ok_or_else(|| SecretsError::Malformed(named(), form))
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_secretsmanager::operation::get_secret_value::{GetSecretValueError, GetSecretValueOutput};
    use aws_sdk_secretsmanager::types::error::ResourceNotFoundException;
    use aws_smithy_mocks::{mock, mock_client};

    use super::*;

    fn secrets(text: &'static str) -> Secrets {
        let rule = mock!(Client::get_secret_value)
            .then_output(move || GetSecretValueOutput::builder().secret_string(text).build());
        Secrets::new(mock_client!(aws_sdk_secretsmanager, [&rule]), "own".into())
    }

    #[tokio::test]
    async fn secrets_are_objects() {
        let fields = secrets(r#"{"username": "u", "password": "p", "port": 5}"#).read("arn", "x").await.ok().unwrap();
        assert_eq!((fields.text("username"), fields.text("port"), fields.text("none")), (Some("u"), None, None));
        for text in ["hunter2", "[\"hunter2\"]", ""] {
            let error = secrets(text).read("arn", "username and password").await.err().unwrap();
            assert_eq!(error.to_string(), "the secret arn has to be JSON, an object with username and password");
        }
    }

    #[tokio::test]
    async fn neither_the_own_one_nor_one_that_is_not_there() {
        let error = secrets("{}").read("own", "x").await.err().unwrap();
        assert_eq!(error.to_string(), "the secret own is the deployment's own");
        let rule = mock!(Client::get_secret_value).then_error(|| {
            let meta =
                aws_sdk_secretsmanager::error::ErrorMetadata::builder().code("ResourceNotFoundException").build();
            GetSecretValueError::ResourceNotFoundException(ResourceNotFoundException::builder().meta(meta).build())
        });
        let none = Secrets::new(mock_client!(aws_sdk_secretsmanager, [&rule]), "own".into());
        assert_eq!(none.read("arn", "x").await.err().unwrap().to_string(), "there is no secret arn");
    }
}
