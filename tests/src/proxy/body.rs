//! Bodies: whole, broken, slow.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{Response, body::Frame};

pub(super) type Body = UnsyncBoxBody<Bytes, std::io::Error>;

pub(super) fn plain(status: u16, headers: &[(&'static str, String)], body: Bytes) -> Response<Body> {
    let builder = Response::builder().status(status);
    headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, value)).body(full(body)).unwrap()
}

pub(super) fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// A body that ends in a broken connection, or does not end.
pub(super) fn broken(part: Bytes, stall: bool) -> Body {
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        let _ = sender.send(Ok(Frame::data(part))).await;
        // Long enough for the part to leave before the connection breaks.
        let pause = if stall { Duration::from_secs(600) } else { Duration::from_millis(50) };
        tokio::time::sleep(pause).await;
        let _ = sender.send(Err(std::io::Error::other("broken on purpose"))).await;
    });
    StreamBody::new(Receiver(receiver)).boxed_unsync()
}

/// A body that comes a byte at a time.
pub(super) fn dripping(body: Bytes, every: Duration) -> Body {
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        for n in 0..body.len() {
            // The reader may have had enough.
            if sender.send(Ok(Frame::data(body.slice(n..=n)))).await.is_err() {
                return;
            }
            tokio::time::sleep(every).await;
        }
    });
    StreamBody::new(Receiver(receiver)).boxed_unsync()
}

struct Receiver(tokio::sync::mpsc::Receiver<Result<Frame<Bytes>, std::io::Error>>);

impl futures_core::Stream for Receiver {
    type Item = Result<Frame<Bytes>, std::io::Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}
