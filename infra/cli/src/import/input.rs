//! What sources are read from: files, of which nothing is passed over in silence and nothing is repeated in a message.

use std::{fs, io::Read as _, path::Path};

use serde::de::DeserializeOwned;

use crate::error::CliError;

/// The largest file of a source, in bytes: some tens of thousands of entries.
const LARGEST: u64 = 16 << 20;

/// A struct that is read from an object: fields that are null or not there are `None`, and the names of those that are not
/// known are kept in `unknown`.
macro_rules! record {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty = $key:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Default)]
        #[allow(clippy::struct_field_names, reason = "they are named as the tools name them")]
        #[allow(dead_code, reason = "what has no meaning here is read all the same, so that it is not an unknown field")]
        pub(crate) struct $name {
            $($(#[$field_doc])* pub(crate) $field: Option<$type>,)*
            /// Fields that are not known.
            pub(crate) unknown: Vec<String>,
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;

                impl<'de> serde::de::Visitor<'de> for Visitor {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_unit<E: serde::de::Error>(self) -> Result<$name, E> {
                        Ok($name::default())
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        let mut read = $name::default();
                        while let Some(key) = map.next_key::<String>()? {
                            match key.as_str() {
                                $($key => read.$field = map.next_value()?,)*
                                _ => {
                                    map.next_value::<serde::de::IgnoredAny>()?;
                                    read.unknown.push(key.chars().take(100).collect());
                                }
                            }
                        }
                        Ok(read)
                    }
                }

                deserializer.deserialize_map(Visitor)
            }
        }
    };
}
pub(crate) use record;

/// The text of a file; `-` is the standard input.
pub(crate) fn read(path: &Path) -> Result<String, CliError> {
    let wrong = |why: String| CliError::File { path: path.display().to_string(), why };
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(LARGEST + 1).read_to_string(&mut text)
    } else {
        fs::File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_string(&mut text))
    };
    let length = read.map_err(|error| wrong(error.to_string()))?;
    if u64::try_from(length).unwrap_or(u64::MAX) > LARGEST {
        return Err(wrong(format!("it is larger than {LARGEST} bytes")));
    }
    Ok(text)
}

/// What a text of YAML or JSON says. Of what is wrong only the place is told: somebody may have a password there.
pub(crate) fn parse<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, CliError> {
    let wrong = |line: u64, column: u64| {
        CliError::Source(format!("{name}:{line}:{column}: this is not what the tool reads there"))
    };
    if text.trim_start().starts_with(['{', '[']) {
        let number = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        return serde_json::from_str(text).map_err(|error| wrong(number(error.line()), number(error.column())));
    }
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
        wrong(line, column)
    })
}

/// The file of a source, read.
pub(crate) fn load<T: DeserializeOwned>(path: &Path) -> Result<T, CliError> {
    parse(&path.display().to_string(), &read(path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    record! {
        /// For the test.
        Sample {
            /// A text.
            text: String = "a-text",
            /// A list.
            list: Vec<String> = "list",
            /// Another one.
            inner: Box<Sample> = "inner",
        }
    }

    #[test]
    fn nothing_is_passed_over_and_numbers_stay_as_they_are_written() {
        let text = "a-text: 1.10\nlist: [1.0, 007, yes, ~x]\ninner: {other: {x: 1}, a-text: }\nmore: 1\n";
        let read: Sample = parse("f", text).unwrap();
        assert_eq!(read.text.as_deref(), Some("1.10"));
        assert_eq!(read.list.as_deref(), Some(["1.0", "007", "yes", "~x"].map(str::to_owned).as_slice()));
        assert_eq!(read.inner.map(|inner| (inner.unknown, inner.text)), Some((vec!["other".to_owned()], None)));
        assert_eq!(read.unknown, ["more"]);
        let read: Sample = parse("f", r#"{"a-text": "x", "list": null, "z": [{}]}"#).unwrap();
        assert_eq!((read.text.as_deref(), read.list, read.unknown), (Some("x"), None, vec!["z".to_owned()]));
    }

    #[test]
    fn anchors_are_followed_and_endless_ones_are_not() {
        let read: Sample = parse("f", "x: &a {a-text: hello}\ninner: *a\n").unwrap();
        assert_eq!(read.inner.unwrap().text.as_deref(), Some("hello"));
        let itself = "inner: &a\n  inner: *a\n";
        assert!(parse::<Sample>("f", itself).is_err());
        let deep = format!("list: {}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(parse::<Sample>("f", &deep).is_err());
        // What is not known is passed over, however deep it is, without a stack.
        let deep = format!("{{\"x\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(parse::<Sample>("f", &deep).unwrap().unknown, ["x"]);
    }

    #[test]
    fn no_message_has_what_is_in_the_file() {
        for text in ["list: hunter2\n", "{\"list\": \"hunter2\"}", "inner: hunter2", "hunter2", "a-text: \"hunter2\n"] {
            let error = parse::<Sample>("f", text).err().unwrap().to_string();
            assert!(!error.contains("hunter2") && error.starts_with("f:"), "{error}");
        }
    }
}
