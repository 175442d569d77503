//! The tokens of a JSON document, read as it comes: what is kept at any time is one string, however large the document is.

/// A string, as far as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Item<'a> {
    /// A string.
    Text(&'a str),
    /// Something else, or a string that is too long or no text.
    Other,
}

/// The document is not what is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoList;

/// A token.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Token<'a> {
    /// `{` or `[`.
    Open(u8),
    /// `}` or `]`.
    Close(u8),
    /// `:` or `,`.
    Separator(u8),
    /// A string.
    Text(Quoted<'a>),
    /// A number, `true`, `false` or `null`.
    Word(&'a [u8]),
}

/// A string as it is written, without its quotes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quoted<'a> {
    written: &'a [u8],
    is_cut: bool,
}

impl Quoted<'_> {
    /// Hands over what it says.
    pub(crate) fn with<T>(self, use_it: impl FnOnce(Item<'_>) -> T) -> T {
        if self.is_cut {
            return use_it(Item::Other);
        }
        if let Ok(text) = std::str::from_utf8(self.written)
            && !self.written.iter().any(|byte| *byte == b'\\' || *byte < b' ')
        {
            return use_it(Item::Text(text));
        }
        let quoted = [b"\"", self.written, b"\""].concat();
        let text: Option<String> = serde_json::from_slice(&quoted).ok();
        use_it(text.as_deref().map_or(Item::Other, Item::Text))
    }
}

/// Reads one document.
#[derive(Debug)]
pub(crate) struct Lexer {
    /// The longest string that is kept, as written.
    longest: usize,
    lexeme: Lexeme,
    /// The string or word that is read: a string without its quotes, as written.
    text: Vec<u8>,
    is_cut: bool,
    is_escaped: bool,
}

/// What is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lexeme {
    None,
    Text,
    Word,
}

impl Lexer {
    /// Keeps strings of at most `longest` bytes. Each may be written as escapes.
    pub(crate) fn new(longest: usize) -> Self {
        let longest = longest.saturating_mul(r"\u0000".len());
        Self { longest, lexeme: Lexeme::None, text: Vec::new(), is_cut: false, is_escaped: false }
    }

    /// Reads on, and hands over the tokens.
    pub(crate) fn read<E: From<NoList>>(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(Token<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        for byte in bytes {
            self.byte(*byte, &mut each)?;
        }
        Ok(())
    }

    /// Whether no token is begun.
    pub(crate) fn is_between(&self) -> bool {
        self.lexeme == Lexeme::None
    }

    fn byte<E: From<NoList>>(&mut self, byte: u8, each: &mut impl FnMut(Token<'_>) -> Result<(), E>) -> Result<(), E> {
        match self.lexeme {
            Lexeme::Text => {
                if self.is_escaped {
                    self.is_escaped = false;
                } else if byte == b'"' {
                    self.lexeme = Lexeme::None;
                    return each(Token::Text(Quoted { written: &self.text, is_cut: self.is_cut }));
                } else {
                    self.is_escaped = byte == b'\\';
                }
                self.keep(byte);
                return Ok(());
            }
            Lexeme::Word if byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.') => {
                self.keep(byte);
                return Ok(());
            }
            Lexeme::Word => {
                self.lexeme = Lexeme::None;
                each(Token::Word(&self.text))?;
            }
            Lexeme::None => {}
        }
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => Ok(()),
            b'"' => {
                self.begin(Lexeme::Text);
                Ok(())
            }
            b'{' | b'[' => each(Token::Open(byte)),
            b'}' | b']' => each(Token::Close(byte)),
            b':' | b',' => each(Token::Separator(byte)),
            _ => {
                self.begin(Lexeme::Word);
                self.keep(byte);
                if byte.is_ascii_alphanumeric() || byte == b'-' { Ok(()) } else { Err(NoList.into()) }
            }
        }
    }

    fn begin(&mut self, lexeme: Lexeme) {
        self.lexeme = lexeme;
        self.text.clear();
        (self.is_cut, self.is_escaped) = (false, false);
    }

    fn keep(&mut self, byte: u8) {
        if self.text.len() < self.longest {
            self.text.push(byte);
        } else {
            self.is_cut = true;
        }
    }
}
