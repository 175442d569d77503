//! Where secrets are, here: in variables of the environment and in files.

use std::{collections::HashMap, env, fs, io::Read as _};

use moorage_declaration::SecretSource;
use moorage_domain::{ExposeSecret as _, SecretString};

/// The largest secret, in bytes: Google's keys, which are whole documents, have some thousand.
const LARGEST: u64 = 64 << 10;

/// Secrets that were found elsewhere, by what names them: they need not be in a variable or a file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known(HashMap<String, SecretString>);

impl Known {
    /// Remembers one.
    pub(crate) fn insert(&mut self, source: &SecretSource, secret: SecretString) {
        self.0.insert(source.to_string(), secret);
    }

    /// One that is remembered.
    pub(crate) fn get(&self, source: &SecretSource) -> Option<&SecretString> {
        self.0.get(&source.to_string())
    }

    /// The secret, remembered or from where it is; why there is none, otherwise.
    pub(crate) fn resolve(&self, source: &SecretSource) -> Result<String, String> {
        self.get(source).map_or_else(|| resolve(source), |secret| Ok(secret.expose_secret().to_owned()))
    }
}

/// The secret; why there is none, otherwise. Neither is ever in a message.
pub(crate) fn resolve(source: &SecretSource) -> Result<String, String> {
    match source {
        SecretSource::Env(name) => match env::var(name) {
            Ok(text) => Ok(text),
            Err(env::VarError::NotPresent) => Err(format!("the variable {name} is not set")),
            Err(env::VarError::NotUnicode(_)) => Err(format!("the variable {name} is no text")),
        },
        SecretSource::File(path) => {
            let mut text = String::new();
            let read = fs::File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_string(&mut text));
            let length = read.map_err(|error| format!("the file {path} cannot be read: {error}"))?;
            if u64::try_from(length).unwrap_or(u64::MAX) > LARGEST {
                return Err(format!("the file {path} is larger than {LARGEST} bytes"));
            }
            // Editors end files with a line break, which no password has.
            let end = text.trim_end_matches(['\r', '\n']).len();
            text.truncate(end);
            Ok(text)
        }
        SecretSource::Secret(_) => {
            Err("secrets by their ARN are for CloudFormation; name a variable or a file here".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_ends_with_its_last_line() {
        let path = env::temp_dir().join(format!("moorage-secret-{}", std::process::id()));
        fs::write(&path, "hunter2 \n\r\n").unwrap();
        let name = path.display().to_string();
        assert_eq!(resolve(&SecretSource::File(name.clone())).unwrap(), "hunter2 ");
        fs::write(&path, "x".repeat(70_000)).unwrap();
        assert!(resolve(&SecretSource::File(name.clone())).unwrap_err().contains("larger"));
        fs::remove_file(&path).unwrap();
        assert!(resolve(&SecretSource::File(name)).unwrap_err().contains("cannot be read"));
        assert!(resolve(&SecretSource::Env("MOORAGE_NO_SUCH_VARIABLE".into())).unwrap_err().contains("is not set"));
        assert!(resolve(&SecretSource::Secret("arn:x".into())).is_err());
        let (mut known, source) = (Known::default(), SecretSource::Env("MOORAGE_NO_SUCH_VARIABLE".into()));
        assert!(known.resolve(&source).is_err());
        known.insert(&source, "hunter2".into());
        assert_eq!(known.resolve(&source).unwrap(), "hunter2");
        assert!(!format!("{known:?}").contains("hunter2"));
    }
}
