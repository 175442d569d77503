//! A function's own binary as a plain process, with the test in Lambda's place.

use std::{
    collections::HashMap,
    fs::File,
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    net::TcpListener,
    sync::{Mutex as Waiting, mpsc, oneshot},
};

use crate::process::Killable;

/// Names the folder of the functions' binaries, if they are not those that the other tests have.
const BINARIES: &str = "MOORAGE_BINARIES";
/// How often it is looked whether the process still runs.
const LOOK: Duration = Duration::from_millis(20);

/// A function's process.
#[derive(Debug)]
pub struct Function {
    process: Killable,
    invocations: mpsc::UnboundedSender<Invocation>,
    log: PathBuf,
}

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The function answered.
    Answer(Value),
    /// It said that it failed.
    Failed(Value),
    /// Its process ended.
    Killed,
    /// It did not end in time, and was killed as Lambda does it.
    TimedOut,
}

#[derive(Debug)]
struct Invocation {
    event: String,
    deadline: SystemTime,
    answer: oneshot::Sender<Outcome>,
}

/// Lambda, as a function's runtime sees it.
struct Runtime {
    invocations: Waiting<mpsc::UnboundedReceiver<Invocation>>,
    answers: Mutex<HashMap<String, oneshot::Sender<Outcome>>>,
}

impl Function {
    /// Starts the binary of the function `name` (`sync`, `api`, …) with these variables; it logs to a file in `folder`.
    pub async fn start(name: &str, variables: &HashMap<String, String>, folder: &Path) -> Self {
        let (invocations, received) = mpsc::unbounded_channel();
        let runtime = Arc::new(Runtime { invocations: Waiting::new(received), answers: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let runtime = Arc::clone(&runtime);
                let service = service_fn(move |request| Arc::clone(&runtime).answer(request));
                let connection =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                // It breaks off when the process ends.
                tokio::spawn(async move { connection.await.ok() });
            }
        });
        let log = folder.join(format!("{name}-{address}.log"));
        let file = File::create(&log).unwrap();
        let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/debug");
        let built = std::env::var(BINARIES).map_or(built, PathBuf::from);
        let binary = built.join(format!("moorage-{name}"));
        let mut command = Command::new(binary);
        command.env_clear().envs(variables).env("AWS_LAMBDA_RUNTIME_API", address);
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        Self { process: Killable::start(&mut command), invocations, log }
    }

    /// The process.
    pub fn process(&self) -> Killable {
        self.process.clone()
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Has it handle an event within a time.
    pub async fn invoke(&self, event: &Value, within: Duration) -> Outcome {
        let (answer, mut answered) = oneshot::channel();
        let deadline = SystemTime::now() + within;
        self.invocations.send(Invocation { event: event.to_string(), deadline, answer }).unwrap();
        loop {
            match tokio::time::timeout(LOOK, &mut answered).await {
                Ok(Ok(outcome)) => return outcome,
                Ok(Err(_)) => return Outcome::Killed,
                Err(_) if self.process.is_dead() => return Outcome::Killed,
                Err(_) if SystemTime::now() > deadline => {
                    self.process.kill();
                    return Outcome::TimedOut;
                }
                Err(_) => {}
            }
        }
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.process.kill();
    }
}

impl Runtime {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, io::Error> {
        let path = request.uri().path().to_owned();
        if request.method() == Method::GET {
            let mut invocations = self.invocations.lock().await;
            let Some(next) = invocations.recv().await else { return Err(io::ErrorKind::ConnectionAborted.into()) };
            let id = format!("{:032x}", rand::random::<u128>());
            self.answers.lock().unwrap().insert(id.clone(), next.answer);
            let deadline = next.deadline.duration_since(UNIX_EPOCH).unwrap().as_millis().to_string();
            let response = Response::builder()
                .header("lambda-runtime-aws-request-id", id)
                .header("lambda-runtime-deadline-ms", deadline)
                .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:000000000000:function:test")
                .header("lambda-runtime-trace-id", "Root=1-5e1b4151-5ac6c58f5b5daa6532f30000")
                .header("content-type", "application/json");
            return Ok(response.body(Full::new(next.event.into())).unwrap());
        }
        let body = request.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        if let [.., id, end] = path.split('/').collect::<Vec<_>>()[..]
            && let Some(answer) = self.answers.lock().unwrap().remove(id)
        {
            // Nobody may wait any more.
            answer.send(if end == "response" { Outcome::Answer(body) } else { Outcome::Failed(body) }).ok();
        }
        Ok(Response::builder().status(202).body(Full::default()).unwrap())
    }
}
