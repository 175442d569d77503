//! Nodes, which pull by the name of the original what they get from a mirror: the files that the page tells people to write, and
//! containerd of one's own. It needs root, as it does everywhere.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use moorage_domain::RepositoryName;
use tempfile::TempDir;

use crate::{process::Killable, stack::Stack};

/// What people copy.
const PAGE: &str = include_str!("../../functions/registry/NODES.md");
/// How long containerd may take to start on a busy machine.
const START: Duration = Duration::from_secs(60);

/// Whether this process may do what nodes do.
pub fn is_root() -> bool {
    Command::new("id").arg("-u").output().unwrap().stdout == b"0\n"
}

/// A file of the page, by its number, for this stack.
fn file(number: usize, stack: &Stack) -> String {
    let block = PAGE.split("```toml\n").nth(number + 1).and_then(|rest| rest.split("```").next());
    let host = stack.url.trim_start_matches("http://");
    block.unwrap().replace("https://moorage.example.com", &stack.url).replace("moorage.example.com", host)
}

/// containerd's file, without credentials.
pub fn hosts(stack: &Stack) -> String {
    file(0, stack)
}

/// containerd's file, with a user name and password.
pub fn hosts_as(stack: &Stack, user: &str, password: &str) -> String {
    let file = file(1, stack);
    let example = STANDARD.encode("acme+nodes:TOKEN");
    assert!(file.contains(&example), "{file}");
    file.replace(&example, &STANDARD.encode(format!("{user}:{password}")))
}

/// containerd's file, by which the original is never asked.
pub fn hosts_alone(stack: &Stack) -> String {
    file(3, stack)
}

/// Podman's file for one mirror. Nothing here speaks https.
pub fn registries(stack: &Stack, mirror: &RepositoryName, original: &str) -> String {
    let file = file(2, stack).replace("docker.io/library/nginx", original).replace("acme/nginx", mirror.as_str());
    file.replace("\n\n", "\ninsecure = true\n\n") + "insecure = true\n"
}

/// A node that runs containerd, with nothing in it.
#[derive(Debug)]
pub struct Containerd {
    folder: TempDir,
    process: Killable,
}

impl Containerd {
    /// Starts it, with what it is told of all registries.
    pub fn start(hosts: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let text = |name: &str| format!("\"{}\"", path(name).display());
        fs::create_dir_all(path("certs.d/_default")).unwrap();
        fs::write(path("certs.d/_default/hosts.toml"), hosts).unwrap();
        let config = format!(
            "version = 2\nroot = {}\nstate = {}\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n\
             [grpc]\naddress = {}\n[ttrpc]\naddress = {}\n",
            text("root"),
            text("state"),
            text("socket"),
            text("ttrpc")
        );
        fs::write(path("config.toml"), config).unwrap();
        let log = || fs::File::options().create(true).append(true).open(path("log")).unwrap();
        let mut command = Command::new("containerd");
        command.arg("--config").arg(path("config.toml")).stdout(log()).stderr(log());
        let process = Killable::start(&mut command);
        let node = Self { folder, process };
        let deadline = Instant::now() + START;
        while !node.ctr(&["version".to_owned()]).0 {
            assert!(Instant::now() < deadline, "{}", node.log());
            std::thread::sleep(Duration::from_millis(100));
        }
        node
    }

    /// Pulls an image, with a user name and password for whoever asks if there are any; returns what was said.
    ///
    /// # Errors
    ///
    /// What was said, if it cannot be pulled.
    pub async fn pull(&self, image: &str, user: Option<&str>) -> Result<String, String> {
        let hosts = self.folder.path().join("certs.d");
        let mut arguments: Vec<_> =
            ["--debug", "images", "pull", "--snapshotter", "native", "--hosts-dir"].map(str::to_owned).into();
        arguments.push(hosts.to_str().unwrap().to_owned());
        arguments.extend(user.into_iter().flat_map(|user| ["--user".to_owned(), user.to_owned()]));
        arguments.push(image.to_owned());
        self.blocking(arguments).await
    }

    /// The digests of the images that it has.
    pub async fn images(&self) -> String {
        self.blocking(["images", "list"].map(str::to_owned).into()).await.unwrap()
    }

    /// Whether a file of this name was unpacked.
    pub fn has(&self, name: &str) -> bool {
        unpacked(self.folder.path(), name)
    }

    async fn blocking(&self, arguments: Vec<String>) -> Result<String, String> {
        let socket = self.socket();
        let (done, said) = tokio::task::spawn_blocking(move || ctr(&socket, &arguments)).await.unwrap();
        if done { Ok(said) } else { Err(said) }
    }

    fn ctr(&self, arguments: &[String]) -> (bool, String) {
        ctr(&self.socket(), arguments)
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        self.process.kill();
    }
}

fn ctr(socket: &Path, arguments: &[String]) -> (bool, String) {
    let output = Command::new("ctr").arg("--address").arg(socket).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("ctr: {error}; run `make setup`"));
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

/// Whether there is a file of this name somewhere below.
pub fn unpacked(folder: &Path, name: &str) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        entry.file_name() == name || (is_folder && unpacked(&entry.path(), name))
    })
}
