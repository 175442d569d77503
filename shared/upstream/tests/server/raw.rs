//! A server that writes its answers byte by byte, and does to its connections what a test says.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use moorage_upstream::{Meter, Registry};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// How long it thinks, so that requests meet.
const THINKING: Duration = Duration::from_millis(20);

/// A request, and where it came.
#[derive(Debug, Clone)]
pub(crate) struct Came {
    /// How many came before on its connection.
    pub(crate) nth: usize,
    /// How many were under way when it came, itself included.
    pub(crate) under_way: usize,
    /// The method and the path.
    pub(crate) line: String,
    /// All of it, in lower case.
    pub(crate) head: String,
}

impl Came {
    /// The value of the `Range` header.
    pub(crate) fn range(&self) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix("range: "))
    }
}

/// What becomes of it.
pub(crate) enum Done {
    /// These bytes; then the next request.
    Sent(Vec<u8>),
    /// These bytes, then the end of the connection.
    Last(Vec<u8>),
    /// Nothing, for ever.
    Silent,
}

/// A running server.
#[derive(Clone)]
pub(crate) struct Raw {
    address: String,
    came: Arc<Mutex<Vec<Came>>>,
}

impl Raw {
    pub(crate) async fn start(answer: impl Fn(&Came) -> Done + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let raw = Self { address: listener.local_addr().unwrap().to_string(), came: Arc::default() };
        let (came, answer, under_way) = (raw.came.clone(), Arc::new(answer), Arc::new(AtomicUsize::new(0)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (came, answer, under_way) = (came.clone(), answer.clone(), under_way.clone());
                tokio::spawn(async move { serve(stream, &came, &*answer, &under_way).await });
            }
        });
        raw
    }

    /// A registry here that is tried so often, and waited for so long.
    pub(crate) fn open(&self, meter: Meter, tries: u32, patience: Duration) -> Registry {
        let mut settings = super::settings(meter, &[]);
        (settings.limits.tries, settings.limits.patience) = (tries, patience);
        Registry::new(format!("{}/a/b", self.address).parse().unwrap(), settings).unwrap()
    }

    /// What came so far.
    pub(crate) fn came(&self) -> Vec<Came> {
        self.came.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    came: &Mutex<Vec<Came>>,
    answer: &(impl Fn(&Came) -> Done + Send + Sync),
    under_way: &AtomicUsize,
) -> Option<()> {
    for nth in 0.. {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
            if head[0] == 0x16 {
                // It speaks no TLS.
                return None;
            }
        }
        let text = String::from_utf8(head).unwrap();
        let line = text.split(" HTTP/").next().unwrap().to_owned();
        let one = Came { nth, under_way: under_way.fetch_add(1, SeqCst) + 1, line, head: text.to_lowercase() };
        tokio::time::sleep(THINKING).await;
        let done = answer(&one);
        came.lock().unwrap().push(one);
        let (bytes, is_last) = match done {
            Done::Sent(bytes) => (bytes, false),
            Done::Last(bytes) => (bytes, true),
            Done::Silent => std::future::pending().await,
        };
        let sent = stream.write_all(&bytes).await;
        under_way.fetch_sub(1, SeqCst);
        sent.ok().filter(|()| !is_last)?;
    }
    None
}

/// An answer with a body and its length.
pub(crate) fn answer(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}
