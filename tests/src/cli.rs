//! The command of operators, as they run it: the one that was built, or that of `MOORAGE_COMMAND`.

use std::{
    io::{BufRead as _, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::Receiver,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::stack::Stack;

/// How wide its terminal is.
const COLUMNS: usize = 80;

/// The command, with a folder of its own.
#[derive(Debug)]
pub struct Moorage {
    url: String,
    token: String,
    folder: TempDir,
    secrets: Vec<(String, String)>,
}

/// What a command came to.
#[derive(Debug)]
pub struct Ran {
    /// The exit code.
    pub code: i32,
    /// The standard output.
    pub out: String,
    /// The standard error.
    pub err: String,
}

impl Ran {
    /// The output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Fails unless it ended so.
    #[must_use]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}

impl Moorage {
    /// For the stack, with its first token.
    pub fn new(stack: &Stack) -> Self {
        Self::of(&stack.url, &stack.token)
    }

    /// For any address, with any token.
    pub fn of(url: &str, token: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { url: url.to_owned(), token: token.to_owned(), folder, secrets: Vec::new() }
    }

    /// With a secret in a variable. Nothing that the command says may have it.
    #[must_use]
    pub fn secret(mut self, variable: &str, value: &str) -> Self {
        self.secrets.push((variable.to_owned(), value.to_owned()));
        self
    }

    /// Where its sign-ins are.
    pub fn sign_ins(&self) -> PathBuf {
        self.folder.path().join("state/moorage/sign-ins")
    }

    /// A file in its folder.
    pub fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/debug/moorage");
        let program = std::env::var_os("MOORAGE_COMMAND").map_or(built, PathBuf::from);
        assert!(program.exists(), "{} is missing: run `make build`", program.display());
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env("MOORAGE_URL", &self.url).env("MOORAGE_TOKEN", &self.token);
        command.env("XDG_STATE_HOME", self.folder.path().join("state"));
        command.env("COLUMNS", COLUMNS.to_string()).envs(self.secrets.iter().cloned());
        command
    }

    /// Runs it. What it says has no secret, and fits.
    pub async fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let ran =
            Ran { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) };
        self.has_no_secret(&ran);
        let is_for_people =
            !arguments.contains(&"json") && !["schema", "completions", "nodes", "app-token"].contains(&arguments[0]);
        for line in ran.out.lines().chain(ran.err.lines()).filter(|_| is_for_people) {
            assert!(line.chars().count() <= COLUMNS, "{arguments:?}: {line}");
        }
        ran
    }

    /// Runs it for scripts.
    pub async fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.run(&[arguments, &["--output", "json"]].concat()).await;
        ran.json()
    }

    fn has_no_secret(&self, ran: &Ran) {
        let secrets = self.secrets.iter().map(|(_, secret)| secret).chain([&self.token]).filter(|it| !it.is_empty());
        for secret in secrets {
            assert!(!ran.out.contains(secret.as_str()) && !ran.err.contains(secret.as_str()), "a secret is shown");
        }
    }

    /// Starts it, and leaves it running.
    pub fn start(&self, arguments: &[&str]) -> Running {
        let mut child = self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = lines(child.stdout.take().unwrap());
        Running { child, lines }
    }

    /// The same, where what it says besides is read: what it asks for.
    pub fn start_asking(&self, arguments: &[&str]) -> Running {
        let mut child = self.command(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = lines(child.stderr.take().unwrap());
        Running { child, lines }
    }
}

/// The lines of an output, as they come.
fn lines(out: impl Read + Send + 'static) -> Receiver<String> {
    let (send, lines) = std::sync::mpsc::channel();
    let out = BufReader::new(out);
    std::thread::spawn(move || {
        for line in out.lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

/// A command that runs.
#[derive(Debug)]
pub struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    /// Waits for a line that has this in it.
    pub async fn line_with(&self, text: &str, limit: Duration) -> String {
        let end = Instant::now() + limit;
        loop {
            match self.lines.try_recv() {
                Ok(line) if line.contains(text) => return line,
                Ok(_) => {}
                Err(_) => {
                    assert!(Instant::now() < end, "no line with {text}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    /// Waits for the end.
    pub async fn end(mut self, limit: Duration) -> i32 {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            assert!(Instant::now() < end, "it does not end");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Presses Ctrl-C, and waits for the end.
    pub fn interrupt(mut self) -> i32 {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
