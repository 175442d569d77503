//! Where sign-ins are kept: in a folder that only its owner can look into, each in a file of its own.

use std::{
    env, fs,
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use moorage_client::Address;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::session::stored::Stored;

/// The largest file, in bytes: more than the largest tokens that a provider's answer has.
const LARGEST: u64 = 1 << 20;
/// For how long another command may hold a sign-in: a bit longer than its provider may take to renew it.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether it does.
const PAUSE: Duration = Duration::from_millis(50);
/// What others may do with a file, of its mode.
#[cfg(unix)]
const OTHERS: u32 = 0o077;
/// How much of a deployment's hash is the name of its file, in bytes.
const NAME: usize = 16;

/// Why a sign-in is not read, or kept. No message has a token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    /// It is not said where the user's files are.
    #[error("there is no folder for sign-ins, as neither HOME nor XDG_STATE_HOME says where")]
    NoFolder,
    /// A file cannot be read or written.
    #[error("{path} cannot be used: {why}")]
    File {
        /// Which one.
        path: String,
        /// Why not.
        why: String,
    },
    /// Others can read it.
    #[error("{0} can be read by others than its owner")]
    Exposed(String),
    /// Another command holds it.
    #[error("another command has held {0} for too long")]
    Busy(String),
}

/// The folder.
#[derive(Debug, Clone)]
pub(crate) struct Folder(PathBuf);

/// The right to change a sign-in, until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "it is held, and ends with its file")] File);

impl Folder {
    /// The user's: `$XDG_STATE_HOME/moorage/sign-ins`.
    pub(crate) fn of_user() -> Result<Self, SessionError> {
        let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
        Ok(Self::at(state.ok_or(SessionError::NoFolder)?.join("moorage/sign-ins")))
    }

    pub(super) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// The file of a deployment.
    pub(crate) fn file(&self, address: &Address) -> PathBuf {
        self.0.join(format!("{}.json", name(address)))
    }

    /// The sign-in of a deployment, if there is one. What cannot be read as one is none.
    pub(crate) fn read(&self, address: &Address) -> Result<Option<Stored>, SessionError> {
        let path = self.file(address);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(|error| wrong(&path, &error))?,
        };
        is_private(&path, &file)?;
        let mut text = String::new();
        file.take(LARGEST).read_to_string(&mut text).map_err(|error| wrong(&path, &error))?;
        let stored: Option<Stored> = serde_json::from_str(&text).ok();
        Ok(stored.filter(|stored| stored.url == address.root()))
    }

    /// Keeps a sign-in: either it is there as a whole afterwards, or what was there before.
    pub(crate) fn write(&self, address: &Address, stored: &Stored, _: &Lock) -> Result<(), SessionError> {
        let (path, new) = (self.file(address), self.0.join(format!("{}.new", name(address))));
        let result = remove(&new).and_then(|()| {
            let mut file = private().create_new(true).open(&new)?;
            file.write_all(stored.text().as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &path)
        });
        result.map_err(|error| wrong(&path, &error))
    }

    /// Forgets a sign-in. Says whether there was one.
    pub(crate) fn remove(&self, address: &Address, _: &Lock) -> Result<bool, SessionError> {
        let path = self.file(address);
        let is_there = fs::symlink_metadata(&path).is_ok();
        remove(&path).map_err(|error| wrong(&path, &error))?;
        Ok(is_there)
    }

    /// Waits until no other command changes the sign-in of a deployment. The folder is made.
    pub(crate) async fn lock(&self, address: &Address) -> Result<Lock, SessionError> {
        make(&self.0).map_err(|error| wrong(&self.0, &error))?;
        let path = self.0.join(format!("{}.lock", name(address)));
        let file = private().create(true).truncate(false).open(&path).map_err(|error| wrong(&path, &error))?;
        let until = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock(file)),
                Err(TryLockError::WouldBlock) if Instant::now() < until => tokio::time::sleep(PAUSE).await,
                Err(TryLockError::WouldBlock) => return Err(SessionError::Busy(path.display().to_string())),
                Err(TryLockError::Error(error)) => return Err(wrong(&path, &error)),
            }
        }
    }
}

/// The name of what belongs to a deployment.
fn name(address: &Address) -> String {
    hex::encode(&Sha256::digest(address.root())[..NAME])
}

fn wrong(path: &Path, error: &io::Error) -> SessionError {
    SessionError::File { path: path.display().to_string(), why: error.to_string() }
}

/// Removes a file, if there is one.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// A file that only its owner can read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes the folder, and has it private.
fn make(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    #[cfg(unix)]
    fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    Ok(())
}

/// Refuses a file that others can read: whoever has made it so may have read it.
#[cfg(unix)]
fn is_private(path: &Path, file: &File) -> Result<(), SessionError> {
    let mode = file.metadata().map_err(|error| wrong(path, &error))?;
    let mode = std::os::unix::fs::PermissionsExt::mode(&mode.permissions());
    if mode & OTHERS == 0 { Ok(()) } else { Err(SessionError::Exposed(path.display().to_string())) }
}

#[cfg(not(unix))]
fn is_private(_: &Path, _: &File) -> Result<(), SessionError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn stored(url: &str, refresh_token: &str) -> Stored {
        Stored {
            url: url.into(),
            issuer: "https://login.example.com".into(),
            client_id: "moorage".into(),
            token_endpoint: "https://login.example.com/token".into(),
            id_token: "e30.e30.c2ln".into(),
            refresh_token: Some(refresh_token.into()),
            received: moorage_domain::Timestamp::from_unix(1_767_225_600),
        }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn a_sign_in_is_its_owners_alone() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::at(root.path().join("moorage/sign-ins"));
        let address = |text: &str| Address::parse(text, false).unwrap();
        let (here, there) = (address("https://h/api/v1"), address("https://other"));
        assert!(folder.read(&here).unwrap().is_none());
        fs::create_dir_all(&folder.0).unwrap();
        fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o755)).unwrap();
        let lock = folder.lock(&here).await.unwrap();
        folder.write(&here, &stored("https://h", "hunter2"), &lock).unwrap();
        folder.write(&here, &stored("https://h", "hunter3"), &lock).unwrap();
        assert_eq!((mode(&folder.0), mode(&folder.file(&here))), (0o700, 0o600));
        let read = folder.read(&address("https://h/")).unwrap().unwrap();
        assert!(!format!("{read:?}").contains("hunter3"));
        assert_eq!(read.text(), stored("https://h", "hunter3").text());
        assert!(folder.read(&there).unwrap().is_none());
        // One that was moved to another deployment's place is not that one's.
        fs::copy(folder.file(&here), folder.file(&there)).unwrap();
        assert!(folder.read(&there).unwrap().is_none());

        fs::set_permissions(folder.file(&here), fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(folder.read(&here), Err(SessionError::Exposed(_))));
        assert!(folder.remove(&here, &lock).unwrap());
        assert!(!folder.remove(&here, &lock).unwrap());
        assert!(folder.read(&here).unwrap().is_none());
    }

    #[tokio::test]
    async fn one_command_at_a_time_changes_it() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::at(root.path().to_owned());
        let address = Address::parse("https://h", false).unwrap();
        let lock = folder.lock(&address).await.unwrap();
        let waiting = folder.lock(&address);
        let early = tokio::time::timeout(Duration::from_millis(200), waiting).await;
        assert!(early.is_err(), "it is held");
        drop(lock);
        folder.lock(&address).await.unwrap();
    }
}
