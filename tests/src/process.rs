//! Processes of the test's own, and of the functions under test.

use std::{
    fs,
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// A child that ends with its owner.
#[derive(Debug)]
pub struct Server {
    child: Child,
}

impl Server {
    /// Starts a command and waits until `port` accepts connections.
    pub fn start(command: &mut Command, port: u16) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let server = Self { child: child.unwrap_or_else(|error| panic!("{command:?}: {error}; run `make setup`")) };
        let deadline = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "{command:?} did not open its port");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A child that anybody may end at once, or freeze for a while.
#[derive(Debug, Clone)]
pub struct Killable {
    child: Arc<Mutex<Child>>,
    is_frozen: Arc<AtomicBool>,
}

impl Killable {
    /// Starts a command.
    pub fn start(command: &mut Command) -> Self {
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}; run `make build`"));
        Self { child: Arc::new(Mutex::new(child)), is_frozen: Arc::default() }
    }

    /// Ends it, without a chance to do anything more.
    pub fn kill(&self) {
        let mut child = self.child.lock().unwrap();
        // It may have ended by itself.
        child.kill().ok();
        child.wait().ok();
    }

    /// Whether it has ended.
    pub fn is_dead(&self) -> bool {
        self.child.lock().unwrap().try_wait().is_ok_and(|ended| ended.is_some())
    }

    /// Has it stand still, as if its machine had been frozen.
    pub fn freeze(&self) {
        assert!(signal(self.child.lock().unwrap().id(), "STOP"));
        self.is_frozen.store(true, Ordering::SeqCst);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.is_frozen.store(false, Ordering::SeqCst);
        assert!(signal(self.child.lock().unwrap().id(), "CONT"));
    }

    /// Whether it stands still.
    pub fn is_frozen(&self) -> bool {
        self.is_frozen.load(Ordering::SeqCst)
    }
}

/// A port that is free now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Kills the functions (processes called `bootstrap`) that are connected to `port`, as a crash would. Returns how many.
pub fn kill_functions_connected_to(port: u16) -> usize {
    functions_connected_to(port).into_iter().filter(|pid| signal(*pid, "KILL")).count()
}

/// A function that stands still until this is dropped, as if its machine had been frozen.
#[derive(Debug)]
pub struct Frozen {
    pid: u32,
}

impl Frozen {
    /// Freezes the one function that is connected to `port`.
    pub fn function_connected_to(port: u16) -> Self {
        let functions = functions_connected_to(port);
        let [pid] = functions[..] else { panic!("one function is connected, not {functions:?}") };
        assert!(signal(pid, "STOP"));
        Self { pid }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        signal(self.pid, "CONT");
    }
}

fn signal(pid: u32, signal: &str) -> bool {
    Command::new("kill").args(["-s", signal, &pid.to_string()]).status().unwrap().success()
}

/// The functions (processes called `bootstrap`) that are connected to `port`.
fn functions_connected_to(port: u16) -> Vec<u32> {
    let sockets = sockets_connected_to(port);
    let mut functions = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        if fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim() == "bootstrap") {
            let files = fs::read_dir(path.join("fd")).into_iter().flatten().flatten();
            let mut links = files.filter_map(|file| fs::read_link(file.path()).ok());
            if links.any(|link| sockets.iter().any(|socket| link.to_str() == Some(socket))) {
                functions.push(pid);
            }
        }
    }
    functions
}

/// The sockets with an established connection to a port of this machine, as `/proc/<pid>/fd` names them.
fn sockets_connected_to(port: u16) -> Vec<String> {
    let remote = format!(":{port:04X}");
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let fields = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    fields.filter(|fields| fields[2].ends_with(&remote)).map(|fields| format!("socket:[{}]", fields[9])).collect()
}
