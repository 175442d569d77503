//! One list of strings in a JSON object, `{"tags": ["a", "b"]}`, read as it comes: what is kept at any time is one
//! string, however large the document is.
//!
//! Everything else in the object is passed over, of any size and depth; of that only strings and brackets are looked at.
//! The list's key is matched as clients match it, without regard to case; where it is there twice, the last one counts.

use crate::lexer::{Item, Lexer, NoList, Token};

/// What comes of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    /// It begins; what came of it before does not count. Also where it is null.
    Begin,
    /// An entry.
    Entry(Item<'a>),
}

/// Reads one document.
#[derive(Debug)]
pub(crate) struct Strings {
    lexer: Lexer,
    list: List,
}

impl Strings {
    /// Reads the list called `key`, whose strings are at most `longest` bytes long.
    pub(crate) fn new(key: &'static str, longest: usize) -> Self {
        Self { lexer: Lexer::new(longest.max(key.len())), list: List::new(key) }
    }

    /// Reads on, and hands over what there is in the list.
    pub(crate) fn read<E: From<NoList>>(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(Part<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.lexer.read(bytes, |token| self.list.token(token, &mut each))
    }

    /// Whether the document is whole.
    pub(crate) fn is_whole(&self) -> bool {
        self.lexer.is_between() && self.list.is_ended()
    }
}

/// The list among a document's tokens.
#[derive(Debug)]
pub(crate) struct List {
    key: &'static str,
    expected: Expected,
    /// Whether the value that comes next is the list's.
    is_wanted: bool,
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

impl List {
    pub(crate) fn new(key: &'static str) -> Self {
        Self { key, expected: Expected::Object, is_wanted: false, open: 0 }
    }

    /// Whether the document has come to its end.
    pub(crate) fn is_ended(&self) -> bool {
        self.expected == Expected::Nothing
    }

    /// Takes the next token, and hands over what there is in the list.
    pub(crate) fn token<E: From<NoList>>(
        &mut self,
        token: Token<'_>,
        each: &mut impl FnMut(Part<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        match (self.expected, token) {
            (Expected::FirstKey | Expected::Key, Token::Text(text)) => {
                self.is_wanted =
                    text.with(|item| matches!(item, Item::Text(text) if text.eq_ignore_ascii_case(self.key)));
                self.expected = Expected::Colon;
            }
            (Expected::FirstElement | Expected::Element, Token::Text(text)) => {
                self.expected = Expected::ElementEnd;
                text.with(|item| each(Part::Entry(item)))?;
            }
            (Expected::Value, Token::Text(_) | Token::Word(_)) if !self.is_wanted => {
                self.expected = Expected::CommaOrEnd;
            }
            (Expected::Value, Token::Word(b"null")) => {
                self.expected = Expected::CommaOrEnd;
                each(Part::Begin)?;
            }
            (Expected::FirstElement | Expected::Element, Token::Word(_)) => {
                self.expected = Expected::ElementEnd;
                each(Part::Entry(Item::Other))?;
            }
            (Expected::Closing { .. }, Token::Text(_) | Token::Word(_) | Token::Separator(_)) => {}
            (_, Token::Open(byte)) => return self.opened(byte, each),
            (_, Token::Close(byte)) => return self.closed(byte, each),
            (Expected::Colon, Token::Separator(b':')) => self.expected = Expected::Value,
            (Expected::CommaOrEnd, Token::Separator(b',')) => self.expected = Expected::Key,
            (Expected::ElementEnd, Token::Separator(b',')) => self.expected = Expected::Element,
            _ => return Err(NoList.into()),
        }
        Ok(())
    }

    fn opened<E: From<NoList>>(&mut self, byte: u8, each: &mut impl FnMut(Part<'_>) -> Result<(), E>) -> Result<(), E> {
        self.expected = match (self.expected, byte) {
            (Expected::Object, b'{') => Expected::FirstKey,
            (Expected::Value, b'[') if self.is_wanted => {
                each(Part::Begin)?;
                Expected::FirstElement
            }
            (Expected::Value, _) if !self.is_wanted => Expected::Closing { in_list: false },
            (Expected::FirstElement | Expected::Element, _) => Expected::Closing { in_list: true },
            (closing @ Expected::Closing { .. }, _) => closing,
            _ => return Err(NoList.into()),
        };
        if matches!(self.expected, Expected::Closing { .. }) {
            self.open = self.open.saturating_add(1);
        }
        Ok(())
    }

    fn closed<E: From<NoList>>(&mut self, byte: u8, each: &mut impl FnMut(Part<'_>) -> Result<(), E>) -> Result<(), E> {
        self.expected = match (self.expected, byte) {
            (Expected::FirstKey | Expected::CommaOrEnd, b'}') => Expected::Nothing,
            (Expected::FirstElement | Expected::ElementEnd, b']') => Expected::CommaOrEnd,
            (closing @ Expected::Closing { in_list }, _) => {
                self.open = self.open.saturating_sub(1);
                match (self.open, in_list) {
                    (0, true) => {
                        each(Part::Entry(Item::Other))?;
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
                    Part::Begin => {
                        texts.clear();
                        others = 0;
                    }
                    Part::Entry(Item::Text(text)) => texts.push(text.to_owned()),
                    Part::Entry(Item::Other) => others += 1,
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
            (r#"{"Tags":["x"],"tag":1}"#, &["x"], 0),
            (r#"{"tags":["x",null],"tag":["y"],"TAGS":["a"]}"#, &["a"], 0),
            (r#"{"tags":["x",null],"tags":null}"#, &[], 0),
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
            r"{tags:[]}",
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
            let is_list = read(document.as_bytes(), 4).is_ok();
            let is_object = document.trim_start().starts_with('{');
            prop_assert!(is_object || !is_list);
        }
    }
}
