//! A blob's stream, which survives broken connections, and registries that send no parts.

use std::{
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Buf as _, Bytes};
use moorage_domain::{Digest, Fallback};
use reqwest::{
    StatusCode,
    header::{CONTENT_LENGTH, HeaderMap, RANGE},
};
use url::Url;

use crate::{
    UpstreamError,
    address::display,
    answer::SMALL,
    connections::Line,
    error::transport_error,
    http::How,
    part,
    request::{Requests, Streaming},
    retry::Backoff,
};

/// How often in a row a stream may break without [`ENOUGH`] arriving in between.
const MAX_BREAKS: u32 = 5;
/// The same for a part of a blob: what is whole may not break.
const MAX_PART_BREAKS: u32 = 3;
/// From so many breaks on while other requests were under way, the next stream is alone.
const MAX_CROWDED: u32 = 2;
/// How often a part is asked for before it counts as refused.
const PART_TRIES: u32 = 2;
/// Bytes that tell a stream from one that only seems to be: less than these in [`PATIENCE`] is a broken one.
const ENOUGH: u64 = 64 * 1024;
/// The memory that is taken for what comes first: who promises much and sends nothing gets no more.
const STEP: usize = 64 * 1024;
/// The least that memory grows by after that: what was read is not moved several times, and each page is asked for once. It
/// is what a piece of a large blob has.
const AHEAD: usize = 8 * 1024 * 1024;
/// How long a stream may take for [`ENOUGH`], if it has not come to its end and the mirror does not let pauses be longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Reads the bytes from an offset to the end of a blob, in order, each once. Where the connection breaks, it goes on
/// from there. It does not hash.
#[derive(Debug)]
pub struct BlobReader {
    requests: Arc<Requests>,
    url: Url,
    digest: Digest,
    size: u64,
    way: Way,
    /// The next byte to deliver.
    offset: u64,
    /// Where to end.
    end: u64,
    stream: Option<Streaming>,
    /// How many bytes are still to come of the stream, if it is of a part.
    left: Option<u64>,
    /// What [`Self::take`] has not delivered yet.
    chunk: Bytes,
    /// Bytes to pass over: what is whole begins at the start.
    skip: u64,
    /// How many that were when the stream began.
    skipped: u64,
    breaks: u32,
    /// Breaks while others were under way.
    crowded: u32,
    /// Bytes that were delivered since the last break.
    delivered: u64,
    /// Bytes that came since the last break, or since [`PATIENCE`] was last counted from.
    came: u64,
    since: Instant,
    backoff: Backoff,
}

/// How a blob is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// By parts, or not at all.
    Part,
    /// What is missing of it, as long as the registry sends parts.
    Any,
    /// All of it, each time.
    Whole,
}

impl BlobReader {
    pub(crate) async fn open(
        requests: Arc<Requests>,
        url: Url,
        digest: Digest,
        size: u64,
        range: Range<u64>,
        way: Way,
    ) -> Result<Self, UpstreamError> {
        let end = range.end.min(size);
        let mut reader = Self {
            requests,
            url,
            digest,
            size,
            way,
            offset: range.start.min(end),
            end,
            stream: None,
            left: None,
            chunk: Bytes::new(),
            skip: 0,
            skipped: 0,
            breaks: 0,
            crowded: 0,
            delivered: 0,
            came: 0,
            since: Instant::now(),
            backoff: Backoff::new(),
        };
        reader.connect().await?;
        Ok(reader)
    }

    /// Reads everything that is left into memory.
    pub async fn rest(mut self) -> Result<Bytes, UpstreamError> {
        let bytes = self.take(self.end.saturating_sub(self.offset)).await?;
        // Nothing comes after it, or the registry's blob is a longer one.
        self.next().await?;
        Ok(bytes)
    }

    /// Reads a part into memory; nothing if it turns out not to be the part that was asked for.
    pub async fn part(self) -> Result<Option<Bytes>, UpstreamError> {
        match self.rest().await {
            Err(UpstreamError::NoPart(_)) => Ok(None),
            bytes => bytes.map(Some),
        }
    }

    /// Reads the next `length` bytes into memory. That takes 8 MiB as soon as something has come, at most twice as much as
    /// has come beyond, and never more than `length`, which is the caller's to bound.
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
                let least = if bytes.is_empty() { STEP } else { AHEAD };
                bytes.reserve_exact(bytes.len().max(least).max(chunk.len()).min(left));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.into())
    }

    /// The next bytes; `None` after the last one.
    async fn next(&mut self) -> Result<Option<Bytes>, UpstreamError> {
        loop {
            let Some(stream) = &mut self.stream else {
                if self.offset >= self.end {
                    return Ok(None);
                }
                let pause = self.backoff.next(&mut rand::rng());
                tokio::time::sleep(pause).await;
                self.connect().await?;
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
                        self.got_on(chunk.len() as u64);
                        return Ok(Some(chunk));
                    }
                }
                Ok(None) | Err(_) if self.offset >= self.end => {
                    self.got_through();
                    return Ok(None);
                }
                // Less came than the server said, or than was asked for.
                Ok(None) if self.left.is_some_and(|left| left > 0) => self.refused()?,
                Ok(None) => self.broke(None)?,
                Err(error) => self.broke(Some(transport_error(&error, &display(&self.url))))?,
            }
        }
    }

    fn accept(&mut self, mut chunk: Bytes) -> Result<Option<Bytes>, UpstreamError> {
        let skipped = self.skip.min(chunk.len() as u64);
        self.skip = self.skip.saturating_sub(skipped);
        chunk.advance(usize::try_from(skipped).unwrap_or(chunk.len()));
        if let Some(left) = self.left {
            let Some(left) = left.checked_sub(chunk.len() as u64) else {
                // More came than the server said: who knows what it is.
                self.refused()?;
                return Ok(None);
            };
            self.left = Some(left);
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
        let patience = PATIENCE.max(self.requests.http.limits.patience);
        if self.came < ENOUGH && self.since.elapsed() < patience {
            return false;
        }
        let drips = self.came < ENOUGH && self.offset.saturating_add(came) < self.end;
        (self.came, self.since) = (0, Instant::now());
        drips
    }

    /// Counts what was not there before. A server that sends its beginning again and again gets nobody on; nor does one
    /// that sends less than had to be read once more for it.
    fn got_on(&mut self, bytes: u64) {
        self.delivered = self.delivered.saturating_add(bytes);
        if self.delivered >= ENOUGH.max(self.skipped) {
            self.got_through();
            (self.breaks, self.crowded, self.delivered) = (0, 0, 0);
        }
    }

    /// Remembers what was of help.
    fn got_through(&self) {
        let is_alone = self.stream.as_ref().is_some_and(|stream| stream.place.is_alone());
        if self.crowded >= MAX_CROWDED && is_alone {
            self.requests.meter().fall_back([Fallback::ParallelRequests]);
        }
    }

    /// Gives the broken stream up; fails where it broke too often.
    fn broke(&mut self, error: Option<UpstreamError>) -> Result<(), UpstreamError> {
        let stream = self.stream.take().inspect(|stream| self.requests.http.transport.broke_off(&stream.response));
        let was_crowded = stream.is_some_and(|stream| stream.place.is_crowded());
        let was_part = self.left.is_some();
        (self.breaks, self.delivered) = (self.breaks.saturating_add(1), 0);
        self.crowded += u32::from(was_crowded);
        (self.came, self.since) = (0, Instant::now());
        match (self.breaks < if was_part { MAX_PART_BREAKS } else { MAX_BREAKS }, was_part) {
            (true, _) => Ok(()),
            (false, true) => self.refused(),
            (false, false) => Err(error.unwrap_or_else(|| self.truncated())),
        }
    }

    /// Takes the way on which nothing is left out, if it may.
    fn refused(&mut self) -> Result<(), UpstreamError> {
        (self.stream, self.left, self.breaks, self.delivered) = (None, None, 0, 0);
        if self.way == Way::Part {
            return Err(UpstreamError::NoPart(display(&self.url)));
        }
        self.way = Way::Whole;
        self.requests.meter().fall_back([Fallback::Range]);
        Ok(())
    }

    fn truncated(&self) -> UpstreamError {
        UpstreamError::Truncated { digest: self.digest.clone(), received: self.offset, size: self.size }
    }

    async fn connect(&mut self) -> Result<(), UpstreamError> {
        let is_refused = self.requests.meter().falls_back(Fallback::Range);
        let by_parts = match self.way {
            Way::Part => true,
            Way::Any => self.offset > 0 && !is_refused,
            Way::Whole => false,
        };
        if !by_parts {
            return self.connect_whole().await;
        }
        if self.connect_part().await? {
            return Ok(());
        }
        if self.way == Way::Part {
            return Err(UpstreamError::NoPart(display(&self.url)));
        }
        self.way = Way::Whole;
        self.connect_whole().await?;
        self.requests.meter().fall_back([Fallback::Range]);
        Ok(())
    }

    /// Asks for what is missing. Tells whether that comes; not if the registry refuses it, whatever it says: if it wants to
    /// be left alone, or somebody else to ask, it says so again to whoever asks for all.
    async fn connect_part(&mut self) -> Result<bool, UpstreamError> {
        let asked = self.offset..self.end;
        let headers = HeaderMap::from_iter(part::range(&asked).map(|range| (RANGE, range)));
        let stream = match self
            .requests
            .stream(&self.url, headers, self.how(How::trial(PART_TRIES), self.end.saturating_sub(self.offset)))
            .await
        {
            Ok(stream) => stream,
            Err(error) if error.may_be_of_the_way() => return Ok(false),
            Err(error) => return Err(error),
        };
        let length = part::usable(&stream.head.headers, &asked, self.size);
        let Some(length) = length.filter(|_| stream.head.status == StatusCode::PARTIAL_CONTENT) else {
            return Ok(false);
        };
        self.begin(stream, 0, Some(length));
        Ok(true)
    }

    async fn connect_whole(&mut self) -> Result<(), UpstreamError> {
        let how = self.how(self.requests.http.usual(), self.size);
        let stream = self.requests.stream(&self.url, HeaderMap::new(), how).await?;
        let headers = &stream.head.headers;
        let is_all = match stream.head.status.as_u16() {
            200 | 203 => true,
            // Nobody asked for a part, and it may be all of it.
            206 => part::usable(headers, &(0..self.size), self.size) == Some(self.size),
            _ => false,
        };
        if !is_all {
            return Err(self.requests.refusal(stream).await.into_error(&self.url));
        }
        if let Some(length) = part::number(headers, CONTENT_LENGTH).filter(|length| *length != self.size) {
            return Err(self.wrong_length(length));
        }
        self.begin(stream, self.offset, None);
        Ok(())
    }

    fn begin(&mut self, stream: Streaming, skip: u64, left: Option<u64>) {
        (self.skip, self.skipped, self.left) = (skip, skip, left);
        (self.stream, self.came, self.since) = (Some(stream), 0, Instant::now());
    }

    /// How so many bytes are asked for.
    fn how(&self, how: How, bytes: u64) -> How {
        let line = match (self.breaks > 0, bytes > SMALL as u64) {
            (true, _) => Line::Fresh,
            (false, true) => Line::Own,
            (false, false) => Line::Shared,
        };
        How { line, alone: self.crowded >= MAX_CROWDED, ..how }
    }

    fn wrong_length(&self, actual: u64) -> UpstreamError {
        UpstreamError::LengthMismatch { digest: self.digest.clone(), expected: self.size, actual }
    }
}
