//! One list of strings in a JSON object, `{"tags": ["a", "b"]}`, read as it comes: what is kept at any time is one
//! string, however large the document is.
//!
//! Everything else in the object is passed over, of any size and depth; of that only strings and brackets are looked at.

/// What there is in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Item<'a> {
    /// A string.
    Text(&'a str),
    /// Something else, or a string that is too long or no text.
    Other,
}

/// The document is not an object with such a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoList;

/// Reads one document.
#[derive(Debug)]
pub(crate) struct Strings {
    key: &'static str,
    /// The longest string that is kept, as written.
    longest: usize,
    expected: Expected,
    lexeme: Lexeme,
    /// The string or word that is read: a string without its quotes, as written.
    text: Vec<u8>,
    is_cut: bool,
    is_escaped: bool,
    /// Whether the value that comes next is the list's.
    is_list: bool,
    /// Brackets that are open in what is passed over.
    open: u64,
}

/// What the grammar allows next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Object,
    FirstKey,
    Key,
    Colon,
    Value,
    CommaOrEnd,
    FirstElement,
    Element,
    ElementEnd,
    /// The end of something that is passed over, and what comes behind it.
    Closing {
        in_list: bool,
    },
    Nothing,
}

/// What is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lexeme {
    None,
    Text,
    /// A number, `true`, `false` or `null`.
    Word,
}

impl Strings {
    /// Reads the list called `key`, whose strings are at most `longest` bytes long. Each may be written as escapes.
    pub(crate) fn new(key: &'static str, longest: usize) -> Self {
        let longest = longest.saturating_mul(r"\u0000".len());
        let (expected, lexeme) = (Expected::Object, Lexeme::None);
        let (text, is_cut, is_escaped, is_list, open) = (Vec::new(), false, false, false, 0);
        Self { key, longest, expected, lexeme, text, is_cut, is_escaped, is_list, open }
    }

    /// Reads on, and hands over what there is in the list.
    pub(crate) fn read<E: From<NoList>>(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(Item<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        for byte in bytes {
            self.byte(*byte, &mut each)?;
        }
        Ok(())
    }

    /// Whether the document is whole.
    pub(crate) fn is_whole(&self) -> bool {
        self.expected == Expected::Nothing
    }

    fn byte<E: From<NoList>>(&mut self, byte: u8, each: &mut impl FnMut(Item<'_>) -> Result<(), E>) -> Result<(), E> {
        match self.lexeme {
            Lexeme::Text => {
                if self.is_escaped {
                    self.is_escaped = false;
                } else if byte == b'"' {
                    self.lexeme = Lexeme::None;
                    return self.text_ended(each);
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
                self.word_ended(each)?;
            }
            Lexeme::None => {}
        }
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => Ok(()),
            b'"' => {
                self.begin(Lexeme::Text);
                Ok(())
            }
            b'{' | b'[' => self.opened(byte).map_err(E::from),
            b'}' | b']' => self.closed(byte, each),
            b':' | b',' => self.separated(byte).map_err(E::from),
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

    fn text_ended<E: From<NoList>>(&mut self, each: &mut impl FnMut(Item<'_>) -> Result<(), E>) -> Result<(), E> {
        match self.expected {
            Expected::FirstKey | Expected::Key => {
                let key = self.key;
                self.is_list = self.with_text(|text| text == Item::Text(key));
                self.expected = Expected::Colon;
            }
            Expected::Value if !self.is_list => self.expected = Expected::CommaOrEnd,
            Expected::FirstElement | Expected::Element => {
                self.expected = Expected::ElementEnd;
                self.with_text(each)?;
            }
            Expected::Closing { .. } => {}
            _ => return Err(NoList.into()),
        }
        Ok(())
    }

    fn word_ended<E: From<NoList>>(&mut self, each: &mut impl FnMut(Item<'_>) -> Result<(), E>) -> Result<(), E> {
        match self.expected {
            Expected::Value if !self.is_list || self.text == b"null" => self.expected = Expected::CommaOrEnd,
            Expected::FirstElement | Expected::Element => {
                self.expected = Expected::ElementEnd;
                each(Item::Other)?;
            }
            Expected::Closing { .. } => {}
            _ => return Err(NoList.into()),
        }
        Ok(())
    }

    fn opened(&mut self, byte: u8) -> Result<(), NoList> {
        self.expected = match (self.expected, byte) {
            (Expected::Object, b'{') => Expected::FirstKey,
            (Expected::Value, b'[') if self.is_list => Expected::FirstElement,
            (Expected::Value, _) if !self.is_list => Expected::Closing { in_list: false },
            (Expected::FirstElement | Expected::Element, _) => Expected::Closing { in_list: true },
            (closing @ Expected::Closing { .. }, _) => closing,
            _ => return Err(NoList),
        };
        if matches!(self.expected, Expected::Closing { .. }) {
            self.open = self.open.saturating_add(1);
        }
        Ok(())
    }

    fn closed<E: From<NoList>>(&mut self, byte: u8, each: &mut impl FnMut(Item<'_>) -> Result<(), E>) -> Result<(), E> {
        self.expected = match (self.expected, byte) {
            (Expected::FirstKey | Expected::CommaOrEnd, b'}') => Expected::Nothing,
            (Expected::FirstElement | Expected::ElementEnd, b']') => Expected::CommaOrEnd,
            (closing @ Expected::Closing { in_list }, _) => {
                self.open = self.open.saturating_sub(1);
                match (self.open, in_list) {
                    (0, true) => {
                        each(Item::Other)?;
                        Expected::ElementEnd
                    }
                    (0, false) => Expected::CommaOrEnd,
                    _ => closing,
                }
            }
            _ => return Err(NoList.into()),
        };
        Ok(())
    }

    fn separated(&mut self, byte: u8) -> Result<(), NoList> {
        self.expected = match (self.expected, byte) {
            (Expected::Colon, b':') => Expected::Value,
            (Expected::CommaOrEnd, b',') => Expected::Key,
            (Expected::ElementEnd, b',') => Expected::Element,
            (closing @ Expected::Closing { .. }, _) => closing,
            _ => return Err(NoList),
        };
        Ok(())
    }

    /// Hands over the string that was read.
    fn with_text<T>(&self, use_it: impl FnOnce(Item<'_>) -> T) -> T {
        if self.is_cut {
            return use_it(Item::Other);
        }
        if !self.text.contains(&b'\\') {
            return use_it(std::str::from_utf8(&self.text).map_or(Item::Other, Item::Text));
        }
        let quoted = [b"\"", self.text.as_slice(), b"\""].concat();
        let text: Option<String> = serde_json::from_slice(&quoted).ok();
        use_it(text.as_deref().map_or(Item::Other, Item::Text))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl From<NoList> for String {
        fn from(_: NoList) -> Self {
            "no list".into()
        }
    }

    fn read(document: &[u8], at_once: usize) -> Result<(Vec<String>, usize), String> {
        let (mut strings, mut texts, mut others) = (Strings::new("tags", 128), Vec::new(), 0);
        for chunk in document.chunks(at_once) {
            strings.read(chunk, |item| {
                match item {
                    Item::Text(text) => texts.push(text.to_owned()),
                    Item::Other => others += 1,
                }
                Ok::<_, String>(())
            })?;
        }
        if strings.is_whole() { Ok((texts, others)) } else { Err("not whole".into()) }
    }

    #[test]
    fn lists() {
        let long = format!(r#"{{"tags":["{}","a"]}}"#, "x".repeat(769));
        let deep = format!(r#"{{"x":{}{},"tags":["a"]}}"#, "[".repeat(100_000), "]".repeat(100_000));
        for (document, texts, others) in [
            (r#"{"name":"a/b","tags":["a","b"]}"#, &["a", "b"][..], 0),
            (r#" { "tags" : [ "a" , "b" ] , "name" : null } "#, &["a", "b"], 0),
            (r#"{"tags":null}"#, &[], 0),
            (r#"{"tags":[]}"#, &[], 0),
            ("{}", &[], 0),
            (r#"{"tags":[null,"a",1,true,{"tags":["x"]},[["y"]],-1.5e+3]}"#, &["a"], 6),
            (r#"{"name":{"tags":["x"],"a":["]}"]},"tags":["a"]}"#, &["a"], 0),
            (r#"{"t\u0061gs":["\u0061-\"b\\","\ud800"]}"#, &["a-\"b\\"], 1),
            (r#"{"Tags":["x"],"tag":1}"#, &[], 0),
            (&long, &["a"], 1),
            (&deep, &["a"], 0),
        ] {
            let expected: Vec<String> = texts.iter().map(ToString::to_string).collect();
            for at_once in [1, 2, 7, document.len()] {
                let read = read(document.as_bytes(), at_once);
                assert_eq!(read, Ok((expected.clone(), others)), "{}", &document[..document.len().min(99)]);
            }
        }
        for document in [
            "",
            "<html>",
            "null",
            "[]",
            r#"["a"]"#,
            "{",
            r#"{"tags":["a""#,
            r#"{"tags":["a"]"#,
            r#"{"tags":["a" "b"]}"#,
            r#"{"tags":["a",]}"#,
            r#"{"tags":{"a":1}}"#,
            r#"{"tags":"a"}"#,
            r#"{"tags":1}"#,
            r#"{"tags":[]}}"#,
            r#"{"tags":[]}x"#,
            r#"{"tags":[],}"#,
            r#"{"tags" []}"#,
            r#"{tags:[]}"#,
        ] {
            assert!(read(document.as_bytes(), 1).is_err(), "{document}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_keeps_little(document: Vec<u8>, at_once in 1..99_usize) {
            let _ = read(&document, at_once);
        }

        #[test]
        fn reads_what_a_parser_reads(tags: Vec<Option<String>>, other in "[a-z\\[\\]{}\",:\\\\]{0,20}") {
            let document = serde_json::json!({"name": other, "a": [{"tags": [other]}], "tags": tags, "z": 1.5});
            let (texts, others) = read(document.to_string().as_bytes(), 3).unwrap();
            let short: Vec<_> = tags.iter().flatten().filter(|tag| tag.len() <= 128).cloned().collect();
            prop_assert_eq!(&texts.iter().filter(|tag| tag.len() <= 128).cloned().collect::<Vec<_>>(), &short);
            prop_assert_eq!(texts.len() + others, tags.len());
        }

        #[test]
        fn nearly_lists_do_not_panic(document in "[\\[\\]{}\",:\\\\ ]{0,20}(\"tags\"|null|1|a|[\\[\\]{}\",:\\\\ ]){0,30}") {
            if read(document.as_bytes(), 4).is_ok() {
                prop_assert!(document.contains('{'));
            }
        }
    }
}
