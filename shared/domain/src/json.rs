//! JSON as Go's `encoding/json` reads it, because registries and most clients do: null is as if the key was absent, the
//! last of equal keys counts, integers have 64 bits, texts may hold lone surrogates and bytes that are no UTF-8.
//!
//! Keys that differ from a known one in nothing but case are refused: to Go they are the same, to other readers not.

use std::borrow::Cow;

/// How deep lists and objects may nest: as deep as Go reads.
pub(crate) const MAX_DEPTH: usize = 10_000;
/// How many characters of a document an error may repeat.
const QUOTE_LENGTH: usize = 40;

/// Why a document is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonError {
    /// It is no JSON from this byte on.
    #[error("it is no JSON from byte {0} on")]
    Syntax(usize),
    /// It nests deeper than [`MAX_DEPTH`].
    #[error("it nests deeper than {MAX_DEPTH} levels")]
    Depth,
    /// A value of another type.
    #[error("{} is not {expected}", if key.is_empty() { "the document" } else { key })]
    Type {
        /// The key whose value it is; empty for the document itself.
        key: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// A key that is a known one to those alone who ignore case.
    #[error("the key {found:?} is {meant} to some readers and to others not")]
    Case {
        /// The key.
        found: String,
        /// The known one.
        meant: &'static str,
    },
    /// A list of more entries than are read.
    #[error("{0} has too many entries")]
    Long(&'static str),
}

impl JsonError {
    /// The same error, of a value of this key if it was of no other.
    pub(crate) fn of(self, of: &'static str) -> Self {
        match self {
            Self::Type { key: "", expected } => Self::Type { key: of, expected },
            other => other,
        }
    }
}

/// Reads a document's values in their order. What is not read has to be skipped.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Checks that the whole document is JSON.
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, JsonError> {
        let mut whole = Self { bytes, at: 0 };
        whole.skip()?;
        if whole.peek().is_some() { Err(whole.syntax()) } else { Ok(Self { bytes, at: 0 }) }
    }

    fn syntax(&self) -> JsonError {
        JsonError::Syntax(self.at)
    }

    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        self.at += rest.iter().take_while(|byte| is_space(byte)).count();
        self.bytes.get(self.at).copied()
    }

    fn byte(&mut self) -> Result<u8, JsonError> {
        let byte = self.bytes.get(self.at).copied().ok_or_else(|| self.syntax())?;
        self.at += 1;
        Ok(byte)
    }

    /// Passes a byte, after spaces.
    fn pass(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.syntax())
        }
    }

    fn literal(&mut self, literal: &str) -> Result<(), JsonError> {
        if self.bytes.get(self.at..).unwrap_or_default().starts_with(literal.as_bytes()) {
            self.at += literal.len();
            Ok(())
        } else {
            Err(self.syntax())
        }
    }

    /// Whether the value is null; it is passed then.
    pub(crate) fn null(&mut self) -> Result<bool, JsonError> {
        let is_null = self.peek() == Some(b'n');
        if is_null {
            self.literal("null")?;
        }
        Ok(is_null)
    }

    /// Passes a value, whatever it is.
    pub(crate) fn skip(&mut self) -> Result<(), JsonError> {
        // What closes the lists and objects that are open.
        let mut open: Vec<u8> = Vec::new();
        loop {
            match self.peek() {
                Some(opening @ (b'{' | b'[')) => {
                    self.at += 1;
                    let closing = if opening == b'{' { b'}' } else { b']' };
                    if open.len() >= MAX_DEPTH {
                        return Err(JsonError::Depth);
                    }
                    if self.peek() == Some(closing) {
                        self.at += 1;
                    } else {
                        open.push(closing);
                        if closing == b'}' {
                            self.key()?;
                        }
                        continue;
                    }
                }
                Some(b'"') => drop(self.raw()?),
                Some(b't') => self.literal("true")?,
                Some(b'f') => self.literal("false")?,
                Some(b'n') => self.literal("null")?,
                _ => drop(self.number()?),
            }
            loop {
                let Some(closing) = open.last().copied() else { return Ok(()) };
                if self.peek() == Some(closing) {
                    self.at += 1;
                    open.pop();
                    continue;
                }
                self.pass(b',')?;
                if closing == b'}' {
                    self.key()?;
                }
                break;
            }
        }
    }

    /// A key with its colon.
    fn key(&mut self) -> Result<&'a [u8], JsonError> {
        if self.peek() != Some(b'"') {
            return Err(self.syntax());
        }
        let key = self.raw()?;
        self.pass(b':')?;
        Ok(key)
    }

    /// A text as it is written, without its quotes.
    fn raw(&mut self) -> Result<&'a [u8], JsonError> {
        self.pass(b'"')?;
        let start = self.at;
        loop {
            match self.byte()? {
                b'"' => return Ok(self.bytes.get(start..self.at - 1).unwrap_or_default()),
                b'\\' => match self.byte()? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                    b'u' => {
                        for _ in 0..4 {
                            if !self.byte()?.is_ascii_hexdigit() {
                                return Err(self.syntax());
                            }
                        }
                    }
                    _ => return Err(self.syntax()),
                },
                0..=0x1f => return Err(self.syntax()),
                _ => {}
            }
        }
    }

    /// A number as it is written.
    fn number(&mut self) -> Result<&'a str, JsonError> {
        let start = self.at;
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        if self.bytes.get(self.at) == Some(&b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let number = self.bytes.get(start..self.at).unwrap_or_default();
        str::from_utf8(number).map_err(|_| self.syntax())
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += digits;
        if digits == 0 { Err(self.syntax()) } else { Ok(()) }
    }

    /// A text; nothing for null.
    pub(crate) fn text(&mut self) -> Result<Option<Cow<'a, str>>, JsonError> {
        match self.peek() {
            Some(b'"') => Ok(Some(unquoted(self.raw()?))),
            Some(b'n') => self.null().map(|_| None),
            _ => Err(JsonError::Type { key: "", expected: "a string" }),
        }
    }

    /// An integer of 64 bits; nothing for null.
    pub(crate) fn integer(&mut self) -> Result<Option<i64>, JsonError> {
        let wrong = || JsonError::Type { key: "", expected: "an integer of 64 bits" };
        match self.peek() {
            Some(b'-' | b'0'..=b'9') => self.number()?.parse().map(Some).map_err(|_| wrong()),
            Some(b'n') => self.null().map(|_| None),
            _ => Err(wrong()),
        }
    }

    /// The values of a list, each of which `read` has to pass; with its place in the list. Tells whether there is one, and
    /// not null.
    pub(crate) fn list(
        &mut self,
        mut read: impl FnMut(&mut Self, usize) -> Result<(), JsonError>,
    ) -> Result<bool, JsonError> {
        if self.null()? {
            return Ok(false);
        }
        if self.peek() != Some(b'[') {
            return Err(JsonError::Type { key: "", expected: "a list" });
        }
        self.at += 1;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(true);
        }
        for place in 0.. {
            read(self, place)?;
            if self.peek() == Some(b']') {
                break;
            }
            self.pass(b',')?;
        }
        self.pass(b']').map(|()| true)
    }

    /// The values of an object, each of which `read` has to pass; with its key. Tells whether there is one, and not null.
    pub(crate) fn object(
        &mut self,
        mut read: impl FnMut(&mut Self, &str) -> Result<(), JsonError>,
    ) -> Result<bool, JsonError> {
        if self.null()? {
            return Ok(false);
        }
        if self.peek() != Some(b'{') {
            return Err(JsonError::Type { key: "", expected: "an object" });
        }
        self.at += 1;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(true);
        }
        loop {
            let key = unquoted(self.key()?);
            read(self, &key)?;
            if self.peek() == Some(b'}') {
                break;
            }
            self.pass(b',')?;
        }
        self.pass(b'}').map(|()| true)
    }

    /// As [`Self::object`], the values of these keys only; others are passed.
    pub(crate) fn fields(
        &mut self,
        known: &[&'static str],
        mut read: impl FnMut(&mut Self, &'static str) -> Result<(), JsonError>,
    ) -> Result<bool, JsonError> {
        self.object(|reader, key| {
            if let Some(name) = known.iter().find(|name| **name == key) {
                return read(reader, name).map_err(|error| error.of(name));
            }
            match known.iter().find(|name| folded(key).eq(name.chars().map(|char| char.to_ascii_lowercase()))) {
                Some(meant) => Err(JsonError::Case { found: key.chars().take(QUOTE_LENGTH).collect(), meant }),
                None => reader.skip(),
            }
        })
    }

    /// A map of texts, as annotations are: all are read, and `read` gets them.
    pub(crate) fn texts(
        &mut self,
        mut read: impl FnMut(&str, &str) -> Result<(), JsonError>,
    ) -> Result<bool, JsonError> {
        let expected = "a map of strings";
        let wrong = |error| match error {
            JsonError::Type { .. } => JsonError::Type { key: "", expected },
            other => other,
        };
        self.object(|reader, key| read(key, &reader.text()?.unwrap_or_default())).map_err(wrong)
    }
}

/// A key's characters as Go compares them with those of an ASCII name, whose letters two others fold to, too.
fn folded(key: &str) -> impl Iterator<Item = char> {
    key.chars().map(|char| match char {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    })
}

/// A text that is written like this. What is no character is replaced by the one that says so.
fn unquoted(raw: &[u8]) -> Cow<'_, str> {
    if !raw.contains(&b'\\') {
        return String::from_utf8_lossy(raw);
    }
    let (mut text, mut rest) = (Vec::with_capacity(raw.len()), raw);
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        let (plain, escape) = rest.split_at(at);
        text.extend_from_slice(plain);
        let (char, length) = escaped(escape);
        text.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
        rest = escape.get(length..).unwrap_or_default();
    }
    text.extend_from_slice(rest);
    Cow::Owned(String::from_utf8_lossy(&text).into_owned())
}

/// The character that an escape at the beginning stands for, and how many bytes it takes.
fn escaped(escape: &[u8]) -> (char, usize) {
    let char = match escape.get(1) {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => {
            let (first, second) = (unit(escape), escape.get(6..).map_or(0, unit));
            return match char::decode_utf16([first, second]).next() {
                Some(Ok(char)) => (char, if char.len_utf16() == 2 { 12 } else { 6 }),
                _ => (char::REPLACEMENT_CHARACTER, 6),
            };
        }
        Some(byte) => char::from(*byte),
        None => char::REPLACEMENT_CHARACTER,
    };
    (char, 2)
}

/// The UTF-16 unit of an escape at the beginning; 0 if there is none.
fn unit(escape: &[u8]) -> u16 {
    let digits = escape.strip_prefix(b"\\u").and_then(|rest| rest.get(..4));
    let digits = digits.and_then(|digits| str::from_utf8(digits).ok());
    digits.and_then(|digits| u16::from_str_radix(digits, 16).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
