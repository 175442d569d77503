//! What all commands have: the output, and the API once it is needed.

use std::{env, fs, io::Read as _, path::Path, time::Duration};

use moorage_client::{Address, Client, Limits, SecretString};

use crate::{arguments::Settings, error::CliError, output::Screen};

/// The variable that has the token.
const TOKEN: &str = "MOORAGE_TOKEN";
/// The largest file of a token, in bytes.
const TOKEN_FILE: u64 = 4 << 10;
/// A preview takes up to 24 seconds, and API Gateway waits 30: a try must not end before it is answered.
const ATTEMPT: Duration = Duration::from_secs(35);

/// What all commands have.
#[derive(Debug)]
pub(crate) struct Context {
    settings: Settings,
    /// Where the output goes.
    pub(crate) screen: Screen,
}

impl Context {
    pub(crate) fn new(settings: Settings) -> Self {
        let screen = Screen::new(settings.output);
        Self { settings, screen }
    }

    /// Where the API is.
    pub(crate) fn address(&self) -> Result<Address, CliError> {
        let url = self.settings.url.as_deref().filter(|url| !url.is_empty()).ok_or(CliError::NoUrl)?;
        Ok(Address::parse(url, self.settings.allow_http)?)
    }

    /// The token.
    pub(crate) fn token(&self) -> Result<SecretString, CliError> {
        let text = match &self.settings.token_file {
            Some(path) => read_token(path)?,
            None => env::var(TOKEN).map_err(|_| CliError::NoToken)?,
        };
        let token = text.trim();
        if token.is_empty() { Err(CliError::NoToken) } else { Ok(SecretString::from(token)) }
    }

    /// The API, with the token.
    pub(crate) fn client(&self) -> Result<Client, CliError> {
        let address = self.address()?;
        client(address, Some(&self.token()?))
    }
}

/// The API at an address.
pub(crate) fn client(address: Address, token: Option<&SecretString>) -> Result<Client, CliError> {
    let agent = concat!("moorage-cli/", env!("CARGO_PKG_VERSION"));
    Ok(Client::new(address, token, agent, Limits { attempt: ATTEMPT, ..Limits::default() })?)
}

/// The token that a file has.
pub(crate) fn read_token(path: &Path) -> Result<String, CliError> {
    let wrong = |error: std::io::Error| CliError::File { path: path.display().to_string(), why: error.to_string() };
    let mut text = String::new();
    let file = fs::File::open(path).map_err(wrong)?;
    file.take(TOKEN_FILE).read_to_string(&mut text).map_err(wrong)?;
    Ok(text)
}
