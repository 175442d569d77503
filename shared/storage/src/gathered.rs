//! A part of an upload, made of pieces as they come, and sent without being copied into one.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use http_body::{Body, Frame, SizeHint};

use crate::MemoryPermit;

/// The pieces of one part that have come.
#[derive(Debug)]
pub(crate) struct Gathered {
    pieces: Vec<Bytes>,
    length: u64,
    crc: crc_fast::Digest,
    permit: Option<MemoryPermit>,
}

impl Default for Gathered {
    fn default() -> Self {
        let crc = crc_fast::Digest::new(CrcAlgorithm::Crc32IsoHdlc);
        Self { pieces: Vec::new(), length: 0, crc, permit: None }
    }
}

impl Gathered {
    /// Adds what comes next; `permit` is for all of the part.
    pub(crate) fn add(&mut self, bytes: Bytes, permit: Option<MemoryPermit>) {
        self.crc.update(&bytes);
        self.length = self.length.saturating_add(bytes.len() as u64);
        self.pieces.push(bytes);
        self.permit = permit.or(self.permit.take());
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    pub(crate) fn is_permitted(&self) -> bool {
        self.permit.is_some()
    }

    /// The CRC-32 of all pieces, as S3 writes it: the base64 of its four bytes, the highest first.
    pub(crate) fn checksum(&self) -> String {
        // The upper half of it is zero.
        BASE64_STANDARD.encode(&self.crc.finalize().to_be_bytes()[4..])
    }

    /// A body that can be sent again, and the permit for its memory.
    pub(crate) fn into_body(self) -> (ByteStream, Option<MemoryPermit>) {
        let Self { pieces, permit, .. } = self;
        let body = SdkBody::retryable(move || SdkBody::from_body_1_x(Pieces(pieces.iter().cloned().collect())));
        (ByteStream::new(body), permit)
    }
}

/// The pieces as the body of a request.
struct Pieces(VecDeque<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.iter().map(|piece| piece.len() as u64).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pieces_are_sent_one_after_the_other_and_can_be_sent_again() {
        let mut part = Gathered::default();
        part.add(Bytes::from_static(b"12345"), None);
        part.add(Bytes::from_static(b"6789"), None);
        assert_eq!((part.length(), part.checksum().as_str()), (9, "y/Q5Jg=="), "the check value of CRC-32: cbf43926");
        let body = part.into_body().0.into_inner();
        let again = body.try_clone().unwrap();
        assert_eq!((body.content_length(), again.content_length()), (Some(9), Some(9)));
        for body in [body, again] {
            assert_eq!(ByteStream::new(body).collect().await.unwrap().to_vec(), b"123456789");
        }
    }
}
