//! Bodies: what comes in chunks of AWS's own, and what goes out in pieces that nobody copies.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

/// An answer's body: pieces of what is stored.
#[derive(Debug, Default)]
pub(crate) struct Body(VecDeque<Bytes>);

impl Body {
    fn len(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self(VecDeque::from([text.into()]))
    }
}

impl FromIterator<Bytes> for Body {
    fn from_iter<I: IntoIterator<Item = Bytes>>(pieces: I) -> Self {
        Self(pieces.into_iter().collect())
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len() as u64)
    }
}

/// Takes the chunks' heads and the trailers out of a body that is `aws-chunked`: the data, and the trailers' lines.
pub(crate) fn unchunked(mut body: Bytes) -> (Vec<Bytes>, Vec<String>) {
    let mut pieces = Vec::new();
    while let Some(head) = line(&mut body) {
        let size = head.split(';').next().and_then(|size| usize::from_str_radix(size, 16).ok()).unwrap_or(0);
        if size == 0 {
            break;
        }
        pieces.push(body.split_to(size.min(body.len())));
        line(&mut body);
    }
    let trailers = std::iter::from_fn(|| line(&mut body)).filter(|line| !line.is_empty());
    (pieces, trailers.collect())
}

/// Takes a line off the front.
fn line(body: &mut Bytes) -> Option<String> {
    let end = body.windows(2).position(|two| two == b"\r\n")?;
    let line = body.split_to(end);
    let _ = body.split_to(2);
    Some(String::from_utf8_lossy(&line).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_lose_their_heads_and_give_their_trailers() {
        let sent = "5;chunk-signature=aa\r\nhello\r\n3\r\n, S\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n";
        let (pieces, trailers) = unchunked(Bytes::from(sent));
        assert_eq!(pieces.concat(), b"hello, S");
        assert_eq!(trailers, ["x-amz-checksum-crc32:AAAAAA=="]);
    }
}
