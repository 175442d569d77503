//! A server that offers HTTP/2 by TLS, and does to its streams and connections what a test says; also by HTTP/1.1.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use h2::{
    Reason,
    server::{Connection, SendResponse},
};
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use moorage_upstream::{Meter, Registry, Settings};
use rustls::{ServerConfig, crypto::aws_lc_rs::default_provider, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{Reply, secure::Authority};

/// A request, and where it came.
#[derive(Debug, Clone)]
pub(crate) struct Came {
    /// Which connection, counted from 0.
    pub(crate) connection: usize,
    /// How many came before on it.
    pub(crate) nth: usize,
    /// Whether it is of HTTP/2.
    pub(crate) is_stream: bool,
    pub(crate) method: String,
    pub(crate) path: String,
}

/// What becomes of it. What is no answer is for HTTP/2 alone.
pub(crate) enum Done {
    Sent(Reply),
    /// The same after some time.
    Late(Duration, Reply),
    /// No answer.
    Reset(Reason),
    /// An answer whose body breaks off in its middle.
    Torn(Reply, Reason),
    /// A body that is never copied.
    Huge(&'static [u8]),
    /// The end of the connection, in the protocol's words.
    Away(Reason),
    /// The end of the connection, without a word.
    Dropped,
    /// Nothing, for ever.
    Silent,
}

/// How it speaks HTTP/2.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Manner {
    /// How many streams it bears at once.
    pub(crate) most: Option<u32>,
    /// What it says instead.
    pub(crate) nonsense: Option<&'static [u8]>,
    /// Whether it does not offer it.
    pub(crate) is_old: bool,
}

/// A running server.
#[derive(Clone)]
pub(crate) struct Streams {
    pub(crate) address: String,
    came: Arc<Mutex<Vec<Came>>>,
    /// How many streams were open at once, and the most that were.
    open: Arc<(AtomicUsize, AtomicUsize)>,
}

type Answer = Arc<dyn Fn(&Came) -> Done + Send + Sync>;

impl Streams {
    pub(crate) async fn start(manner: Manner, answer: impl Fn(&Came) -> Done + Send + Sync + 'static) -> Self {
        let own = Authority::new().certify("a server");
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let key = PrivateKeyDer::try_from(own.key.serialize_der()).unwrap();
        let mut config = config.with_single_cert(vec![own.der], key).unwrap();
        let offered: &[&[u8]] = if manner.is_old { &[b"http/1.1"] } else { &[b"h2", b"http/1.1"] };
        config.alpn_protocols = offered.iter().map(|name| name.to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = Self { address, came: Arc::default(), open: Arc::default() };
        let (running, answer): (_, Answer) = (server.clone(), Arc::new(answer));
        tokio::spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let (server, answer, acceptor) = (running.clone(), Arc::clone(&answer), acceptor.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                        server.streams(connection, stream, manner, answer).await;
                    } else {
                        server.one_by_one(connection, stream, answer).await;
                    }
                });
            }
        });
        server
    }

    /// A registry here that is waited for so long.
    pub(crate) fn open(&self, meter: Meter, patience: Duration) -> Registry {
        let mut settings = Settings { credentials: None, ..super::settings(meter, &[]) };
        (settings.limits.tries, settings.limits.patience) = (5, patience);
        settings.limits.concurrent_requests = 64;
        Registry::new(format!("{}/a/b", self.address).parse().unwrap(), settings).unwrap()
    }

    /// What came so far.
    pub(crate) fn came(&self) -> Vec<Came> {
        self.came.lock().unwrap().clone()
    }

    /// The most streams that were open at once.
    pub(crate) fn peak(&self) -> usize {
        self.open.1.load(SeqCst)
    }

    fn note(&self, connection: usize, is_stream: bool, method: String, path: String) -> Came {
        let mut came = self.came.lock().unwrap();
        let nth = came.iter().filter(|came| came.connection == connection).count();
        let one = Came { connection, nth, is_stream, method, path };
        came.push(one.clone());
        one
    }

    async fn one_by_one(self, connection: usize, stream: TlsStream<TcpStream>, answer: Answer) {
        let service = service_fn(move |request: Request<Incoming>| {
            let one = self.note(connection, false, request.method().to_string(), request.uri().to_string());
            let done = answer(&one);
            async move {
                let reply = match done {
                    Done::Sent(reply) => response(reply),
                    Done::Late(after, reply) => {
                        tokio::time::sleep(after).await;
                        response(reply)
                    }
                    Done::Huge(body) => Response::new(Bytes::from_static(body)),
                    _ => std::future::pending().await,
                };
                let (head, body) = reply.into_parts();
                Ok::<_, Infallible>(Response::from_parts(head, Full::new(body)))
            }
        });
        let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        // A client may go whenever it likes.
        connection.await.ok();
    }

    async fn streams(self, number: usize, mut stream: TlsStream<TcpStream>, manner: Manner, answer: Answer) {
        if let Some(nonsense) = manner.nonsense {
            stream.write_all(nonsense).await.ok();
            stream.flush().await.ok();
            stream.read_to_end(&mut Vec::new()).await.ok();
            return;
        }
        let mut builder = h2::server::Builder::new();
        if let Some(most) = manner.most {
            builder.max_concurrent_streams(most);
        }
        let Ok(mut connection): Result<Connection<_, Bytes>, _> = builder.handshake(stream).await else { return };
        let (end, mut ended) = mpsc::unbounded_channel();
        loop {
            tokio::select! {
                Some(reason) = ended.recv() => match reason {
                    Some(Reason::NO_ERROR) => connection.graceful_shutdown(),
                    Some(reason) => connection.abrupt_shutdown(reason),
                    None => return,
                },
                accepted = connection.accept() => {
                    let Some(Ok((request, respond))) = accepted else { return };
                    let (method, uri) = (request.method().to_string(), request.uri());
                    let path = uri.path_and_query().unwrap().to_string();
                    let one = self.note(number, true, method, path);
                    let (done, end, open) = (answer(&one), end.clone(), Arc::clone(&self.open));
                    tokio::spawn(async move {
                        open.1.fetch_max(open.0.fetch_add(1, SeqCst) + 1, SeqCst);
                        if let Some(reason) = settle(done, &one, respond).await {
                            end.send(reason).ok();
                        }
                        open.0.fetch_sub(1, SeqCst);
                    });
                }
            }
        }
    }
}

/// Does to a stream what is said; gives how the connection ends, if it does.
async fn settle(done: Done, one: &Came, mut respond: SendResponse<Bytes>) -> Option<Option<Reason>> {
    let (reply, torn) = match done {
        Done::Sent(reply) => (response(reply), None),
        Done::Late(after, reply) => {
            tokio::time::sleep(after).await;
            (response(reply), None)
        }
        Done::Torn(reply, reason) => (response(reply), Some(reason)),
        Done::Huge(body) => (Response::new(Bytes::from_static(body)), None),
        Done::Reset(reason) => {
            respond.send_reset(reason);
            return None;
        }
        Done::Away(reason) => return Some(Some(reason)),
        Done::Dropped => return Some(None),
        Done::Silent => std::future::pending().await,
    };
    let (head, body) = reply.into_parts();
    let has_body = one.method != "HEAD" && !body.is_empty();
    let mut sending = respond.send_response(Response::from_parts(head, ()), !has_body).ok()?;
    let mut left = if torn.is_some() { body.slice(..body.len() / 2) } else { body };
    while has_body && !left.is_empty() {
        sending.reserve_capacity(left.len());
        let room = std::future::poll_fn(|context| sending.poll_capacity(context)).await?.ok()?;
        let part = left.split_to(room.min(left.len()));
        sending.send_data(part, left.is_empty() && torn.is_none()).ok()?;
    }
    if let Some(reason) = torn {
        // What was sent is on its way.
        tokio::time::sleep(Duration::from_millis(20)).await;
        sending.send_reset(reason);
    }
    None
}

fn response((status, headers, body): Reply) -> Response<Bytes> {
    let response = Response::builder().status(status).header("content-length", body.len());
    let response = headers.into_iter().fold(response, |response, (name, value)| response.header(name, value));
    response.body(Bytes::from(body)).unwrap()
}
