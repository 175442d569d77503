//! Bodies and documents that are meant to fill a reader's memory.

use std::{collections::HashMap, fmt::Write as _, sync::Arc};

use bytes::Bytes;
use moorage_domain::Digest;

/// How much of a body is made at once.
const CHUNK: usize = 64 * 1024;

/// `start`, then what `piece` makes of 0, 1, 2…, with commas between, up to `pieces` of them, then `end`.
pub fn list(
    start: &str,
    pieces: u64,
    piece: impl Fn(u64) -> String + Send + 'static,
    end: &str,
) -> impl Iterator<Item = Bytes> + Send + 'static {
    let (start, end) = (Bytes::from(start.to_owned()), Bytes::from(end.to_owned()));
    let mut next = 0;
    let middle = std::iter::from_fn(move || {
        let mut chunk = String::with_capacity(CHUNK);
        while next < pieces && chunk.len() < CHUNK {
            if next > 0 {
                chunk.push(',');
            }
            chunk.push_str(&piece(next));
            next += 1;
        }
        (!chunk.is_empty()).then(|| Bytes::from(chunk))
    });
    std::iter::once(start).chain(middle).chain(std::iter::once(end))
}

/// `start`, `text` again and again up to so many bytes, `end`.
pub fn repeated(start: &str, text: &str, bytes: usize, end: &str) -> impl Iterator<Item = Bytes> + Send + 'static {
    let chunk = Bytes::from(text.repeat(CHUNK / text.len()));
    let count = bytes / chunk.len();
    let (start, end) = (Bytes::from(start.to_owned()), Bytes::from(end.to_owned()));
    std::iter::once(start).chain(std::iter::repeat_n(chunk, count)).chain(std::iter::once(end))
}

/// How a manifest is made large for whoever parses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// Annotations of the descriptors: few bytes each.
    Annotations,
    /// Empty `urls` of the descriptors: three bytes each.
    Urls,
    /// The same descriptors again.
    Descriptors,
}

/// Indexes of indexes, `width` on each of `depth` levels, each of them of about `size` bytes and listing all of the level
/// below. Only their digests are kept.
#[derive(Debug, Clone)]
pub struct Nest {
    nodes: Arc<HashMap<Digest, (usize, usize)>>,
    /// Their digests and lengths, by level.
    levels: Arc<Vec<Vec<(String, usize)>>>,
    size: usize,
    padding: Padding,
}

/// The media type of its manifests.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";

impl Nest {
    /// Makes them, the deepest first.
    pub fn new(depth: usize, width: usize, size: usize, padding: Padding) -> Self {
        let mut nest = Self { nodes: Arc::default(), levels: Arc::new(Vec::new()), size, padding };
        let mut nodes = HashMap::new();
        for level in 0..depth {
            let mut made = Vec::new();
            for number in 0..width {
                let node = nest.node(level, number);
                let digest = Digest::sha256(&node);
                made.push((digest.to_string(), node.len()));
                nodes.insert(digest, (level, number));
            }
            Arc::make_mut(&mut nest.levels).push(made);
        }
        nest.nodes = Arc::new(nodes);
        nest
    }

    /// The manifest with this digest.
    pub fn manifest(&self, digest: &str) -> Option<Bytes> {
        let (level, number) = *self.nodes.get(&digest.parse().ok()?)?;
        Some(self.node(level, number).into())
    }

    /// One of those that no other lists.
    pub fn top(&self) -> Bytes {
        self.node(self.levels.len() - 1, 0).into()
    }

    fn node(&self, level: usize, number: usize) -> Vec<u8> {
        let below: &[(String, usize)] = level.checked_sub(1).map_or(&[], |below| &self.levels[below]);
        let mut text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{INDEX}","annotations":{{"n":"{level} {number}"}},"manifests":["#
        );
        // The deepest have nothing below, but padding needs something to hang on.
        let share = self.size / below.len().max(1);
        for (at, (digest, length)) in below.iter().enumerate() {
            let end = text.len() + share;
            if at > 0 {
                text.push(',');
            }
            let descriptor = format!(r#"{{"mediaType":"{INDEX}","digest":"{digest}","size":{length}"#);
            text.push_str(&descriptor);
            match self.padding {
                Padding::Annotations => {
                    text.push_str(r#","annotations":{"a":"""#);
                    for key in 0_usize.. {
                        let _ = write!(text, r#","{key}":"""#);
                        if text.len() >= end {
                            break;
                        }
                    }
                    text.push('}');
                }
                Padding::Urls => {
                    text.push_str(r#","urls":["""#);
                    while text.len() < end {
                        text.push_str(r#","""#);
                    }
                    text.push(']');
                }
                Padding::Descriptors => {
                    while text.len() < end {
                        text.push_str("},");
                        text.push_str(&descriptor);
                    }
                }
            }
            text.push('}');
        }
        text.push_str("]}");
        text.into_bytes()
    }
}
