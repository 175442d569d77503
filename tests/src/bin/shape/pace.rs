//! How quickly a connection's bytes go.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_core::Stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;

use crate::Body;

/// What is waited for at once, so that a limit is kept evenly.
const CHUNK: usize = 32 * 1024;

/// How far a connection may be behind its limit and still catch up.
const CATCH_UP: Duration = Duration::from_millis(20);

/// One connection's limit.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    /// Bytes a second; 0 for any.
    rate: u64,
    /// When it may send again.
    free: Arc<tokio::sync::Mutex<Instant>>,
}

impl Pace {
    pub(crate) fn new(rate: u64) -> Self {
        Self { rate, free: Arc::new(tokio::sync::Mutex::new(Instant::now())) }
    }

    /// A body of these bytes, at this pace; `sent` is told of each piece.
    pub(crate) fn paced(
        self,
        stream: impl Stream<Item = reqwest::Result<Bytes>> + Send + 'static,
        sent: impl Fn(usize) + Send + Sync + 'static,
    ) -> Body {
        let mut stream = Box::pin(stream);
        let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            while let Some(chunk) = std::future::poll_fn(|context| stream.as_mut().poll_next(context)).await {
                let Ok(mut chunk) = chunk else { return };
                while !chunk.is_empty() {
                    let part = chunk.split_to(chunk.len().min(CHUNK));
                    sent(part.len());
                    self.wait(part.len()).await;
                    if sender.send(Ok(Frame::data(part))).await.is_err() {
                        return;
                    }
                }
            }
        });
        let body = futures_util::stream::poll_fn(move |context| receiver.poll_recv(context));
        StreamBody::new(body).boxed_unsync()
    }

    /// Waits until so many bytes may be sent.
    async fn wait(&self, bytes: usize) {
        // No rate, no pause.
        let Some(takes) = (bytes as u64 * 1_000_000_000).checked_div(self.rate) else { return };
        let mut free = self.free.lock().await;
        tokio::time::sleep_until((*free).into()).await;
        // A little that was not used may be made up for.
        let now = Instant::now();
        *free = (*free).max(now.checked_sub(CATCH_UP).unwrap_or(now)) + Duration::from_nanos(takes);
    }
}
