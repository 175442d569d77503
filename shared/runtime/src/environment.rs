//! The settings of a function: the environment variables that the template sets.

use std::{collections::HashMap, error::Error, fmt, str::FromStr, time::Duration};

/// A setting that is missing or cannot be read. Each says which one.
#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    /// It has to be set, and is not, or is empty.
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    /// It is no whole number, or one that is out of range.
    #[error("the environment variable {0} is not a whole number")]
    Number(&'static str),
    /// It has a form of its own, and not this one.
    #[error("the environment variable {0} is malformed: {1}")]
    Malformed(&'static str, #[source] Box<dyn Error + Send + Sync>),
}

/// The environment variables that a function was started with. An empty one counts as not set: a template cannot leave
/// out a variable whose parameter is empty.
pub struct Environment(HashMap<String, String>);

impl fmt::Debug for Environment {
    /// Names alone: credentials are among the values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Environment {
    /// This process's. A variable that is no UTF-8 is none of ours.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// A variable that has to be set.
    pub fn required(&self, name: &'static str) -> Result<String, SettingError> {
        self.get(name).map(str::to_owned).ok_or(SettingError::Missing(name))
    }

    /// A variable that need not be set; empty if it is not.
    pub fn optional(&self, name: &'static str) -> String {
        self.get(name).unwrap_or_default().to_owned()
    }

    /// A whole number, which has to be set.
    pub fn number<T: FromStr>(&self, name: &'static str) -> Result<T, SettingError> {
        self.required(name)?.parse().map_err(|_| SettingError::Number(name))
    }

    /// A duration in whole seconds, which has to be set.
    pub fn seconds(&self, name: &'static str) -> Result<Duration, SettingError> {
        self.number(name).map(Duration::from_secs)
    }

    /// Whether a variable is `true`. Everything else is not, nor is what is not set.
    pub fn is_true(&self, name: &'static str) -> bool {
        self.get(name) == Some("true")
    }

    /// A URL that paths are added to, without a slash at its end; empty if it is not set.
    pub fn base_url(&self, name: &'static str) -> String {
        self.optional(name).trim_end_matches('/').to_owned()
    }

    /// A value of a form of its own, as `parse` reads it; the default if it is not set.
    pub fn parsed<T, E>(&self, name: &'static str, parse: impl FnOnce(&str) -> Result<T, E>) -> Result<T, SettingError>
    where
        T: Default,
        E: Error + Send + Sync + 'static,
    {
        let Some(value) = self.get(name) else { return Ok(T::default()) };
        parse(value).map_err(|error| SettingError::Malformed(name, error.into()))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The variables whose names begin so.
    pub(crate) fn beginning(&self, with: &str) -> HashMap<String, String> {
        let set = self.0.iter().filter(|(name, value)| name.starts_with(with) && !value.is_empty());
        set.map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

/// Other settings than the process's, for tests: they cannot change the environment that they share.
impl FromIterator<(String, String)> for Environment {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(variables: T) -> Self {
        Self(variables.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Environment {
        [("TABLE", "t"), ("EMPTY", ""), ("N", "7"), ("MANY", "256"), ("MINUS", "-1"), ("ON", "true"), ("YES", "yes")]
            .into_iter()
            .chain([("URL", "https://h/x//"), ("KIND", "b")])
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    fn said<T: std::fmt::Debug>(result: Result<T, SettingError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn settings_are_read_by_their_kind() {
        let environment = environment();
        assert_eq!(environment.required("TABLE").unwrap(), "t");
        assert_eq!((environment.optional("TABLE"), environment.optional("NONE")), ("t".into(), String::new()));
        assert_eq!((environment.number::<u8>("N").unwrap(), environment.number::<i16>("MINUS").unwrap()), (7, -1));
        assert_eq!(environment.seconds("N").unwrap(), Duration::from_secs(7));
        let flags = ["ON", "YES", "EMPTY", "NONE"].map(|name| environment.is_true(name));
        assert_eq!(flags, [true, false, false, false]);
        assert_eq!((environment.base_url("URL"), environment.base_url("NONE")), ("https://h/x".into(), String::new()));
        let parsed = |name| environment.parsed(name, str::parse::<char>);
        assert_eq!((parsed("KIND").unwrap(), parsed("EMPTY").unwrap(), parsed("NONE").unwrap()), ('b', '\0', '\0'));
    }

    #[test]
    fn an_error_says_which_variable() {
        let environment = environment();
        for name in ["NONE", "EMPTY"] {
            assert_eq!(said(environment.required(name)), format!("the environment variable {name} is not set"));
            assert_eq!(said(environment.seconds(name)), format!("the environment variable {name} is not set"));
        }
        assert_eq!(said(environment.seconds("MINUS")), "the environment variable MINUS is not a whole number");
        assert_eq!(said(environment.number::<u8>("MANY")), "the environment variable MANY is not a whole number");
        let malformed = said(environment.parsed("URL", str::parse::<char>));
        assert!(malformed.starts_with("the environment variable URL is malformed: "), "{malformed}");
    }

    #[test]
    fn a_process_has_an_environment() {
        assert!(!Environment::of_process().optional("PATH").is_empty());
    }
}
