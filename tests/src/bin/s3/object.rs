//! Objects, and what is asked of them before something is done.

use std::ops::Range;

use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use bytes::Bytes;

/// What a client said of the bytes that it sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Checksum {
    /// As headers have it, such as `crc32`.
    pub(crate) algorithm: String,
    pub(crate) value: String,
}

/// An object, or one part of an upload.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    /// In quotation marks. A number, as those of encrypted objects are no MD5 either.
    pub(crate) etag: String,
    pub(crate) modified: DateTime,
    pub(crate) content_type: Option<String>,
    pub(crate) checksum: Option<Checksum>,
    pub(crate) pieces: Vec<Bytes>,
}

impl Object {
    pub(crate) fn size(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }

    /// Some of the bytes, which are shared.
    pub(crate) fn slice(&self, range: &Range<usize>) -> Vec<Bytes> {
        let mut at = 0;
        let pieces = self.pieces.iter().filter_map(|piece| {
            let (from, to) = (range.start.max(at), range.end.min(at + piece.len()));
            let part = (from < to).then(|| piece.slice(from - at..to - at));
            at += piece.len();
            part
        });
        pieces.collect()
    }

    pub(crate) fn modified(&self, format: DateTimeFormat) -> String {
        self.modified.fmt(format).unwrap_or_default()
    }
}

/// What `Range` asks for of so many bytes: all of them without it; nothing if there is nothing there.
pub(crate) fn range(asked: Option<&str>, size: usize) -> Option<Range<usize>> {
    let Some((from, to)) = asked.and_then(|asked| asked.strip_prefix("bytes=")).and_then(|it| it.split_once('-'))
    else {
        return Some(0..size);
    };
    let range = match (from.parse::<usize>(), to.parse::<usize>()) {
        (Ok(from), Ok(to)) => from..to.saturating_add(1).min(size),
        (Ok(from), Err(_)) => from..size,
        (Err(_), Ok(last)) => size.saturating_sub(last)..size,
        (Err(_), Err(_)) => 0..size,
    };
    Some(range).filter(|range| range.start < range.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_go_across_pieces() {
        let pieces = vec![Bytes::from_static(b"abc"), Bytes::from_static(b"defg")];
        let modified = DateTime::from_secs(0);
        let object = Object { etag: String::new(), modified, content_type: None, checksum: None, pieces };
        let read = |asked| range(asked, object.size()).map(|range| object.slice(&range).concat());
        assert_eq!(read(None).unwrap(), b"abcdefg");
        assert_eq!(read(Some("bytes=2-4")).unwrap(), b"cde");
        assert_eq!(read(Some("bytes=5-")).unwrap(), b"fg");
        assert_eq!(read(Some("bytes=-1")).unwrap(), b"g");
        assert_eq!(read(Some("bytes=7-9")), None);
    }
}
