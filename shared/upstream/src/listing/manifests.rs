//! The map of manifests in Google's lists of tags (gcr.io, pkg.dev), beside the tags themselves:
//! `{"name": "p/r", "manifest": {"sha256:…": {"tag": ["a"], "mediaType": "…"}}, "tags": ["a"]}`. It is read as it comes.

use super::{Doubt, digests::Digests};
use crate::lexer::{Item, Token};

/// The map among a document's tokens, and whose the document says it is.
#[derive(Debug)]
pub(crate) struct Manifests {
    repository: Box<str>,
    depth: u64,
    /// How many of the brackets that are open lead to the tags of a manifest.
    path: u64,
    /// The string that came last, until it is known whether it is a key.
    text: Option<Box<str>>,
    /// The key of the document itself, and of a manifest's entry.
    keys: [Key; 2],
    /// The manifest.
    digest: Option<Box<str>>,
    is_named: bool,
    has_map: bool,
    is_doubtful: bool,
    digests: Digests,
}

/// What comes behind a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Map,
    Name,
    Tags,
    Other,
}

/// How many brackets lead to the tags: the document, the map, a manifest, its list.
const TAGS: u64 = 4;

impl Manifests {
    /// Reads what is said of this repository.
    pub(crate) fn of(repository: &str, digests: Digests) -> Self {
        let keys = [Key::Other; 2];
        let (text, digest, repository) = (None, None, repository.into());
        let (is_named, has_map, is_doubtful) = (false, false, false);
        Self { repository, depth: 0, path: 0, text, keys, digest, is_named, has_map, is_doubtful, digests }
    }

    /// Takes the next token.
    pub(crate) fn token(&mut self, token: Token<'_>) {
        match token {
            Token::Open(byte) => self.opened(byte),
            Token::Close(_) => {
                self.path = self.path.min(self.depth.saturating_sub(1));
                self.depth = self.depth.saturating_sub(1);
            }
            Token::Separator(b':') => self.key(),
            Token::Separator(_) if self.depth == 1 => self.keys[0] = Key::Other,
            Token::Text(text) if self.path == self.depth => {
                let text = text.with(|item| match item {
                    Item::Text(text) => Some(text.into()),
                    Item::Other => None,
                });
                self.text_ended(text);
            }
            Token::Separator(_) | Token::Text(_) => {}
            Token::Word(word) => self.is_doubtful |= self.path == TAGS && word != b"null",
        }
    }

    /// Whether the document says whose it is.
    pub(crate) fn is_named(&self) -> bool {
        self.is_named
    }

    /// What was said, if anything was.
    pub(crate) fn end(self) -> Result<Option<Digests>, Doubt> {
        if self.has_map && self.is_doubtful { Err(Doubt) } else { Ok(self.has_map.then_some(self.digests)) }
    }

    fn opened(&mut self, byte: u8) {
        let leads_on = match self.depth {
            0 | 2 => byte == b'{',
            1 => byte == b'{' && self.keys[0] == Key::Map,
            3 => byte == b'[' && self.keys[1] == Key::Tags,
            _ => false,
        };
        if leads_on && self.path == self.depth {
            self.path += 1;
            if self.path == 2 {
                // A second map takes the first one's place for some readers, and not for others.
                self.is_doubtful |= self.has_map;
                self.has_map = true;
            }
        }
        self.depth = self.depth.saturating_add(1);
    }

    fn text_ended(&mut self, text: Option<Box<str>>) {
        if self.path == TAGS {
            let said = text.as_deref().map_or(Ok(()), |tag| self.digests.add(tag, self.digest.as_deref()));
            self.is_doubtful |= said == Err(Doubt);
            return;
        }
        if self.depth == 1 && self.keys[0] == Key::Name {
            self.is_named = true;
            self.is_doubtful |= text.as_deref() != Some(&*self.repository);
            self.keys[0] = Key::Other;
        }
        self.text = text;
    }

    /// The string that came last is a key.
    fn key(&mut self) {
        if self.path != self.depth {
            return;
        }
        let text = self.text.take();
        match (self.depth, text.as_deref()) {
            (1, Some("manifest")) => self.keys[0] = Key::Map,
            (1, Some("name")) => self.keys[0] = Key::Name,
            (1, _) => self.keys[0] = Key::Other,
            (2, _) => (self.digest, self.keys[1]) = (text, Key::Other),
            (3, Some("tag")) => self.keys[1] = Key::Tags,
            (3, _) => self.keys[1] = Key::Other,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use moorage_domain::Digest;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::lexer::{Lexer, NoList};

    #[derive(Debug)]
    struct Broken;

    impl From<NoList> for Broken {
        fn from(_: NoList) -> Self {
            Self
        }
    }

    fn read(document: &str) -> Manifests {
        let (mut lexer, mut manifests) = (Lexer::new(128), Manifests::of("p/r", Digests::default()));
        for chunk in document.as_bytes().chunks(5) {
            let read = lexer.read(chunk, |token| {
                manifests.token(token);
                Ok::<_, Broken>(())
            });
            if read.is_err() {
                break;
            }
        }
        manifests
    }

    fn says(document: &str, tag: &str, digest: &Digest) -> bool {
        read(document)
            .end()
            .is_ok_and(|digests| digests.is_some_and(|digests| digests.end().say(&tag.parse().unwrap(), digest)))
    }

    #[test]
    fn maps() {
        let (one, other) = (Digest::sha256(b"1"), Digest::sha256(b"2"));
        let entry = |tags: &[&str]| json!({"imageSizeBytes": "1", "layerId": "", "mediaType": "m", "tag": tags, "timeCreatedMs": "1", "x": [{"tag": ["c"]}]});
        let map =
            json!({one.to_string(): entry(&["a", "b"]), other.to_string(): entry(&[]), "sha256:1": entry(&["d"])});
        let whole =
            json!({"child": [{"manifest": {}}], "manifest": map, "name": "p/r", "tags": ["a", "b", "d"]}).to_string();
        assert!(says(&whole, "a", &one) && says(&whole, "b", &one));
        assert!(!says(&whole, "a", &other) && !says(&whole, "c", &one) && !says(&whole, "d", &one));
        assert!(read(&whole).is_named());
        let of = |name: Value, map: &Value| json!({"manifest": map, "name": name, "tags": ["a"]}).to_string();
        assert!(says(&of(Value::Null, &map), "a", &one));
        assert!(!says(&of(json!("p/other"), &map), "a", &one), "another repository's");
        let twice = json!({one.to_string(): entry(&["a"]), other.to_string(): entry(&["a"])});
        assert!(!says(&of(json!("p/r"), &twice), "a", &one), "two digests");
        let wrong = json!({one.to_string(): {"tag": ["a", 1]}});
        assert!(!says(&of(json!("p/r"), &wrong), "a", &one), "what is no tag");
        let doubled = format!(r#"{{"manifest":{map},"manifest":{{}},"tags":["a"]}}"#);
        assert!(!says(&doubled, "a", &one), "two maps");
        for none in [r#"{"tags":["a"]}"#, r#"{"manifest":null}"#, r#"{"manifest":["a"]}"#, r#"{"x":{"manifest":{}}}"#] {
            assert!(read(none).end().unwrap().is_none(), "{none}");
        }
        let unnamed = format!(r#"{{"name":null,"tags":["p/r"],"manifest":{map}}}"#);
        assert!(says(&unnamed, "a", &one) && !read(&unnamed).is_named());
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_a_parser_reads(tags in prop::collection::btree_map("[a-z]{1,3}", 0..4_u8, 0..20)) {
            let digest = |number: u8| Digest::sha256(&[number]);
            let entries = (0..4).map(|number| {
                let of: Vec<_> = tags.iter().filter(|(_, other)| **other == number).map(|(tag, _)| tag).collect();
                (digest(number).to_string(), json!({"mediaType": "m", "tag": of, "x": {"tag": ["zzz"]}}))
            });
            let document = json!({"manifest": Value::Object(entries.collect()), "name": "p/r", "tags": []}).to_string();
            let digests = read(&document).end().unwrap().unwrap().end();
            for (tag, number) in &tags {
                for other in 0..4 {
                    prop_assert_eq!(digests.say(&tag.parse().unwrap(), &digest(other)), *number == other);
                }
            }
        }

        #[test]
        fn nothing_panics(document in "[\\[\\]{}\",:\\\\ ]{0,20}(\"manifest\"|\"tag\"|\"name\"|null|1|[\\[\\]{}\",:\\\\ ]){0,40}") {
            let _ = read(&document).end();
        }
    }
}
