//! A copy of the stack's emulator, with all that it holds at that moment: what happens to it happens to nobody else.

use std::process::Command;

use tokio::{io::AsyncReadExt as _, net::UnixStream};

/// Names the socket at which the emulator is asked for copies.
const SOCKET: &str = "MOORAGE_EMULATOR_FORKS";

/// A copy. It ends when this is dropped.
#[derive(Debug)]
pub struct Fork {
    /// Its URL.
    pub endpoint: String,
    pid: u32,
}

impl Fork {
    /// A copy of the emulator as it is now.
    pub async fn of_emulator() -> Self {
        let socket = std::env::var(SOCKET).unwrap_or_else(|_| panic!("{SOCKET} is not set: `tests/run.sh` does"));
        let mut stream = UnixStream::connect(&socket).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (pid, port) = answer.trim().split_once(' ').unwrap();
        Self { endpoint: format!("http://127.0.0.1:{port}"), pid: pid.parse().unwrap() }
    }
}

impl Drop for Fork {
    fn drop(&mut self) {
        Command::new("kill").args(["-s", "KILL", &self.pid.to_string()]).status().ok();
    }
}
