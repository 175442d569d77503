//! What is JSON, and what it says.

use proptest::prelude::*;

use super::*;

#[test]
fn what_is_json() {
    for good in [
        "null",
        " [ ] ",
        "{}",
        "[1,-0,0.5,1e9,1E+9,-1.25e-3]",
        r#"{"a":{"b":[true,false,null,"\u00e4\n"]}}"#,
        r#""\ud800""#,
    ] {
        assert!(Reader::new(good.as_bytes()).is_ok(), "{good}");
    }
    assert!(Reader::new(b"\"\xff\xfe\"").is_ok(), "bytes that are no UTF-8");
    for bad in [
        "",
        " ",
        "nul",
        "[1,]",
        "{,}",
        r#"{"a"}"#,
        r#"{"a":1,}"#,
        "01",
        "+1",
        "1.",
        ".5",
        "1e",
        "-",
        "[1 2]",
        "{} {}",
        r#""\x""#,
        r#""\u00g0""#,
        "\"\n\"",
        "\"",
        "{1:2}",
        "\u{feff}{}",
        "[1}",
        "NaN",
        "'a'",
    ] {
        assert!(Reader::new(bad.as_bytes()).is_err(), "{bad}");
    }
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(Reader::new(nested(MAX_DEPTH).as_bytes()).is_ok());
    assert_eq!(Reader::new(nested(MAX_DEPTH + 1).as_bytes()).unwrap_err(), JsonError::Depth);
}

#[test]
fn keys_are_read_as_they_are_meant() {
    let read = |document: &str| {
        let mut seen = Vec::new();
        let mut reader = Reader::new(document.as_bytes()).unwrap();
        reader.fields(&["layers", "size"], |reader, key| {
            seen.push((key, reader.integer()?));
            Ok(())
        })?;
        Ok::<_, JsonError>(seen)
    };
    assert_eq!(read(r#"{"x":[{}],"laye\u0072s":1,"x":2,"size":null}"#), Ok(vec![("layers", Some(1)), ("size", None)]));
    assert_eq!(read(r#"{"size":1,"size":-9223372036854775808}"#).unwrap().last(), Some(&("size", Some(i64::MIN))));
    for other in ["Layers", "LAYERS", "layer\u{17f}", "Size", "\\u0053ize"] {
        let error = read(&format!(r#"{{"{other}":1}}"#)).unwrap_err();
        assert!(matches!(error, JsonError::Case { .. }), "{other}: {error}");
    }
    for wrong in ["1.0", "1e2", "9223372036854775808", "\"1\"", "[]", "true"] {
        let error = read(&format!(r#"{{"size":{wrong}}}"#)).unwrap_err();
        assert_eq!(error.to_string(), "size is not an integer of 64 bits", "{wrong}");
    }
    assert_eq!(read("[]").unwrap_err().to_string(), "the document is not an object");
}

#[test]
fn texts_are_what_go_makes_of_them() {
    let text = |document: &str| Reader::new(document.as_bytes()).unwrap().text().unwrap().unwrap().into_owned();
    assert_eq!(text(r#""\"\\\/\b\f\n\r\t\u00e4""#), "\"\\/\u{8}\u{c}\n\r\tä");
    assert_eq!(text(r#""\ud83d\ude00""#), "😀");
    assert_eq!(text(r#""a\ud800b\udc00""#), "a\u{fffd}b\u{fffd}");
    assert_eq!(text(r#""\ud800\u0041""#), "\u{fffd}A");
}

proptest! {
    #[test]
    fn what_another_reader_takes_is_taken(value in any::<Vec<(String, f64, bool)>>()) {
        let text = serde_json::to_string(&value).unwrap();
        prop_assert!(Reader::new(text.as_bytes()).is_ok(), "{}", text);
    }

    #[test]
    fn texts_survive(text in any::<String>()) {
        let written = serde_json::to_string(&text).unwrap();
        let read = Reader::new(written.as_bytes()).unwrap().text().unwrap().map(Cow::into_owned);
        prop_assert_eq!(read, Some(text));
    }

    #[test]
    fn nothing_breaks_it(bytes in proptest::collection::vec(prop_oneof![Just(b'"'), Just(b'\\'), Just(b'u'), Just(b'{'), Just(b'['), Just(b'}'), Just(b']'), Just(b','), Just(b':'), any::<u8>()], 0..60)) {
        let ours = Reader::new(&bytes).is_ok();
        if serde_json::from_slice::<serde_json::Value>(&bytes).is_ok() {
            prop_assert!(ours);
        }
        if ours && bytes.is_ascii() && !bytes.contains(&b'\\') && !bytes.iter().any(u8::is_ascii_digit) {
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
        }
    }
}
