//! AWS that misbehaves by plan: a proxy before the emulator, which delays, refuses, loses answers, and kills who asks.
//!
//! Asynchronous invocations of functions are not passed on: they are kept, for the test to deliver, late, twice or never.

pub mod fault;
pub mod request;

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, body::Incoming, http::request::Parts, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpListener, sync::oneshot};

use self::{
    fault::{Fault, Refusal},
    request::{Request, Service, half_units},
};
use crate::{http, process::Killable};

/// What happens to a request.
pub type Plan = Box<dyn Fn(&Request) -> Fault + Send + Sync>;
type Answer = hyper::Response<Full<Bytes>>;

/// The proxy.
#[derive(Debug, Clone)]
pub struct Aws {
    /// Its URL.
    pub url: String,
    inner: Arc<Inner>,
}

/// An invocation of a function.
#[derive(Debug)]
pub struct Invocation {
    /// Its name.
    pub function: String,
    /// What it is invoked with.
    pub payload: Value,
    /// Who waits for the answer; nobody for an asynchronous one.
    pub waits: Option<oneshot::Sender<Value>>,
}

struct Inner {
    target: String,
    client: reqwest::Client,
    latency: Duration,
    plan: Plan,
    seen: Mutex<Vec<Request>>,
    /// Requests whose answers have not been sent.
    open: AtomicUsize,
    /// The most rounds of a request that has been answered.
    rounds: AtomicUsize,
    victim: Mutex<Option<Killable>>,
    invocations: Mutex<VecDeque<Invocation>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("target", &self.target).finish_non_exhaustive()
    }
}

impl Aws {
    /// A proxy before `target` that answers so much later, and by `plan`.
    pub async fn before(target: &str, latency: Duration, plan: Plan) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Inner {
            target: target.to_owned(),
            client: http(),
            latency,
            plan,
            seen: Mutex::default(),
            open: AtomicUsize::default(),
            rounds: AtomicUsize::default(),
            victim: Mutex::default(),
            invocations: Mutex::default(),
        });
        let serving = Arc::clone(&inner);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let inner = Arc::clone(&serving);
                let service = service_fn(move |request| Arc::clone(&inner).answer(request));
                let connection =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                // Clients break connections off, and so does the plan.
                tokio::spawn(async move { connection.await.ok() });
            }
        });
        Self { url, inner }
    }

    /// A proxy that only counts.
    pub async fn honest(target: &str) -> Self {
        Self::before(target, Duration::ZERO, Box::new(|_| Fault::None)).await
    }

    /// Whom a plan kills.
    pub fn aim_at(&self, victim: Killable) {
        *self.inner.victim.lock().unwrap() = Some(victim);
    }

    /// What was asked for so far, in order.
    pub fn seen(&self) -> Vec<Request> {
        self.inner.seen.lock().unwrap().clone()
    }

    /// The next asynchronous invocation that nobody has delivered.
    pub fn next_event(&self) -> Option<Invocation> {
        self.next(|invocation| invocation.waits.is_none())
    }

    /// The next invocation whose answer is waited for.
    pub fn next_call(&self) -> Option<Invocation> {
        self.next(|invocation| invocation.waits.is_some())
    }

    fn next(&self, wanted: impl Fn(&Invocation) -> bool) -> Option<Invocation> {
        let mut invocations = self.inner.invocations.lock().unwrap();
        let at = invocations.iter().position(wanted)?;
        invocations.remove(at)
    }
}

impl Inner {
    async fn answer(self: Arc<Self>, request: hyper::Request<Incoming>) -> Result<Answer, io::Error> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let request = {
            let mut seen = self.seen.lock().unwrap();
            let overlaps = self.open.fetch_add(1, Ordering::SeqCst) > 0;
            let round = self.rounds.load(Ordering::SeqCst) + 1;
            let request = Request { overlaps, round, ..Request::read(seen.len() + 1, &head, &body) };
            seen.push(request.clone());
            request
        };
        let answer = self.answer_by_plan(&request, head, body).await;
        self.rounds.fetch_max(request.round, Ordering::SeqCst);
        self.open.fetch_sub(1, Ordering::SeqCst);
        answer
    }

    async fn answer_by_plan(&self, request: &Request, head: Parts, body: Bytes) -> Result<Answer, io::Error> {
        if self.is_dead() {
            return Err(lost());
        }
        tokio::time::sleep(self.latency).await;
        match (self.plan)(request) {
            Fault::None => self.pass_on(request, head, body).await,
            Fault::KillBefore => Err(self.kill()),
            Fault::KillAfter => {
                self.pass_on(request, head, body).await?;
                Err(self.kill())
            }
            Fault::FreezeBefore => Err(self.freeze()),
            Fault::FreezeAfter => {
                self.pass_on(request, head, body).await?;
                Err(self.freeze())
            }
            Fault::LoseRequest => Err(lost()),
            Fault::LoseAnswer => {
                self.pass_on(request, head, body).await?;
                Err(lost())
            }
            Fault::Refuse(refusal) => Ok(refusal.answer(request.service)),
            Fault::Delay(by) => {
                tokio::time::sleep(by).await;
                self.pass_on(request, head, body).await
            }
        }
    }

    fn is_dead(&self) -> bool {
        self.victim.lock().unwrap().as_ref().is_some_and(Killable::is_dead)
    }

    fn kill(&self) -> io::Error {
        if let Some(victim) = self.victim.lock().unwrap().as_ref() {
            victim.kill();
        }
        lost()
    }

    fn freeze(&self) -> io::Error {
        if let Some(victim) = self.victim.lock().unwrap().as_ref() {
            victim.freeze();
        }
        lost()
    }

    async fn pass_on(&self, request: &Request, head: Parts, body: Bytes) -> Result<Answer, io::Error> {
        if request.service == Service::Lambda && head.method == Method::POST {
            return self.invoke(request, &head, &body).await;
        }
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut headers = head.headers;
        // Of this connection, not of the next.
        headers.remove("connection");
        let url = format!("{}{path}", self.target);
        // With the host that it was sent to: that is signed.
        let sent = self.client.request(head.method, url).headers(headers).body(body).send().await;
        let answer = sent.map_err(io::Error::other)?;
        let mut response = hyper::Response::builder().status(answer.status());
        for (name, value) in answer.headers() {
            if !matches!(name.as_str(), "connection" | "transfer-encoding" | "content-length") {
                response = response.header(name, value);
            }
        }
        // An answer to HEAD says how long the body would be.
        let length = answer.headers().get("content-length").cloned();
        let body = answer.bytes().await.map_err(io::Error::other)?;
        if request.service == Service::DynamoDb {
            self.seen.lock().unwrap()[request.number - 1].half_units = half_units(&body);
        }
        let response = match length {
            Some(length) if body.is_empty() => response.header("content-length", length),
            _ => response,
        };
        Ok(response.body(Full::new(body)).unwrap())
    }

    async fn invoke(&self, request: &Request, head: &Parts, body: &Bytes) -> Result<Answer, io::Error> {
        let payload = serde_json::from_slice(body).unwrap();
        let function = request.target.clone();
        let is_event = head.headers.get("x-amz-invocation-type").is_some_and(|kind| kind == "Event");
        let (waits, answer) = oneshot::channel();
        let waits = (!is_event).then_some(waits);
        self.invocations.lock().unwrap().push_back(Invocation { function, payload, waits });
        if is_event {
            return Ok(hyper::Response::builder().status(202).body(Full::default()).unwrap());
        }
        let answer = answer.await.map_err(io::Error::other)?;
        Ok(hyper::Response::new(Full::new(answer.to_string().into())))
    }
}

fn lost() -> io::Error {
    io::Error::from(io::ErrorKind::ConnectionReset)
}

/// A plan of one fault: the first request of this kind suffers it.
pub fn first(fault: Fault, is_it: impl Fn(&Request) -> bool + Send + Sync + 'static) -> Plan {
    let is_done = AtomicBool::new(false);
    Box::new(move |request| {
        let is_now = is_it(request) && !is_done.swap(true, Ordering::SeqCst);
        if is_now { fault } else { Fault::None }
    })
}

/// A plan by chance: of a thousand requests, so many suffer one of the faults; which, the seed says.
pub fn by_chance(seed: u64, per_thousand: u64, faults: &[Fault]) -> Plan {
    use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

    let faults = faults.to_vec();
    Box::new(move |request| {
        // The same for the same request, whichever comes first.
        let mut random = StdRng::seed_from_u64(seed ^ (request.number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        if random.random_range(0..1_000) < per_thousand {
            faults[random.random_range(0..faults.len())]
        } else {
            Fault::None
        }
    })
}

/// All that happens to requests on a bad day, and does not end who makes them.
pub fn bad_day() -> Vec<Fault> {
    let refusals = [Refusal::SlowDown, Refusal::Internal, Refusal::Throttled].map(Fault::Refuse);
    let others = [Fault::LoseRequest, Fault::LoseAnswer, Fault::Delay(Duration::from_millis(300))];
    [refusals.as_slice(), &others].concat()
}
