//! What all commands have: the output, and the API once it is needed.

use std::{env, fs, io::Read as _, path::Path, sync::Arc, time::Duration};

use moorage_client::{Address, Client, Limits, SecretString};

use crate::{
    agent::AGENT,
    arguments::Settings,
    error::CliError,
    output::Screen,
    session::{Folder, Held, Stored},
};

/// The variable that has the token.
const TOKEN: &str = "MOORAGE_TOKEN";
/// The largest file of a token, in bytes: more than the API takes of one, whoever has made it.
const TOKEN_FILE: u64 = 16 << 10;
/// A preview takes up to 24 seconds, and API Gateway waits 30: a try must not end before it is answered.
const ATTEMPT: Duration = Duration::from_secs(35);

/// By what a command is somebody.
#[derive(Debug, Clone)]
pub(crate) enum Caller {
    /// A token that was given to it.
    Token(SecretString),
    /// The sign-in that is kept here.
    SignIn(Box<Stored>),
}

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

    /// By what the command is somebody: a token that is given comes before the sign-in.
    pub(crate) fn caller(&self) -> Result<Caller, CliError> {
        if let Some(token) = self.token()? {
            return Ok(Caller::Token(token));
        }
        // Where no user has files, as in many containers, nobody has signed in.
        let Ok(folder) = Folder::of_user() else { return Err(CliError::NoToken) };
        let found = folder.read(&self.address()?)?;
        found.map(|stored| Caller::SignIn(Box::new(stored))).ok_or(CliError::NoToken)
    }

    /// The token that is given, if one is.
    pub(crate) fn token(&self) -> Result<Option<SecretString>, CliError> {
        let text = match &self.settings.token_file {
            Some(path) => read_token(path)?,
            None => env::var(TOKEN).unwrap_or_default(),
        };
        let token = text.trim();
        match (token.is_empty(), &self.settings.token_file) {
            (false, _) => Ok(Some(SecretString::from(token))),
            (true, Some(_)) => Err(CliError::NoToken),
            (true, None) => Ok(None),
        }
    }

    /// The API, for whoever the command is.
    pub(crate) fn client(&self) -> Result<Client, CliError> {
        self.client_of(&self.caller()?)
    }

    /// The API, for a caller.
    pub(crate) fn client_of(&self, caller: &Caller) -> Result<Client, CliError> {
        let address = self.address()?;
        match caller {
            Caller::Token(token) => client(address, Some(token)),
            Caller::SignIn(stored) => {
                let held = Held::new(Folder::of_user()?, address.clone(), (**stored).clone());
                Ok(client(address, None)?.with(Arc::new(held)))
            }
        }
    }
}

/// The API at an address.
pub(crate) fn client(address: Address, token: Option<&SecretString>) -> Result<Client, CliError> {
    Ok(Client::new(address, token, AGENT, Limits { attempt: ATTEMPT, ..Limits::default() })?)
}

/// The token that a file has.
pub(crate) fn read_token(path: &Path) -> Result<String, CliError> {
    let wrong = |error: std::io::Error| CliError::File { path: path.display().to_string(), why: error.to_string() };
    let mut text = String::new();
    let file = fs::File::open(path).map_err(wrong)?;
    file.take(TOKEN_FILE).read_to_string(&mut text).map_err(wrong)?;
    Ok(text)
}
