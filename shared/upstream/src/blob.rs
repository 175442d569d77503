//! A blob's stream, which survives broken connections.

use std::{
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Buf as _, Bytes};
use moorage_domain::Digest;
use reqwest::{
    StatusCode,
    header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, HeaderName, HeaderValue, RANGE},
};
use url::Url;

use crate::{
    UpstreamError,
    error::transport_error,
    request::{Requests, Streaming},
    retry::Backoff,
    transport::display,
};

/// How often in a row a stream may break without [`ENOUGH`] arriving in between.
const MAX_BREAKS: u32 = 5;
/// Bytes that tell a stream from one that only seems to be: less than these in [`PATIENCE`] is a broken one.
const ENOUGH: u64 = 64 * 1024;
/// The least that memory grows by.
const STEP: usize = 64 * 1024;
/// How long a stream may take for [`ENOUGH`], if it has not come to its end.
const PATIENCE: Duration = Duration::from_secs(30);

/// Reads the bytes from an offset to the end of a blob, in order, each once. Where the connection breaks, it goes on
/// from there. It does not hash.
#[derive(Debug)]
pub struct BlobReader {
    requests: Arc<Requests>,
    url: Url,
    digest: Digest,
    size: u64,
    /// The next byte to deliver.
    offset: u64,
    /// Where to end.
    end: u64,
    /// Whether the last answer was the whole blob although a part was asked for.
    range_ignored: bool,
    stream: Option<Streaming>,
    /// What [`Self::take`] has not delivered yet.
    chunk: Bytes,
    /// Bytes to pass over: a server that ignores `Range` begins at the start.
    skip: u64,
    breaks: u32,
    /// Bytes that came since the last break, or since [`PATIENCE`] was last counted from.
    came: u64,
    since: Instant,
    backoff: Backoff,
}

impl BlobReader {
    pub(crate) async fn open(
        requests: Arc<Requests>,
        url: Url,
        digest: Digest,
        size: u64,
        range: Range<u64>,
    ) -> Result<Self, UpstreamError> {
        let (Range { start: offset, end }, backoff) = (range, Backoff::new());
        let mut reader = Self {
            requests,
            url,
            digest,
            size,
            offset,
            end,
            range_ignored: false,
            stream: None,
            chunk: Bytes::new(),
            skip: 0,
            breaks: 0,
            came: 0,
            since: Instant::now(),
            backoff,
        };
        reader.connect().await?;
        Ok(reader)
    }

    /// Whether the server sends the part that was asked for, rather than everything.
    pub(crate) fn is_part(&self) -> bool {
        !self.range_ignored
    }

    /// Reads everything that is left into memory.
    pub async fn rest(mut self) -> Result<Bytes, UpstreamError> {
        let bytes = self.take(self.end.saturating_sub(self.offset)).await?;
        // Nothing comes after it, or the registry's blob is a longer one.
        self.next().await?;
        Ok(bytes)
    }

    /// Reads the next `length` bytes into memory. That takes as much as has come, at most twice as much while it grows,
    /// and never more than `length`, which is the caller's to bound.
    pub async fn take(&mut self, length: u64) -> Result<Bytes, UpstreamError> {
        let wanted = usize::try_from(length).unwrap_or(usize::MAX);
        let mut bytes = Vec::new();
        while bytes.len() < wanted {
            if self.chunk.is_empty() {
                let Some(chunk) = self.next().await? else { return Err(self.truncated()) };
                self.chunk = chunk;
            }
            let left = wanted - bytes.len();
            let chunk = self.chunk.split_to(self.chunk.len().min(left));
            if bytes.capacity() - bytes.len() < chunk.len() {
                bytes.reserve_exact(bytes.len().max(STEP).max(chunk.len()).min(left));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.into())
    }

    /// The next bytes; `None` after the last one.
    async fn next(&mut self) -> Result<Option<Bytes>, UpstreamError> {
        loop {
            if self.offset >= self.end && self.end < self.size {
                return Ok(None);
            }
            let Some(stream) = &mut self.stream else {
                self.reconnect().await?;
                continue;
            };
            // After the last byte the stream is read to its end, so that a longer one is found out.
            match stream.response.chunk().await {
                Ok(Some(chunk)) => {
                    self.requests.meter().read(chunk.len());
                    if self.drips(chunk.len() as u64) {
                        self.broke(Some(UpstreamError::Timeout(display(&self.url))))?;
                    }
                    if let Some(chunk) = self.accept(chunk)? {
                        return Ok(Some(chunk));
                    }
                }
                Ok(None) | Err(_) if self.offset >= self.end => return Ok(None),
                Ok(None) => self.broke(None)?,
                Err(error) => self.broke(Some(transport_error(&error, &display(&self.url))))?,
            }
        }
    }

    fn accept(&mut self, mut chunk: Bytes) -> Result<Option<Bytes>, UpstreamError> {
        let skipped = self.skip.min(chunk.len() as u64);
        self.skip = self.skip.saturating_sub(skipped);
        chunk.advance(usize::try_from(skipped).unwrap_or(chunk.len()));
        if self.end < self.size {
            chunk.truncate(usize::try_from(self.end.saturating_sub(self.offset)).unwrap_or(usize::MAX));
        }
        if chunk.is_empty() {
            return Ok(None);
        }
        self.offset = self.offset.saturating_add(chunk.len() as u64);
        if self.offset > self.size {
            return Err(self.wrong_length(self.offset));
        }
        Ok(Some(chunk))
    }

    /// Whether so little comes that the stream is as good as broken.
    fn drips(&mut self, came: u64) -> bool {
        self.came = self.came.saturating_add(came);
        if self.came >= ENOUGH {
            // What had come before is no step ahead: a registry that begins anew each time would never be given up.
            if self.skip == 0 {
                self.breaks = 0;
            }
        } else if self.since.elapsed() < PATIENCE {
            return false;
        }
        let drips = self.came < ENOUGH && self.offset.saturating_add(came) < self.end;
        (self.came, self.since) = (0, Instant::now());
        drips
    }

    /// Gives the broken stream up; fails where it broke too often.
    fn broke(&mut self, error: Option<UpstreamError>) -> Result<(), UpstreamError> {
        self.stream = None;
        self.breaks = self.breaks.saturating_add(1);
        (self.came, self.since) = (0, Instant::now());
        if self.breaks < MAX_BREAKS {
            return Ok(());
        }
        Err(error.unwrap_or_else(|| self.truncated()))
    }

    fn truncated(&self) -> UpstreamError {
        UpstreamError::Truncated { digest: self.digest.clone(), received: self.offset, size: self.size }
    }

    async fn reconnect(&mut self) -> Result<(), UpstreamError> {
        let pause = self.backoff.next(&mut rand::rng());
        tokio::time::sleep(pause).await;
        self.connect().await
    }

    async fn connect(&mut self) -> Result<(), UpstreamError> {
        let mut headers = HeaderMap::new();
        if self.offset > 0 || self.end < self.size {
            let last = if self.end < self.size { self.end.saturating_sub(1).to_string() } else { String::new() };
            let range = HeaderValue::from_str(&format!("bytes={}-{last}", self.offset));
            headers.extend(range.ok().map(|range| (RANGE, range)));
        }
        let stream = self.requests.open(&self.url, headers).await?;
        let partial = stream.head.status == StatusCode::PARTIAL_CONTENT;
        self.range_ignored = !partial && (self.offset > 0 || self.end < self.size);
        let range = if partial { content_range(&stream.head.headers) } else { Some(Part::default()) };
        let fits = |part: &Part| part.first <= self.offset && part.last.is_none_or(|last| last >= self.offset);
        let part = range.filter(fits);
        let part = part.ok_or_else(|| UpstreamError::Protocol(format!("{} sent another range", display(&self.url))))?;
        self.skip = self.offset.saturating_sub(part.first);
        let length = if partial { part.total } else { number(&stream.head.headers, CONTENT_LENGTH) };
        if let Some(length) = length.filter(|length| *length != self.size) {
            return Err(self.wrong_length(length));
        }
        self.stream = Some(stream);
        Ok(())
    }

    fn wrong_length(&self, actual: u64) -> UpstreamError {
        UpstreamError::LengthMismatch { digest: self.digest.clone(), expected: self.size, actual }
    }
}

fn number(headers: &HeaderMap, name: HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

/// What `Content-Range: bytes 5-9/10` says (RFC 9110, 14.4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Part {
    /// The first byte.
    pub(crate) first: u64,
    /// The last byte, not before the first.
    pub(crate) last: Option<u64>,
    /// The length of the whole, above the last byte, if it is told.
    pub(crate) total: Option<u64>,
}

pub(crate) fn content_range(headers: &HeaderMap) -> Option<Part> {
    let (range, total) = headers.get(CONTENT_RANGE)?.to_str().ok()?.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let total = match total.trim() {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    let is_whole = first <= last && total.is_none_or(|total| last < total);
    is_whole.then_some(Part { first, last: Some(last), total })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let part = |text: &str| content_range(&HeaderMap::from_iter([(CONTENT_RANGE, text.parse().unwrap())]));
        assert_eq!(part("bytes 5-9/10"), Some(Part { first: 5, last: Some(9), total: Some(10) }));
        assert_eq!(part("bytes 0-0/*"), Some(Part { first: 0, last: Some(0), total: None }));
        for text in [
            "",
            "bytes",
            "bytes 5-9",
            "bytes 9-5/10",
            "bytes 5-10/10",
            "bytes -5/10",
            "bytes */10",
            "items 5-9/10",
            "bytes 5-99999999999999999999/*",
            "bytes 18446744073709551615-0/1",
        ] {
            assert_eq!(part(text), None, "{text}");
        }
    }
}
